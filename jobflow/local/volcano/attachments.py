"""Attachments: what a Job has beside its pods, and whether it has enough of it to get pods.

In: a Job with its defaults, its PodGroup, the claims of its namespace. Out: what is to be made or taken away, and the
`controlledResources` that tell of it. Plugins' objects and the PodGroup live while the Job is up: whatever kills the
whole Job takes them away, and a restart makes them anew (a new ssh key, a new place in the queue). Claims stay until
the Job is deleted. Volcano takes plugins' objects away also where only some pods are restarted, from under those that
go on; here they stay.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from jobflow.local.volcano import volumes
from jobflow.local.volcano.gang import pod_group, spec_changes
from jobflow.local.volcano.objects import Job
from jobflow.local.volcano.scheduling_objects import Group

PLUGIN = "plugin-"
CLAIM = "volume-pvc-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """What to make or take away, in this order; `blocked` says why no pod may be created yet, "" where they may."""

    plugins: tuple[str, ...] = ()  # whose objects are to be made
    detached: tuple[str, ...] = ()  # whose objects are to go
    claims: tuple[dict[str, Any], ...] = ()
    group: dict[str, Any] | None = None
    group_changes: dict[str, Any] = field(default_factory=dict)
    group_gone: Group | None = None
    lost_claims: tuple[str, ...] = ()
    blocked: str = ""
    resources: dict[str, str] = field(default_factory=dict)


UNCHANGED = Attachments()


def attach(job: Job, group: Group | None, present: Collection[str]) -> Attachments:
    """For a Job that is up. `present` are the claims of its namespace."""
    stored = job.status.controlled_resources
    lost = tuple(volumes.missing(job, present))
    described = (volume.volume_claim_name for volume in job.spec.volumes if volume.described)
    return Attachments(
        plugins=tuple(name for name in job.spec.plugins if f"{PLUGIN}{name}" not in stored),
        claims=tuple(volumes.claims(job, present)),
        group=pod_group(job) if group is None and not lost else None,
        group_changes=spec_changes(job, group) if group is not None else {},
        lost_claims=lost,
        blocked=_blocked(lost, group),
        resources={
            **{f"{PLUGIN}{name}": name for name in job.spec.plugins},
            **{f"{CLAIM}{name}": name for name in described},
        },
    )


def _blocked(lost: tuple[str, ...], group: Group | None) -> str:
    if lost:
        names = ", ".join(lost)
        return f"pvc {names} is not found, the job will be in the Pending state until the PVC is created"
    if group is None:
        return "its PodGroup is being made"
    if not group.admitted:
        return group.why_pending or "its PodGroup waits for the scheduler"
    return ""


def detach(job: Job, group: Group | None) -> Attachments:
    """For a Job all of whose pods are killed."""
    stored = job.status.controlled_resources
    return Attachments(
        detached=tuple(name for key, name in stored.items() if key.startswith(PLUGIN)),
        group_gone=group,
        resources={key: name for key, name in stored.items() if not key.startswith(PLUGIN)},
    )
