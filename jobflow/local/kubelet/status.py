"""The status of a pod, as the kubelet writes it: how far its containers got, in the API's words.

In: a Pod and the PodState that its runtime reported. Out: the body of a merge patch on pods/status. Lists are
whole, since a merge patch replaces them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jobflow.local.kubelet.containers import (
    Container,
    ContainerState,
    Pod,
    PodPhase,
    PodState,
    Running,
    Terminated,
    Waiting,
)
from jobflow.local.kubelet.node import NODE_ADDRESS

STOPPED_EXIT_CODE = 137  # as if killed: SIGKILL is what a process gets whose supervisor went away
STOPPED = "SupervisorStopped"


def body(pod: Pod, state: PodState) -> dict[str, Any]:
    """The patch that makes the stored status say what the state says."""
    inits = len(pod.spec.init_containers)
    status: dict[str, Any] = {
        "phase": str(state.phase),
        "startTime": _time(state.started_at),
        "hostIP": NODE_ADDRESS,
        "podIP": NODE_ADDRESS,
        "podIPs": [{"ip": NODE_ADDRESS}],
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


def stopped(pod: Pod, now: datetime) -> PodState:
    """The state of a pod that ran when the process that supervised it went away."""
    message = "the process that supervised this pod ended, and the pod's containers with it"
    started = pod.status.start_time or now
    end = Terminated(STOPPED_EXIT_CODE, STOPPED, now, started, message)
    return PodState(
        phase=PodPhase.FAILED,
        containers=tuple(ContainerState(end) for _ in pod.containers),
        started_at=started,
        finished_at=now,
        reason=STOPPED,
        message=message,
    )


def _conditions(pod: Pod, state: PodState) -> list[dict[str, Any]]:
    inits = len(pod.spec.init_containers)
    initialized = all(isinstance(init.now, Terminated) and init.now.exit_code == 0 for init in state.containers[:inits])
    ready = all(isinstance(container.now, Running) for container in state.containers[inits:])
    changed = _time(state.finished_at or _last_start(state))
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


def _last_start(state: PodState) -> datetime:
    starts = [each.now.started_at for each in state.containers if isinstance(each.now, Running)]
    return max(starts, default=state.started_at)


def _statuses(containers: Sequence[Container], states: Sequence[ContainerState]) -> list[dict[str, Any]]:
    return [_status(container, state) for container, state in zip(containers, states, strict=True)]


def _status(container: Container, state: ContainerState) -> dict[str, Any]:
    running = isinstance(state.now, Running)
    return {
        "name": container.name,
        "image": container.image,
        "imageID": "",
        "ready": running,
        "started": running,
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
