"""What Volcano's admission does to a Job: its defaults, and its refusals in its own words.

In: a Job's spec. Out: the spec with defaults filled in, the list of what is wrong with it, and warnings. The embedded
API server asks when a Job is created (`webhook.py`); the runtime asks again when it looks at one for the first time, so
that a Job that was stored before these rules ends with the same words.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from jobflow.api.names import DNS_SUBDOMAIN, MAX_LABEL_CHARACTERS, MAX_NAME_CHARACTERS
from jobflow.local.volcano.admission_policies import policy_problems
from jobflow.local.volcano.admission_tasks import (
    dependency_problems,
    task_problems,
    task_warnings,
    topology_problem,
)
from jobflow.local.volcano.objects import Job, JobSpec, Volume
from jobflow.local.volcano.plugins import NEEDED_BY, PLUGINS, flag_warnings, mpi
from jobflow.local.volcano.plugins.flags import parse_flags

DEFAULT_QUEUE = "default"
ROOT_QUEUE = "root"  # Volcano's own, above all others; Jobs may not be in it
DEFAULT_SCHEDULER = "volcano"
DEFAULT_MAX_RETRY = 3


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
    needed: dict[str, list[str]] = {
        name: [] for name, users in NEEDED_BY.items() if any(user in spec.plugins for user in users)
    }
    return replace(
        spec,
        tasks=tasks,
        queue=spec.queue or DEFAULT_QUEUE,
        scheduler_name=spec.scheduler_name or DEFAULT_SCHEDULER,
        max_retry=spec.max_retry or DEFAULT_MAX_RETRY,
        min_available=spec.min_available or sum(task.needed for task in tasks),
        plugins={**needed, **spec.plugins},
    )


def problems(job: Job) -> list[str]:
    """Why Volcano does not take the Job; `job.spec` has its defaults. What its queue says is asked in `webhook.py`."""
    spec = job.spec
    if not spec.tasks:
        return ["No task specified in job spec"]
    if lost := _mpi_problem(spec):
        return [lost]
    found = [
        topology_problem(spec.network_topology),
        *task_problems(job),
        *_job_problems(job),
        *policy_problems(spec.policies, "spec.policies"),
        *(
            f"unable to find job plugin: {name}; the plugins are: {', '.join(PLUGINS)};"
            for name in spec.plugins
            if name not in PLUGINS
        ),
        *_volume_problems(spec.volumes),
        *dependency_problems(job),
    ]
    return [problem for problem in found if problem]


def warnings(job: Job) -> list[str]:
    """What is taken, and yet not as it was meant."""
    return [*flag_warnings(job.spec.plugins), *task_warnings(job)]


def _mpi_problem(spec: JobSpec) -> str:
    if "mpi" not in spec.plugins:
        return ""
    roles, _ = parse_flags(spec.plugins["mpi"], mpi.FLAGS)
    names = [task.name for task in spec.tasks]
    missing = (role for role in ("master", "worker") if roles[role] not in names)
    return next((f"The specified mpi {role} task was not found" for role in missing), "")


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


def _volume_problems(volumes: tuple[Volume, ...]) -> Iterator[str]:
    """Volcano tells the first one only."""
    mounted: set[str] = set()
    for volume in volumes:
        if not volume.mount_path:
            yield "mountPath is required;"
            return
        if volume.mount_path in mounted:
            yield f"duplicated mountPath: {volume.mount_path};"
            return
        mounted.add(volume.mount_path)
        if not volume.described and not volume.volume_claim_name:
            yield "either VolumeClaim or VolumeClaimName must be specified;"
            return
        name = volume.volume_claim_name
        if name and (len(name) > MAX_NAME_CHARACTERS or not DNS_SUBDOMAIN.fullmatch(name)):
            yield f"invalid VolumeClaimName {name} : [a lowercase RFC 1123 subdomain is needed];"
            return


def claim_conflict(volumes: tuple[Volume, ...]) -> str:
    """A claim both named and described: refused when a Job is created; later the runtime writes such names itself."""
    if any(volume.described and volume.volume_claim_name for volume in volumes):
        return (
            "conflict: If you want to use an existing PVC, just specify VolumeClaimName. "
            "If you want to create a new PVC, you do not need to specify VolumeClaimName;"
        )
    return ""
