"""Queues: a Job's queue exists, or is made.

In: the queue that a Job names. Out: the Queue created where there was none, and what to tell the Job's user
about it. Volcano refuses such a Job at admission; on a laptop the queues of a cluster are seldom there, and
their limits mean nothing.
"""

from __future__ import annotations

import contextlib

from jobflow.api.resources import QUEUE
from jobflow.kube.client import Client
from jobflow.kube.errors import AlreadyExists, KindNotFound, NotFound
from jobflow.local.volcano.admission import DEFAULT_QUEUE


class Queues:
    """The queues known to exist, so that each is asked for once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: set[str] = set()

    async def ensure(self, name: str) -> str | None:
        """Create the queue if it is missing.

        What to warn of, once; Volcano makes `default` itself, unasked.
        """
        if name in self._known:
            return None
        try:
            await self._client.get(QUEUE, None, name)
        except KindNotFound:
            self._known.add(name)
            return f"queue {name}: Queues are not served here (their CRD is not installed); the Job runs without"
        except NotFound:
            return await self._create(name)
        self._known.add(name)
        return None

    async def _create(self, name: str) -> str | None:
        body = {
            "apiVersion": QUEUE.api_version,
            "kind": QUEUE.kind,
            "metadata": {"name": name},
            "spec": {"weight": 1, "reclaimable": True},
        }
        with contextlib.suppress(AlreadyExists):  # a Job beside this one was first
            await self._client.create(QUEUE, None, body)
        self._known.add(name)
        if name == DEFAULT_QUEUE:
            return None
        return f"queue {name} did not exist and was created; in a cluster Volcano refuses the Job"
