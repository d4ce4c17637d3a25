"""Hygiene: nothing of what is gone is left in the controller, and it logs no error on the way.

In: what the world counted after everything was deleted, and what the controller logged. Out: each leftover, each error.
"""

from __future__ import annotations

from dataclasses import fields

from jobflow.testing.history import History
from jobflow.testing.oracles.reading import last_moment
from jobflow.testing.oracles.verdict import Violation


def nothing_leaks(history: History, _: History | None = None) -> list[Violation]:
    """No task, stream, memory of a flow, expectation or interest outlives the flows."""
    leaks = {field.name: getattr(history.leaks, field.name) for field in fields(history.leaks)}
    return [
        Violation("nothing leaks", last_moment(history), f"{name}: {left} left after everything was deleted")
        for name, left in leaks.items()
        if left
    ]


def no_error_is_logged(history: History, _: History | None = None) -> list[Violation]:
    """The controller logs no error: whatever a cluster does is foreseen, and what is not is a bug even if it heals."""
    return [Violation("no error is logged", last_moment(history), text) for text in history.errors]
