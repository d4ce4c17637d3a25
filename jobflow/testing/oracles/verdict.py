"""Violation and Oracle: what an oracle finds, and what an oracle is.

In: nothing. Out: the two types that every family of oracles shares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jobflow.testing.history import History


@dataclass(frozen=True)
class Violation:
    """One broken promise: which oracle found it, at which virtual second, and what happened."""

    oracle: str
    at: float
    text: str

    def __str__(self) -> str:
        return f"{self.oracle} at {self.at:.3f} s: {self.text}"


Oracle = Callable[[History, History | None], list[Violation]]  # the history, and the undisturbed one to compare with
