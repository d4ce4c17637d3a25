"""Each oracle accepts a history as it should be and finds what is wrong with one that breaks its rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from jobflow.api.children import ChildView
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import ChildBuilder, FlowBuilder, child, flow
from jobflow.testing.clock import EPOCH
from jobflow.testing.history import Call, Commit, History, Leaks, Mark
from jobflow.testing.oracles import ORACLES, judge

Body = dict[str, Any]

CHAIN = flow("x").step("a").step("b", after="a")
A, B = child("a", of="x"), child("b", of="x")
JOBS = "/apis/batch.volcano.sh/v1alpha1/namespaces/default/jobs"
STATUS = "/apis/flow.volcano.sh/v1alpha1/namespaces/default/jobflows/x/status"


@dataclass
class Story:
    """A history in the making; the controller writes the statuses that it would write."""

    flow: FlowBuilder = CHAIN
    plan: str = ""
    now: float = 0.0
    commits: list[Commit] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    objects: dict[tuple[str, str], Body] = field(default_factory=dict)
    children: dict[str, ChildView] = field(default_factory=dict)
    order: int = 0

    def wait(self, seconds: float = 1.0) -> Story:
        self.now += seconds
        return self

    def mark(self, text: str) -> Story:
        self.marks.append(Mark(self.now, text, self._next()))
        return self

    def put(self, who: str, body: Body, subresource: str = "") -> Story:
        return self._commit(who, body["kind"], body["metadata"]["name"], body, subresource)

    def gone(self, who: str, kind: str, name: str, uid: str = "") -> Story:
        self.children.pop(name, None)
        self._commit(who, kind, name, None)
        if who.startswith("controller"):
            self.call("delete", f"{JOBS}/{name}", {"preconditions": {"uid": uid}} if uid else {})
        return self

    def create(self, built: ChildBuilder) -> Story:
        """The controller creates a child."""
        self.children[built.name] = built.view()
        self.put("controller-1", built.body())
        return self.call("create", JOBS, built.body())

    def refused(self, built: ChildBuilder) -> Story:
        """The controller tries to create a child whose name is taken."""
        return self.call("create", JOBS, built.body(), 409)

    def job(self, built: ChildBuilder) -> Story:
        """Volcano writes the status of a Job."""
        self.children[built.name] = built.view()
        return self.put("volcano", built.body(), "status")

    def status(self, **changed: Any) -> Story:
        """The controller writes the status that tells of the children; `changed` are fields written otherwise."""
        snapshot = self.flow.snapshot(*self.children.values(), now=EPOCH + timedelta(seconds=self.now))
        desired = reconcile_flow(snapshot).status
        if desired is not None:
            self.flow = self.flow.status(desired)
        body = self.flow.body()
        body["status"] = {name: value for name, value in (body["status"] | changed).items() if value is not ...}
        sent = {"metadata": {"name": "x"}, "status": body["status"]}
        return self.put("controller-1", body, "status").call("update", STATUS, sent)

    def event(self, reason: str, flow_uid: str = "flow-x") -> Story:
        name = f"x.{len(self.commits)}"
        about = {"kind": "JobFlow", "name": "x", "uid": flow_uid}
        return self.put(
            "controller-1", {"kind": "Event", "metadata": {"name": name}, "involvedObject": about, "reason": reason}
        )

    def history(self, **fields: Any) -> History:
        told: Body = {
            "scenario": "chain", "plan": self.plan, "seed": 1, "commits": self.commits, "calls": self.calls,
            "marks": self.marks, "reconciles": 10, "leaks": Leaks(), "ended_at": self.now,
            "quiet_from": self.now + 60, "quiet_until": self.now + 3660, "expected": {"x": "Succeeded"},
        }  # fmt: skip
        return History(**(told | fields))

    def _commit(self, who: str, kind: str, name: str, after: Body | None, subresource: str = "") -> Story:
        before = self.objects.get((kind, name))
        if after is None:
            self.objects.pop((kind, name), None)
        else:
            self.objects[kind, name] = after
        verb = "create" if before is None else "delete" if after is None else "update"
        number, order = len(self.commits) + 1, self._next()
        self.commits.append(
            Commit(number, self.now, who, verb, kind, "default", name, subresource, before, after, 100 + number, order)
        )
        return self

    def call(self, verb: str, path: str, body: Body, status: int = 200, *, committed: bool = True) -> Story:
        """A request of the controller is answered."""
        number, write = len(self.calls) + 1, 0 if verb in ("get", "list", "watch") else len(self.calls) + 1
        done = committed and status == 200
        self.calls.append(
            Call(number, self.now, "controller-1", verb, path, status, done, "", write, body, self._next())
        )
        return self

    def _next(self) -> int:
        self.order += 1
        return self.order


def begun(plan: str = "") -> Story:
    """The flow was created, and the Job of its first step."""
    story = Story(plan=plan).mark("controller-1 starts").put("user", CHAIN.body()).wait()
    return story.create(A).status().wait().job(A.pending()).job(A.running(after=2)).wait().status()


def midway(plan: str = "") -> Story:
    """The first step is done, and that is committed; the Job of the second runs."""
    story = begun(plan).wait(8).job(A.completed(after=11)).wait()
    return story.create(B.created_after(12)).status().wait().job(B.created_after(12).running(after=13)).wait().status()


def over(plan: str = "") -> Story:
    """The flow succeeded."""
    return midway(plan).wait(8).job(B.created_after(12).completed(after=22)).wait().status()


def found(history: History, reference: History | None = None) -> set[str]:
    return {violation.oracle for violation in judge(history, reference)}


def test_a_history_as_it_should_be_breaks_nothing() -> None:
    assert judge(over().history(), over().history()) == []


def test_every_oracle_says_which_rule_it_checks() -> None:
    assert all(oracle.__doc__ and len(oracle.__doc__) > 40 for oracle in ORACLES.values())


FOREIGN = B.body() | {"metadata": {"name": "x-b", "namespace": "default", "uid": "another"}}
TOLD = {
    "phase": "Running",
    "createTime": "2026-01-01T12:00:01Z",
    "taskStatusCount": {"main": {"phase": {"Running": 2}}},
}
AGAIN = A.incarnation("job-x-a-again").created_after(30)

BROKEN: list[tuple[str, str, Callable[[], Story]]] = [
    ("one live child", "a second Job while the first runs", lambda: begun().create(AGAIN.named("x-a-2"))),
    (
        "one live child",
        "a second Job while the first is being deleted",
        lambda: begun().put("stranger", A.running().deleting().body()).wait().create(AGAIN.named("x-a-2")),
    ),
    (
        "finished never again",
        "a Job again after its end was seen and it was deleted",
        lambda: begun().job(A.completed()).gone("stranger", "Job", "x-a").wait().create(AGAIN),
    ),
    (
        "finished never again",
        "a Job again after its result was committed, in whatever trouble",
        lambda: midway("drop:Job:3-5").gone("stranger", "Job", "x-a").mark("controller-1 crashed").wait().create(AGAIN),
    ),
    ("gate was open", "a child whose target runs", lambda: begun().create(B)),
    (
        "gate was open",
        "a child whose target failed",
        lambda: begun().job(A.failed(after=5)).wait().create(B.created_after(6)),
    ),
    ("gate was open", "a child of a step that the flow does not have", lambda: begun().create(child("c", of="x"))),
    (
        "nothing after the end",
        "a child after the outcome",
        lambda: begun().job(A.failed(after=5)).wait().status().wait().create(B.created_after(6)),
    ),
    (
        "nothing after the end",
        "a child of a flow that is gone",
        lambda: begun().gone("user", "JobFlow", "x").wait(5).create(B.created_after(9)),
    ),
    (
        "nothing after the end",
        "a child of a flow that is being deleted",
        lambda: begun().put("user", CHAIN.deleting().body()).wait(5).create(B.created_after(9)),
    ),
    (
        "own objects only",
        "a Job of another flow deleted",
        lambda: begun().put("user", child("a", of="y").body()).gone("controller-1", "Job", "y-a", "job-y-a"),
    ),
    (
        "own objects only",
        "a stranger's Job written",
        lambda: begun().put("stranger", A.named("z").owned_by("other").body()).put("controller-1", A.named("z").body()),
    ),
    ("own objects only", "the spec of a flow written", lambda: begun().put("controller-1", CHAIN.step("c").body())),
    (
        "deletes name the UID",
        "a delete by name alone",
        lambda: over().gone("controller-1", "Job", "x-a"),
    ),
    (
        "deleted after the result",
        "a child deleted while its end is not committed",
        lambda: begun().job(A.completed()).gone("controller-1", "Job", "x-a", A.uid),
    ),
    ("deleted after the result", "a child that Volcano deletes", lambda: over().gone("volcano", "Job", "x-a")),
    ("phase is final", "Succeed becomes Running", lambda: over().status(state={"phase": "Running"})),
    ("phase is final", "the outcome is taken back", lambda: over().status(outcome=...)),
    ("memory is kept", "entries are dropped", lambda: over().status(flowStatuses=[])),
    (
        "memory is kept",
        "a settled step runs",
        lambda: midway().status(flowStatuses=[{"name": "a", "phase": "Running", "jobName": "x-a"}]),
    ),
    ("memory is kept", "jobStatusList forgets", lambda: over().status(jobStatusList=[])),
    ("children in one list", "a child in no list", lambda: begun().status(runningJobs=...)),
    ("children in one list", "a child in two lists", lambda: begun().status(failedJobs=["x-a"])),
    ("children in one list", "a name that is nobody's", lambda: begun().status(unKnowJobs=["y-a"])),
    (
        "results are true",
        "a step succeeded whose Job runs",
        lambda: begun().status(flowStatuses=[{"name": "a", "phase": "Succeeded", "jobName": "x-a"}]),
    ),
    ("results are true", "success while a step waits", lambda: midway().status(state={"phase": "Succeed"})),
    (
        "complete means at rest",
        "complete while a Job runs",
        lambda: midway().status(state={"phase": "Failed"}, completionTime="2026-01-01T12:00:20Z"),
    ),
    ("statuses fit", "a time that is null", lambda: begun().status(completionTime=None)),
    ("statuses fit", "a field that the CRD does not have", lambda: begun().status(flavour="sweet")),
    ("statuses fit", "a list where upstream has a string", lambda: begun().status(progress=[1, 3])),
    ("own writes are remembered", "a Job created once more", lambda: begun().wait(5).refused(A)),
    (
        "own writes are remembered",
        "a Job deleted once more",
        lambda: over().gone("controller-1", "Job", "x-a", A.uid).wait().gone("controller-1", "Job", "x-a", A.uid),
    ),
    (
        "own writes are remembered",
        "a status written from a version before one's own last one",
        lambda: begun().call("update", STATUS, {"metadata": {"name": "x", "resourceVersion": "9"}}, 409),
    ),
    ("every write changes something", "no change", lambda: begun().call("update", STATUS, {}, committed=False)),
    (
        "second child after a look",
        "a Job in the place of one that is gone",
        lambda: begun().gone("stranger", "Job", "x-a").wait().create(AGAIN),
    ),
    (
        "strangers are told of",
        "a Job with the child's name that nobody is told of",
        lambda: begun().put("user", FOREIGN).wait(8).job(A.completed(after=11)).refused(B).wait(900),
    ),
    (
        "trouble stays where it is",
        "a step that starts late while another waits for its template",
        lambda: begun("template-absent:z").job(A.completed()).wait(60).create(B.created_after(63)),
    ),
    (
        "counts are told",
        "counts of pods that change and are not told",
        lambda: begun().job(A.running(after=3).pods(2, Running=1, Succeeded=1)).wait(60).event("Created"),
    ),
    (
        "counts are kept",
        "counts of pods that are emptied",
        lambda: begun().status(conditions={"x-a": TOLD}).status(conditions={"x-a": TOLD | {"taskStatusCount": {}}}),
    ),
    ("every flow ends", "a flow that runs for ever", midway),
    ("outcome is expected", "a flow that failed", lambda: begun().job(A.failed(after=5)).wait().status()),
]  # fmt: skip


@pytest.mark.parametrize(("oracle", "what", "story"), BROKEN, ids=[f"{row[0]}: {row[1]}" for row in BROKEN])
def test_it_is_found(oracle: str, what: str, story: Callable[[], Story]) -> None:
    told = story()
    history = told.history()
    if what == "a flow that runs for ever":
        history = told.history(ended_at=None, never_ended="7200 virtual seconds have passed")
    assert oracle in found(history)
    assert oracle in ORACLES


EXCUSED: list[tuple[str, str, Callable[[], Story]]] = [
    (
        "finished never again",
        "deleted by hand unfinished: created again",
        lambda: begun().gone("stranger", "Job", "x-a").wait().create(AGAIN),
    ),
    (
        "finished never again",
        "the one hole: ended and deleted by hand while no controller ran",
        lambda: begun()
        .mark("controller-1 crashed").wait().job(A.completed()).wait().gone("stranger", "Job", "x-a").wait()
        .mark("controller-2 starts").wait().create(AGAIN),
    ),
    (
        "finished never again",
        "the one hole: what was seen is lost by a crash before it is committed",
        lambda: begun()
        .job(A.completed()).gone("stranger", "Job", "x-a").wait(0.1).mark("controller-1 crashed").wait(3).create(AGAIN),
    ),
    (
        "nothing after the end",
        "a create that was on its way when the user deleted the flow",
        lambda: begun().gone("user", "JobFlow", "x").wait(0.2).create(B.created_after(9)),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("oracle", "what", "story"), EXCUSED, ids=[row[1] for row in EXCUSED])
def test_it_is_nobodys_fault(oracle: str, what: str, story: Callable[[], Story]) -> None:
    assert oracle not in found(story().history())


def test_a_label_that_was_taken_off_an_own_child_may_be_put_back() -> None:
    bare = A.running(after=2).body()
    labels = bare["metadata"].pop("labels")
    mended = bare | {"metadata": bare["metadata"] | {"labels": labels}}
    assert "own objects only" not in found(begun().put("stranger", bare).put("controller-1", mended).history())


def test_too_many_writes_events_and_passes_are_found() -> None:
    story = over()
    for number in range(20):
        story.status(progress=f"{number}/2").event("Failed")
    assert found(story.history(reconciles=1000)) >= {"writes are few", "events are few", "passes are few"}


def test_a_fault_may_cost_something() -> None:
    story = over("crash-after:3")
    for number in range(4):
        story.status(progress=f"{number}/2")
    assert "writes are few" not in found(story.history())


def test_what_is_left_behind_is_found_by_its_kind() -> None:
    told = [v.text for v in judge(over().history(leaks=Leaks(tasks=2, interests=1))) if v.oracle == "nothing leaks"]
    assert told == ["tasks: 2 left after everything was deleted", "interests: 1 left after everything was deleted"]


def test_a_write_at_rest_is_found_and_so_is_a_poll() -> None:
    story = over()
    ended = story.now
    story.wait(100).status(nextFlows=["a"]).wait().call("list", JOBS, {})
    story.wait().call("watch", JOBS, {})
    told = judge(story.history(ended_at=ended, quiet_from=ended + 60, quiet_until=ended + 3660))
    assert [violation.text.split(":")[0] for violation in told if violation.oracle == "quiet at rest"] == [
        f"controller-1 asked for update {STATUS}",
        f"controller-1 asked for list {JOBS}",
    ]


def test_a_cached_object_that_somebody_changed_is_found() -> None:
    assert "cache is true" in found(over().history(untrue=((3.0, "JobFlow default/x was changed in the cache"),)))


def test_an_error_that_was_logged_is_found() -> None:
    assert "no error is logged" in found(over().history(errors=("reconcile failed: KeyError: 'b'",)))


def test_another_end_than_the_undisturbed_one_is_found() -> None:
    disturbed = over().status(pendingJobs=["x-a"]).history()
    assert "same end" in found(disturbed, over().history())


def test_another_child_than_the_undisturbed_ones_is_found() -> None:
    disturbed = over().put("controller-1", child("a", of="x").named("x-a-2").body()).history()
    assert "same children" in found(disturbed, over().history())


def test_times_and_uids_do_not_make_another_end() -> None:
    later = replace(over().wait(100), now=500.0).history()
    assert "same end" not in found(later, over().history())


def test_a_late_end_is_found() -> None:
    late = midway().wait(4000).job(B.created_after(12).completed(after=4021)).wait().status().history()
    assert "every flow ends" in found(late, over().history())
