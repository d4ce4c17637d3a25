"""CronJobs: the rules that span their fields.

In: the name and the spec of a Volcano CronJob. Out: Problems with field paths: of the schedule and its time zone, and
of the Jobs that are to be made, by the rules of any Job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobflow.api.problems import Problem
from jobflow.local.volcano.pod_problems import pod_problems

TEMPLATE = "spec.jobTemplate.spec."


def cron_job_problems(data: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything for which the CronJob, or each of its Jobs, would be refused."""
    from jobflow.api.validate import template_problems
    from jobflow.local.volcano.cron.admission import MAX_NAME_CHARACTERS
    from jobflow.local.volcano.cron.schedule import BadSchedule, Schedule, zone_of

    for field, read in (
        ("schedule", lambda text: Schedule(text, zone_of(None))),
        ("timeZone", zone_of),
    ):
        if isinstance(text := spec.get(field), str):
            try:
                read(text)
            except BadSchedule as error:
                yield Problem(f"spec.{field}", str(error))
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if isinstance(name, str) and len(name) > MAX_NAME_CHARACTERS:
        said = f"a CronJob's name has at most {MAX_NAME_CHARACTERS} characters, because its Jobs' names are longer"
        yield Problem("metadata.name", said)
    template = spec.get("jobTemplate")
    job = template.get("spec") if isinstance(template, Mapping) else None
    if isinstance(job, Mapping):
        for problem in (*template_problems(job), *pod_problems(job)):
            yield Problem(TEMPLATE + problem.path.removeprefix("spec."), problem.message)
