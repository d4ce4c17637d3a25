"""ScriptedVolcano: plays Volcano's Job controller from a script; there are no pods.

In: Jobs as they are created, and a walk for each; Commands. Out: status writes of Volcano's shape, one a stage, and
the deletion of a finished Job that carries ttlSecondsAfterFinished. As Volcano does, every walk ends with a second
write of the last phase in which all counts are zero, and a Command is deleted before it is carried out. A Job that is
deleted, or replaced by another of its name, walks no further; one that is to terminate or to abort walks to that end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from dataclasses import dataclass, replace
from typing import Any

from jobflow.api import names
from jobflow.api.durations import format_duration
from jobflow.api.resources import COMMAND, VOLCANO_JOB
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.errors import ApiError, Conflict, NotFound
from jobflow.testing.history import Body, Commit, phase_of, seconds_of

FINISHED = frozenset({"Completed", "Failed", "Terminated"})  # phases after which Volcano counts a Job's TTL
ENDED = FINISHED | {"Aborted"}


@dataclass(frozen=True)
class Stage:
    """One status write: `after` seconds after the one before; all pods in state `pods`, or all counts zero."""

    phase: str
    after: float
    pods: str = ""  # pending, running, succeeded, failed or terminating, as the fields of a Job's status
    retries: int = 0
    first: str = ""  # where it is not that of the others: the state of each task's first pod


@dataclass(frozen=True)
class Walk:
    """The stages of one Job's life."""

    stages: tuple[Stage, ...]

    def slower(self, factor: float) -> Walk:
        """The same walk, each stage so much longer."""
        return Walk(tuple(replace(stage, after=stage.after * factor) for stage in self.stages))


_STARTS = (Stage("Pending", 0.5, "pending"), Stage("Running", 1.5, "running"))

COMPLETES = Walk((*_STARTS, Stage("Completed", 4, "succeeded"), Stage("Completed", 1)))
IS_COMPLETED = Walk((*_STARTS, Stage("Completing", 4, "terminating"), Stage("Completed", 2), Stage("Completed", 1)))
FAILS = Walk((*_STARTS, Stage("Failed", 4, "failed"), Stage("Failed", 1)))
ABORTS = Walk((*_STARTS, Stage("Aborting", 3, "terminating"), Stage("Aborted", 2), Stage("Aborted", 1)))
TERMINATES = Walk((*_STARTS, Stage("Terminating", 3, "terminating"), Stage("Terminated", 2), Stage("Terminated", 1)))
RESTARTS = Walk(
    (
        *_STARTS,
        Stage("Restarting", 2, "terminating", retries=1),
        Stage("Pending", 2, "pending", retries=1),
        Stage("Running", 1, "running", retries=1),
        Stage("Completed", 4, "succeeded", retries=1),
        Stage("Completed", 1, retries=1),
    )
)
TRICKLES = Walk(  # one pod ends long before the others: counts change, and the phase does not
    (
        *_STARTS,
        Stage("Running", 18, "running", first="succeeded"),
        Stage("Completed", 14, "succeeded"),
        Stage("Completed", 1),
    )
)
SERVES = Walk(  # longer than news or templates are kept back: who waits for it to run finds it running
    (*_STARTS, Stage("Completed", 2000, "succeeded"), Stage("Completed", 1))
)
NEVER_ENDS = Walk(_STARTS)
NEVER_STARTS = Walk(_STARTS[:1])  # the queue has no room

Walks = Walk | tuple[Walk, ...]  # of every attempt of a step; or of its first, its second ..., the last for all others

WALKS: Mapping[str, Walk] = {
    "completes": COMPLETES,
    "is-completed": IS_COMPLETED,
    "fails": FAILS,
    "aborts": ABORTS,
    "terminates": TERMINATES,
    "restarts": RESTARTS,
    "trickles": TRICKLES,
    "serves": SERVES,
    "never-ends": NEVER_ENDS,
    "never-starts": NEVER_STARTS,
}

COMMANDED: Mapping[str, Walk] = {  # by the action of a Command: how a Job goes on from where it is
    "TerminateJob": Walk((Stage("Terminating", 0.5, "terminating"), *TERMINATES.stages[-2:])),
    "AbortJob": Walk((Stage("Aborting", 0.5, "terminating"), *ABORTS.stages[-2:])),
}

Current = Callable[[str, str], Body | None]  # namespace, name -> the Job as it is stored now


class ScriptedVolcano:
    """Walks every Job that is created."""

    def __init__(self, clock: Clock, walks: Mapping[str, Walks], current: Current) -> None:
        """`walks` by the Job's name or by its step's; all others complete."""
        self._clock = clock
        self._walks = walks
        self._current = current
        self._tasks: set[asyncio.Task[None]] = set()
        self._asleep: dict[str, asyncio.Task[None]] = {}  # walks that wait for their next stage, by the Job's UID
        self._commanded: set[str] = set()  # UIDs of Jobs that go another way than their walk

    def saw(self, commit: Commit, client: Client, context: Context) -> None:
        """A change was committed; what it starts writes through `client` and runs in `context`."""
        if commit.before is not None or commit.after is None:
            return
        if commit.kind == VOLCANO_JOB.kind:
            self._spawn(self._live(client, commit.after), f"walk of {commit.name}", context)
        elif commit.kind == COMMAND.kind:
            self._spawn(self._obey(client, commit.after), f"command {commit.name}", context)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str, context: Context) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _walk_of(self, job: Body) -> Walk:
        meta = job["metadata"]
        notes = meta.get("annotations") or {}
        walks = self._walks.get(meta["name"]) or self._walks.get(notes.get(names.STEP_NAME, "")) or COMPLETES
        if isinstance(walks, Walk):
            return walks
        return walks[min(int(notes.get(names.ATTEMPT, "0")), len(walks) - 1)]

    async def _live(self, client: Client, job: Body) -> None:
        """Walk the walk that the scenario has for the Job."""
        walk, created, uid = self._walk_of(job), self._clock.monotonic(), str(job["metadata"]["uid"])
        for stage in walk.stages:
            await self._rest(uid, stage.after)
            if uid in self._commanded or not await self._write(client, job, self._status(job, stage, created)):
                return
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is not None and walk.stages[-1].phase in FINISHED:
            await self._clock.sleep(float(ttl))
            await self._delete(client, job)

    async def _rest(self, uid: str, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._asleep[uid] = task
        try:
            await self._clock.sleep(seconds)
        finally:
            del self._asleep[uid]

    async def _obey(self, client: Client, command: Body) -> None:
        """Delete the Command, and let its target go the way that it asks for; what has ended goes nowhere."""
        meta, target = command["metadata"], command.get("target") or {}
        try:
            await client.delete(COMMAND, meta["namespace"], meta["name"], uid=meta["uid"])
        except (NotFound, Conflict):
            return
        job, walk = self._current(meta["namespace"], str(target.get("name"))), COMMANDED.get(str(command.get("action")))
        if job is None or walk is None or target.get("uid") not in (None, "", job["metadata"]["uid"]):
            return
        uid = str(job["metadata"]["uid"])
        if uid in self._commanded or phase_of(job) in ENDED:
            return
        self._commanded.add(uid)
        if uid in self._asleep:
            self._asleep[uid].cancel()
        created = seconds_of(job["metadata"]["creationTimestamp"])
        for stage in walk.stages:
            await self._clock.sleep(stage.after)
            if not await self._write(client, job, self._status(job, stage, created)):
                return

    async def _write(self, client: Client, job: Body, status: dict[str, Any]) -> bool:
        meta = job["metadata"]
        now = self._current(meta["namespace"], meta["name"])
        if now is None or now["metadata"]["uid"] != meta["uid"] or "deletionTimestamp" in now["metadata"]:
            return False
        change = {"metadata": {"uid": meta["uid"]}, "status": status}
        try:
            await client.patch(VOLCANO_JOB, meta["namespace"], meta["name"], change, subresource="status")
        except (NotFound, Conflict):
            return False
        return True

    async def _delete(self, client: Client, job: Body) -> None:
        meta = job["metadata"]
        try:
            await client.delete(VOLCANO_JOB, meta["namespace"], meta["name"], uid=meta["uid"])
        except ApiError:
            return  # somebody was faster

    def _status(self, job: Body, stage: Stage, created: float) -> dict[str, Any]:
        tasks = {task["name"]: int(task.get("replicas", 1)) for task in job["spec"].get("tasks", ())}
        total = sum(tasks.values())
        counts = dict.fromkeys(("pending", "running", "succeeded", "failed", "terminating"), 0)
        by_task: dict[str, Any] = dict.fromkeys(tasks)  # null takes the entry away
        if stage.pods:
            firsts = len(tasks) if stage.first else 0
            counts[stage.pods] = total - firsts
            if stage.first:
                counts[stage.first] += firsts
            by_task = {name: {"phase": _phases(stage, number)} for name, number in tasks.items()}
        status: dict[str, Any] = {
            **counts,
            "state": {"phase": stage.phase, "lastTransitionTime": _whole(self._clock)},
            "minAvailable": job["spec"].get("minAvailable", total),
            "taskStatusCount": by_task,
            "retryCount": stage.retries,
        }
        if stage.phase in FINISHED and not stage.pods:
            status["runningDuration"] = format_duration(self._clock.monotonic() - created)
            del status["state"]["lastTransitionTime"]  # the second write tells of no transition
        return status


def _phases(stage: Stage, pods: int) -> dict[str, int | None]:
    """Pods of one task by phase; null takes the count of an earlier stage away."""
    counted: dict[str, int | None] = dict.fromkeys(("Pending", "Running", "Succeeded", "Failed", "Terminating"))
    counted[stage.pods.capitalize()] = pods - 1 if stage.first else pods
    if stage.first:
        counted[stage.first.capitalize()] = 1
    return counted


def _whole(clock: Clock) -> str:
    return clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")  # metav1.Time has whole seconds
