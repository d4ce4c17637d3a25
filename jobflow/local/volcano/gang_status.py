"""The status of a PodGroup: may the gang in, and how far did it get?

In: a PodGroup, its pods, the room there is, now. Out: the status as it should be. Pure. The phases are Volcano's:
Pending (waits for room), Inqueue (let in), Running (as many pods as the gang needs run or have succeeded), Unknown
(some run, and for the others that it needs there is no room any more).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from jobflow.local.volcano.amounts import PODS, THOUSANDTHS, Amounts, add, format_amount, missing
from jobflow.local.volcano.pod_objects import PodPhase, PodView
from jobflow.local.volcano.scheduling_objects import (
    INQUEUE,
    NEVER_ENOUGH,
    PENDING,
    RUNNING,
    UNKNOWN,
    Group,
    GroupCondition,
    GroupStatus,
    amounts,
)

UNSCHEDULABLE = "Unschedulable"
SCHEDULED = "Scheduled"
NOT_ENOUGH = "NotEnoughResources"


@dataclass(frozen=True, slots=True)
class Room:
    """What there is for pods in all, and what of it is free; a resource that is in neither has no limit.

    The nodes have one, and the gang's queue, by its capability, another.
    """

    total: Mapping[str, int] = field(default_factory=dict)
    free: Mapping[str, int] = field(default_factory=dict)
    in_queue: Mapping[str, int] = field(default_factory=dict)
    free_in_queue: Mapping[str, int] = field(default_factory=dict)


def least(group: Group) -> Amounts:
    """What the gang needs at least: `minResources`, and a place for each pod."""
    return add(amounts(group.spec.min_resources), {PODS: group.spec.min_member * THOUSANDTHS})


def taken(group: Group, pods: Iterable[PodView], phase: str = "") -> Amounts:
    """What a gang that was let in holds: what its pods ask for, and until all of them are there what it needs."""
    alive = [pod for pod in pods if not pod.phase.finished]
    held: Amounts = {PODS: len(alive) * THOUSANDTHS}
    for pod in alive:
        held = add(held, pod.requests)
    if (phase or group.phase) != INQUEUE:
        return held
    return {name: max(held.get(name, 0), amount) for name, amount in add(least(group), dict.fromkeys(held, 0)).items()}


def next_status(group: Group, pods: Iterable[PodView], room: Room, now: datetime) -> GroupStatus:
    """The status as it should be. Its condition's time is when that last became so."""
    counts = Counter(pod.phase for pod in pods if not pod.deleting)
    phase, condition = group.phase, None
    if not group.admitted:
        reason, message = why_not(group, room)
        phase = PENDING if reason else INQUEUE
        condition = (UNSCHEDULABLE, reason, message) if reason else (SCHEDULED, "tasks in gang are ready", "")
    else:
        phase = _once_in(group, counts, any(pod.unschedulable for pod in pods))
        if phase == UNKNOWN:
            condition = (UNSCHEDULABLE, NOT_ENOUGH, "some of its pods run, and there is no room for the others")
        elif phase != group.phase:
            condition = (SCHEDULED, "tasks in gang are ready", "")
    return GroupStatus(
        phase=phase,
        running=counts[PodPhase.RUNNING],
        succeeded=counts[PodPhase.SUCCEEDED],
        failed=counts[PodPhase.FAILED],
        conditions=_conditions(group, condition, now),
    )


def why_not(group: Group, room: Room) -> tuple[str, str]:
    """Reason and message why there is no room for the gang; empty where there is."""
    needed = least(group)
    gang = f"the gang of {group.spec.min_member} pods needs"
    if short := missing(needed, room.total):
        told = ", ".join(f"{name} {_of(name, needed)} and there is {_of(name, room.total)} in all" for name in short)
        return NEVER_ENOUGH, f"{gang} {told}: it can never run here; ask for less, or lower minAvailable"
    queue = f"queue {group.spec.queue}"
    if short := missing(needed, room.in_queue):
        told = ", ".join(f"{name} {_of(name, needed)} and it may have {_of(name, room.in_queue)}" for name in short)
        what = f"{queue} is too small for it: {gang} {told} (spec.capability)"
        return NEVER_ENOUGH, f"{what}; raise that, ask for less, or lower minAvailable"
    if short := missing(needed, room.free):
        told = ", ".join(f"{name} {_of(name, needed)}" for name in short)  # not what is free: that changes all the time
        return NOT_ENOUGH, f"{gang} {told}, and less is free: it waits until others have ended"
    if short := missing(needed, room.free_in_queue):
        told = ", ".join(f"{name} {_of(name, needed)}" for name in short)
        return NOT_ENOUGH, f"{gang} {told}, and {queue} has less left: it waits until others of the queue have ended"
    return "", ""


def _of(name: str, amounts_: Mapping[str, int]) -> str:
    return format_amount(name, max(amounts_[name], 0))


def _once_in(group: Group, counts: Mapping[PodPhase, int], lacks_room: bool) -> str:
    up = counts[PodPhase.RUNNING] + counts[PodPhase.SUCCEEDED]
    if up >= group.spec.min_member:
        return RUNNING
    if lacks_room and counts[PodPhase.RUNNING] and group.phase in (RUNNING, UNKNOWN):
        return UNKNOWN
    return RUNNING if group.phase == UNKNOWN else group.phase


def _conditions(group: Group, new: tuple[str, str, str] | None, now: datetime) -> tuple[GroupCondition, ...]:
    if new is None:
        return group.status.conditions
    type, reason, message = new
    standing = next((one for one in group.status.conditions if one.status == "True"), None)
    if standing is not None and (standing.type, standing.reason, standing.message) == new:
        return group.status.conditions
    return (GroupCondition(type, "True", reason, message, now.replace(microsecond=0)),)
