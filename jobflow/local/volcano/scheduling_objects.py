"""PodGroup, Queue, Node and PersistentVolumeClaim as the Job runtime keeps them.

In: the objects as they travel (Structs named ...Object). Out: frozen views with what decides whether a gang may start.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, field

from jobflow.api.metadata import ObjectMeta
from jobflow.local.volcano.amounts import Amounts, parse_quantity
from jobflow.local.volcano.objects import EPOCH

PENDING = "Pending"
INQUEUE = "Inqueue"
RUNNING = "Running"
UNKNOWN = "Unknown"
NEVER_ENOUGH = "NeverEnoughResources"  # why a group cannot be let in, now or later
COMPLETED = "Completed"
GROUP_PHASES = (PENDING, INQUEUE, RUNNING, UNKNOWN, COMPLETED)

OPEN = "Open"
CLOSING = "Closing"
CLOSED = "Closed"

Quantities = dict[str, str | int | float]


class GroupSpec(Struct, frozen=True, gc=False, rename="camel"):
    """Pods that are to be placed together."""

    min_member: int = 0
    min_task_member: dict[str, int] = {}
    min_resources: Quantities = {}
    queue: str = ""
    priority_class_name: str = ""


class GroupCondition(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """What the scheduler says of a group."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None


class GroupStatus(Struct, frozen=True, gc=False, omit_defaults=True):
    """Where a group stands."""

    phase: str = ""
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    conditions: tuple[GroupCondition, ...] = ()


class GroupObject(Struct, frozen=True, gc=False):
    """A PodGroup on the wire."""

    metadata: ObjectMeta
    spec: GroupSpec = GroupSpec()
    status: GroupStatus = GroupStatus()


class Group(Struct, frozen=True, gc=False, kw_only=True):
    """A PodGroup as the runtime keeps it."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    created: datetime
    deleting: bool
    job: str
    job_uid: str
    spec: GroupSpec
    status: GroupStatus

    @property
    def phase(self) -> str:
        """A new group has no phase yet and counts as Pending."""
        return self.status.phase or PENDING

    @property
    def admitted(self) -> bool:
        """Its pods may be created."""
        return self.phase != PENDING

    @property
    def why_never(self) -> str:
        """Why it can never be let in; "" where it may yet be."""
        never = (one.message for one in self.status.conditions if one.reason == NEVER_ENOUGH and one.status == "True")
        return next(never, "") if not self.admitted else ""

    @property
    def why_pending(self) -> str:
        """What the scheduler says of a group that waits; "" where it says nothing."""
        waits = (one.message for one in self.status.conditions if one.type == "Unschedulable" and one.status == "True")
        return next(waits, "") if not self.admitted else ""


def group_view(group: GroupObject) -> Group:
    """What the runtime keeps of a PodGroup."""
    meta = group.metadata
    owner = meta.controller
    return Group(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        created=meta.creationTimestamp or EPOCH,
        deleting=meta.deletionTimestamp is not None,
        job=owner.name if owner else "",
        job_uid=owner.uid if owner else "",
        spec=group.spec,
        status=group.status,
    )


class QueueSpec(Struct, frozen=True, gc=False):
    """The part of a Queue's spec that matters here."""

    parent: str = ""
    capability: Quantities = {}


class QueueStatus(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a queue holds."""

    state: str = ""
    pending: int = 0
    inqueue: int = 0
    running: int = 0
    completed: int = 0
    unknown: int = 0


class QueueObject(Struct, frozen=True, gc=False):
    """A Queue on the wire."""

    metadata: ObjectMeta
    spec: QueueSpec = QueueSpec()
    status: QueueStatus = QueueStatus()


class Queue(Struct, frozen=True, gc=False, kw_only=True):
    """A Queue as the runtime keeps it."""

    name: str
    uid: str
    resource_version: str
    deleting: bool
    status: QueueStatus
    capability: Amounts = field(default_factory=dict)  # what its gangs may hold together; what is not named: anything


def queue_view(queue: QueueObject) -> Queue:
    """What the runtime keeps of a Queue."""
    meta = queue.metadata
    return Queue(
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        deleting=meta.deletionTimestamp is not None,
        status=queue.status,
        capability=amounts(queue.spec.capability),
    )


class NodeStatus(Struct, frozen=True, gc=False):
    """What a node has for pods."""

    allocatable: Quantities = {}


class NodeObject(Struct, frozen=True, gc=False):
    """A Node on the wire."""

    metadata: ObjectMeta
    status: NodeStatus = NodeStatus()


class Node(Struct, frozen=True, gc=False, kw_only=True):
    """A Node as the runtime keeps it."""

    name: str
    resource_version: str
    allocatable: Amounts = field(default_factory=dict)


def node_view(node: NodeObject) -> Node:
    """What the runtime keeps of a Node; what it says in no quantity is not limited."""
    return Node(
        name=node.metadata.name,
        resource_version=node.metadata.resourceVersion,
        allocatable=amounts(node.status.allocatable),
    )


class ClaimObject(Struct, frozen=True, gc=False):
    """A PersistentVolumeClaim on the wire."""

    metadata: ObjectMeta


class Claim(Struct, frozen=True, gc=False, kw_only=True):
    """A PersistentVolumeClaim as the runtime keeps it: that it exists."""

    namespace: str
    name: str
    resource_version: str


def claim_view(claim: ClaimObject) -> Claim:
    """What the runtime keeps of a claim."""
    meta = claim.metadata
    return Claim(namespace=meta.namespace, name=meta.name, resource_version=meta.resourceVersion)


def amounts(quantities: Quantities) -> Amounts:
    """Quantities as numbers; those that cannot be read are left out."""
    found: Amounts = {}
    for name, quantity in quantities.items():
        try:
            found[name] = parse_quantity(quantity)
        except ValueError:
            continue
    return found
