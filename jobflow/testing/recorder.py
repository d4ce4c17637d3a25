"""Recorder: writes down what happens in a world while it happens, and tells those who act on it.

In: every change of the API server's store, in the writer's own step; the controller's requests. Out: Commits, Calls and
Marks; the objects as they are; the number of each change among its kind, by which faults name events. `begin` starts
the numbers: what sets up the cluster is not part of a history.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

import msgspec

from jobflow.kube.transport import Request
from jobflow.local.apiserver.storage.store import Collection, Event
from jobflow.testing.history import COLLECTOR, Body, Call, Commit, Mark, Place
from jobflow.testing.loop import ACTOR

OF_THE_CLUSTER = frozenset({"ServiceAccount"})  # kinds that a cluster makes for itself: part of no history

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass
class Asked:
    """A request under way: what it asks for, and whether it has changed anything yet."""

    verb: str
    path: str
    subresource: str
    body: Body | None = None
    write: int = 0
    committed: bool = False
    fault: str = ""


ASKED: ContextVar[Asked | None] = ContextVar("asked", default=None)


@dataclass
class Recorder:
    """The account of one run, as it grows."""

    commits: list[Commit] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    injected: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # that the controller logged, with tracebacks
    objects: dict[Place, Body] = field(default_factory=dict)
    listeners: list[Callable[[Commit], None]] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)  # changes so far, by kind
    revision: int = 0
    _number_of: dict[tuple[str, int], int] = field(default_factory=dict)
    _event_revisions: dict[str, list[int]] = field(default_factory=dict)
    _begun: bool = False
    _order: int = 0

    def begin(self) -> None:
        """From now on everything counts."""
        self._begun = True

    def saw(self, collection: Collection, event: Event) -> None:
        """A change was stored."""
        self.revision = event.revision
        if not self._begun:
            return
        body: Body = msgspec.json.decode(event.object.data)
        kind = str(body["kind"])
        if kind in OF_THE_CLUSTER:
            return
        place = (kind, event.object.namespace, event.object.name)
        before = self.objects.pop(place, None)
        gone = event.type == "DELETED"
        if not gone:
            self.objects[place] = body
        self.events[kind] += 1
        self._number_of[(kind, event.revision)] = self.events[kind]
        self._event_revisions.setdefault(kind, []).append(event.revision)
        commit = self._commit(place, before, None if gone else body, event)
        self.commits.append(commit)
        for listener in self.listeners:
            listener(commit)

    def _commit(self, place: Place, before: Body | None, after: Body | None, event: Event) -> Commit:
        asked = ASKED.get()
        verb = {"ADDED": "create", "MODIFIED": "update", "DELETED": "delete"}[event.type]
        if asked is not None:
            asked.committed = True
            verb = asked.verb
        return Commit(
            number=len(self.commits) + 1,
            at=now(),
            who=ACTOR.get() or COLLECTOR,
            verb=verb,
            kind=place[0],
            namespace=place[1],
            name=place[2],
            subresource=asked.subresource if asked else "",
            before=before,
            after=after,
            revision=event.revision,
            order=self._next(),
        )

    def event_number(self, kind: str, revision: int) -> int:
        """Which change of its kind a revision is, from 1; 0 where it happened before the history began."""
        return self._number_of.get((kind, revision), 0)

    def event_revision(self, kind: str, number: int) -> int | None:
        """The revision of a change of a kind; None where it has not happened yet."""
        revisions = self._event_revisions.get(kind, [])
        return revisions[number - 1] if number <= len(revisions) else None

    def called(self, asked: Asked, status: int) -> None:
        """A request of the controller was answered (0: it was not)."""
        self.calls.append(
            Call(
                number=len(self.calls) + 1,
                at=now(),
                who=ACTOR.get(),
                verb=asked.verb,
                path=asked.path,
                status=status,
                committed=asked.committed,
                fault=asked.fault,
                write=asked.write,
                body=asked.body,
                order=self._next(),
            )
        )

    def mark(self, text: str) -> None:
        """Note something that is neither."""
        self.marks.append(Mark(now(), text, self._next()))

    def error(self, text: str, traceback: str) -> None:
        """The controller logged an error."""
        self.errors.append(f"{text}\n{traceback}" if traceback else text)
        self.mark(f"error logged: {text}")

    def inject(self, fault: object) -> None:
        """Note that a fault takes effect now."""
        self.injected.append(str(fault))
        self.mark(f"fault {fault}")

    def _next(self) -> int:
        self._order += 1
        return self._order


def asked_of(request: Request) -> Asked:
    """What a request asks for, in the words of RBAC."""
    verb = VERBS.get(request.method, "")
    if not verb:
        names = dict(request.query)
        verb = "watch" if names.get("watch") == "true" else "list" if "limit" in names else "get"
    subresource = "status" if request.path.endswith("/status") else ""
    return Asked(verb, request.path, subresource, msgspec.json.decode(request.body) if request.body else None)


def now() -> float:
    """Virtual seconds of the running simulation."""
    return asyncio.get_running_loop().time()
