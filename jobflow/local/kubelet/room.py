"""Room: does a pod fit on this machine now?

In: what pods ask for, in the order they came; what the machine has. Out: yes, not now, or never, with words for the
user. First come, first served, but a small pod may pass one that does not fit. Gangs are let in by the Job runtime,
which reads what the machine has from its Node; here each pod is counted alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobflow.local.kubelet.capacity import NOTHING, Amount


@dataclass(frozen=True, slots=True)
class Fits:
    """It may start; what it asks for is held for it."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Not now: others hold what it needs."""

    message: str


@dataclass(frozen=True, slots=True)
class Never:
    """It asks for more than there is. `reason` is what kubelets write."""

    reason: str
    message: str


class Room:
    """What is held, by pod UID. Without a capacity everything fits."""

    def __init__(self, capacity: Amount | None) -> None:
        self._capacity = capacity
        self._held: dict[str, Amount] = {}
        self._used = NOTHING

    def ask(self, uid: str, amount: Amount) -> Fits | Waits | Never:
        """Hold it, if it fits; one that holds already still fits."""
        total = self._capacity
        if total is None or uid in self._held or not amount:
            return Fits()
        if not amount.fits(total):
            lacking = "cpu" if amount.cpu > total.cpu else "memory"
            message = f"the pod asks for {amount}; this machine has {total}: it can never run here; ask for less"
            return Never(f"OutOf{lacking}", message)
        if not (self._used + amount).fits(total):
            # Not how much is free: that changes all the time, and with it the message.
            return Waits(
                f"the pod asks for {amount}; of this machine's {total} others hold too much: it waits for them"
            )
        self._held[uid] = amount
        self._used += amount
        return Fits()

    def leave(self, uid: str) -> bool:
        """It has ended or gone; whether others may fit now."""
        amount = self._held.pop(uid, None)
        if amount is None:
            return False
        self._used -= amount
        return True
