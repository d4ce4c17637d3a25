"""Pods as the command line shows them: which Job each belongs to, and what is wrong with it.

In: pods from the watch. Out: PodViews, and one phrase for all pods of a step. Volcano labels each pod with its Job and
its task; a Job's pods are found by their controller's UID, so that an older Job of the same name is not mixed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct, field

from jobflow.api.metadata import ObjectMeta

NOT_TOLD = frozenset({"Completed", "ContainerCreating", "PodInitializing", ""})  # reasons that are no problem


class Ended(Struct, frozen=True, gc=False):
    """`state.terminated` of a container."""

    exitCode: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""


class Held(Struct, frozen=True, gc=False):
    """`state.waiting` of a container."""

    reason: str = ""
    message: str = ""


class ContainerState(Struct, frozen=True, gc=False):
    """One of the two is set, or the container runs."""

    waiting: Held | None = None
    terminated: Ended | None = None


class ContainerStatus(Struct, frozen=True, gc=False):
    """The part of a container's status that is shown."""

    name: str = ""
    state: ContainerState = ContainerState()


class PodStatus(Struct, frozen=True, gc=False):
    """The part of a pod's status that is shown."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    initContainerStatuses: list[ContainerStatus] = field(default_factory=list)
    containerStatuses: list[ContainerStatus] = field(default_factory=list)


class PodObject(Struct, frozen=True, gc=False):
    """A pod on the wire."""

    metadata: ObjectMeta
    status: PodStatus = PodStatus()


class PodView(Struct, frozen=True, gc=False, kw_only=True):
    """A pod as it is kept, also after it was deleted. `problem` says what went wrong or what it waits for."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    job_uid: str
    phase: str
    problem: str


def pod_view(pod: PodObject) -> PodView:
    """What is kept of a pod."""
    meta = pod.metadata
    owner = meta.controller
    return PodView(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        job_uid=owner.uid if owner else "",
        phase=pod.status.phase or "Pending",
        problem=_problem(pod.status),
    )


def _problem(status: PodStatus) -> str:
    for container in (*status.initContainerStatuses, *status.containerStatuses):
        state = container.state
        if state.terminated is not None and (state.terminated.exitCode or state.terminated.signal):
            return _end(state.terminated)
        if state.waiting is not None and state.waiting.reason not in NOT_TOLD:
            return _said(state.waiting.reason, state.waiting.message)
    return _said(status.reason, status.message)


def _end(ended: Ended) -> str:
    how = f"killed by signal {ended.signal}" if ended.signal else f"exit code {ended.exitCode}"
    told = _said("" if ended.reason == "Error" else ended.reason, ended.message)
    return f"{how} ({told})" if told else how


def _said(reason: str, message: str) -> str:
    return ": ".join(part for part in (reason, " ".join(message.split())) if part)  # what containers say has lines


def first_problem(pods: Sequence[PodView]) -> str:
    """`<pod>: exit code 3`, of the first pod that has a problem."""
    return next((f"{pod.name}: {pod.problem}" for pod in pods if pod.problem and pod.phase != "Succeeded"), "")


def pods_phrase(pods: Sequence[PodView], wanted: int) -> str:
    """`3 of 4 pods running`, and the first problem; no count where one pod does what it should."""
    problem = first_problem(pods)
    total = max(wanted, len(pods))
    if total < 2:
        return problem
    counts = Counter(pod.phase for pod in pods)
    told = [f"{counts[phase]} of {total} pods {phase.lower()}" for phase in ("Failed", "Running") if counts[phase]]
    return "; ".join([*told[:1], *([problem] if problem else [])])
