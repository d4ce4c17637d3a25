"""decide: what should happen to a CronJob now?

In: a CronJob, the Jobs that it made, now. Out: a Decision: Jobs to delete, a Job to make, the whole status, what to
tell the user, when to look again. Pure. A Job's name is made from the time it is for, so that it is never made twice.
Two departures from Volcano: terminated Jobs count as failed ones for the history (there they stay for ever), and Jobs
of this CronJob that its status does not list are taken as active (there they are only warned of).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from jobflow.api.resources import CRON_JOB, VOLCANO_JOB
from jobflow.local.volcano.cron.objects import (
    ENDED_BADLY,
    ENDED_WELL,
    FORBID,
    REPLACE,
    SCHEDULED_AT,
    ActiveJob,
    CronJob,
    CronJobStatus,
    MadeJob,
)
from jobflow.local.volcano.cron.schedule import BadSchedule, Schedule, zone_of

MANY_MISSED = 100  # as in Kubernetes: more than a weekend of an hourly schedule


@dataclass(frozen=True, slots=True)
class Notice:
    """An Event for the CronJob."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do: delete Jobs, make one, then write the status. `made` is what the status is once the Job is there."""

    status: CronJobStatus
    delete: tuple[MadeJob, ...] = ()
    create: dict[str, Any] | None = None
    due: datetime | None = None
    notices: tuple[Notice, ...] = ()
    wake_at: datetime | None = None


def decide(cron: CronJob, jobs: Sequence[MadeJob], now: datetime) -> Decision:
    """The decision about a CronJob that is not being deleted; `jobs` are its own."""
    status, notices = _seen(cron, jobs)
    old = _beyond_history(cron, jobs)
    if cron.spec.suspend:
        return Decision(status=status, delete=old, notices=notices)
    try:
        schedule = Schedule(cron.spec.schedule, zone_of(cron.spec.time_zone))
    except BadSchedule as error:
        bad = Notice("Warning", "UnParseableCronJobSchedule", f"unparseable schedule for cronjob: {error}")
        return Decision(status=status, delete=old, notices=(*notices, bad))
    due = _due(cron, schedule, now)
    wake_at = schedule.after(now)
    if due is None or due == cron.status.last_schedule_time:
        return Decision(status=status, delete=old, notices=notices, wake_at=wake_at)
    if _missed_many(cron, schedule, due):
        told = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        notices = (*notices, Notice("Warning", "TooManyMissedTimes", told))
    running = [job for job in jobs if not job.ended]
    if running and cron.spec.concurrency_policy == FORBID:
        told = "Skipping job creation because another job is already running"
        notices = (*notices, Notice("Warning", "ForbidConcurrent", told))
        return Decision(status=status, delete=old, notices=notices, wake_at=wake_at)
    if running and cron.spec.concurrency_policy == REPLACE:
        notices = (*notices, Notice("Warning", "ReplaceConcurrent", "Replacing active job for CronJob"))
        old = (*old, *(job for job in running if not job.deleting))
        status = replace(status, active=())
    return Decision(
        status=status,
        delete=old,
        create=_job(cron, due),
        due=due,
        notices=notices,
        wake_at=wake_at,
    )


def with_job(status: CronJobStatus, job: ActiveJob, due: datetime) -> CronJobStatus:
    """The status once a Job was made for the time `due`."""
    others = tuple(one for one in status.active if one.uid != job.uid)
    return replace(status, active=(*others, job), last_schedule_time=due)


def _seen(cron: CronJob, jobs: Sequence[MadeJob]) -> tuple[CronJobStatus, tuple[Notice, ...]]:
    """The status as the Jobs tell it, and what is news in it."""
    by_uid = {job.uid: job for job in jobs}
    notices = []
    for one in cron.status.active:
        job = by_uid.get(one.uid)
        if job is None:
            told = f'Active job "{one.name}" no longer exists (UID: {one.uid})'
            notices.append(Notice("Warning", "StaleReference", told))
        elif job.ended:
            told = f"Saw completed job: {one.name} in active, remove"
            notices.append(Notice("Normal", "SawCompletedJob", told))
    well = [job.changed for job in jobs if job.phase == ENDED_WELL and job.changed is not None]
    before = cron.status.last_successful_time
    status = replace(
        cron.status,
        active=tuple(_reference(job) for job in sorted(jobs, key=_age) if not job.ended and not job.deleting),
        last_successful_time=max([*well, *([before] if before else [])], default=None),
    )
    return status, tuple(notices)


def _beyond_history(cron: CronJob, jobs: Sequence[MadeJob]) -> tuple[MadeJob, ...]:
    """The oldest of the Jobs that ended, as far as they are more than are to be kept."""
    spec = cron.spec
    gone: list[MadeJob] = []
    for phases, limit in (
        ((ENDED_WELL,), spec.successful_jobs_history_limit),
        (ENDED_BADLY, spec.failed_jobs_history_limit),
    ):
        ended = sorted((job for job in jobs if job.phase in phases and not job.deleting), key=_age)
        if limit is not None:
            gone += ended[: max(len(ended) - limit, 0)]
    return tuple(gone)


def _since(cron: CronJob) -> datetime:
    return cron.status.last_schedule_time or cron.created


def _due(cron: CronJob, schedule: Schedule, now: datetime) -> datetime | None:
    """The last time of the schedule that was not served and is not too long ago."""
    earliest, deadline = _since(cron), cron.spec.starting_deadline_seconds
    last = schedule.last(earliest, now)
    if last is None or (deadline is not None and last < now - timedelta(seconds=deadline)):
        return None
    return last


def _missed_many(cron: CronJob, schedule: Schedule, due: datetime) -> bool:
    begin, deadline = _since(cron), cron.spec.starting_deadline_seconds
    if deadline is not None:
        begin = max(begin, due - timedelta(seconds=deadline))
    for _ in range(MANY_MISSED):
        following = schedule.after(begin)
        if following is None or following >= due:
            return False
        begin = following
    return True


def _job(cron: CronJob, due: datetime) -> dict[str, Any]:
    """The Job for a time of the schedule."""
    template = cron.spec.job_template
    at = due.astimezone(zone_of(cron.spec.time_zone)).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "apiVersion": VOLCANO_JOB.api_version,
        "kind": VOLCANO_JOB.kind,
        "metadata": {
            "name": f"{cron.name}-{int(due.timestamp()) // 60}",
            "namespace": cron.namespace,
            "labels": dict(template.metadata.labels),
            "annotations": {**template.metadata.annotations, SCHEDULED_AT: at},
            "ownerReferences": [
                {
                    "apiVersion": CRON_JOB.api_version,
                    "kind": CRON_JOB.kind,
                    "name": cron.name,
                    "uid": cron.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": msgspec.json.decode(template.spec),
    }


def _reference(job: MadeJob) -> ActiveJob:
    return ActiveJob(VOLCANO_JOB.api_version, VOLCANO_JOB.kind, job.namespace, job.name, job.uid)


def _age(job: MadeJob) -> tuple[datetime, str]:
    return job.created, job.name
