"""Following: watches flows, Jobs and pods, and keeps a picture of each flow and Job that was asked for.

In: the flows and Jobs to follow (by UID), a Client, or whoever else fills the three stores. Out: `pictures`, `take`
(what changed since the last time) and `wait`. Pictures are made when they are taken, not for each event: a flow of a
thousand steps brings several thousand events, and nobody reads more than a few drawings a second.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobflow.api.children import ChildView
from jobflow.api.objects import FlowObject, FlowView, flow_view
from jobflow.api.resources import JOB_FLOW, POD, VOLCANO_JOB
from jobflow.api.status import StepPhase
from jobflow.cache.store import Store
from jobflow.cli.drawn import JobFacts, flow_picture, job_picture
from jobflow.cli.pictures import FlowPicture
from jobflow.cli.pods import PodObject, PodView, pod_view
from jobflow.clock import Clock
from jobflow.kinds import vcjob
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.reflector import Reflector

DELETED = "Deleted"


@dataclass(frozen=True, slots=True)
class Target:
    """One flow or bare Job to follow."""

    kind: str
    namespace: str
    name: str
    uid: str


class Following:
    """What is known of the targets, kept up to date while `watch` runs."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = tuple(targets)
        self.flows = Store[str, FlowView](lambda flow: flow.uid, self._flow_changed)
        self.jobs = Store[str, ChildView](lambda job: job.uid, self._job_changed)
        self.pods = Store[str, PodView](lambda pod: pod.uid, self._pod_changed)
        self._jobs_seen: dict[str, ChildView] = {}  # by UID, deleted ones too: a finished step's Job may be gone
        self._pods_seen: dict[str, dict[str, PodView]] = defaultdict(dict)  # by UID of the Job, then of the pod
        self._pictures = {target.uid: _unseen(target) for target in targets}
        self._flows_gone: dict[str, FlowView] = {}  # in their last state
        self._dirty = set(self._pictures)
        self._changed = asyncio.Event()

    async def watch(self, client: Client, clock: Clock) -> None:
        """Fill the stores until cancelled."""
        async with asyncio.TaskGroup() as watches:
            for reflector in (
                Reflector(client, clock, POD, Codec(PodObject, pod_view), self.pods),
                Reflector(client, clock, VOLCANO_JOB, Codec(vcjob.Job, vcjob.view), self.jobs),
                Reflector(client, clock, JOB_FLOW, Codec(FlowObject, flow_view), self.flows),
            ):
                watches.create_task(reflector.run(), name="watch for the progress")

    @property
    def pictures(self) -> list[FlowPicture]:
        """The targets in the order given, as last taken."""
        return [self._pictures[target.uid] for target in self._targets]

    @property
    def finished(self) -> bool:
        """Every target has ended, as last taken."""
        return all(picture.finished for picture in self._pictures.values())

    def pods_of(self, job_uid: str) -> list[PodView]:
        """All pods that a Job ever had, those that failed first."""
        known = self._pods_seen.get(job_uid, {}).values()
        return sorted(known, key=lambda pod: (pod.phase != "Failed", pod.name))

    def take(self) -> list[tuple[FlowPicture, FlowPicture]]:
        """Each picture that changed since the last time, before and after."""
        self._changed.clear()
        dirty, self._dirty = self._dirty, set()
        taken = []
        for target in self._targets if dirty else ():
            if target.uid in dirty:
                old = self._pictures[target.uid]
                new = self._pictures[target.uid] = self._picture(target, old)
                if new != old:
                    taken.append((old, new))
        return taken

    async def wait(self) -> None:
        """Until something changed that was not taken."""
        await self._changed.wait()

    def _picture(self, target: Target, old: FlowPicture) -> FlowPicture:
        if target.kind == JOB_FLOW.kind:
            gone = self._flows_gone.get(target.uid)
            flow = gone or self.flows.get(target.uid)
            picture = flow_picture(flow, self._facts) if flow else old
            return _deleted(picture) if gone else picture
        facts = self._facts(target.uid)
        if facts is None:
            return old
        picture = job_picture(facts)
        return picture if target.uid in self.jobs else _deleted(picture)

    def _facts(self, job_uid: str) -> JobFacts | None:
        job = self._jobs_seen.get(job_uid)
        if job is None:
            return None
        pods = self._pods_seen.get(job_uid, {})
        telling = [pod for uid, pod in pods.items() if uid in self.pods or pod.phase == "Failed"]
        return JobFacts(job, tuple(telling))

    def _flow_changed(self, old: FlowView | None, new: FlowView | None) -> None:
        if new is not None:
            self._mark(new.uid)
        elif old is not None:
            self._flows_gone[old.uid] = old
            self._mark(old.uid)

    def _job_changed(self, old: ChildView | None, new: ChildView | None) -> None:
        job = new or old
        if job is None:
            return
        self._jobs_seen[job.uid] = job
        self._mark(job.flow_uid or job.uid)

    def _pod_changed(self, old: PodView | None, new: PodView | None) -> None:
        pod = new or old
        if pod is None:
            return
        self._pods_seen[pod.job_uid][pod.uid] = pod
        job = self._jobs_seen.get(pod.job_uid)
        self._mark((job.flow_uid or job.uid) if job else pod.job_uid)

    def _mark(self, uid: str) -> None:
        if uid in self._pictures:
            self._dirty.add(uid)
            self._changed.set()


def _unseen(target: Target) -> FlowPicture:
    return FlowPicture(
        kind=target.kind,
        namespace=target.namespace,
        name=target.name,
        word="Pending",
        phase=StepPhase.PENDING,
        uid=target.uid,
    )


def _deleted(last: FlowPicture) -> FlowPicture:
    """What had ended stays as it was; what had not has ended now, and not well."""
    if last.finished:
        return last
    said = f"the {last.kind} was deleted while it was followed"
    return replace(last, word=DELETED, phase=StepPhase.FAILED, reason="", message=said, finished=True)
