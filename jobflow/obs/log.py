"""Logs: structlog, one line an event, with the flow and the step bound by whoever handles them.

In: level and format. Out: lines on the stream given (stderr unless told otherwise). Values of parameters and secrets
are never passed to a log call, tracebacks show no local variables (a template's environment would be among them), and
bodies of unknown errors are cut where they are made (`kube.errors`).
"""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from typing import TextIO

import structlog


class LogFormat(StrEnum):
    """How a line looks: for people, or for a collector."""

    TEXT = "text"
    JSON = "json"


def configure(level: str = "info", fmt: LogFormat = LogFormat.TEXT, stream: TextIO | None = None) -> None:
    """Set up logging for the process; called once, by the command line."""
    out = stream or sys.stderr
    threshold = logging.getLevelNamesMapping()[level.upper()]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if fmt is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if fmt is LogFormat.JSON else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(threshold, logging.WARNING), stream=out, force=True)
