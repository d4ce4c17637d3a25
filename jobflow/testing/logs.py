"""Logs of a simulated controller: nothing is printed, and what it logs as an error is kept for the history.

In: structlog's calls, wherever they are made. Out: errors and tracebacks in the recorder. A reconcile that failed of a
bug is retried and may heal; it is a bug all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import structlog

from jobflow.testing.recorder import Recorder


@contextmanager
def heard_logs(recorder: Recorder) -> Iterator[None]:
    """Keep errors, drop the rest; the process's own configuration of logs comes back afterwards."""

    def keep(logger: object, method: str, event: structlog.typing.EventDict) -> NoReturn:
        told = ", ".join(f"{key}={value}" for key, value in event.items() if key not in ("event", "exception"))
        recorder.error(f"{event['event']} ({told})" if told else str(event["event"]), str(event.get("exception", "")))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.format_exc_info, keep],
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
