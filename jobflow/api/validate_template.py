"""Rules of a Volcano Job spec, as a JobTemplate carries it, that span fields.

In: the spec as parsed, a plain mapping, since pod templates are kept as they are. Out: Problems with field
paths. The rules are those of Volcano's own admission, which sees only the child Job: told here they are told
when the template is written and not when a flow is half way through. Wrong JSON types are the schema's to
tell: a value of an unexpected type is left out of account, save a time to live, which the API server never sees from
us, and what a Job is made and named by. Not repeated here: Kubernetes' rules inside a pod
template, whether the queue exists, and that a topologyPolicy needs whole CPUs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jobflow.api.cycles import find_cycles
from jobflow.api.policies import policy_problems
from jobflow.api.problems import Problem, suggestion_or_list
from jobflow.api.trees import Unknown

PLUGINS = ("env", "svc", "ssh", "pytorch", "tensorflow", "mpi", "ray", "hcclrank")
SERVICE_PLUGINS = (
    "svc",
    "pytorch",
    "tensorflow",
    "mpi",
    "ray",
)  # Volcano adds svc to a Job with any of these
TTL_SECONDS = range(2**31)  # an int32 in Volcano's API
MADE_BY = ("template", "metadata", "labels")  # of a task: we may add a label to its pods

Fields = Mapping[str, Any]


def template_problems(spec: Fields) -> list[Problem]:
    """Everything for which Volcano would refuse a Job with this spec; empty for a good one."""
    tasks = _objects(spec.get("tasks"))
    problems = [] if tasks else [Problem.plain("spec.tasks", "a Job needs at least one task")]
    problems += _negative(spec, ("minAvailable", "maxRetry"), "spec")
    problems += _ttl_problems(spec)
    problems += list(_shape_problems(spec.get("tasks")))
    problems += _topology_problems(spec.get("networkTopology"), "spec.networkTopology")
    problems += list(_task_name_problems(tasks))
    for index, task in enumerate(tasks):
        problems += _task_problems(task, f"spec.tasks[{index}]")
    problems += _total_problems(spec, tasks)
    problems += policy_problems(_objects(spec.get("policies")), "spec.policies")
    problems += _plugin_problems(spec.get("plugins"), tasks)
    problems += list(_volume_problems(_objects(spec.get("volumes"))))
    return problems + list(_dependency_problems(tasks))


def task_name(task: Fields, index: int) -> str:
    """The task's name, or the `default<index>` that Volcano gives to one without."""
    return str(task.get("name") or f"default{index}")


def whole(value: Any, default: int) -> int:
    """The value where it is a whole number (True is none), else the default."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _replicas(task: Fields) -> int | None:
    """The task's replicas, 0 where it has none; None where they are no number, which the schema tells."""
    given = task.get("replicas", 0)
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def _objects(value: Any) -> list[Fields]:
    return [item if isinstance(item, Mapping) else {} for item in value] if isinstance(value, list) else []


def _negative(fields: Fields, names: Sequence[str], path: str) -> list[Problem]:
    return [
        Problem(f"{path}.{name}", f"{name} is {fields[name]}; it must be 0 or more", "must be 0 or more")
        for name in names
        if whole(fields.get(name), 0) < 0
    ]


def _ttl_problems(spec: Fields) -> list[Problem]:
    ttl = spec.get("ttlSecondsAfterFinished")
    if ttl is None or isinstance(ttl, Unknown) or whole(ttl, -1) in TTL_SECONDS:
        return []
    if negative := _negative(spec, ("ttlSecondsAfterFinished",), "spec"):
        return negative
    said = f"ttlSecondsAfterFinished must be a whole number of seconds from 0 to {TTL_SECONDS[-1]}"
    rule = "must be a whole number of seconds, 0 or more, that fits into 32 bits"
    return [Problem("spec.ttlSecondsAfterFinished", said, rule)]


def _shape_problems(tasks: Any) -> Iterator[Problem]:
    """Tasks, and what labels their pods, have to be mappings."""
    for index, task in enumerate(tasks if isinstance(tasks, list) else ()):
        path, below = f"spec.tasks[{index}]", task
        for name in (*MADE_BY, ""):
            if isinstance(below, Unknown) or below is None:
                break
            if not isinstance(below, Mapping):
                yield Problem.plain(path, "must be a mapping of fields to values")
                break
            below, path = below.get(name), f"{path}.{name}"


def _task_name_problems(tasks: Sequence[Fields]) -> Iterator[Problem]:
    positions: dict[str, int] = {}
    for index, task in enumerate(tasks):
        name = task_name(task, index)
        first = positions.setdefault(name, index)
        if first != index:
            said = f'task "{name}" is already defined at spec.tasks[{first}]; give each task a name of its own'
            rule = "another task has this name already; give each task a name of its own"
            yield Problem(f"spec.tasks[{index}].name", said, rule)


def _task_problems(task: Fields, path: str) -> list[Problem]:
    problems = _negative(task, ("replicas", "minAvailable", "maxRetry"), path)
    replicas, least = _replicas(task), whole(task.get("minAvailable"), 0)
    if replicas is not None and least > replicas >= 0:
        said = f"minAvailable {least} is greater than the task's replicas {replicas}, so it could never be reached"
        rule = "is greater than the task's replicas, so it could never be reached"
        problems.append(Problem(f"{path}.minAvailable", said, rule))
    problems += policy_problems(_objects(task.get("policies")), f"{path}.policies")
    if isinstance(partitions := task.get("partitionPolicy"), Mapping):
        problems += _partition_problems(task, partitions, path)
    return problems


def _partition_problems(task: Fields, policy: Fields, path: str) -> list[Problem]:
    total, size = whole(policy.get("totalPartitions"), 0), whole(policy.get("partitionSize"), 0)
    least, replicas = whole(policy.get("minPartitions"), 0), _replicas(task)
    problems = _topology_problems(policy.get("networkTopology"), f"{path}.partitionPolicy.networkTopology")
    if total > 0 and size > 0 and replicas not in (None, total * size):
        said = f"replicas {replicas} is not totalPartitions {total} x partitionSize {size} = {total * size}"
        problems.append(Problem(f"{path}.replicas", said, "is not totalPartitions x partitionSize"))
    wanted = task.get("minAvailable")
    if least > 0 and wanted is not None and whole(wanted, 0) != least * size:
        said = f"minAvailable {wanted} is not minPartitions {least} x partitionSize {size} = {least * size}"
        problems.append(Problem(f"{path}.minAvailable", said, "is not minPartitions x partitionSize"))
    return problems


def _topology_problems(topology: Any, path: str) -> list[Problem]:
    if isinstance(topology, Mapping) and "highestTierAllowed" in topology and topology.get("highestTierName"):
        return [Problem.plain(path, "give highestTierAllowed or highestTierName, not both")]
    return []


def _total_problems(spec: Fields, tasks: Sequence[Fields]) -> list[Problem]:
    counts = [_replicas(task) for task in tasks]
    total = sum(max(count or 0, 0) for count in counts)
    least = whole(spec.get("minAvailable"), 0)
    if tasks and None not in counts and least > total:
        said = f"minAvailable {least} is greater than the {total} replicas of all tasks, so the Job could never start"
        rule = "is greater than the replicas of all tasks, so the Job could never start"
        return [Problem("spec.minAvailable", said, rule)]
    return []


def _plugin_problems(plugins: Any, tasks: Sequence[Fields]) -> list[Problem]:
    if not isinstance(plugins, Mapping):
        return []
    problems = [
        Problem(
            f"spec.plugins.{plugin}",
            f'Volcano has no plugin "{plugin}"{suggestion_or_list(plugin, PLUGINS, "its plugins are")}',
            f"Volcano has no such plugin; its plugins are {', '.join(PLUGINS)}",
        )
        for plugin in map(str, plugins)
        if plugin not in PLUGINS
    ]
    if "mpi" in plugins:
        master = _argument(plugins["mpi"], "master", "master")
        if master not in [task_name(task, index) for index, task in enumerate(tasks)]:
            said = f'plugin "mpi" needs a task named "{master}"; name one so, or give --master=<task>'
            rule = 'plugin "mpi" needs its master task; name one so, or give --master=<task>'
            problems.append(Problem("spec.plugins.mpi", said, rule))
    return problems


def _argument(arguments: Any, flag: str, default: str) -> str:
    """The value of `--flag=value` or `--flag value` among a plugin's arguments; the last one counts."""
    words = [str(word) for word in arguments] if isinstance(arguments, list) else []
    value = default
    for word, following in zip(words, [*words[1:], ""], strict=False):
        name, equals, given = word.partition("=")
        if name in (f"--{flag}", f"-{flag}"):
            value = given if equals else following
    return value


def _volume_problems(volumes: Sequence[Fields]) -> Iterator[Problem]:
    positions: dict[str, int] = {}
    for index, volume in enumerate(volumes):
        path = f"spec.volumes[{index}]"
        mounted = volume.get("mountPath")
        if not mounted:
            yield Problem.plain(f"{path}.mountPath", "a volume needs the path to mount it at in each container")
        else:
            first = positions.setdefault(str(mounted), index)
            if first != index:
                said = f'"{mounted}" is already the mount path of spec.volumes[{first}]'
                yield Problem(f"{path}.mountPath", said, "another volume has this mount path already")
        named, claimed = bool(volume.get("volumeClaimName")), volume.get("volumeClaim") is not None
        if named == claimed:
            given = "both are" if named else "neither is"
            said = f"give volumeClaimName (a claim that exists) or volumeClaim (one to make); {given} given"
            rule = "give volumeClaimName (a claim that exists) or volumeClaim (one to make), one of the two"
            yield Problem(path, said, rule)


def _dependency_problems(tasks: Sequence[Fields]) -> Iterator[Problem]:
    names = [task_name(task, index) for index, task in enumerate(tasks)]
    waits_for: dict[str, list[str]] = {name: [] for name in names}
    for index, task in enumerate(tasks):
        depends = task.get("dependsOn")
        targets = depends.get("name") if isinstance(depends, Mapping) else None
        path = f"spec.tasks[{index}].dependsOn.name"
        for place, target in enumerate(targets if isinstance(targets, list) else ()):
            if not isinstance(target, str):
                continue
            if target not in waits_for:
                hint = suggestion_or_list(str(target), names, "the tasks are")
                said = f'"{target}" is not a task of this Job{hint}'
                yield Problem(f"{path}[{place}]", said, "is not a task of this Job")
            elif target in waits_for[names[index]]:
                yield Problem(f"{path}[{place}]", f'task "{target}" is named twice', "a task is named twice")
            else:
                waits_for[names[index]].append(target)
    for circle in find_cycles(waits_for):
        said = f"these tasks wait for each other, so none would ever start: {' -> '.join(circle)}"
        rule = "this task and others wait for each other, so none would ever start"
        path = f"spec.tasks[{names.index(circle[0])}].dependsOn.name"
        yield Problem(path, f"{said} (each waits for the next)", rule)
