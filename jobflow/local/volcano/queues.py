"""Queues: their state, what they hold and may hold, and that a Job's queue exists.

In: Queues and PodGroups as they change, the queue that a Job names, OpenQueue and CloseQueue commands. Out: each
Queue's status; its capability, for the scheduler; a Queue created where a Job names one that is missing, and what to
tell the Job's user about it (Volcano refuses such a Job at admission; on a laptop the queues of a cluster are seldom
there). A queue that is told to close is Closing while PodGroups are in it, then Closed; admission lets no new Job into
either.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable

from jobflow.api.resources import QUEUE
from jobflow.cache.store import Store
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import AlreadyExists, KindNotFound, NotFound
from jobflow.kube.reflector import Reflector
from jobflow.local.volcano.admission import DEFAULT_QUEUE
from jobflow.local.volcano.amounts import Amounts
from jobflow.local.volcano.commands import CLOSE_QUEUE, Commands
from jobflow.local.volcano.scheduling_objects import (
    CLOSED,
    CLOSING,
    COMPLETED,
    INQUEUE,
    OPEN,
    PENDING,
    RUNNING,
    UNKNOWN,
    Group,
    Queue,
    QueueObject,
    QueueStatus,
    queue_view,
)
from jobflow.local.worker import work
from jobflow.work.queue import WorkQueue

COUNTS_SECONDS = 1.0  # counts of groups are written together: a burst of Jobs changes them hundreds of times


class Queues:
    """Keeps the status of all Queues, until cancelled."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        groups: Callable[[], Iterable[Group]],
        commands: Commands,
    ) -> None:
        self._client = client
        self._groups = groups
        self._commands = commands
        self.on_limits: list[Callable[[], None]] = []  # called when the capability of a queue is another
        self._known: set[str] = set()
        self._work_queue: WorkQueue[str] = WorkQueue(clock, lambda name: name)
        self._store: Store[str, Queue] = Store(lambda queue: queue.name, self._changed)
        self._reflector = Reflector(client, clock, QUEUE, Codec(QueueObject, queue_view), self._store)

    async def watch(self) -> None:
        """Follow Queues, until cancelled."""
        await self._reflector.run()

    async def synced(self) -> None:
        """Return once the queues are known, or known not to be served."""
        await self._reflector.synced()

    def capability(self, name: str) -> Amounts:
        """What the gangs of a queue may hold together; a resource that is not in it has no limit."""
        queue = self._store.get(name)
        return queue.capability if queue is not None else {}

    async def work(self) -> None:
        """Keep their status, until cancelled."""
        await self._reflector.synced()
        await work(self._work_queue, self._look, "Queue")

    def close(self) -> None:
        """No more looks."""
        self._work_queue.close()

    def commanded(self, name: str) -> None:
        """A command for the Queue has come."""
        self._work_queue.add(name)

    def group_changed(self, name: str) -> None:
        """A PodGroup of the Queue came, went, or has another phase."""
        self._work_queue.add_after(name, COUNTS_SECONDS)

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

    def _changed(self, old: Queue | None, new: Queue | None) -> None:
        if new is None and old is not None:
            self._known.discard(old.name)
        elif new is not None:
            self._work_queue.add(new.name)
        if (new.capability if new else {}) != (old.capability if old else {}):
            for tell in self.on_limits:
                tell()

    async def _look(self, name: str) -> None:
        queue = self._store.get(name)
        if queue is None or queue.deleting:
            return
        command = self._commands.first(QUEUE.kind, "", name)
        wanted = next_status(
            queue.status, (group.phase for group in self._groups() if group.spec.queue == name), command
        )
        if wanted != queue.status:
            changes = {
                "state": wanted.state,
                **{
                    field: getattr(wanted, field) for field in ("pending", "inqueue", "running", "completed", "unknown")
                },
            }
            body = {"metadata": {"resourceVersion": queue.resource_version}, "status": changes}
            await self._client.patch(QUEUE, None, name, body, subresource="status")
        if command is not None:
            self._commands.done(QUEUE.kind, "", name)


def next_status(status: QueueStatus, phases: Iterable[str], command: str | None) -> QueueStatus:
    """The status of a queue that holds groups in these phases, after a command."""
    counts = Counter(phases)
    state = status.state or OPEN
    if command is not None:
        state = CLOSING if command == CLOSE_QUEUE else OPEN
    if state in (CLOSING, CLOSED):
        state = CLOSING if counts.total() else CLOSED
    return QueueStatus(
        state=state,
        pending=counts[PENDING],
        inqueue=counts[INQUEUE],
        running=counts[RUNNING],
        completed=counts[COMPLETED],
        unknown=counts[UNKNOWN],
    )
