"""JobRuntime: plays Volcano's controllers and its scheduler.

In: watches of Jobs and their pods, PodGroups, Queues, Commands, claims and Nodes. Out: what each part below makes of
them. This file only puts the parts together: the loop is `job_loop.py`, what it decides is `sync.py`.
"""

from __future__ import annotations

import asyncio

from jobflow.api.resources import POD, POD_GROUP, QUEUE, VOLCANO_JOB
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.events import EventRecorder
from jobflow.kube.reflector import Reflector, Selection
from jobflow.local.volcano.attaching import Compute, in_a_thread
from jobflow.local.volcano.commands import Commands
from jobflow.local.volcano.job_loop import Beside, JobLoop
from jobflow.local.volcano.knowledge import JobKey, Knowledge
from jobflow.local.volcano.objects import JOB_NAME, JobObject, job_view
from jobflow.local.volcano.pod_objects import PodObject, pod_view
from jobflow.local.volcano.queues import Queues
from jobflow.local.volcano.scheduler import Scheduler
from jobflow.local.volcano.scheduling_objects import ClaimObject, Group, GroupObject, claim_view, group_view
from jobflow.local.volcano.volumes import CLAIM
from jobflow.work.queue import WorkQueue

WORKERS = 16  # Jobs looked at side by side; the API server is in the same process, so more would only wait
COMPONENT = "vc-controller-manager"


class JobRuntime:
    """Brings every Volcano Job on, until cancelled."""

    def __init__(self, client: Client, clock: Clock, compute: Compute = in_a_thread) -> None:
        self._queue: WorkQueue[JobKey] = WorkQueue(clock, lambda key: key[0])
        known = Knowledge(clock, self._queue.add_after)
        self._events = EventRecorder(client, clock, COMPONENT)
        self._commands = Commands(client, clock, self._events, self._commanded)
        self._queues = Queues(client, clock, known.groups.values, self._commands)
        self._scheduler = Scheduler(client, clock, known.groups, self._queues)
        beside = Beside(self._events, self._commands, self._queues, compute)
        self._loop = JobLoop(client, clock, known, self._queue, beside)
        pods_of_jobs = Selection(label_selector=JOB_NAME)
        self._jobs = Reflector(client, clock, VOLCANO_JOB, Codec(JobObject, job_view), known.jobs)
        self._pods = Reflector(client, clock, POD, Codec(PodObject, pod_view), known.pods, pods_of_jobs)
        self._groups = Reflector(client, clock, POD_GROUP, Codec(GroupObject, group_view), known.groups)
        self._claims = Reflector(client, clock, CLAIM, Codec(ClaimObject, claim_view), known.claims)
        known.on_group += [self._scheduler.group_changed, self._group_changed]
        known.on_pod.append(self._scheduler.pod_changed)

    async def run(self) -> None:
        """Watch and work until cancelled. Pods that run then are the kubelet's business."""
        reflectors = (self._jobs, self._pods, self._groups, self._claims)
        watches = [self._events.run(), self._commands.watch(), self._queues.watch(), self._scheduler.watch()]
        try:
            async with asyncio.TaskGroup() as group:
                for watch in (*watches, *(reflector.run() for reflector in reflectors)):
                    group.create_task(watch, name="volcano watch")
                await self.synced()  # a Job whose pods are not known yet must not get them twice
                for work in (self._commands.work(), self._queues.work(), self._scheduler.work()):
                    group.create_task(work, name="volcano work")
                for number in range(WORKERS):
                    group.create_task(self._loop.run(), name=f"volcano worker {number}")
        finally:
            for queue in (self._queue, self._commands, self._queues, self._scheduler):
                queue.close()

    async def synced(self) -> None:
        """Once the first lists of Jobs and of what is theirs are known."""
        for reflector in (self._jobs, self._pods, self._groups, self._claims):
            await reflector.synced()

    def _commanded(self, kind: str, namespace: str, name: str) -> None:
        if kind == QUEUE.kind:
            self._queues.commanded(name)
        else:
            self._queue.add((namespace, name))

    def _group_changed(self, old: Group | None, new: Group | None) -> None:
        for group in (old, new):
            if group is not None and (old is None or new is None or old.phase != new.phase):
                self._queues.group_changed(group.spec.queue)
