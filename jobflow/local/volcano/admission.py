"""What Volcano's admission does to a Job, done at read: its defaults, and its refusals in its own words.

In: a Job's spec as stored. Out: the spec with defaults filled in, and the list of what is wrong with it. The
embedded API server has no admission webhook for Jobs, so the runtime ends a Job that Volcano would have
refused, with the message that Volcano would have given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from jobflow.api.durations import parse_duration
from jobflow.api.names import MAX_LABEL_CHARACTERS
from jobflow.local.volcano.objects import Job, JobSpec, PolicyObject, TaskSpec
from jobflow.local.volcano.phases import Action
from jobflow.local.volcano.plugins import PLUGINS
from jobflow.local.volcano.policies import ANY_EVENT, PodEvent

DEFAULT_QUEUE = "default"
ROOT_QUEUE = "root"  # Volcano's own, above all others; Jobs may not be in it
DEFAULT_SCHEDULER = "volcano"
DEFAULT_MAX_RETRY = 3

VALID_EVENTS = (ANY_EVENT, *PodEvent)
VALID_ACTIONS = tuple(action for action in Action if action is not Action.SYNC_JOB)


def defaulted(spec: JobSpec) -> JobSpec:
    """The spec as Volcano's mutating admission would have stored it."""
    tasks = tuple(
        replace(
            task,
            name=task.name or f"default{position}",
            min_available=task.needed,
            max_retry=task.max_retry or DEFAULT_MAX_RETRY,
        )
        for position, task in enumerate(spec.tasks)
    )
    return replace(
        spec,
        tasks=tasks,
        queue=spec.queue or DEFAULT_QUEUE,
        scheduler_name=spec.scheduler_name or DEFAULT_SCHEDULER,
        max_retry=spec.max_retry or DEFAULT_MAX_RETRY,
        min_available=spec.min_available or sum(task.needed for task in tasks),
    )


def problems(job: Job) -> list[str]:
    """Why Volcano, or this runtime, does not run the Job; `job.spec` has its defaults."""
    spec = job.spec
    if not spec.tasks:
        return ["No task specified in job spec"]
    return [
        *_job_problems(job),
        *_task_problems(job),
        *_policy_problems(spec.policies),
        *(
            f"unable to find job plugin: {name}; this runtime has: {', '.join(PLUGINS)};"
            for name in spec.plugins
            if name not in PLUGINS
        ),
        *_not_here(spec),
    ]


def _job_problems(job: Job) -> Iterator[str]:
    spec = job.spec
    if len(job.name) > MAX_LABEL_CHARACTERS:
        yield (
            f"create job with name {job.name} validate failed [must be no more than {MAX_LABEL_CHARACTERS} characters];"
        )
    if spec.min_available > spec.replicas:
        yield "job 'minAvailable' should not be greater than total replicas in tasks;"
    if spec.queue == ROOT_QUEUE:
        yield "can not submit job to root queue;"


def _task_problems(job: Job) -> Iterator[str]:
    seen: set[str] = set()
    for task in job.spec.tasks:
        if task.needed > task.replicas:
            yield f"'minAvailable' is greater than 'replicas' in task: {task.name}, job: {job.name};"
        if task.name in seen:
            yield f"duplicated task name {task.name};"
            return
        seen.add(task.name)
        yield from _policy_problems(task.policies)
        pod = f"{job.name}-{task.name}-{max(task.replicas - 1, 0)}"
        if len(pod) > MAX_LABEL_CHARACTERS:
            yield (
                f"create pod with name {pod} validate failed [must be no more than {MAX_LABEL_CHARACTERS} characters];"
            )


def _policy_problems(policies: Iterable[PolicyObject]) -> Iterator[str]:
    events: set[str] = set()
    codes: set[int] = set()
    for policy in policies:
        named = {*policy.events, *((policy.event,) if policy.event else ())}
        if named and policy.exit_code is not None:
            yield "must not specify event and exitCode simultaneously;"
        elif not named and policy.exit_code is None:
            yield "either event and exitCode should be specified;"
        yield from _unknown_words(policy, named)
        for event in sorted(named & events):
            yield f"duplicate event {event}  across different policy;"
        events |= named
        if policy.exit_code == 0:
            yield "0 is not a valid error code;"
        elif policy.exit_code is not None:
            if policy.exit_code in codes:
                yield f"duplicate exitCode {policy.exit_code};"
            codes.add(policy.exit_code)
    if ANY_EVENT in events and len(events) > 1:
        yield "if there's * here, no other policy should be here;"


def _unknown_words(policy: PolicyObject, named: set[str]) -> Iterator[str]:
    for event in sorted(named - set(VALID_EVENTS)):
        yield f"invalid policy event {event}, valid events are {' '.join(VALID_EVENTS)};"
    if policy.action not in VALID_ACTIONS:
        yield f"invalid policy action {policy.action}, valid actions are {' '.join(VALID_ACTIONS)};"
    try:
        parse_duration(policy.timeout or "0")
    except ValueError as error:
        yield f"invalid policy timeout: {error};"


def _not_here(spec: JobSpec) -> Iterator[str]:
    """Fields that mean something in a cluster and nothing here: said, rather than ignored."""
    if spec.volumes:
        yield "spec.volumes: the local Job runtime does not create or mount volumes; remove them;"
    for position, task in enumerate(spec.tasks):
        for field, value in _parts_not_here(task):
            if value is not None:
                yield f"spec.tasks[{position}].{field}: the local Job runtime does not have it; remove it;"


def _parts_not_here(task: TaskSpec) -> tuple[tuple[str, object], ...]:
    return ("dependsOn", task.depends_on), ("partitionPolicy", task.partition_policy)
