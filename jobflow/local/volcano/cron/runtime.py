"""CronRuntime: plays Volcano's CronJob controller.

In: watches of CronJobs and of the Jobs made for them. Out: Jobs made and deleted, CronJob statuses, Events. The loop:
take a key, let `decide` decide, carry the decision out, look again when the next time of the schedule has come.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

import msgspec

from jobflow.api.metadata import ObjectMeta, ObjectReference
from jobflow.api.resources import CRON_JOB, VOLCANO_JOB
from jobflow.cache.store import Store
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from jobflow.kube.events import EventRecorder
from jobflow.kube.reflector import Reflector
from jobflow.local.volcano.cron.decide import Decision, decide, with_job
from jobflow.local.volcano.cron.objects import (
    ActiveJob,
    CronJob,
    CronJobObject,
    JobObject,
    MadeJob,
    cron_job_view,
    made_job_view,
)
from jobflow.local.worker import work
from jobflow.work.queue import WorkQueue

Key = tuple[str, str]  # namespace, name

WORKERS = 4


class _Named(msgspec.Struct):
    metadata: ObjectMeta


class CronRuntime:
    """Makes the Jobs of all CronJobs, until cancelled."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._queue: WorkQueue[Key] = WorkQueue(clock, lambda key: key[0])
        self._events = EventRecorder(client, clock, "vc-controller-manager")
        self._crons: Store[Key, CronJob] = Store(_key, self._cron_changed)
        self._jobs: Store[Key, MadeJob] = Store(_key, self._job_changed)
        self._made: defaultdict[str, dict[str, MadeJob]] = defaultdict(dict)  # by CronJob UID, then Job UID
        self._written: dict[str, int] = {}  # by CronJob UID: the version of our last write
        self._watches = (
            Reflector(client, clock, CRON_JOB, Codec(CronJobObject, cron_job_view), self._crons),
            Reflector(client, clock, VOLCANO_JOB, Codec(JobObject, made_job_view), self._jobs),
        )

    async def run(self) -> None:
        """Watch and work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._events.run(), name="cron events")
                for reflector in self._watches:
                    group.create_task(reflector.run(), name="cron reflector")
                for reflector in self._watches:
                    await reflector.synced()
                for number in range(WORKERS):
                    group.create_task(work(self._queue, self._look, "CronJob"), name=f"cron worker {number}")
        finally:
            self._queue.close()

    async def _look(self, key: Key) -> None:
        cron = self._crons.get(key)
        if cron is None or cron.deleting or int(cron.resource_version) < self._written.get(cron.uid, 0):
            return
        now = self._clock.now()
        decision = decide(cron, list(self._made.get(cron.uid, {}).values()), now)
        await self._carry_out(cron, decision)
        if decision.wake_at is not None:
            self._queue.add_after(key, max((decision.wake_at - now).total_seconds(), 0.0))

    async def _carry_out(self, cron: CronJob, decision: Decision) -> None:
        for notice in decision.notices:
            self._tell(cron, notice.type, notice.reason, notice.message)
        for job in decision.delete:
            await self._delete(cron, job)
        status = decision.status
        if decision.create is not None and decision.due is not None:
            made = await self._create(cron, decision.create)
            if made is not None:
                status = with_job(status, made, decision.due)
        if status != cron.status:
            await self._write(cron, msgspec.to_builtins(status))

    async def _create(self, cron: CronJob, body: dict[str, Any]) -> ActiveJob | None:
        """Make the Job; None where a stranger has its name."""
        name = body["metadata"]["name"]
        try:
            answer = await self._client.create(VOLCANO_JOB, cron.namespace, body)
        except AlreadyExists:
            answer = await self._client.get(VOLCANO_JOB, cron.namespace, name)
            owner = msgspec.json.decode(answer, type=_Named).metadata.controller
            if owner is None or owner.uid != cron.uid:
                whose = owner.name if owner else "none"
                told = f"Job {name} exists but is not owned by this CronJob (current owner: {whose})"
                self._tell(cron, "Warning", "ForeignJob", told)
                return None
        except ApiError as error:
            self._tell(cron, "Warning", "FailedCreate", f"Failed to create job: {error.message}")
            raise
        else:
            told = f"Created job {name} for CronJob {cron.namespace}/{cron.name}"
            self._tell(cron, "Normal", "SuccessfulCreate", told)
        uid = msgspec.json.decode(answer, type=_Named).metadata.uid
        return ActiveJob(VOLCANO_JOB.api_version, VOLCANO_JOB.kind, cron.namespace, name, uid)

    async def _delete(self, cron: CronJob, job: MadeJob) -> None:
        try:
            await self._client.delete(VOLCANO_JOB, job.namespace, job.name, uid=job.uid)
        except (NotFound, Conflict):
            return  # gone, or another has its name now
        self._tell(cron, "Normal", "SuccessfulDelete", f'Deleted job "{job.name}"')

    async def _write(self, cron: CronJob, status: dict[str, Any]) -> None:
        stored = msgspec.to_builtins(cron.status)
        changes = {**dict.fromkeys(stored), **status}
        body = {"metadata": {"resourceVersion": cron.resource_version}, "status": changes}
        answer = await self._client.patch(CRON_JOB, cron.namespace, cron.name, body, subresource="status")
        self._written[cron.uid] = int(msgspec.json.decode(answer, type=_Named).metadata.resourceVersion)

    def _cron_changed(self, old: CronJob | None, new: CronJob | None) -> None:
        if old is not None and (new is None or new.uid != old.uid):
            self._written.pop(old.uid, None)
        cron = new or old
        if cron is not None:
            self._queue.add(_key(cron))

    def _job_changed(self, old: MadeJob | None, new: MadeJob | None) -> None:
        if old is not None and old.cron_uid and (new is None or new.uid != old.uid):
            made = self._made[old.cron_uid]
            made.pop(old.uid, None)
            if not made:
                del self._made[old.cron_uid]
        if new is not None and new.cron_uid:
            self._made[new.cron_uid][new.uid] = new
        for job in (old, new):
            if job is not None and job.cron:
                self._queue.add((job.namespace, job.cron))

    def _tell(self, cron: CronJob, type: str, reason: str, message: str) -> None:
        self._events.emit(ObjectReference(CRON_JOB, cron.namespace, cron.name, cron.uid), type, reason, message)


def _key(one: CronJob | MadeJob) -> Key:
    return one.namespace, one.name
