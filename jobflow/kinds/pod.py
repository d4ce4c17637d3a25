"""Pod: its wire form, as far as a probe reads it.

In: a Pod as the API server sends it, decoded to a Struct that keeps only what is read. Out: a PodView. Which Job and
task it is of, Volcano says in labels; which incarnation of the Job, its owner reference.
"""

from __future__ import annotations

from msgspec import Struct

from jobflow.api.metadata import ObjectMeta
from jobflow.api.probes import PodPhase, PodView
from jobflow.api.resources import POD, VOLCANO_JOB, Resource

RESOURCE: Resource = POD

JOB_NAME = "volcano.sh/job-name"  # Volcano's labels
TASK_SPEC = "volcano.sh/task-spec"


class Spec(Struct, frozen=True, gc=False):
    """The part of a pod's spec that is read."""

    hostNetwork: bool = False


class Status(Struct, frozen=True, gc=False):
    """The part of a pod's status that is read."""

    phase: str = ""
    podIP: str = ""


class Pod(Struct, frozen=True, gc=False):
    """A Pod on the wire."""

    metadata: ObjectMeta
    spec: Spec = Spec()
    status: Status = Status()


def view(pod: Pod) -> PodView:
    """What is kept of a Pod."""
    meta, owner = pod.metadata, pod.metadata.controller
    return PodView(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        job=meta.labels.get(JOB_NAME, ""),
        job_uid=owner.uid if owner is not None and owner.kind == VOLCANO_JOB.kind else "",
        task=meta.labels.get(TASK_SPEC, ""),
        phase=_phase(pod.status.phase),
        ip=pod.status.podIP,
        host_network=pod.spec.hostNetwork,
        deleting=meta.deletionTimestamp is not None,
    )


def _phase(word: str) -> PodPhase:
    try:
        return PodPhase(word or PodPhase.PENDING)
    except ValueError:
        return PodPhase.UNKNOWN
