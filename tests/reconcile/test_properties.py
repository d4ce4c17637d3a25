"""What holds for every graph, every order of events and every stranger who deletes Jobs.

A toy world without I/O: children walk their phases, strangers delete some of them, writes of the status get lost; each
plan is judged before it is applied, and the world is run until nothing happens any more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jobflow.api.children import ChildPhase
from jobflow.api.status import FlowPhase, JobFlowStatus, Outcome
from jobflow.cache.children import Children
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.plan import Plan
from jobflow.testing.builders import FlowBuilder, child, flow
from jobflow.testing.clock import EPOCH

WALK = {"": "Pending", "Pending": "Running", "Running": "Completed"}
ENDED = ("Completed", "Failed")


@st.composite
def dags(draw: st.DrawFn) -> FlowBuilder:
    count = draw(st.integers(0, 7))
    names = draw(st.permutations([f"s{n}" for n in range(count)]))
    builder = flow("f")
    for position, name in enumerate(names):
        builder = builder.step(
            name, after=draw(st.lists(st.sampled_from(names[:position]), unique=True)) if position else ()
        )
    builder = FlowBuilder("f", steps=tuple(draw(st.permutations(builder.steps))))
    return builder.policy(draw(st.sampled_from(["retain", "delete"])))


@dataclass
class World:
    """One flow, its children, and what has happened to them."""

    builder: FlowBuilder
    failing: frozenset[str] = frozenset()
    ttl: int | None = None
    status: JobFlowStatus = field(default_factory=JobFlowStatus)
    deleting: bool = False
    seconds: float = 0.0
    version: int = 0
    states: dict[str, str] = field(default_factory=dict)  # step -> state of its live child
    uids: dict[str, str] = field(default_factory=dict)
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)  # (step, end) -> children that ended so
    cache: Children = field(default_factory=lambda: Children(lambda old, new: None))

    @property
    def now(self):
        return EPOCH + timedelta(seconds=self.seconds)

    @property
    def uid(self) -> str:
        return self.builder.own_uid

    def targets(self, step: str) -> list[str]:
        body = next(body for body in self.builder.steps if body["name"] == step)
        return body.get("dependsOn", {}).get("targets", [])

    def view(self, step: str):
        self.version += 1
        made = child(step, of="f").incarnation(self.uids[step]).at(str(self.version))
        made = made if self.ttl is None else made.ttl(self.ttl)
        told = made.state(self.states[step], after=self.seconds).view()
        return replace(told, created=self.created[self.uids[step]])

    created: dict[str, object] = field(default_factory=dict)

    # what may happen

    def walk(self, step: str) -> None:
        state = self.states[step]
        if state in ENDED:
            return
        after = WALK[state]
        if after == "Completed" and step in self.failing:
            after = "Failed"
        self.states[step] = after
        if after in ENDED:
            self.ends[step, after] += 1
        self.cache.put(self.view(step))

    def stranger_deletes(self, step: str) -> None:
        self.cache.remove(self.view(step))
        del self.states[step], self.uids[step]

    def reconcile(self, write_is_lost: bool = False) -> Plan:
        self.cache.settle(self.uid, self.status)
        builder = self.builder.status(self.status)
        builder = builder.deleting() if self.deleting else builder
        snapshot = builder.snapshot(*self.cache.of_flow(self.uid), now=self.now, vanished=self.cache.vanished(self.uid))
        plan = reconcile_flow(snapshot)
        assert reconcile_flow(snapshot) == plan, "the same snapshot gives the same plan"
        self.judge(plan)
        self.apply(plan, write_is_lost)
        return plan

    def judge(self, plan: Plan) -> None:
        for create in plan.creates:
            step = create.node.step
            assert step not in self.states, f"{step} has a live child"
            assert not self.ends[step, "Completed"], f"{step} has succeeded already"
            assert all(self.ends[target, "Completed"] for target in self.targets(step)), f"{step} is not open yet"
            assert not any(end == "Failed" for _, end in self.ends.elements()), "a step has failed"
            assert not self.deleting
            assert self.status.outcome is None
            assert self.status.completionTime is None
        steps = [create.node.step for create in plan.creates]
        assert len(steps) == len(set(steps)), "two children for a step"
        settled = {record.jobUID for record in self.status.flowStatuses if record.phase.settled}
        assert all(delete.uid in settled for delete in plan.deletes), "its end is not committed"
        if plan.status is not None:
            assert plan.status != self.status, "a write that changes nothing"
            assert msgspec.json.decode(msgspec.json.encode(plan.status), type=JobFlowStatus) == plan.status
            self.memory_does_not_regress(plan.status)

    def memory_does_not_regress(self, desired: JobFlowStatus) -> None:
        after = {record.name: record for record in desired.flowStatuses}
        for record in self.status.flowStatuses:
            if record.phase.settled:
                assert after[record.name] == record
        if self.status.outcome is not None:
            assert desired.outcome is self.status.outcome

    def apply(self, plan: Plan, write_is_lost: bool) -> None:
        for create in plan.creates:
            step = create.node.step
            self.states[step], self.uids[step] = "", f"uid-{len(self.created)}"
            self.created[self.uids[step]] = self.now.replace(microsecond=0)
            self.cache.put(self.view(step))
        for delete in plan.deletes:
            for step in [step for step, uid in self.uids.items() if uid == delete.uid]:
                self.stranger_deletes(step)
        if plan.status is not None and not plan.creates and not write_is_lost:
            self.status = msgspec.json.decode(msgspec.json.encode(plan.status), type=JobFlowStatus)

    def settle_down(self) -> None:
        """Run on until neither the children nor the plans change anything; strangers have left."""
        for _ in range(20 * (len(self.builder.steps) + 2)):
            for step in list(self.states):
                self.walk(step)
            plan = self.reconcile()
            self.seconds += 1
            if plan.wake_at:
                self.seconds = max(self.seconds, (plan.wake_at - EPOCH).total_seconds())
            idle = not plan.creates and not plan.deletes and plan.status is None and plan.wake_at is None
            if idle and all(state in ENDED for state in self.states.values()):
                return
        raise AssertionError(f"it does not come to rest: {self.status.state}, {self.states}")


happenings = st.lists(
    st.tuples(
        st.sampled_from(["walk", "walk", "walk", "reconcile", "reconcile", "lost", "stranger", "time"]),
        st.integers(0, 6),
    ),
    max_size=60,
)


def play(world: World, story) -> None:
    for what, which in story:
        steps = sorted(world.states)
        match what:
            case "walk" if steps:
                world.walk(steps[which % len(steps)])
            case "stranger" if steps:
                world.stranger_deletes(steps[which % len(steps)])
            case "time":
                world.seconds += which * 10
            case "reconcile" | "lost":
                world.reconcile(write_is_lost=what == "lost")


@given(dags(), happenings, st.sets(st.sampled_from([f"s{n}" for n in range(7)]), max_size=1), st.none() | st.just(30))
def test_whatever_happens_a_flow_ends_once_and_rests(builder, story, failing, ttl):
    world = World(builder, frozenset(failing), ttl)
    play(world, story)
    world.settle_down()
    assert world.status.outcome is not None
    assert world.status.completionTime is not None
    assert all(count == 1 for count in world.ends.values()), "a step that ended ran again"
    failed = any(end == "Failed" for _, end in world.ends)
    assert world.status.outcome is (Outcome.FAILED if failed else Outcome.SUCCEEDED)
    if not failed:
        assert {step for step, _ in world.ends} == {body["name"] for body in builder.steps}
        assert world.status.state.phase is FlowPhase.SUCCEED
        assert not (builder.retain == "delete" and world.states), "policy delete leaves no child of a success"
    if ttl is not None:
        assert not world.states, "finished children go when their time has come"


@given(dags(), happenings, happenings)
def test_a_flow_that_is_being_deleted_creates_nothing(builder, before, after):
    world = World(builder)
    play(world, before)
    world.deleting = True
    play(world, after)
    assert not world.reconcile().creates


@given(dags(), st.lists(st.sampled_from(list(ChildPhase)), min_size=7, max_size=7), st.randoms())
def test_the_plan_does_not_depend_on_the_order_of_the_children(builder, phases, random):
    words = {"Pending": "Pending", "Running": "Running", "Succeeded": "Completed", "Failed": "Failed", "Unknown": "?"}
    views = [
        child(body["name"], of="f").state(words[phase]).view()
        for body, phase in zip(builder.steps, phases, strict=False)
    ]
    shuffled = random.sample(views, len(views))
    assert reconcile_flow(builder.snapshot(*views)) == reconcile_flow(builder.snapshot(*shuffled))


@given(dags(), happenings)
def test_a_restart_at_any_moment_is_like_none(builder, story):
    """A fresh process knows the committed status and the children that exist, no more."""
    world = World(builder)
    play(world, [happening for happening in story if happening[0] != "stranger"])
    reborn = Children(lambda old, new: None)
    reborn.replace([world.view(step) for step in world.states], "1")
    world.cache = reborn
    world.settle_down()
    assert world.status.outcome is Outcome.SUCCEEDED
    assert all(count == 1 for count in world.ends.values())
