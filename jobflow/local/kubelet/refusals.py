"""Why a container is not started: never, or not yet.

In: nothing. Out: two exceptions whose words users read in the pod's status.
"""

from __future__ import annotations


class Unrunnable(Exception):
    """The container cannot be run here, however often it is tried."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class NotYet(Exception):
    """Something it needs is missing; it is started when that appears."""


def not_here(what: str, advice: str) -> Unrunnable:
    """Of something that only a cluster has."""
    return Unrunnable("CreateContainerConfigError", f"{what} is not available for processes of this machine: {advice}")
