"""ChildView: what the engine knows of one child, whatever its kind.

In: `jobflow.kinds` makes one from each workload object, once, at decode. Out: the facts that reconcile decides on.
A view holds no raw object: ten thousand of them are a few tens of megabytes.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from msgspec import Struct, field


class ChildPhase(StrEnum):
    """What a child's own status means to a flow."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"

    @cached_property
    def terminal(self) -> bool:
        """The child has ended."""
        return self in (ChildPhase.SUCCEEDED, ChildPhase.FAILED)


class StatusList(StrEnum):
    """Which of upstream's lists in the flow's status names a child."""

    PENDING = "pendingJobs"
    RUNNING = "runningJobs"
    FAILED = "failedJobs"
    COMPLETED = "completedJobs"
    TERMINATED = "terminatedJobs"
    UNKNOWN = "unKnowJobs"


class Node(NamedTuple):
    """One place in a flow's graph: a step, an item of its loop (None where it does not loop), an attempt."""

    step: str
    item: int | None = None
    attempt: int = 0


class ChildView(Struct, frozen=True, gc=False, kw_only=True):
    """One child object. `node` is None where no annotation names a step: upstream's controller made it."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    flow: str  # name of the controller owner; "" where there is none
    flow_uid: str  # its UID
    node: Node | None
    template: str  # "<namespace>.<name>", whole; ".<name>" of a ClusterJobTemplate
    phase: ChildPhase
    state: str  # the workload's own word for its phase
    listed: StatusList
    created: datetime
    changed: datetime | None = None  # when the workload last changed its status
    running_duration: str | None = None  # a Go duration
    restarts: int = 0
    tasks: tuple[tuple[str, int], ...] = ()  # name and replicas
    pods: int = 0  # pods the attempt should have
    failed_pods: int = 0
    task_counts: dict[str, dict[str, int]] = field(default_factory=dict)  # task -> pod phase -> pods
    owned_ttl: int | None = None  # seconds after its end at which we delete it
    deleting: bool = False
