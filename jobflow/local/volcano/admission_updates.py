"""What Volcano's admission says of a change to a Job's spec.

In: the old spec and the new one, both with their defaults. Out: the complaint, or "". A Job may be scaled; nothing else
of it may change, since its pods would not follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Fields = dict[str, Any]

JOB_FIELDS = ("minAvailable", "priorityClassName")
TASK_FIELDS = ("replicas", "minAvailable")
ALLOWED = "`minAvailable`, `priorityClassName`, `tasks[*].replicas`, `tasks[*].minAvailable`"


def update_problem(old: Fields, new: Fields) -> str:
    """The first thing for which Volcano would refuse the change; "" where it takes it."""
    tasks = new.get("tasks") or []
    total = 0
    for task in tasks:
        replicas, needed = task.get("replicas") or 0, task.get("minAvailable")
        if needed is not None and needed > replicas:
            return f"'minAvailable' must be <= 'replicas' in task: {task.get('name')}"
        total += replicas
    if (new.get("minAvailable") or 0) > total:
        return "job 'minAvailable' must not be greater than total replicas"
    if len(tasks) != len(old.get("tasks") or []):
        return "job updates may not add or remove tasks"
    changed = list(_changes(_fixed(old), _fixed(new)))
    if changed:
        return f"job updates may not change fields other than {ALLOWED}; changed: {', '.join(changed)}"
    return ""


def _fixed(spec: Fields) -> Fields:
    """What of a spec may not change. The name of a claim that is made for the Job is the runtime's to write."""
    fixed = {name: value for name, value in spec.items() if name not in JOB_FIELDS}
    fixed["tasks"] = [
        {name: value for name, value in task.items() if name not in TASK_FIELDS} for task in spec.get("tasks") or ()
    ]
    fixed["volumes"] = [
        {**volume, "volumeClaimName": ""} if volume.get("volumeClaim") is not None else volume
        for volume in spec.get("volumes") or ()
    ]
    return fixed


def _changes(old: Fields, new: Fields) -> Iterator[str]:
    """The paths of the fields that differ: of the spec, and of each task."""
    for name in sorted({**old, **new}):
        if name == "tasks":
            for index, (before, after) in enumerate(zip(old["tasks"], new["tasks"], strict=True)):
                fields = sorted({**before, **after})
                yield from (f"spec.tasks[{index}].{field}" for field in fields if before.get(field) != after.get(field))
        elif old.get(name) != new.get(name):
            yield f"spec.{name}"
