"""History: everything that happened in one simulated run, for oracles to judge and for people to read.

In: what the world's recorder saw: each commit of the API server with the object before and after it, each request of
the controller, marks (started, crashed, a fault was injected). Out: a frozen account of it, the objects at any
revision, and a timeline as text. All times are virtual seconds since the run began. The same seed and plan give
the same timeline, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from jobflow.testing.clock import EPOCH

Body = Mapping[str, Any]
Place = tuple[str, str, str]  # kind, namespace, name

USER, STRANGER, VOLCANO, COLLECTOR = "user", "stranger", "volcano", "collector"
CONTROLLER = "controller"  # controller-1, and after each crash controller-2, ...


def is_controller(who: str) -> bool:
    """Whether an actor is an incarnation of the controller."""
    return who.startswith(CONTROLLER)


@dataclass(frozen=True)
class Commit:
    """One change of one object, as the API server stored it. Numbers count from 1, the first template's create.

    `who` is "controller-<n>", "volcano", "user", "stranger" or "collector" (garbage collection). `verb` is create,
    update, patch or delete, as it was asked for; a delete that only marks the object has an `after`.
    """

    number: int
    at: float
    who: str
    verb: str
    kind: str
    namespace: str
    name: str
    subresource: str
    before: Body | None
    after: Body | None
    revision: int
    order: int = 0  # among all commits, calls and marks

    @property
    def place(self) -> Place:
        """Kind, namespace and name."""
        return self.kind, self.namespace, self.name

    @property
    def uid(self) -> str:
        """UID of the object."""
        return str(((self.after or self.before) or {}).get("metadata", {}).get("uid", ""))


@dataclass(frozen=True)
class Call:
    """One request of the controller, and how it was answered.

    `write` numbers its writes from 1 (0: it is none), which is what `crash-before:7` counts. `status` is the HTTP
    status that the controller got, 0 where none came. `fault` is the fault that answered or disturbed it, if one did.
    """

    number: int
    at: float
    who: str
    verb: str
    path: str
    status: int
    committed: bool
    fault: str = ""
    write: int = 0
    body: Body | None = None  # of a write
    order: int = 0


@dataclass(frozen=True)
class Mark:
    """Something that is no request and no commit: the controller started or crashed, a fault was injected."""

    at: float
    text: str
    order: int = 0


@dataclass(frozen=True)
class Leaks:
    """What the controller still holds five minutes after the last flow was deleted, beyond what it held when idle."""

    tasks: int = 0
    streams: int = 0
    memories: int = 0
    expectations: int = 0
    interests: int = 0

    def __bool__(self) -> bool:
        return any((self.tasks, self.streams, self.memories, self.expectations, self.interests))


@dataclass(frozen=True)
class Reach:
    """How far the run got until its flows had ended: what plans are enumerated from."""

    writes: int = 0  # write calls of the controller
    reads: int = 0  # its GETs, lists and starts of watches
    awaits: int = 0  # steps of the controller's tasks
    commits: int = 0
    events: Mapping[str, int] = field(default_factory=dict)  # changes by kind, as watches number them
    lists: Mapping[str, int] = field(default_factory=dict)  # lists by kind
    turns: tuple[int, ...] = ()  # awaits at which the world outside was not what it was at the await before


@dataclass(frozen=True)
class History:
    """One run. `seed` and `plan` (as text) replay it.

    Stages: flows are created and run until each has ended (`ended_at`; None where the bound passed, and
    `never_ended` says what was waited for); then rest, `quiet_from` to `quiet_until`, one hour in which nothing should
    be written; then every flow is deleted and `leaks` is what stays behind. `reconciles` counts keys handled.
    """

    scenario: str
    plan: str
    seed: int
    commits: list[Commit]
    calls: list[Call]
    marks: list[Mark]
    reconciles: int
    leaks: Leaks
    ended_at: float | None
    never_ended: str = ""
    quiet_from: float = 0.0
    quiet_until: float = 0.0
    reach: Reach = Reach()
    expected: Mapping[str, str] = field(default_factory=dict)  # outcome by flow name, as the scenario has it
    phases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # of steps, by flow, as the scenario has it
    injected: tuple[str, ...] = ()  # faults that took effect
    errors: tuple[str, ...] = ()  # that the controller logged, with tracebacks: bugs, whatever came of them
    untrue: tuple[tuple[float, str], ...] = ()  # what its cache had otherwise than the API server, and when

    def objects_at(self, revision: int) -> dict[Place, Body]:
        """The objects that existed at a revision, by (kind, namespace, name)."""
        return _objects(commit for commit in self.commits if commit.revision <= revision)

    def objects(self) -> dict[Place, Body]:
        """The objects as they were when the quiet hour was over, before the flows were deleted."""
        return _objects(commit for commit in self.commits if commit.at < self.quiet_until or not self.quiet_until)

    def of(self, kind: str) -> list[Commit]:
        """The commits of one kind, in their order."""
        return [commit for commit in self.commits if commit.kind == kind]

    def timeline(self) -> str:
        """The run as lines: seconds, who, what; calls only where they failed or a fault disturbed them."""
        lines = [
            *((mark.order, mark.at, f"-- {mark.text}") for mark in self.marks),
            *((commit.order, commit.at, _told(commit)) for commit in self.commits),
            *((call.order, call.at, _failed(call)) for call in self.calls if call.fault or _is_failure(call)),
        ]
        head = f"scenario {self.scenario}, seed {self.seed}, plan {self.plan or '(no faults)'}"
        return "\n".join([head, *(f"{at:10.3f}  {text}" for _, at, text in sorted(lines))])


def moment(at: float) -> str:
    """A virtual second as the timestamps in objects have it."""
    return (EPOCH + timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(stamp: str) -> float:
    """The virtual second that a timestamp in an object means."""
    return (datetime.fromisoformat(stamp) - EPOCH).total_seconds()


def phase_of(body: Body | None) -> str:
    """`status.state.phase` of a flow or a Job; "" where there is none."""
    return str((((body or {}).get("status") or {}).get("state") or {}).get("phase") or "")


def _objects(commits: Any) -> dict[Place, Body]:
    found: dict[Place, Body] = {}
    for commit in commits:
        if commit.after is None:
            found.pop(commit.place, None)
        else:
            found[commit.place] = commit.after
    return found


def _told(commit: Commit) -> str:
    where = f"{commit.kind} {commit.namespace}/{commit.name}" + (f" {commit.subresource}" if commit.subresource else "")
    return f"#{commit.number:<4d} {commit.who:13s} {commit.verb:6s} {where}{_change(commit)}  @{commit.revision}"


def _change(commit: Commit) -> str:
    """What is worth reading of a change: the phase, and where steps of a flow stand."""
    if commit.after is None:
        return "  gone"
    if commit.kind == "Event":
        return f"  {commit.after.get('reason')}: {commit.after.get('message')}"
    before, after = phase_of(commit.before), phase_of(commit.after)
    words = [f"  {before or '-'} -> {after}" if before != after else f"  {after}" if after else ""]
    status = commit.after.get("status") or {}
    if commit.kind == "JobFlow" and commit.subresource == "status":
        words += [f"{step['name']}={step['phase']}" for step in status.get("flowStatuses", ())]
        words += ["completed"] if "completionTime" in status else []
    if "deletionTimestamp" in commit.after["metadata"]:
        words.append("(being deleted)")
    return " ".join(words)


def _is_failure(call: Call) -> bool:
    return not 200 <= call.status < 300


def _failed(call: Call) -> str:
    number = f"w{call.write}" if call.write else ""
    fault = f"  <- {call.fault}" if call.fault else ""
    committed = " (committed)" if call.committed else ""
    return (
        f"{number:>5s} {call.who:13s} {call.verb:6s} {call.path} answered {call.status or 'nothing'}{committed}{fault}"
    )
