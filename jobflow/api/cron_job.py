"""Volcano's CronJob: a Job made anew at the times of a schedule.

In: parsed JSON. Out: the source of the schema by which the embedded API server serves the kind. In a cluster Volcano's
own definition of it is installed.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from jobflow.api.volcano import Count, JobSpec, VolcanoModel


class ConcurrencyPolicy(StrEnum):
    """What to do when a Job is due and an earlier one has not ended."""

    ALLOW = "Allow"
    FORBID = "Forbid"
    REPLACE = "Replace"


class TemplateMetadata(VolcanoModel):
    """What the Jobs get beside their spec."""

    name: Annotated[str | None, Field(description="Not used: Jobs are named <cronjob>-<minutes since 1970>.")] = None
    namespace: Annotated[str | None, Field(description="Not used: Jobs are in the namespace of the CronJob.")] = None
    labels: Annotated[dict[str, str] | None, Field(description="Labels of the Jobs.")] = None
    annotations: Annotated[dict[str, str] | None, Field(description="Annotations of the Jobs.")] = None
    finalizers: Annotated[list[str] | None, Field(description="Not used.")] = None


class CronJobTemplate(VolcanoModel):
    """The Jobs that are made."""

    metadata: Annotated[TemplateMetadata | None, Field(description="What the Jobs get beside their spec.")] = None
    spec: Annotated[JobSpec | None, Field(description="The spec of the Jobs.")] = None


class CronJobSpec(VolcanoModel):
    """When to make which Jobs."""

    schedule: Annotated[
        str,
        Field(description="Minute, hour, day of month, month, day of week; or @hourly and the like, or @every 1h30m."),
    ]
    time_zone: Annotated[
        str | None, Field(description="The time zone of the schedule, such as Europe/Berlin. Default UTC.")
    ] = None
    starting_deadline_seconds: Annotated[
        int | None,
        Field(
            ge=0,
            description="How late a Job may still be started, in seconds. Absent: however late.",
            json_schema_extra={"format": "int64"},
        ),
    ] = None
    concurrency_policy: Annotated[
        ConcurrencyPolicy,
        Field(
            description="Allow: Jobs may run at the same time. Forbid: the new one waits. Replace: the old one goes.",
            json_schema_extra={"x-crd-default": "Allow"},
        ),
    ] = ConcurrencyPolicy.ALLOW
    suspend: Annotated[
        bool,
        Field(description="No new Jobs while true; those that run go on.", json_schema_extra={"x-crd-default": False}),
    ] = False
    job_template: Annotated[CronJobTemplate, Field(description="The Jobs that are made.")]
    successful_jobs_history_limit: Annotated[
        Count, Field(description="Number of completed Jobs to keep.", json_schema_extra={"x-crd-default": 3})
    ] = 3
    failed_jobs_history_limit: Annotated[
        Count, Field(description="Number of failed Jobs to keep.", json_schema_extra={"x-crd-default": 1})
    ] = 1


class ActiveJob(VolcanoModel):
    """A Job that has not ended."""

    api_version: Annotated[str | None, Field(description="apiVersion of the Job.")] = None
    kind: Annotated[str | None, Field(description="Job.")] = None
    namespace: Annotated[str | None, Field(description="Namespace of the Job.")] = None
    name: Annotated[str | None, Field(description="Name of the Job.")] = None
    uid: Annotated[str | None, Field(description="UID of the Job.")] = None
    resource_version: Annotated[str | None, Field(description="Version of the Job when it was noted.")] = None
    field_path: Annotated[str | None, Field(description="Not used.")] = None


class CronJobStatus(VolcanoModel):
    """What became of the schedule so far."""

    active: Annotated[list[ActiveJob] | None, Field(description="Jobs that have not ended.")] = None
    last_schedule_time: Annotated[
        datetime | None, Field(description="The time of the schedule for which a Job was made last.")
    ] = None
    last_successful_time: Annotated[datetime | None, Field(description="When a Job completed last.")] = None
