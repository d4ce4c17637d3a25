"""VolcanoAdmission: what Volcano's webhooks do, for the embedded API server.

In: Jobs and CronJobs that are about to be stored. Out: Jobs with their defaults; refusals in Volcano's words, as
kube-apiserver passes them on; warnings for the client. `strict` refuses, as Volcano does, a Job whose queue is not
there; else there is a warning, and the runtime makes the queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from jobflow.api.policies import canonical_job_spec
from jobflow.api.resources import CRON_JOB, QUEUE, VOLCANO_JOB
from jobflow.local.apiserver.writes.hooks import Review, denied
from jobflow.local.volcano.admission import DEFAULT_QUEUE, ROOT_QUEUE, claim_conflict, defaulted, problems, warnings
from jobflow.local.volcano.admission_updates import update_problem
from jobflow.local.volcano.cron.admission import cron_problems
from jobflow.local.volcano.mutation import mutate
from jobflow.local.volcano.objects import Job, JobObject, job_view
from jobflow.local.volcano.scheduling_objects import OPEN

JOB_WEBHOOK = "validatejob.volcano.sh"
CRON_JOB_WEBHOOK = "validatecronjob.volcano.sh"


class VolcanoAdmission:
    """Asked by the embedded API server before it stores an object."""

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict

    def mutate(self, review: Review) -> None:
        """Volcano's defaults of a Job; and of the Jobs of a CronJob that they say events in Volcano's words."""
        spec = review.obj.get("spec")
        if review.resource == VOLCANO_JOB and isinstance(spec, dict):
            mutate(spec)
        elif review.resource == CRON_JOB and isinstance(spec, dict):
            template = spec.get("jobTemplate")
            if isinstance(template, dict) and isinstance(template.get("spec"), dict):
                template["spec"] = canonical_job_spec(template["spec"])

    def judge(self, review: Review) -> Sequence[str]:
        """Warnings. Raises StatusError."""
        if review.resource == CRON_JOB:
            self._judge_cron_job(review)
        elif review.resource == VOLCANO_JOB and review.old is None:
            return self._judge_new_job(review)
        elif review.resource == VOLCANO_JOB:
            self._judge_changed_job(review)
        return ()

    def _judge_new_job(self, review: Review) -> list[str]:
        job = _job(review.obj)
        queue_problem, queue_warning = self._queue(job.spec.queue, review)
        found = [*problems(job), claim_conflict(job.spec.volumes), queue_problem]
        if told := " ".join(problem for problem in found if problem).strip():
            raise denied(JOB_WEBHOOK, told)
        return [*([queue_warning] if queue_warning else []), *warnings(job)]

    def _judge_changed_job(self, review: Review) -> None:
        old, new = (review.old or {}).get("spec") or {}, review.obj.get("spec") or {}
        if old != new:  # one that was stored without Volcano's defaults differs in nothing but those
            old = msgspec.json.decode(msgspec.json.encode(old))
            mutate(old)
        if told := update_problem(old, new):
            raise denied(JOB_WEBHOOK, told)

    def _judge_cron_job(self, review: Review) -> None:
        if told := " ".join(cron_problems(review.obj["metadata"].get("name") or "", review.obj.get("spec") or {})):
            raise denied(CRON_JOB_WEBHOOK, told)

    def _queue(self, name: str, review: Review) -> tuple[str, str]:
        """What is wrong with the queue of a new Job, and what to warn of."""
        if name == ROOT_QUEUE:
            return "", ""  # told with the other problems
        queue = review.find(QUEUE, "", name)
        if queue is None:
            lost = f'unable to find job queue: queues.scheduling.volcano.sh "{name}" not found;'
            if self._strict:
                return lost, ""
            made = f"queue {name} does not exist and is created; in a cluster Volcano refuses the Job"
            return "", made if name != DEFAULT_QUEUE else ""
        state = (queue.get("status") or {}).get("state") or OPEN  # a queue made a moment ago has no state yet
        if state == OPEN:
            return "", ""
        told = f"can only submit job to queue with state `Open`, queue `{name}` status is `{state}`;"
        return told, ""


def _job(obj: dict[str, Any]) -> Job:
    """The Job with its defaults. Raises StatusError: 4.0 is an integer to an API server, and none to Go's int32."""
    try:
        view = job_view(msgspec.json.decode(msgspec.json.encode(obj), type=JobObject))
    except msgspec.ValidationError as error:
        raise denied(JOB_WEBHOOK, f"{error};") from error
    return msgspec.structs.replace(view, spec=defaulted(view.spec))
