"""JobRuntime: plays Volcano's Job controller and scheduler.

In: watches of Jobs and of their pods. Out: pods created and deleted, Job statuses, Events. The loop: take a
key, build the World from what is known, let `sync` decide, carry the decision out. Pods are dealt with before
the status is written, so that a crash between the two repeats what is harmless to repeat.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import structlog

from jobflow.api.metadata import ObjectMeta, ObjectReference
from jobflow.api.resources import POD, VOLCANO_JOB
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import AlreadyExists, ApiError, Conflict, Invalid, NotFound
from jobflow.kube.events import EventRecorder
from jobflow.kube.reflector import Reflector, Selection
from jobflow.local.volcano import status
from jobflow.local.volcano.admission import DEFAULT_QUEUE
from jobflow.local.volcano.knowledge import JobKey, Knowledge
from jobflow.local.volcano.objects import JOB_NAME, Job, JobObject, PodObject, PodView, job_view, pod_view
from jobflow.local.volcano.phases import Action
from jobflow.local.volcano.queues import Queues
from jobflow.local.volcano.sync import Decision, sync
from jobflow.work.queue import WorkQueue

WORKERS = 16  # Jobs looked at side by side; the API server is in the same process, so more would only wait
MAX_REFUSALS = 15  # failed creates of a pod after which Volcano terminates the Job

log = structlog.get_logger(__name__)


class PodsRefused(Exception):
    """The API server did not take a pod of the Job. `final`: it never will."""

    def __init__(self, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.final = final


class _Written(msgspec.Struct):
    metadata: ObjectMeta


class JobRuntime:
    """Brings every Volcano Job on, until cancelled."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._queue: WorkQueue[JobKey] = WorkQueue(clock, lambda key: key[0])
        self._known = Knowledge(clock, self._queue.add_after)
        self._events = EventRecorder(client, clock, "vc-controller-manager")
        self._queues = Queues(client)
        self._refusals: dict[JobKey, int] = {}
        pods_of_jobs = Selection(label_selector=JOB_NAME)
        self._jobs = Reflector(client, clock, VOLCANO_JOB, Codec(JobObject, job_view), self._known.jobs)
        self._pods = Reflector(client, clock, POD, Codec(PodObject, pod_view), self._known.pods, pods_of_jobs)

    async def run(self) -> None:
        """Watch and work until cancelled. Pods that run then are the kubelet's business."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._events.run(), name="volcano events")
                group.create_task(self._jobs.run(), name="volcano jobs reflector")
                group.create_task(self._pods.run(), name="volcano pods reflector")
                await self.synced()  # a Job whose pods are not known yet must not get them twice
                for number in range(WORKERS):
                    group.create_task(self._work(), name=f"volcano worker {number}")
        finally:
            self._queue.close()

    async def synced(self) -> None:
        """Once the first lists of Jobs and pods are known."""
        await self._jobs.synced()
        await self._pods.synced()

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                await self._look(key)
            except Conflict:
                self._queue.retry(key)  # the watch has not caught up
            except PodsRefused as refused:
                refusals = self._refusals.get(key, 0) + 1
                self._refusals[key] = MAX_REFUSALS if refused.final else refusals
                self._queue.retry(key)
            except ApiError as error:
                seconds = self._queue.retry(key, error.retry_after or 0.0)
                log.warning("Job not brought on", job="/".join(key), error=error.message, again_in=seconds)
            else:
                self._queue.forget(key)
            finally:
                self._queue.done(key)

    async def _look(self, key: JobKey) -> None:
        refused = self._refusals.get(key, 0) >= MAX_REFUSALS
        world = self._known.world(key, Action.TERMINATE_JOB if refused else None)
        if world is None:
            if key not in self._known.jobs:
                self._refusals.pop(key, None)
            return
        job = world.job
        if not job.status.state.phase:
            await self._greet(job)
        now = self._clock.now()
        decision = sync(world, now)
        if decision.expired:
            await self._expire(job)
            return
        await self._carry_out(job, decision)
        self._refusals.pop(key, None)
        if decision.wake_at is not None:
            self._queue.add_after(key, max((decision.wake_at - now).total_seconds(), 0.0))

    async def _greet(self, job: Job) -> None:
        """The first look at a Job: its queue must exist."""
        warning = await self._queues.ensure(job.spec.queue or DEFAULT_QUEUE)
        if warning:
            self._events.emit(_reference(job), "Warning", "QueueMissing", warning)

    async def _carry_out(self, job: Job, decision: Decision) -> None:
        for notice in decision.notices:
            self._events.emit(_reference(job), notice.type, notice.reason, notice.message)
        await _all(self._delete(job, pod) for pod in decision.delete)
        await _all(self._create(job, body) for body in decision.create)
        changes = status.patch(job.status, decision.status)
        if changes:
            body = {"metadata": {"resourceVersion": job.resource_version}, "status": changes}
            answer = await self._client.patch(VOLCANO_JOB, job.namespace, job.name, body, subresource="status")
            written = msgspec.json.decode(answer, type=_Written)
            self._known.written(job, written.metadata.resourceVersion)
        self._known.answered(job, decision.cause)

    async def _create(self, job: Job, body: dict[str, Any]) -> None:
        name = body["metadata"]["name"]
        self._known.creating(job, name)
        try:
            await self._client.create(POD, job.namespace, body)
        except AlreadyExists as taken:
            self._known.not_created(job, name)
            raise Conflict(f"pod {name} of Job {job.namespace}/{job.name} is not ours yet") from taken
        except ApiError as error:
            self._known.not_created(job, name)
            message = f"Error creating pod {name}: {error.message}"
            self._events.emit(_reference(job), "Warning", "FailedCreate", message)
            raise PodsRefused(message, final=isinstance(error, Invalid)) from error

    async def _delete(self, job: Job, pod: PodView) -> None:
        self._known.deleting(pod)
        try:
            await self._client.delete(POD, pod.namespace, pod.name, uid=pod.uid)
        except NotFound:
            pass  # the watch will tell
        except ApiError as error:
            self._known.not_deleted(pod)
            message = f"Error deleting pod {pod.name}: {error.message}"
            self._events.emit(_reference(job), "Warning", "FailedDelete", message)
            raise

    async def _expire(self, job: Job) -> None:
        """ttlSecondsAfterFinished is over."""
        try:
            await self._client.delete(VOLCANO_JOB, job.namespace, job.name, uid=job.uid, propagation="Foreground")
        except NotFound:
            return


async def _all(works: Any) -> None:
    """Do all of them, side by side; then raise the first error, if any."""
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _reference(job: Job) -> ObjectReference:
    return ObjectReference(VOLCANO_JOB, job.namespace, job.name, job.uid)
