"""dependsOn of a task: may its pods be created yet?

In: a task, all tasks of its Job, the Job's pods. Out: yes or no. As in Volcano a dependency holds once as many of its
pods as its minAvailable run and are ready, or have succeeded: a task waits for others to be *up*, not for their end.
It is asked only when pods are about to be created; a dependency that goes down later stops nothing. Pods that failed
never count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobflow.local.volcano.objects import TaskSpec
from jobflow.local.volcano.pod_objects import PodPhase, PodView

ANY = "any"


def may_start(task: TaskSpec, tasks: Mapping[str, TaskSpec], pods: Sequence[PodView]) -> bool:
    """Whether the tasks that this one depends on are up: all of them, or with `iteration: any` one of them."""
    if task.depends_on is None or not task.depends_on.name:
        return True
    up = (name in tasks and _is_up(tasks[name], pods) for name in task.depends_on.name)
    return any(up) if task.depends_on.iteration == ANY else all(up)


def _is_up(task: TaskSpec, pods: Sequence[PodView]) -> bool:
    counted = sum(1 for pod in pods if pod.task == task.name and not pod.deleting and _counts(pod))
    return counted >= task.needed


def _counts(pod: PodView) -> bool:
    return pod.phase is PodPhase.SUCCEEDED or (pod.phase is PodPhase.RUNNING and pod.ready)
