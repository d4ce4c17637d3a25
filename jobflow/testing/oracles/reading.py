"""Reading: what the commits of a history mean: objects as they stood, lives of children, faults by their words.

In: a History. Out: the world before each commit, and each child Job from its creation to its end. Nothing here uses
the controller's own reading of an object: an oracle that shared its mistakes would not see them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from jobflow.testing.faults import AnswerRead, Plan, parse_plan
from jobflow.testing.history import Body, Commit, History, is_controller
from jobflow.testing.oracles.asked import edges, steps_of

FLOW = "JobFlow"
TEMPLATE = "JobTemplate"
JOB = "Job"
COMMAND = "Command"
EVENT = "Event"

STEP = "jobflow.volcano.sh/flow"
ITEM = "jobflow.volcano.sh/item"
ATTEMPT = "jobflow.volcano.sh/attempt"
MADE_FROM = "volcano.sh/createdByJobTemplate"
OWNED_TTL = "jobflow.volcano.sh/ttl-seconds-after-finished"

ENDED = frozenset({"Completed", "Failed", "Terminated", "Aborted"})  # phases of a Job after which it does not run
FINAL = frozenset({"Succeed", "Failed"})  # phases of a flow
SETTLED = frozenset({"Succeeded", "Failed", "Skipped", "Unreachable"})  # phases of a step
# Reasons of a step whose Job is being ended; committed before anything is done about it.
ENDING = frozenset({"DeadlineExceeded", "PendingDeadlineExceeded", "FailFast"})
LISTS = ("pendingJobs", "runningJobs", "failedJobs", "completedJobs", "terminatedJobs", "unKnowJobs")


class Node(NamedTuple):
    """The place of a child: which incarnation of a flow, which step, which item of a loop."""

    flow_uid: str
    step: str
    item: str


@dataclass
class Life:
    """One child Job. `ended` is the commit of its first end, `removed` the one that began to take it away."""

    name: str
    uid: str
    node: Node
    created: Commit
    attempt: int = 0
    counts: list[Body] = field(default_factory=list)  # each status.taskStatusCount that it had
    running: Commit | None = None  # that in which it was first seen to run
    result: str = ""
    ended: Commit | None = None
    removed: Commit | None = None
    gone: bool = False

    @property
    def live(self) -> bool:
        """It exists and may still run, as far as has been read; one that is being deleted may."""
        return not self.result and not self.gone


@dataclass
class World:
    """Everything that existed between two commits. `flows` has the last state of flows that are gone, too."""

    objects: dict[tuple[str, str, str], Body] = field(default_factory=dict)
    flows: dict[str, Body] = field(default_factory=dict)
    flow_ends: dict[str, Commit] = field(default_factory=dict)  # the commit that began to delete a flow, by its UID
    lives: dict[str, Life] = field(default_factory=dict)  # by the Job's UID

    def of_node(self, node: Node) -> list[Life]:
        """The children that the node has had, oldest first."""
        return [life for life in self.lives.values() if life.node == node]

    def of_flow(self, flow_uid: str) -> list[Life]:
        """The children that the flow has had, oldest first."""
        return [life for life in self.lives.values() if life.node.flow_uid == flow_uid]

    def take(self, commit: Commit) -> None:
        """Let the commit happen."""
        key = (commit.kind, commit.namespace, commit.name)
        if commit.after is None:
            self.objects.pop(key, None)
        else:
            self.objects[key] = commit.after
        if commit.kind == FLOW:
            self._flow(commit)
        elif commit.kind == JOB:
            self._job(commit)

    def _flow(self, commit: Commit) -> None:
        body = commit.after or commit.before or {}
        self.flows[uid_of(body)] = body
        if removes(commit):
            self.flow_ends.setdefault(uid_of(body), commit)

    def _job(self, commit: Commit) -> None:
        body = commit.after or commit.before or {}
        node = node_of(body)
        if node is None:
            return
        life = self.lives.setdefault(uid_of(body), Life(commit.name, uid_of(body), node, commit, attempt_of(body)))
        life.counts.append((body.get("status") or {}).get("taskStatusCount") or {})
        if life.running is None and job_phase(body) == "Running":
            life.running = commit
        if life.ended is None and job_phase(body) in ENDED:
            life.ended, life.result = commit, job_phase(body)
        if life.removed is None and removes(commit):
            life.removed = commit
        life.gone = commit.after is None


def replay(history: History) -> Iterator[tuple[Commit, World]]:
    """Each commit, with the world as it was just before. The world is one object that goes on with the next."""
    world = World()
    for commit in history.commits:
        yield commit, world
        world.take(commit)


def whole(history: History) -> World:
    """The world after the last commit."""
    world = World()
    for commit in history.commits:
        world.take(commit)
    return world


def by_controller(commit: Commit) -> bool:
    """A controller wrote it."""
    return is_controller(commit.who)


def creates(commit: Commit) -> bool:
    """The commit made the object."""
    return commit.before is None and commit.after is not None


def removes(commit: Commit) -> bool:
    """The commit took the object away, or began to (finalizers and foreground deletion take it away later)."""
    if commit.before is None:
        return False
    return commit.after is None or (bool(_meta(commit.after).get("deletionTimestamp")) and not deleting(commit.before))


def deleting(body: Body) -> bool:
    """The object is on its way out."""
    return bool(_meta(body).get("deletionTimestamp"))


def uid_of(body: Body) -> str:
    """Its UID."""
    return str(_meta(body).get("uid", ""))


def controller_of(body: Body) -> Body | None:
    """Its controller owner reference."""
    owners: Iterable[Body] = _meta(body).get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def node_of(job: Body) -> Node | None:
    """The place of a child Job; None for a Job that no flow controls or that names no step."""
    owner, notes = controller_of(job), _meta(job).get("annotations") or {}
    if owner is None or owner.get("kind") != FLOW or STEP not in notes:
        return None
    return Node(str(owner.get("uid", "")), notes[STEP], notes.get(ITEM, ""))


def attempt_of(job: Body) -> int:
    """Which attempt of its step the child is, from 0."""
    return int((_meta(job).get("annotations") or {}).get(ATTEMPT, "0"))


def job_phase(job: Body) -> str:
    """Volcano's word for where the Job stands; "" before Volcano has looked at it."""
    return str(((job.get("status") or {}).get("state") or {}).get("phase") or "")


def status_of(flow: Body | None) -> Body:
    """The status that is committed, or an empty one."""
    return (flow or {}).get("status") or {}


def flow_phase(flow: Body | None) -> str:
    """`status.state.phase`."""
    return str((status_of(flow).get("state") or {}).get("phase") or "")


def records(flow: Body | None) -> dict[str, Body]:
    """`status.flowStatuses` by step."""
    return {entry["name"]: entry for entry in status_of(flow).get("flowStatuses") or ()}


def targets(flow: Body) -> dict[str, tuple[str, ...]]:
    """Each step of the spec, those of onExit last, with the steps that it waits for, in whatever way."""
    return {name: edges(step) for name, step in steps_of(flow).items()}


def probed(flow: Body) -> dict[str, Body]:
    """The steps that start beside their running targets, with the count of pods that each waits for."""
    waits = {name: step.get("dependsOn") or {} for name, step in steps_of(flow).items()}
    return {
        step: depends["probe"]["taskStatusCount"]
        for step, depends in waits.items()
        if depends.get("waitFor") == "Running" and "taskStatusCount" in (depends.get("probe") or {})
    }


def faults(history: History) -> Plan:
    """The faults of the plan, as values."""
    return parse_plan(history.plan)


def watch_was_disturbed(history: History, kind: str) -> bool:
    """A fault of the plan kept news of this kind from the controller, or brought it late or twice."""
    return any(isinstance(fault, AnswerRead) or getattr(fault, "kind", "") == kind for fault in faults(history))


def restarts(history: History) -> list[float]:
    """When a controller crashed: what it knew beside the API server is lost from then on."""
    return [mark.at for mark in history.marks if mark.text.endswith(" crashed")]


def starts(history: History) -> list[float]:
    """When a controller started."""
    return [mark.at for mark in history.marks if mark.text.endswith(" starts")]


def last_moment(history: History) -> float:
    """When the flows had ended, or, where they had not, when the last thing happened."""
    if history.ended_at is not None:
        return history.ended_at
    return history.commits[-1].at if history.commits else 0.0


def taken_down(history: History) -> float:
    """When the world began to delete everything, to look for leaks; never, where it did not."""
    return history.quiet_until or float("inf")


def _meta(body: Body) -> Body:
    return body.get("metadata") or {}
