"""Pod templates of tasks: what Kubernetes would say of them, told before a Job is made.

In: the spec of a Job or a JobTemplate. Out: Problems with field paths. The rules are those by which the embedded
control plane refuses a Job; in a cluster Volcano refuses it with the same words. What the schema tells too is left to
it, since it says it in users' words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobflow.api.problems import Problem
from jobflow.local.volcano.pod_rules import template_problems

TOLD_BY_THE_SCHEMA = ("Required value", "Duplicate value")
PLACEHOLDER = "$("  # of a template: its value is known when the Job is made


def pod_problems(spec: Mapping[str, Any]) -> Iterator[Problem]:
    """Of each task that has a template with containers; what has none is the schema's to tell."""
    tasks = spec.get("tasks")
    for index, task in enumerate(tasks if isinstance(tasks, list) else ()):
        template = task.get("template") if isinstance(task, Mapping) else None
        pod = template.get("spec") if isinstance(template, Mapping) else None
        if not isinstance(template, Mapping) or not isinstance(pod, Mapping) or not pod.get("containers"):
            continue
        for problem in template_problems(template):
            path, _, message = problem.partition(": ")
            if not message.startswith(TOLD_BY_THE_SCHEMA) and PLACEHOLDER not in message:
                yield Problem(f"spec.tasks[{index}].{path}", message)
