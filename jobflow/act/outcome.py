"""Outcome: what becomes of a key after a pass. A key is never dropped.

In: nothing. Out: the sum type that the loop matches on.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to do until something changes; or until `again_in` seconds have passed, or `tell_in` for news only."""

    again_in: float | None = None
    tell_in: float | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Something was learned that the plan did not know: make another one at once."""


@dataclass(frozen=True, slots=True)
class Retry:
    """It did not work: the same again after a back-off of at least `at_least` seconds."""

    error: Exception
    at_least: float = 0.0


Outcome = Done | Again | Retry
