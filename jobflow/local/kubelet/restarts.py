"""Restarts: is a container that ended started again, and after how long?

In: the pod's restartPolicy, an exit code, how often it was restarted, how long it ran. Out: yes or no, and
seconds. Kubernetes starts at 10 s and doubles to 5 minutes; on a laptop nobody waits that long.
"""

from __future__ import annotations

FIRST_BACK_OFF_SECONDS = 1.0
LAST_BACK_OFF_SECONDS = 30.0
HEALTHY_SECONDS = 600.0  # a run as long as this one is no crash loop: Kubernetes' rule


def restarts(policy: str, exit_code: int) -> bool:
    """Whether a container that ended so is started again."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


class BackOff:
    """The waits before a container's restarts."""

    def __init__(self) -> None:
        self._next = FIRST_BACK_OFF_SECONDS

    def after(self, ran_seconds: float) -> float:
        """Seconds to wait after a run that took so long."""
        if ran_seconds >= HEALTHY_SECONDS:
            self._next = FIRST_BACK_OFF_SECONDS
        seconds = self._next
        self._next = min(2 * seconds, LAST_BACK_OFF_SECONDS)
        return seconds
