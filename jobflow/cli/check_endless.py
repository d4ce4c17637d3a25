"""Endless Jobs: what is valid, and almost never meant.

In: the document of a JobTemplate or a Job. Out: a warning where no pod of it can ever end. Kubernetes starts a
container again whenever it ends unless `restartPolicy` says otherwise, and says Always where it is left out: such a
Job runs for ever, its flow never goes on, and nothing looks wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobflow.cli.documents import Document, Finding, Severity


def endless_findings(document: Document) -> Iterator[Finding]:
    """A warning at the first task, where all of them restart for ever."""
    spec = document.data.get("spec")
    tasks = spec.get("tasks") if isinstance(spec, Mapping) else None
    if not isinstance(tasks, list) or not tasks or not all(_restarts_for_ever(task) for task in tasks):
        return
    yield document.finding(
        Severity.WARNING,
        "spec.tasks[0].template.spec.restartPolicy",
        "a container that ends is started again (restartPolicy is Always unless said otherwise), so this Job never "
        "completes; set restartPolicy: Never or OnFailure",
    )


def _restarts_for_ever(task: Any) -> bool:
    template = task.get("template") if isinstance(task, Mapping) else None
    pod = template.get("spec") if isinstance(template, Mapping) else None
    return isinstance(pod, Mapping) and pod.get("restartPolicy", "Always") == "Always"
