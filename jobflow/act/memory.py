"""Memory: what is remembered of a flow between two passes, beside the cache.

In: what the passes learned. Out: the next pass's evidence. All of it can be lost: after a restart a refused create is
refused again, a spec is compiled again. One object a flow, dropped with the flow, so nothing grows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jobflow.api.status import Reason
from jobflow.reconcile.graph import Compiled
from jobflow.reconcile.snapshot import Refusal

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 60.0  # a quota that is raised is noticed within a minute


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

    def refused(self, name: str, basis: str, reason: Reason, message: str, final: bool, now: datetime) -> None:
        """The create of child `name` was refused; the next try waits twice as long as the last."""
        tries = self.tries.get(name, 0)
        self.tries[name] = tries + 1
        seconds = min(FIRST_RETRY_SECONDS * 2.0 ** min(tries, 10), LAST_RETRY_SECONDS)
        self.refusals[name] = Refusal(reason, message, final, now + timedelta(seconds=seconds), basis)

    def accepted(self, name: str) -> None:
        """Nothing keeps the child from being created any more: it exists, or its name is free."""
        self.refusals.pop(name, None)
        self.tries.pop(name, None)
