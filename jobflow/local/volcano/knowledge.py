"""Knowledge: what the Job runtime knows of Jobs and what is theirs, its own writes that no watch has brought yet
included.

In: the changes of its stores, and notes of what was just created, deleted or written. Out: the World of one Job for
`sync`, or None while the watch has not brought our last write of the Job itself. Without this a second look, made
before the watch caught up with the first, would do everything twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from msgspec.structs import replace

from jobflow.cache.store import Store
from jobflow.clock import Clock
from jobflow.local.volcano.gang import group_name
from jobflow.local.volcano.objects import Job
from jobflow.local.volcano.occurrences import Occurrence, PodEvent
from jobflow.local.volcano.phases import Action
from jobflow.local.volcano.pod_objects import PodPhase, PodView
from jobflow.local.volcano.scheduling_objects import Claim, Group
from jobflow.local.volcano.sync import World

UNSEEN_SECONDS = 30.0  # a pod created and not seen for so long was deleted between two lists
MANY_PODS = 100
LOOK_SECONDS = 30e-6  # per pod: a look costs about 10 us for each; so no Job takes more than a third of the time

JobKey = tuple[str, str]  # namespace, name


class Knowledge:
    """Jobs, their pods, and what is on its way.

    `changed` is called with the key of each Job to look at, and in how many seconds; `on_group` and `on_pod` are told
    of each change.
    """

    def __init__(self, clock: Clock, changed: Callable[[JobKey, float], None]) -> None:
        self._clock = clock
        self._changed = changed
        self.on_group: list[Callable[[Group | None, Group | None], None]] = []
        self.on_pod: list[Callable[[PodView | None, PodView | None], None]] = []
        self.jobs: Store[JobKey, Job] = Store(lambda job: (job.namespace, job.name), self._job_changed)
        self.pods: Store[JobKey, PodView] = Store(lambda pod: (pod.namespace, pod.name), self._pod_changed)
        self.groups: Store[JobKey, Group] = Store(lambda group: (group.namespace, group.name), self._group_changed)
        self.claims: Store[JobKey, Claim] = Store(lambda claim: (claim.namespace, claim.name), self._claim_changed)
        self._pods_of: defaultdict[str, dict[str, PodView]] = defaultdict(dict)  # by Job UID, then pod name
        self._creating: defaultdict[str, dict[str, float]] = defaultdict(dict)  # by Job UID: name -> since
        self._deleted: set[str] = set()  # UIDs of pods that we deleted, until they are gone
        self._evicted: defaultdict[str, dict[str, Occurrence]] = defaultdict(dict)  # by Job UID, then pod name
        self._written: dict[str, int] = {}  # by Job UID: the version of our last write
        self._groups_deleted: set[str] = set()  # UIDs of PodGroups that we deleted, until they are gone
        self._waiting: defaultdict[JobKey, set[JobKey]] = defaultdict(set)  # by claim: Jobs that need it

    def world(self, key: JobKey, command: Action | None = None) -> World | None:
        """All there is to know of a Job now; None where it is gone, going, or not yet as we wrote it."""
        job = self.jobs.get(key)
        if job is None or job.deleting or int(job.resource_version) < self._written.get(job.uid, 0):
            return None
        since = self._clock.monotonic() - UNSEEN_SECONDS
        creating = self._creating.get(job.uid, {})
        pods = self._pods_of.get(job.uid, {}).values()
        group = self.groups.get((job.namespace, group_name(job)))
        return World(
            job=job,
            pods=[replace(pod, deleting=True) if pod.uid in self._deleted else pod for pod in pods],
            evicted=tuple(self._evicted.get(job.uid, {}).values()),
            creating=frozenset(name for name, begun in creating.items() if begun > since),
            command=command,
            group=None if group is None or group.uid in self._groups_deleted else group,
            claims=self._claims_of(job),
        )

    def _claims_of(self, job: Job) -> frozenset[str]:
        """Those of the claims that the Job names which exist; it is looked at again when one of the others comes."""
        names = {volume.volume_claim_name for volume in job.spec.volumes if volume.volume_claim_name}
        present = {name for name in names if (job.namespace, name) in self.claims}
        for name in names - present:
            self._waiting[(job.namespace, name)].add((job.namespace, job.name))
        return frozenset(present)

    def deleting_group(self, group: Group) -> None:
        """A PodGroup is about to be deleted by us."""
        self._groups_deleted.add(group.uid)

    def group_not_deleted(self, group: Group) -> None:
        """It was not, as far as we know."""
        self._groups_deleted.discard(group.uid)

    def creating(self, job: Job, name: str) -> None:
        """A pod is about to be created: noted before, since the watch may be faster than the answer."""
        self._creating[job.uid][name] = self._clock.monotonic()

    def not_created(self, job: Job, name: str) -> None:
        """It was not."""
        self._creating[job.uid].pop(name, None)

    def deleting(self, pod: PodView) -> None:
        """A pod is about to be deleted by us: that is no eviction."""
        self._deleted.add(pod.uid)

    def not_deleted(self, pod: PodView) -> None:
        """It was not, or was gone already."""
        self._deleted.discard(pod.uid)

    def written(self, job: Job, version: str) -> None:
        """We wrote the Job; what was known of strangers' deletes has been acted upon."""
        self._written[job.uid] = int(version)

    def answered(self, job: Job, cause: Occurrence | None) -> None:
        """An action was taken because of `cause`: an eviction is answered once."""
        if cause is not None and cause.pod is not None and cause.event is PodEvent.POD_EVICTED:
            self._evicted.get(job.uid, {}).pop(cause.pod.name, None)

    def _job_changed(self, old: Job | None, new: Job | None) -> None:
        if old is not None and (new is None or new.uid != old.uid):
            self._written.pop(old.uid, None)
            self._creating.pop(old.uid, None)
            self._evicted.pop(old.uid, None)
        job = new or old
        if job is not None:
            self._changed((job.namespace, job.name), 0.0)

    def _group_changed(self, old: Group | None, new: Group | None) -> None:
        for listener in self.on_group:
            listener(old, new)
        if old is not None and (new is None or new.uid != old.uid):
            self._groups_deleted.discard(old.uid)
        group = new or old
        if group is not None and group.job:
            self._changed((group.namespace, group.job), 0.0)

    def _claim_changed(self, old: Claim | None, new: Claim | None) -> None:
        if new is not None:
            for key in self._waiting.pop((new.namespace, new.name), ()):
                self._changed(key, 0.0)

    def _pod_changed(self, old: PodView | None, new: PodView | None) -> None:
        for listener in self.on_pod:
            listener(old, new)
        if old is not None and (new is None or new.uid != old.uid):
            self._pod_gone(old)
        if new is not None and new.job_uid:
            self._pods_of[new.job_uid][new.name] = new
            self._creating.get(new.job_uid, {}).pop(new.name, None)
            if new.phase is PodPhase.RUNNING and not new.deleting:
                self._evicted.get(new.job_uid, {}).pop(new.name, None)  # made good
        for pod in (old, new):
            if pod is not None and pod.job:
                pods = len(self._pods_of.get(pod.job_uid, ()))
                self._changed((pod.namespace, pod.job), pods * LOOK_SECONDS if pods >= MANY_PODS else 0.0)

    def _pod_gone(self, pod: PodView) -> None:
        of_job = self._pods_of.get(pod.job_uid, {})
        of_job.pop(pod.name, None)
        if not of_job:
            self._pods_of.pop(pod.job_uid, None)
        self._creating.get(pod.job_uid, {}).pop(pod.name, None)
        job = self.jobs.get((pod.namespace, pod.job))
        if pod.uid in self._deleted:
            self._deleted.discard(pod.uid)
        elif job is not None and job.uid == pod.job_uid:
            self._evicted[pod.job_uid][pod.name] = Occurrence(PodEvent.POD_EVICTED, pod, self._clock.now())
