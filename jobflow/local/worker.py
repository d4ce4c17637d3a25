"""Worker: the loop that every part of the local control plane works by.

In: a queue of keys, and what looks at one. Out: keys handled one at a time for each worker, until cancelled. A look
that came too early is repeated after a while without a word; one that the API server refused, with one. No key is
ever lost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

import structlog

from jobflow.kube.errors import ApiError, Conflict
from jobflow.work.queue import WorkQueue

log = structlog.get_logger(__name__)

K = TypeVar("K", bound=Hashable)


class Again(Exception):
    """Nothing to tell of: look once more after a while."""


async def work(queue: WorkQueue[K], look: Callable[[K], Awaitable[None]], what: str) -> None:
    """Look at keys until cancelled. `what` is the kind of thing they are, for the log."""
    while True:
        key = await queue.get()
        try:
            await look(key)
        except (Conflict, Again):
            queue.retry(key)  # the watch has not caught up
        except ApiError as error:
            seconds = queue.retry(key, error.retry_after or 0.0)
            told = "/".join(key) if isinstance(key, tuple) else key
            log.warning(f"{what} not brought on", key=told, error=error.message, again_in=seconds)
        else:
            queue.forget(key)
        finally:
            queue.done(key)
