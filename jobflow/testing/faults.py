"""Faults: what may go wrong in a run, one frozen value each, with a text form that is typed on a command line.

In: text such as `crash-after:7 cut:Job:4:silence`. Out: a Plan, and the text again. What a fault does is told by its
docstring and done by `injection.py`, `transport.py` and `interventions.py`. Numbers count from 1 over the whole run:
*write* is a write call of the controller (Events included, each repetition counted), *await* a step of one of its
tasks, *event* a change of a kind as its watches deliver it, *commit* a change of any object (`History.commits`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from jobflow.testing.words import COUNT, HOW, JUMP, KIND, OBJECT, SECONDS, SPAN, STATUS, Span, word


@dataclass(frozen=True)
class Fault:
    """Base of all faults. `str` gives the text; `parse_fault` reads it."""

    NAME: ClassVar[str] = ""

    def __str__(self) -> str:
        return ":".join([self.NAME, *(text for text in self._texts() if text)])

    def _texts(self) -> Iterable[str]:
        for field, codec in word.fields(type(self)):
            yield codec.tell(getattr(self, field))


@dataclass(frozen=True)
class CrashBefore(Fault):
    """The controller dies before its write is sent: nothing of it reaches the API server."""

    NAME = "crash-before"
    write: int = word(COUNT)


@dataclass(frozen=True)
class CrashAfter(Fault):
    """The controller dies after its write was committed and before it has the answer."""

    NAME = "crash-after"
    write: int = word(COUNT)


@dataclass(frozen=True)
class CrashAtAwait(Fault):
    """The controller dies at the n-th point at which one of its tasks was about to go on."""

    NAME = "crash-at-await"
    step: int = word(COUNT)


@dataclass(frozen=True)
class Answer(Fault):
    """The write is refused with this status and not carried out. `retry-after=S` adds the header."""

    NAME = "answer"
    write: int = word(COUNT)
    status: int = word(STATUS)
    retry_after: float | None = word(SECONDS.named("retry-after"), default=None)


@dataclass(frozen=True)
class AnswerRead(Fault):
    """The n-th read (GET, list or start of a watch) of the controller is refused with this status."""

    NAME = "answer-read"
    read: int = word(COUNT)
    status: int = word(STATUS)


@dataclass(frozen=True)
class LostAnswer(Fault):
    """The write is committed and its answer never comes: the controller learns of a timeout 30 s later."""

    NAME = "lost-answer"
    write: int = word(COUNT)


@dataclass(frozen=True)
class Drop(Fault):
    """Events first to last of a kind are never delivered.

    A correct API server loses no event inside a stream. What it may do, and does here: the stream ends before the
    first of them, watches are refused until the last has happened, and are then told 410: only a list shows what
    came of it.
    """

    NAME = "drop"
    kind: str = word(KIND)
    span: Span = word(SPAN)  # noqa: RUF009 -- declares the field, as dataclasses.field does


@dataclass(frozen=True)
class Duplicate(Fault):
    """The event is delivered twice, as after a reconnect that resumed a little too early."""

    NAME = "duplicate"
    kind: str = word(KIND)
    event: int = word(COUNT)


@dataclass(frozen=True)
class Reorder(Fault):
    """The event comes after the next one of its kind, if that is about another object and comes within a second.

    Of one object a watch never swaps events, and nor does this.
    """

    NAME = "reorder"
    kind: str = word(KIND)
    event: int = word(COUNT)


@dataclass(frozen=True)
class Delay(Fault):
    """From this event on, watches of the kind lag for so long; bookmarks of the past go on, so they look alive."""

    NAME = "delay"
    kind: str = word(KIND)
    event: int = word(COUNT)
    seconds: float = word(SECONDS)


@dataclass(frozen=True)
class SlowList(Fault):
    """The n-th list of the kind is answered with what was true when it was asked for, but so much later."""

    NAME = "slow-list"
    kind: str = word(KIND)
    number: int = word(COUNT)
    seconds: float = word(SECONDS)


@dataclass(frozen=True)
class Cut(Fault):
    """The watch ends before this event.

    `eof`: as every watch ends sooner or later; `truncated`: in the middle of the line; `silence`: the connection
    stays and nothing comes any more; `gone`: with an ERROR event 410.
    """

    NAME = "cut"
    kind: str = word(KIND)
    event: int = word(COUNT)
    how: str = word(HOW)


@dataclass(frozen=True)
class Stale(Fault):
    """The controller restarts once this event has happened, against a replica whose view of the kind ends with it.

    For 30 s watches of the kind bring nothing later, and lists that allow a cached answer (resourceVersion=0) show
    the state at that event. A list without a resourceVersion is a quorum read, which no replica may answer late.
    """

    NAME = "stale"
    kind: str = word(KIND)
    event: int = word(COUNT)


@dataclass(frozen=True)
class CompactList(Fault):
    """The first list of the kind after a restart comes in pages of one object, and its second page is 410 Expired.

    The controller restarts once five changes of the kind have happened, so that there is something to page through.
    """

    NAME = "compact-list"
    kind: str = word(KIND)


@dataclass(frozen=True)
class Forbid(Fault):
    """All requests of the controller in a namespace are answered 403 for five minutes, from its first write there."""

    NAME = "forbid"
    namespace: str = word(OBJECT)


@dataclass(frozen=True)
class RecreateFlow(Fault):
    """At this commit the user deletes the first flow and creates it again under its name."""

    NAME = "recreate-flow"
    commit: int = word(COUNT)


@dataclass(frozen=True)
class DeleteFlow(Fault):
    """At this commit the user deletes the first flow, for good."""

    NAME = "delete-flow"
    commit: int = word(COUNT)


@dataclass(frozen=True)
class ForegroundDelete(Fault):
    """At this commit the user deletes the first flow in the foreground: it stays, being deleted, while its Jobs go."""

    NAME = "foreground-delete"
    commit: int = word(COUNT)


@dataclass(frozen=True)
class HeldDelete(Fault):
    """At this commit the user deletes the first flow, and another program's finalizer keeps it for a minute more."""

    NAME = "held-delete"
    commit: int = word(COUNT)


@dataclass(frozen=True)
class RemakeFlow(Fault):
    """At this commit the user deletes the first flow and makes another under its name, without its last step."""

    NAME = "remake-flow"
    commit: int = word(COUNT)


@dataclass(frozen=True)
class TouchFlow(Fault):
    """At this commit the user annotates the first flow."""

    NAME = "touch-flow"
    commit: int = word(COUNT)


@dataclass(frozen=True)
class TemplateAbsent(Fault):
    """The template is not there, and comes only half an hour later."""

    NAME = "template-absent"
    template: str = word(OBJECT)


@dataclass(frozen=True)
class TemplateLate(Fault):
    """The template comes so much later than the flows."""

    NAME = "template-late"
    template: str = word(OBJECT)
    seconds: float = word(SECONDS)


@dataclass(frozen=True)
class TemplateEdited(Fault):
    """At this commit the user edits the template's spec (maxRetry)."""

    NAME = "template-edited"
    template: str = word(OBJECT)
    commit: int = word(COUNT)


@dataclass(frozen=True)
class TemplateDeleted(Fault):
    """At this commit the user deletes the template, and creates it again ten minutes later."""

    NAME = "template-deleted"
    template: str = word(OBJECT)
    commit: int = word(COUNT)


@dataclass(frozen=True)
class ClockJump(Fault):
    """At this commit the wall clock of the controller's node jumps; monotonic time and everybody else's do not."""

    NAME = "clock"
    commit: int = word(COUNT)
    seconds: float = word(JUMP)


@dataclass(frozen=True)
class StrangerDeletes(Fault):
    """At this commit, or as soon after it as the child exists, a stranger deletes it."""

    NAME = "stranger-deletes"
    child: str = word(OBJECT)
    commit: int = word(COUNT)


@dataclass(frozen=True)
class StrangerTouches(Fault):
    """At this commit, or as soon after it as the child exists, a stranger annotates it."""

    NAME = "stranger-touches"
    child: str = word(OBJECT)
    commit: int = word(COUNT)


@dataclass(frozen=True)
class ForeignJob(Fault):
    """A Job with the child's name, owned by nobody, is there before the flow; the user deletes it ten minutes later."""

    NAME = "foreign-job"
    child: str = word(OBJECT)


@dataclass(frozen=True)
class CopiedJob(Fault):
    """As foreign-job, and a copy of the child: with its labels and annotations, as of a YAML that was applied again."""

    NAME = "copied-job"
    child: str = word(OBJECT)


FAULTS: dict[str, type[Fault]] = {fault.NAME: fault for fault in Fault.__subclasses__()}


class Plan(tuple[Fault, ...]):
    """Faults of one run. `str` gives their texts, with a space in between."""

    def __str__(self) -> str:
        return " ".join(map(str, self))


def parse_fault(text: str) -> Fault:
    """One fault from its text. Raises ValueError that says what is known."""
    name, *rest = text.split(":")
    found = FAULTS.get(name)
    if found is None:
        raise ValueError(f"no fault is called {name!r} (in {text!r}); known are {', '.join(sorted(FAULTS))}")
    try:
        return found(**word.read(found, rest))
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}; it reads {usage(found)}") from error


def parse_plan(text: str) -> Plan:
    """A plan from its text: faults with spaces or commas in between. Raises ValueError that says what is known."""
    return Plan(parse_fault(one) for one in text.replace(",", " ").split())


def usage(fault: type[Fault]) -> str:
    """How a fault is written: `drop:KIND:FIRST-LAST`."""
    return ":".join([fault.NAME, *(codec.usage for _, codec in word.fields(fault))])
