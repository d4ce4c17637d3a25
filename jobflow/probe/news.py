"""News: how many flows may tell in a second that a probe goes on as before.

In: how many flows wait for a probe that has nothing else to tell. Out: whether they may tell it now. Each telling is a
write of a flow's status, on which nobody acts. So there is one allowance for the whole controller: a few flows have
theirs told every half minute, ten thousand one after the other, and the API server has as little of it as before.
"""

from __future__ import annotations

PER_SECOND = 2.0  # flows; kube-apiserver takes some hundred writes a second
SAVED = 10.0  # flows that may tell in one moment


class Allowance:
    """A bucket of tokens. Many flows that wait for one probe tell together, and what they took has to come back."""

    def __init__(self) -> None:
        self._saved = SAVED
        self._at = 0.0

    def take(self, flows: int, now: float) -> bool:
        """Whether so many may tell `now`, in monotonic seconds."""
        self._saved = min(self._saved + PER_SECOND * max(now - self._at, 0.0), SAVED)
        self._at = now
        if self._saved < 1.0:
            return False
        self._saved -= flows
        return True
