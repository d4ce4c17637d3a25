"""CronJob, and the Jobs made for one, as the CronJob controller keeps them.

In: the objects as they travel (Structs named ...Object). Out: frozen views. The template stays bytes until a Job is
made from it.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Raw, Struct
from msgspec.structs import replace

from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import CRON_JOB
from jobflow.local.volcano.objects import EPOCH

SCHEDULED_AT = "volcano.sh/cronjob-scheduled-timestamp"
ENDED_WELL = "Completed"
ENDED_BADLY = ("Failed", "Terminated")

ALLOW = "Allow"
FORBID = "Forbid"
REPLACE = "Replace"


class Metadata(Struct, frozen=True, gc=False):
    """What Jobs get beside their spec."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Template(Struct, frozen=True, gc=False):
    """The Jobs that are made."""

    metadata: Metadata = Metadata()
    spec: Raw = Raw(b"{}")


class CronJobSpec(Struct, frozen=True, gc=False, rename="camel"):
    """A CronJob's spec."""

    schedule: str = ""
    time_zone: str | None = None
    starting_deadline_seconds: int | None = None
    concurrency_policy: str = ALLOW
    suspend: bool = False
    job_template: Template = Template()
    successful_jobs_history_limit: int | None = None
    failed_jobs_history_limit: int | None = None


class ActiveJob(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """A Job that has not ended."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""


class CronJobStatus(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """A CronJob's status."""

    active: tuple[ActiveJob, ...] = ()
    last_schedule_time: datetime | None = None
    last_successful_time: datetime | None = None


class CronJobObject(Struct, frozen=True, gc=False):
    """A CronJob on the wire."""

    metadata: ObjectMeta
    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()


class CronJob(Struct, frozen=True, gc=False, kw_only=True):
    """A CronJob as the controller keeps it."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    created: datetime
    deleting: bool
    spec: CronJobSpec
    status: CronJobStatus


def cron_job_view(cron: CronJobObject) -> CronJob:
    """What the controller keeps of a CronJob; the template is copied out of the message, which would else stay."""
    meta, template = cron.metadata, cron.spec.job_template
    return CronJob(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        created=meta.creationTimestamp or EPOCH,
        deleting=meta.deletionTimestamp is not None,
        spec=replace(cron.spec, job_template=replace(template, spec=template.spec.copy())),
        status=cron.status,
    )


class State(Struct, frozen=True, gc=False, rename="camel"):
    """`status.state` of a Job."""

    phase: str = ""
    last_transition_time: datetime | None = None


class JobStatus(Struct, frozen=True, gc=False):
    """How far a Job got."""

    state: State = State()


class JobObject(Struct, frozen=True, gc=False):
    """A Job on the wire, as far as its CronJob looks at it."""

    metadata: ObjectMeta
    status: JobStatus = JobStatus()


class MadeJob(Struct, frozen=True, gc=False, kw_only=True):
    """A Job as its CronJob sees it."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    created: datetime
    deleting: bool
    cron: str
    cron_uid: str
    phase: str
    changed: datetime | None

    @property
    def ended(self) -> bool:
        """Nothing changes it any more."""
        return self.phase == ENDED_WELL or self.phase in ENDED_BADLY


def made_job_view(job: JobObject) -> MadeJob:
    """What the controller keeps of a Job; of one that no CronJob made only that it is there."""
    meta = job.metadata
    owner = meta.controller
    ours = owner is not None and owner.kind == CRON_JOB.kind and owner.apiVersion == CRON_JOB.api_version
    return MadeJob(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        created=meta.creationTimestamp or EPOCH,
        deleting=meta.deletionTimestamp is not None,
        cron=owner.name if owner and ours else "",
        cron_uid=owner.uid if owner and ours else "",
        phase=job.status.state.phase,
        changed=job.status.state.last_transition_time,
    )
