"""dependsOn of tasks: what it means, told where it is probably meant otherwise.

In: the document of a JobTemplate or a Job. Out: warnings. A task that depends on another waits until that one is up,
not until it has ended; and in a cluster Volcano's gang scheduling places no pod of a Job before `minAvailable` of them
are there to be placed, those of a task that still waits included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobflow.api.validate_template import task_name, whole
from jobflow.cli.documents import Document, Finding, Severity

ITERATIONS = ("any", "all")

Fields = Mapping[str, Any]


def dependency_findings(document: Document) -> Iterator[Finding]:
    """Warnings at the `dependsOn` of tasks."""
    spec = document.data.get("spec")
    tasks = spec.get("tasks") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(tasks, list):
        return
    known = {task_name(task, index): task for index, task in enumerate(tasks) if isinstance(task, Mapping)}
    waiting = [(index, task) for index, task in enumerate(tasks) if isinstance(task, Mapping) and _targets(task)]
    for index, task in waiting:
        path = f"spec.tasks[{index}].dependsOn"
        yield from _iteration_findings(document, task, path)
        for place, target in enumerate(_targets(task)):
            if target in known and _ends(known[target]) and not _tells_ready(known[target]):
                yield document.finding(Severity.WARNING, f"{path}.name[{place}]", _not_its_end(target))
    if waiting:
        yield from _gang_findings(document, spec, tasks, waiting[0][0])


def _targets(task: Fields) -> list[str]:
    depends = task.get("dependsOn")
    names = depends.get("name") if isinstance(depends, Mapping) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _iteration_findings(document: Document, task: Fields, path: str) -> Iterator[Finding]:
    iteration = task["dependsOn"].get("iteration")
    if isinstance(iteration, str) and iteration and iteration not in ITERATIONS:
        said = f'"{iteration}" is taken for all; say any (one of the tasks is enough) or all'
        yield document.finding(Severity.WARNING, f"{path}.iteration", said)


def _not_its_end(target: str) -> str:
    return (
        f'this task starts as soon as "{target}" runs, not when it has ended: a dependency holds once minAvailable of '
        "its pods are running and ready, or have succeeded. A readinessProbe there says when it may be used; to run "
        "one after the other make them steps of a JobFlow"
    )


def _ends(task: Fields) -> bool:
    """Whether its pods are meant to end."""
    return _pod(task).get("restartPolicy") in ("Never", "OnFailure")


def _tells_ready(task: Fields) -> bool:
    containers = _pod(task).get("containers")
    return isinstance(containers, list) and any(
        isinstance(one, Mapping) and one.get("readinessProbe") for one in containers
    )


def _pod(task: Fields) -> Fields:
    template = task.get("template")
    pod = template.get("spec") if isinstance(template, Mapping) else None
    return pod if isinstance(pod, Mapping) else {}


def _gang_findings(document: Document, spec: Fields, tasks: list[Any], index: int) -> Iterator[Finding]:
    """A Job that needs pods at once which do not exist at first."""
    of_job = [task for task in tasks if isinstance(task, Mapping)]
    least = whole(spec.get("minAvailable"), 0) or sum(_least(task) for task in of_job)
    at_first = sum(whole(task.get("replicas"), 0) for task in of_job if not _targets(task))
    if least <= at_first:
        return
    said = (
        f"the Job's minAvailable is {least}, and only {at_first} pods can exist before this task's dependencies are "
        f"up: in a cluster gang scheduling then places none of them. Set spec.minAvailable to {at_first} or less"
    )
    yield document.finding(Severity.WARNING, f"spec.tasks[{index}].dependsOn", said)


def _least(task: Fields) -> int:
    return whole(task.get("minAvailable"), whole(task.get("replicas"), 0))
