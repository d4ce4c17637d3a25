"""Standstill: nothing that is followed can go on any more, and nobody will come and mend it.

In: pictures, the time. Out: whether to wait on. In a cluster a step whose Job is refused, or whose template is missing,
waits for somebody who mends that. `jobflow run` has a control plane of its own that nobody else reaches: where such
steps are all that is left to start, they have been tried several times, and nothing runs that could change it, to wait
on would be to wait for ever.
"""

from __future__ import annotations

from collections.abc import Iterable

from jobflow.api.status import Reason, StepPhase
from jobflow.cli.pictures import FlowPicture

PATIENCE_SECONDS = 10.0  # a refused Job is tried again after 1, 2 and 4 seconds: four tries

# Reasons that only a change from outside ends; one that ends by itself (a Job that is being deleted) is none.
HELD = frozenset(
    (
        Reason.CHILD_REJECTED,
        Reason.TEMPLATE_NOT_FOUND,
        Reason.TEMPLATE_UNREADABLE,
        Reason.PARAMETER_NOT_FOUND,
        Reason.NAME_CONFLICT,
    )
)
_IN_TURN = frozenset(("", Reason.DEPENDENCY))  # of steps that wait for others


class Standstill:
    """Looks at the pictures again and again."""

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience  # seconds
        self._since: float | None = None

    def lasts(self, pictures: Iterable[FlowPicture], now: float) -> bool:
        """Whether everything unfinished has stood still for as long as it is given. `now` is monotonic."""
        unfinished = [picture for picture in pictures if not picture.finished]
        if not unfinished or not all(map(stands_still, unfinished)):
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since >= self._patience


def stands_still(flow: FlowPicture) -> bool:
    """No step of it is alive, and what keeps the waiting ones is nothing that passes."""
    left = [step for step in flow.steps if not step.phase.settled]
    return any(step.reason in HELD for step in left) and all(
        step.phase is StepPhase.WAITING and (step.reason in HELD or step.reason in _IN_TURN) for step in left
    )
