"""The status of a pod, as the kubelet writes it: how far its containers got, in the API's words.

In: a Pod and the PodState that its runtime reported. Out: the body of a merge patch on pods/status. Lists are
whole, since a merge patch replaces them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jobflow.local.kubelet.containers import (
    ContainerState,
    Pod,
    PodPhase,
    PodState,
    Running,
    Terminated,
    Waiting,
)
from jobflow.local.kubelet.node import NODE_ADDRESS
from jobflow.local.kubelet.spec import Container

STOPPED_EXIT_CODE = 137  # as if killed: SIGKILL is what a process gets whose supervisor went away
STOPPED = "SupervisorStopped"


def body(pod: Pod, state: PodState) -> dict[str, Any]:
    """The patch that makes the stored status say what the state says."""
    inits = len(pod.spec.init_containers)
    status: dict[str, Any] = {
        "phase": str(state.phase),
        "startTime": _time(state.started_at),
        "hostIP": NODE_ADDRESS,
        "podIP": state.address or NODE_ADDRESS,
        "podIPs": [{"ip": state.address or NODE_ADDRESS}],
        "conditions": _conditions(pod, state),
        "containerStatuses": _statuses(pod.spec.containers, state.containers[inits:]),
    }
    if inits:
        status["initContainerStatuses"] = _statuses(pod.spec.init_containers, state.containers[:inits])
    if state.reason:
        status["reason"] = state.reason
    if state.message:
        status["message"] = state.message
    return {"status": status}


def unschedulable(message: str, since: datetime) -> dict[str, Any]:
    """The patch of a pod that waits for room."""
    waits = {**_condition("PodScheduled", False, _time(since)), "reason": "Unschedulable", "message": message}
    return {"status": {"phase": "Pending", "conditions": [waits]}}


def refused(pod: Pod, reason: str, message: str, now: datetime) -> PodState:
    """The state of a pod that is never started."""
    waiting = ContainerState(Waiting(reason, message))
    return PodState(
        phase=PodPhase.FAILED,
        containers=(waiting,) * len(pod.containers),
        started_at=now,
        finished_at=now,
        reason=reason,
        message=message,
    )


def stopped(pod: Pod, now: datetime) -> PodState:
    """The state of a pod that ran when the process that supervised it went away."""
    message = "the process that supervised this pod ended, and the pod's containers with it"
    started = pod.status.start_time or now
    end = Terminated(STOPPED_EXIT_CODE, STOPPED, now, started, message)
    return PodState(
        phase=PodPhase.FAILED,
        containers=tuple(ContainerState(end) for _ in pod.containers),
        started_at=started,
        address=pod.status.pod_ip,
        finished_at=now,
        reason=STOPPED,
        message=message,
    )


def _conditions(pod: Pod, state: PodState) -> list[dict[str, Any]]:
    inits = len(pod.spec.init_containers)
    through = zip(pod.spec.init_containers, state.containers[:inits], strict=True)
    initialized = all(_is_through(container, init) for container, init in through)
    ready = not state.phase.finished and all(container.ready for container in state.containers)
    changed = _time(state.ready_since or state.finished_at or state.started_at)
    reason = {} if ready else _not_ready(state.phase)
    return [
        _condition("PodScheduled", True, _time(pod.created or state.started_at)),
        _condition("Initialized", initialized, _time(state.started_at)),
        {**_condition("ContainersReady", ready, changed), **reason},
        {**_condition("Ready", ready, changed), **reason},
    ]


def _condition(kind: str, holds: bool, since: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "lastTransitionTime": since,
    }


def _not_ready(phase: PodPhase) -> dict[str, str]:
    match phase:
        case PodPhase.SUCCEEDED:
            return {"reason": "PodCompleted"}
        case PodPhase.FAILED:
            return {"reason": "PodFailed"}
    return {"reason": "ContainersNotReady"}


def _is_through(container: Container, state: ContainerState) -> bool:
    """An init container that lets those after it start."""
    if container.is_sidecar:
        return state.started
    return isinstance(state.now, Terminated) and state.now.exit_code == 0


def _statuses(containers: Sequence[Container], states: Sequence[ContainerState]) -> list[dict[str, Any]]:
    return [_status(container, state) for container, state in zip(containers, states, strict=True)]


def _status(container: Container, state: ContainerState) -> dict[str, Any]:
    return {
        "name": container.name,
        "image": container.image,
        "imageID": "",
        "ready": state.ready,
        "started": state.started,
        "restartCount": state.restarts,
        "state": _container_state(state.now),
        "lastState": _container_state(state.before) if state.before else {},
    }


def _container_state(state: Waiting | Running | Terminated) -> dict[str, Any]:
    match state:
        case Waiting(reason=reason, message=message):
            return {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        case Running(started_at=started_at):
            return {"running": {"startedAt": _time(started_at)}}
    ended: dict[str, Any] = {
        "exitCode": state.exit_code,
        "reason": state.reason,
        "finishedAt": _time(state.finished_at),
    }
    if state.started_at:
        ended["startedAt"] = _time(state.started_at)
    if state.message:
        ended["message"] = state.message
    if state.signal:
        ended["signal"] = state.signal
    return {"terminated": ended}


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
