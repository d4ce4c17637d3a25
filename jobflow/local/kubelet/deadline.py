"""Deadline: the words for a pod that was active for longer than it may.

In: its activeDeadlineSeconds. Out: reason and message of its status, the same for pods that run and that are simulated.
"""

from __future__ import annotations

DEADLINE_EXCEEDED = "DeadlineExceeded"


def deadline_message(seconds: float) -> str:
    """What its user reads."""
    return f"the pod was active for longer than its activeDeadlineSeconds, {seconds:g}"
