"""What holds for every graph under every policy: a flow comes to its end, once, and its onExit steps after that.

A toy world without I/O: children walk to their ends, good or bad; each plan is judged before it is applied; writes of
the status get lost; the world is run until nothing happens any more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from jobflow.api.status import JobFlowStatus, Outcome, Reason, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.plan import Plan
from jobflow.testing.builders import FlowBuilder, child, flow

NAMES = [f"s{n}" for n in range(6)]
EXITS = ["x0", "x1", "x2"]
PHASES = ["Pending", "Running", "Succeeded", "Failed", "Skipped", "Unreachable"]
WALK = {"": "Pending", "Pending": "Running"}
ENDED = ("Completed", "Failed", "Terminated")


@st.composite
def dependencies(draw: st.DrawFn, earlier: list[str]) -> dict:
    """What a step may wait for, among those before it."""
    if not earlier:
        return {}
    some = st.lists(st.sampled_from(earlier), unique=True, max_size=3)
    waits: dict = {"targets": draw(some)}
    if waits["targets"] and draw(st.booleans()):
        waits["strategy"] = draw(st.sampled_from(["All", "Any"]))
    others = [name for name in earlier if name not in waits["targets"]]
    if others and draw(st.integers(0, 2)) == 0:
        phase, asked = st.sampled_from(PHASES), st.lists(st.sampled_from(others), unique=True, max_size=2)
        waits["targetsWithStatus"] = [{"name": name, "phase": draw(phase)} for name in draw(asked)]
    if draw(st.integers(0, 3)) == 0 and (other := draw(some)):
        waits["orGroups"] = [{"targets": other}]
    return {name: below for name, below in waits.items() if below}


@st.composite
def step_lists(draw: st.DrawFn, names: list[str]) -> list[dict]:
    steps = []
    for place, name in enumerate(names):
        step: dict = {"name": name}
        if waits := draw(dependencies(names[:place])):
            step["dependsOn"] = waits
        if draw(st.integers(0, 4)) == 0:
            step["continueOnFail"] = True
        steps.append(step)
    return steps


@st.composite
def flows(draw: st.DrawFn) -> FlowBuilder:
    steps = draw(step_lists(NAMES[: draw(st.integers(0, 6))]))
    control: dict = {}
    may_be_critical = [step["name"] for step in steps if not step.get("continueOnFail")]
    match draw(st.sampled_from(["", "All", "Any", "Critical"])):
        case "Critical" if may_be_critical:
            critical = draw(st.lists(st.sampled_from(may_be_critical), unique=True, min_size=1))
            control["successPolicy"] = {"type": "Critical", "criticalFlows": critical}
        case "All" | "Any" as kind:
            control["successPolicy"] = {"type": kind}
    if policy := draw(st.sampled_from(["", "FailFast", "RunIndependent"])):
        control["failurePolicy"] = policy
    if exits := draw(step_lists(EXITS[: draw(st.integers(0, 3))])):
        control["onExit"] = exits
    retain = draw(st.sampled_from(["retain", "delete", "delete-on-success", "delete-always"]))
    return FlowBuilder("f", steps=tuple(steps), control=control).policy(retain)


@dataclass
class World:
    """One flow and its children."""

    builder: FlowBuilder
    failing: frozenset[str]
    status: JobFlowStatus = field(default_factory=JobFlowStatus)
    states: dict[str, str] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)  # by step

    @property
    def exits(self) -> set[str]:
        return {step["name"] for step in self.builder.control.get("onExit", ())}

    def views(self):
        return [child(step, of="f").state(state).view() for step, state in self.states.items()]

    def live(self) -> set[str]:
        return {step for step, state in self.states.items() if state not in ENDED}

    def walk(self, step: str) -> None:
        if step not in self.live():
            return
        self.states[step] = WALK.get(self.states[step]) or ("Failed" if step in self.failing else "Completed")
        self.ends[step] += self.states[step] in ENDED

    def reconcile(self, write_is_lost: bool = False) -> Plan:
        plan = reconcile_flow(self.builder.status(self.status).snapshot(*self.views()))
        self.judge(plan)
        for create in plan.creates:
            self.states[create.node.step] = ""
        for end in plan.ends:
            step = end.name.removeprefix("f-")
            self.states[step] = "Terminated"
            self.ends[step] += 1
        for delete in plan.deletes:
            del self.states[delete.name.removeprefix("f-")]
        if plan.status is not None and not plan.creates and not write_is_lost:
            self.status = msgspec.json.decode(msgspec.json.encode(plan.status), type=JobFlowStatus)
        return plan

    def judge(self, plan: Plan) -> None:
        committed = {record.name: record for record in self.status.flowStatuses}
        for create in plan.creates:
            step = create.node.step
            assert step not in self.states, f"{step} has a child"
            assert not self.ends[step], f"{step} has ended already"
            if step in self.exits:
                assert self.status.outcome is not None, f"{step} is for the end"
                assert self.live() <= self.exits, f"{step} comes last"
            else:
                assert self.status.outcome is None, f"{step} comes after the end"
        for end in plan.ends:
            step = end.name.removeprefix("f-")
            assert committed[step].reason == Reason.FAIL_FAST, "why is committed first"
            assert step not in self.exits
        for delete in plan.deletes:
            assert committed[delete.name.removeprefix("f-")].phase.settled, "its end is not committed"
            assert all(committed[step].phase.settled for step in self.exits)
        if plan.status is not None:
            assert self.status.outcome in (None, plan.status.outcome), "the outcome stands"
            after = {record.name: record for record in plan.status.flowStatuses}
            assert all(after[name] == record for name, record in committed.items() if record.phase.settled)

    def settle_down(self) -> None:
        for _ in range(200):
            for step in list(self.states):
                self.walk(step)
            plan = self.reconcile()
            if not (plan.acts or self.live()):
                return
        raise AssertionError(f"it does not come to rest: {self.status.state}, {self.states}")

    def phases(self) -> dict[str, StepPhase]:
        return {record.name: record.phase for record in self.status.flowStatuses}


story = st.lists(st.tuples(st.sampled_from(["walk", "walk", "reconcile", "lost"]), st.integers(0, 8)), max_size=50)


@given(flows(), st.sets(st.sampled_from(NAMES + EXITS)), story)
def test_a_flow_comes_to_its_end_whatever_its_policies(builder, failing, happenings):
    world = World(builder, frozenset(failing))
    assert builder.frozen().compiled.problems == ()
    for what, which in happenings:
        if what == "walk" and world.states:
            world.walk(sorted(world.states)[which % len(world.states)])
        elif what != "walk":
            world.reconcile(write_is_lost=what == "lost")
    world.settle_down()
    phases = world.phases()
    assert world.status.completionTime is not None
    assert all(phase.settled for phase in phases.values()), phases
    assert all(count == 1 for count in world.ends.values()), "a step ran twice"
    assert world.status.outcome is not None
    is_deleted = {
        "retain": False,
        "delete": world.status.outcome is Outcome.SUCCEEDED,
        "delete-on-success": world.status.outcome is Outcome.SUCCEEDED,
        "delete-always": True,
    }
    assert not (world.states and is_deleted[builder.retain])
    assert is_deleted[builder.retain] or set(world.ends) == set(world.states)
    judge_the_outcome(builder, world.status.outcome, phases)


def judge_the_outcome(builder: FlowBuilder, outcome: Outcome, phases: dict[str, StepPhase]) -> None:
    """By what became of each step, and nothing of how the engine found it."""
    steps = {step["name"]: step for step in builder.steps}
    lost = {name for name in steps if phases[name] is StepPhase.FAILED and not steps[name].get("continueOnFail")}
    named = {name: set(names_in(step.get("dependsOn", {}))) for name, step in steps.items()}
    started = {name for name in steps if phases[name] in (StepPhase.SUCCEEDED, StepPhase.FAILED)}
    alone = {name for name in lost if not any(name in named[other] for other in started)}
    policy = builder.control.get("successPolicy", {})
    fast = builder.control.get("failurePolicy") == "FailFast"
    good = {name for name in steps if phases[name] is StepPhase.SUCCEEDED or name in started - lost}
    match policy.get("type", "All"), outcome:
        case "All", Outcome.SUCCEEDED:
            assert not alone, "a failure that nobody was there for"
        case "All", Outcome.FAILED:
            assert lost, "nothing was lost"
        case "Any", Outcome.SUCCEEDED:
            last = set(steps) - set().union(*named.values())
            assert not last or last & good or all(phases[name] is StepPhase.SKIPPED for name in last)
        case "Any", Outcome.FAILED:
            last = set(steps) - set().union(*named.values())
            assert not last & good or fast
        case "Critical", Outcome.SUCCEEDED:
            critical = set(policy["criticalFlows"])
            assert all(name in good or phases[name] is StepPhase.SKIPPED or name in lost - alone for name in critical)
        case "Critical", Outcome.FAILED:
            critical = set(policy["criticalFlows"])
            assert any(name in lost or phases[name] is StepPhase.UNREACHABLE for name in critical)


def names_in(waits: dict) -> list[str]:
    groups = [waits, *waits.get("orGroups", ())]
    found = [name for group in groups for name in group.get("targets", ())]
    return found + [one["name"] for group in groups for one in group.get("targetsWithStatus", ())]


@given(flows(), st.sets(st.sampled_from(NAMES + EXITS)))
def test_a_flow_that_is_deleted_ends_without_onexit(builder, failing):
    world = World(builder, frozenset(failing))
    for _ in range(3):
        for step in list(world.states):
            world.walk(step)
        world.reconcile()
    plan = reconcile_flow(world.builder.status(world.status).deleting().snapshot(*world.views()))
    assert not plan.creates


def test_a_story_of_each_policy_by_hand():
    """So that the world above is seen to do what it is for."""
    fast = flow("f").step("s0").step("s1").setting(failurePolicy="FailFast", onExit=[{"name": "x0"}])
    world = World(fast, frozenset({"s0"}))
    world.reconcile()
    for _ in range(3):
        world.walk("s0")
    world.settle_down()
    assert world.phases() == {"s0": StepPhase.FAILED, "s1": StepPhase.FAILED, "x0": StepPhase.SUCCEEDED}
    assert world.states == {"s0": "Failed", "s1": "Terminated", "x0": "Completed"}
