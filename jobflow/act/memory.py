"""Memory: what is remembered of a flow between two passes, beside the cache.

In: what the passes learned. Out: the next pass's evidence. All of it can be lost: after a restart a refused create is
refused again, a spec is compiled again. One object a flow, dropped with the flow, so nothing grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jobflow.api.fields import Path
from jobflow.api.objects import StatusWrite
from jobflow.api.status import JobFlowStatus, Reason
from jobflow.reconcile.deadlines import passed
from jobflow.reconcile.graph import Compiled
from jobflow.reconcile.pause import Pause
from jobflow.reconcile.snapshot import Refusal, Since

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 60.0  # a quota that is raised is noticed within a minute


@dataclass(frozen=True, slots=True)
class Tries:
    """When something was first and last tried, in monotonic seconds."""

    first: float
    last: float


@dataclass(slots=True)
class FlowMemory:
    """One incarnation of a flow, by UID."""

    uid: str
    compiled: Compiled
    generation: int
    refusals: dict[str, Refusal] = field(default_factory=dict)  # by child name
    tries: dict[str, int] = field(default_factory=dict)  # refused creates by child name
    holders: set[str] = field(default_factory=set)  # names that an earlier incarnation's child was seen to hold
    unwritten_since: float | None = None  # monotonic seconds since which a changed status waits for company
    uses: tuple[tuple[Path, str], ...] = ()  # fields of the spec that upstream does not have, and where
    lost: tuple[str, ...] = ()  # fields that were gone from the spec when it was compiled
    told: JobFlowStatus | None = None  # the whole of the last status, where the installed CRD keeps only a part of it
    pause: Pause | None = None  # why the flow is left alone, as users were told
    foreign: StatusWrite | None = None  # the newest write of another controller that was seen
    noticed: datetime | None = None  # when it was seen to come; None where it was there at the first look
    origins: dict[Since, float] = field(default_factory=dict)  # monotonic seconds from which deadlines are counted
    ends: dict[str, Tries] = field(default_factory=dict)  # to end a child, or the flow, by UID

    def refused(self, name: str, basis: str, reason: Reason, message: str, final: bool, now: datetime) -> None:
        """The create of child `name` was refused; the next try waits twice as long as the last."""
        tries = self.tries.get(name, 0)
        self.tries[name] = tries + 1
        seconds = min(FIRST_RETRY_SECONDS * 2.0 ** min(tries, 10), LAST_RETRY_SECONDS)
        self.refusals[name] = Refusal(reason, message, final, now + timedelta(seconds=seconds), basis)

    def saw_write(self, foreign: StatusWrite | None, now: datetime) -> None:
        """The flow's status has this as the last write of another controller."""
        if foreign is not None and (self.foreign is None or foreign.at > self.foreign.at):
            self.foreign, self.noticed = foreign, now

    def elapsed(self, begun: Mapping[Since, datetime], now: datetime, monotonic: float) -> dict[Since, float]:
        """Seconds since each beginning; by the wall clock only where it is seen for the first time."""
        self.origins = {
            since: self.origins[since] if since in self.origins else monotonic - passed(at, now)
            for since, at in begun.items()
        }
        return {since: monotonic - origin for since, origin in self.origins.items()}

    def accepted(self, name: str) -> None:
        """Nothing keeps the child from being created any more: it exists, or its name is free."""
        self.refusals.pop(name, None)
        self.tries.pop(name, None)
