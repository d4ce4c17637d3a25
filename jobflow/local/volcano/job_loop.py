"""JobLoop: brings one Job after the other on.

In: keys of Jobs to look at, what is known of them, commands. Out: pods created and deleted, what Jobs need beside them,
Job statuses, Events. Take a key, build the World from what is known, let `sync` decide, carry the decision out. Pods
are dealt with before the status is written, so that a crash between the two repeats what is harmless to repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from jobflow.api.metadata import ObjectMeta, ObjectReference
from jobflow.api.resources import POD, VOLCANO_JOB
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.errors import AlreadyExists, ApiError, Conflict, Invalid, NotFound
from jobflow.kube.events import EventRecorder
from jobflow.local.volcano import status, volumes
from jobflow.local.volcano.admission import DEFAULT_QUEUE
from jobflow.local.volcano.attaching import Attacher, Compute, NotAttached
from jobflow.local.volcano.commands import Commands
from jobflow.local.volcano.knowledge import JobKey, Knowledge
from jobflow.local.volcano.objects import Job
from jobflow.local.volcano.phases import Action
from jobflow.local.volcano.pod_objects import PodView
from jobflow.local.volcano.policies import Choice
from jobflow.local.volcano.queues import Queues
from jobflow.local.volcano.sync import Decision, sync
from jobflow.local.worker import Again, work
from jobflow.work.queue import WorkQueue

MAX_REFUSALS = 15  # failed creates of a pod after which Volcano terminates the Job

Standing = tuple[str, str, int, int]  # of a Job: its UID, phase, version and retries


class PodsRefused(Exception):
    """The API server did not take a pod of the Job. `final`: it never will."""

    def __init__(self, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.final = final


@dataclass(frozen=True, slots=True)
class Beside:
    """What works beside the loop and is asked or told by it."""

    events: EventRecorder
    commands: Commands
    queues: Queues
    compute: Compute


class _Written(msgspec.Struct):
    metadata: ObjectMeta


class JobLoop:
    """The work on Jobs; `run` it as often as there are to be workers."""

    def __init__(
        self, client: Client, clock: Clock, known: Knowledge, queue: WorkQueue[JobKey], beside: Beside
    ) -> None:
        self._client = client
        self._clock = clock
        self._known = known
        self._queue = queue
        self._beside = beside
        self._attacher = Attacher(client, known, beside.compute)
        self._refusals: dict[JobKey, int] = {}
        self._begun: dict[JobKey, tuple[Standing, Choice]] = {}  # actions that were cut short
        self._judged: dict[JobKey, tuple[str, int]] = {}  # UID and generation of the spec that was found sound

    async def run(self) -> None:
        """Handle keys until cancelled."""
        await work(self._queue, self._look_and_count, "Job")

    async def _look_and_count(self, key: JobKey) -> None:
        """Look; what is refused too often, or for good, ends the Job."""
        try:
            await self._look(key)
        except (PodsRefused, NotAttached) as refused:
            refusals = self._refusals.get(key, 0) + 1
            self._refusals[key] = MAX_REFUSALS if refused.final else refusals
            raise Again from refused

    async def _look(self, key: JobKey) -> None:
        command = self._beside.commands.first(VOLCANO_JOB.kind, *key)
        refused = self._refusals.get(key, 0) >= MAX_REFUSALS
        world = self._known.world(key, Action.TERMINATE_JOB if refused else Action(command) if command else None)
        if world is None:
            if key not in self._known.jobs:
                self._forget(key)
            return
        job = world.job
        standing, begun = self._begun.get(key, (None, None))
        world = replace(
            world,
            sound=self._judged.get(key) == (job.uid, job.generation),
            begun=begun if standing == _standing(job) else None,
        )
        if not job.status.state.phase:
            await self._greet(job)
        if volumes.nameless(job):
            self._known.written(job, await self._attacher.name_claims(job))
            return  # the watch brings it back with the names
        now = self._clock.now()
        decision = sync(world, now)
        if decision.expired:
            await self._expire(job)
            return
        if decision.choice.action is not Action.SYNC_JOB:
            self._begun[key] = _standing(job), decision.choice
        await self._carry_out(job, decision)
        self._begun.pop(key, None)
        self._refusals.pop(key, None)
        self._judged[key] = job.uid, job.generation
        if command and not refused and decision.choice == Choice(Action(command)):
            self._beside.commands.done(VOLCANO_JOB.kind, *key)
        if decision.wake_at is not None:
            self._queue.add_after(key, max((decision.wake_at - now).total_seconds(), 0.0))

    def _forget(self, key: JobKey) -> None:
        """The Job is gone."""
        self._refusals.pop(key, None)
        self._begun.pop(key, None)
        if judged := self._judged.pop(key, None):
            self._attacher.forget(judged[0])
        while self._beside.commands.first(VOLCANO_JOB.kind, *key):
            self._beside.commands.done(VOLCANO_JOB.kind, *key)

    async def _greet(self, job: Job) -> None:
        """The first look at a Job: its queue must exist."""
        warning = await self._beside.queues.ensure(job.spec.queue or DEFAULT_QUEUE)
        if warning:
            self._tell(job, "Warning", "QueueMissing", warning)

    async def _carry_out(self, job: Job, decision: Decision) -> None:
        for notice in decision.notices:
            self._tell(job, notice.type, notice.reason, notice.message)
        await _all(self._delete(job, pod) for pod in decision.delete[:-1])
        await _all(self._delete(job, pod) for pod in decision.delete[-1:])  # what it is about
        await self._attach(job, decision)
        await _all(self._create(job, body) for body in decision.create)
        changes = status.patch(job.status, decision.status)
        if changes:
            body = {"metadata": {"resourceVersion": job.resource_version}, "status": changes}
            answer = await self._client.patch(VOLCANO_JOB, job.namespace, job.name, body, subresource="status")
            self._known.written(job, msgspec.json.decode(answer, type=_Written).metadata.resourceVersion)
        self._known.answered(job, decision.choice.cause)

    async def _attach(self, job: Job, decision: Decision) -> None:
        try:
            await self._attacher.carry_out(decision.job or job, decision.attachments)
        except NotAttached as problem:
            self._tell(job, "Warning", problem.reason, str(problem))
            raise

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
            self._tell(job, "Warning", "FailedCreate", message)
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
            self._tell(job, "Warning", "FailedDelete", message)
            raise

    async def _expire(self, job: Job) -> None:
        """ttlSecondsAfterFinished is over."""
        try:
            await self._client.delete(VOLCANO_JOB, job.namespace, job.name, uid=job.uid, propagation="Foreground")
        except NotFound:
            return

    def _tell(self, job: Job, type: str, reason: str, message: str) -> None:
        about = ObjectReference(VOLCANO_JOB, job.namespace, job.name, job.uid)
        self._beside.events.emit(about, type, reason, message)


def _standing(job: Job) -> Standing:
    """Changed by every action that was carried out."""
    return job.uid, job.status.phase, job.status.version, job.status.retry_count


async def _all(works: Iterable[Awaitable[None]]) -> None:
    """Do all of them, side by side; then raise the first error, if any."""
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
