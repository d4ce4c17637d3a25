"""How the pods of a Job that has failed ended, read: which exit code came first, and whether one was taken away.

In: an ExitsOf question. Out: an ExitsFound, from one LIST of the Job's pods; the right to it is declared where pods are
watched (`jobflow.watches`). What may not be read is no exit code, and the last word; what could not be read now is
asked again by `runner.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from jobflow.api.exits import ExitsFound, ExitsOf
from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import POD
from jobflow.kinds.pod import JOB_NAME
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import ApiError, Forbidden, NotFound

# `status.reason` of a pod that the cluster has ended: by the kubelet, for want of room or because its node is shut
# down, by the scheduler, or by the node controller.
TAKEN_AWAY = frozenset({"Evicted", "Preempting", "Preempted", "NodeLost", "Shutdown", "NodeShutdown", "Terminated"})
DISRUPTION_TARGET = "DisruptionTarget"  # the condition by which Kubernetes itself says so, since 1.26
TRUE = "True"
LATEST = datetime.max.replace(tzinfo=UTC)  # of a container that does not say when it ended


class _Terminated(Struct, frozen=True):
    exitCode: int = 0
    finishedAt: datetime | None = None


class _State(Struct, frozen=True):
    terminated: _Terminated | None = None


class _ContainerStatus(Struct, frozen=True):
    state: _State = _State()


class _Condition(Struct, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""


class _Status(Struct, frozen=True):
    reason: str = ""
    conditions: tuple[_Condition, ...] = ()
    initContainerStatuses: tuple[_ContainerStatus, ...] = ()
    containerStatuses: tuple[_ContainerStatus, ...] = ()


class _Pod(Struct, frozen=True):
    """As much of a pod as says how it ended."""

    metadata: ObjectMeta
    status: _Status = _Status()


async def read_exits(client: Client, question: ExitsOf) -> ExitsFound:
    """How the Job's pods ended. Does not raise."""
    found: list[_Pod] = []
    codec: Codec[_Pod] = Codec(_Pod, lambda pod: pod)
    try:
        async for page in client.list(POD, question.namespace, label_selector=f"{JOB_NAME}={question.job}"):
            found += codec.page(page).items
    except (Forbidden, NotFound, msgspec.MsgspecError):
        return ExitsFound()
    except ApiError as error:
        return ExitsFound(problem=f"the pods of Job {question.job} cannot be listed: {error.message}")
    pods = [pod for pod in found if _is_of(pod, question)]
    ends = sorted(end for pod in pods for end in _ends(pod))
    evicted = next((f"{pod.metadata.name}: {why}" for pod in pods if (why := _taken_away(pod))), "")
    if not ends:
        return ExitsFound(evicted=evicted)
    return ExitsFound(exit_code=ends[0][-1], by_itself=any(end[1] for end in ends), evicted=evicted)


def _is_of(pod: _Pod, question: ExitsOf) -> bool:
    owner = pod.metadata.controller
    return owner is None or owner.uid == question.job_uid


def _ends(pod: _Pod) -> Iterator[tuple[datetime, bool, str, int, int]]:
    """When, whether by itself, and with which code its containers ended that ended with an error; in their order."""
    by_itself = pod.metadata.deletionTimestamp is None and not _taken_away(pod)
    statuses = (*pod.status.initContainerStatuses, *pod.status.containerStatuses)
    for place, status in enumerate(statuses):
        ended = status.state.terminated
        if ended is not None and ended.exitCode:
            yield (ended.finishedAt or LATEST, by_itself, pod.metadata.name, place, ended.exitCode)


def _taken_away(pod: _Pod) -> str:
    """Why the cluster has ended it, or nothing."""
    if pod.status.reason in TAKEN_AWAY:
        return pod.status.reason
    for condition in pod.status.conditions:
        if condition.type == DISRUPTION_TARGET and condition.status == TRUE:
            return condition.reason or DISRUPTION_TARGET
    return ""
