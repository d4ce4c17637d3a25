"""Commands: what users ask of a Job or a Queue, once (`bus.volcano.sh` Command: suspend, resume, terminate).

In: Commands as they are created. Out: their action, handed to whoever looks at the target next. As in Volcano a
Command is deleted first and carried out then, so that it is never carried out twice; one that asks for what cannot be
done is deleted too, and an Event says why. Volcano looks at the target's name alone; here a Command for an earlier
object of that name is not carried out on the one that came after.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable

import msgspec
import structlog
from msgspec import Struct

from jobflow.api.metadata import ObjectMeta, ObjectReference
from jobflow.api.resources import COMMAND, QUEUE, VOLCANO_JOB, Resource
from jobflow.cache.store import Store
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import Conflict, NotFound
from jobflow.kube.events import EventRecorder
from jobflow.kube.reflector import Reflector
from jobflow.local.volcano.phases import RESTARTS_OF_A_PART, Action
from jobflow.local.worker import work
from jobflow.work.queue import WorkQueue

CommandKey = tuple[str, str]  # namespace, name

OPEN_QUEUE = "OpenQueue"
CLOSE_QUEUE = "CloseQueue"
ACTIONS: dict[str, tuple[str, ...]] = {
    VOLCANO_JOB.kind: tuple(action for action in Action if action not in RESTARTS_OF_A_PART),
    QUEUE.kind: (OPEN_QUEUE, CLOSE_QUEUE),
}
TARGETS: dict[str, Resource] = {resource.kind: resource for resource in (VOLCANO_JOB, QUEUE)}

log = structlog.get_logger(__name__)


class Target(Struct, frozen=True, gc=False):
    """Whom a Command is for."""

    kind: str = ""
    name: str = ""
    uid: str = ""


class CommandObject(Struct, frozen=True, gc=False):
    """A Command on the wire."""

    metadata: ObjectMeta
    action: str = ""
    target: Target | None = None


class Command(Struct, frozen=True, gc=False, kw_only=True):
    """A Command as the runtime keeps it."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    action: str
    target: Target


class _Named(Struct):
    metadata: ObjectMeta


def command_view(command: CommandObject) -> Command:
    """What the runtime keeps of a Command."""
    meta = command.metadata
    return Command(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        action=command.action,
        target=command.target or Target(),
    )


class Commands:
    """Takes Commands off the API server. `issued` is called with kind, namespace and name of a target that has one."""

    def __init__(
        self, client: Client, clock: Clock, events: EventRecorder, issued: Callable[[str, str, str], None]
    ) -> None:
        self._client = client
        self._events = events
        self._issued = issued
        self._queue: WorkQueue[CommandKey] = WorkQueue(clock, lambda key: key[0])
        self._store: Store[CommandKey, Command] = Store(
            lambda command: (command.namespace, command.name),
            self._changed,
        )
        self._reflector = Reflector(client, clock, COMMAND, Codec(CommandObject, command_view), self._store)
        self._pending: defaultdict[tuple[str, str, str], deque[str]] = defaultdict(deque)

    async def watch(self) -> None:
        """Follow Commands, until cancelled."""
        await self._reflector.run()

    async def work(self) -> None:
        """Take them one after the other, in the order in which they came, until cancelled."""
        await work(self._queue, self._take, "Command")

    def close(self) -> None:
        """No more are taken."""
        self._queue.close()

    def first(self, kind: str, namespace: str, name: str) -> str | None:
        """The action that the target owes, if any."""
        pending = self._pending.get((kind, namespace, name))
        return pending[0] if pending else None

    def done(self, kind: str, namespace: str, name: str) -> None:
        """The first one was carried out, or its target is gone."""
        key = (kind, namespace, name)
        pending = self._pending.get(key)
        if pending:
            pending.popleft()
            if pending:
                self._issued(kind, namespace, name)
            else:
                del self._pending[key]

    def _changed(self, old: Command | None, new: Command | None) -> None:
        if new is not None:
            self._queue.add((new.namespace, new.name))

    async def _take(self, key: CommandKey) -> None:
        command = self._store.get(key)
        if command is None:
            return
        about = await self._target(command)  # before the delete: what fails here is tried again
        try:
            await self._client.delete(COMMAND, command.namespace, command.name, uid=command.uid)
        except (NotFound, Conflict):
            return  # somebody else took it
        self._store.remove(command)  # a list that is older than the delete finds it no more
        if about is None:
            return
        refused = _refused(command)
        if refused:
            self._events.emit(about, "Warning", "CommandRefused", refused)
            return
        told = f"Start to execute command {command.action}, and clean it up to make sure executed not more than once."
        self._events.emit(about, "Normal", "CommandIssued", told)
        target = (about.resource.kind, about.namespace, about.name)
        self._pending[target].append(command.action)
        self._issued(*target)

    async def _target(self, command: Command) -> ObjectReference | None:
        """The object meant, as it is now; None where it is gone, or never was."""
        resource = TARGETS.get(command.target.kind)
        if resource is None or not command.target.name:
            log.warning("command without a target", command=command.name, kind=command.target.kind)
            return None
        namespace = command.namespace if resource.namespaced else ""
        try:
            body = await self._client.get(resource, namespace or None, command.target.name)
        except NotFound:
            log.info("command for what is not there", command=command.name, target=command.target.name)
            return None
        meta = msgspec.json.decode(body, type=_Named).metadata
        if command.target.uid and command.target.uid != meta.uid:
            log.info("command for an earlier object of that name", command=command.name, target=command.target.name)
            return None
        return ObjectReference(resource, namespace, meta.name, meta.uid)


def _refused(command: Command) -> str:
    """Why the Command cannot be carried out; "" where it can."""
    known = ACTIONS[command.target.kind]
    if command.action in known:
        return ""
    if command.action in RESTARTS_OF_A_PART:
        return f"command {command.action} names no pod; only a policy can ask for it, since its event is about one"
    return f'"{command.action}" is not an action of a {command.target.kind}; its actions: {", ".join(known)}'
