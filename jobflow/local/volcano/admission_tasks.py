"""What Volcano's admission says of the tasks of a Job, one by one and of what they wait for.

In: a Job with its defaults. Out: complaints in Volcano's words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from jobflow.api.cycles import find_cycles
from jobflow.api.names import MAX_LABEL_CHARACTERS
from jobflow.local.volcano.admission_policies import policy_problems
from jobflow.local.volcano.amounts import THOUSANDTHS, Container, Resources, parse_quantity
from jobflow.local.volcano.objects import Job, NetworkTopology, TaskSpec
from jobflow.local.volcano.pod_rules import template_problems, template_warnings

NO_TOPOLOGY = ("", "none")
NO_DAG = "job has dependencies between tasks, but doesn't form a directed acyclic graph(DAG);"


def task_problems(job: Job) -> Iterator[str]:
    """Complaints about each task, up to the first whose name another has."""
    seen: set[str] = set()
    for position, task in enumerate(job.spec.tasks):
        if task.needed > task.replicas:
            yield f"'minAvailable' is greater than 'replicas' in task: {task.name}, job: {job.name};"
        if task.name in seen:
            yield f"duplicated task name {task.name};"
            return
        seen.add(task.name)
        yield from policy_problems(task.policies, f"spec.tasks[{position}].policies")
        pod = f"{job.name}-{task.name}-{max(task.replicas - 1, 0)}"
        if len(pod) > MAX_LABEL_CHARACTERS:
            yield (
                f"create pod with name {pod} validate failed [must be no more than {MAX_LABEL_CHARACTERS} characters];"
            )
        yield from _template_problems(task, position)
        yield from _partition_problems(job, task)


def topology_problem(topology: NetworkTopology | None) -> str:
    """Both ways of naming a tier at once; "" where that is not so."""
    if topology and topology.highest_tier_allowed is not None and topology.highest_tier_name:
        return "must not specify 'highestTierAllowed' and 'highestTierName' in networkTopology simultaneously;"
    return ""


def dependency_problems(job: Job) -> Iterator[str]:
    """A circle, a task that is not there, one named twice: to Volcano all of that is no DAG."""
    tasks = {task.name for task in job.spec.tasks}
    waits_for = {task.name: list(task.depends_on.name if task.depends_on else ()) for task in job.spec.tasks}
    for name, targets in waits_for.items():
        if unknown := [target for target in targets if target not in tasks]:
            yield f"{NO_DAG} task {name} depends on {', '.join(unknown)}, which is not a task of this job;"
            return
        if len(set(targets)) < len(targets):
            yield f"{NO_DAG} task {name} names one of the tasks that it depends on twice;"
            return
    for circle in find_cycles(waits_for):
        yield f"{NO_DAG} {' -> '.join(circle)} (each waits for the next);"
        return


def task_warnings(job: Job) -> Iterator[str]:
    """What works here and not in a cluster."""
    for position, task in enumerate(job.spec.tasks):
        template = _template(task)
        if template is not None:
            yield from (f"spec.tasks[{position}].{warning}" for warning in template_warnings(template))


def _template(task: TaskSpec) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(task.template, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None


def _template_problems(task: TaskSpec, position: int) -> Iterator[str]:
    template = _template(task)
    if template is None:
        yield f"spec.task[{position}].template: Invalid value: not an object."
        return
    problems = template_problems(template)
    yield from (f"spec.task[{position}].{problem}." for problem in problems)
    if not problems and task.topology_policy not in NO_TOPOLOGY:
        yield from _topology_policy_problems(template, position)


def _topology_policy_problems(template: dict[str, Any], position: int) -> Iterator[str]:
    """A task that is bound to NUMA nodes has whole CPUs for itself."""
    spec = template["spec"]
    every = [*spec["containers"], *(spec.get("initContainers") or ())]
    for index, body in enumerate(every):
        try:
            resources = msgspec.convert(body, Container, strict=False).resources
            cpu = _guaranteed(resources)
        except (msgspec.ValidationError, ValueError):
            cpu = None
        if cpu is None:
            yield f"spec.task[{position}] isn't Guaranteed pod, kind=Burstable;"
            return
        if cpu % THOUSANDTHS or not cpu:
            yield f"the cpu request isn't  an integer in spec.task[{position}] container[{index}]."


def _guaranteed(resources: Resources) -> int | None:
    """The CPU of a container that is limited to what it asks for, in cpu and memory; None for any other."""
    limits = resources.limits or {}
    requests = resources.requests or limits
    if not {"cpu", "memory"} <= limits.keys():
        return None
    if any(parse_quantity(requests.get(name, 0)) != parse_quantity(limits[name]) for name in ("cpu", "memory")):
        return None
    return parse_quantity(limits["cpu"])


def _partition_problems(job: Job, task: TaskSpec) -> Iterator[str]:
    parts = task.partition_policy
    if parts is None:
        return
    where = f"in task: {task.name}, job: {job.name};"
    if parts.total_partitions <= 0:
        yield f"'TotalPartitions' must be greater than 0 {where}"
    if parts.partition_size <= 0:
        yield f"'PartitionSize' must be greater than 0 {where}"
    if task.replicas != parts.total_partitions * parts.partition_size:
        yield f"'Replicas' are not equal to TotalPartitions*PartitionSize {where}"
    if parts.min_partitions and task.needed != parts.min_partitions * parts.partition_size:
        yield f"'MinAvailable' is not equal to MinPartitions*PartitionSize {where}"
    if problem := topology_problem(parts.network_topology):
        yield problem
