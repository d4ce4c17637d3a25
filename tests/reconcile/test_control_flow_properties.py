"""No flow ever waits for what cannot come: whatever its steps wait for, and however they end, it comes to its end."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jobflow.api.status import JobFlowStatus, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import FlowBuilder, child, flow

PHASES = ("Pending", "Running", "Succeeded", "Failed", "Skipped", "Unreachable")
WALK = {"": "Pending", "Pending": "Running"}
PASSES = 300  # of six steps: a step has four phases, and each change is committed


@st.composite
def groups(draw, before):
    """Targets and targets with a phase, of the steps before."""
    targets = draw(st.lists(st.sampled_from(before), unique=True, max_size=3))
    others = [name for name in before if name not in targets]
    named = draw(st.lists(st.sampled_from(others), unique=True, max_size=2)) if others else []
    group = {"targets": targets}
    if named:
        group["targetsWithStatus"] = [{"name": name, "phase": draw(st.sampled_from(PHASES))} for name in named]
    if targets and draw(st.booleans()):
        group["strategy"] = draw(st.sampled_from(["All", "Any"]))
    return group


@st.composite
def expressions(draw, before):
    """About the phases of steps before, and now and then about an output that nobody leaves."""
    terms = [f"steps.{name}.phase == '{phase}'" for name in before for phase in PHASES]
    terms += [f"steps.{name}.exitCode > 0" for name in before]
    chosen = draw(st.lists(st.sampled_from(terms), min_size=1, max_size=3))
    return draw(st.sampled_from([" && ", " || "])).join(chosen)


@st.composite
def dependencies(draw, before):
    if draw(st.integers(0, 3)) == 0:
        return {"expression": draw(expressions(before))}
    waits = draw(groups(before))
    if draw(st.booleans()):
        waits["orGroups"] = draw(st.lists(groups(before), min_size=1, max_size=2))
    return waits


def named_in(waits):
    return [name for group in (waits, *waits.get("orGroups", ())) for name in group.get("targets", ())]


@st.composite
def flows(draw) -> FlowBuilder:
    built = flow("f")
    names: list[str] = []
    for name in [f"s{number}" for number in range(draw(st.integers(1, 6)))]:
        waits = draw(dependencies(names)) if names and draw(st.integers(0, 4)) else {}
        built = built.step(name, **waits)
        about = named_in(waits)
        conditions = expressions(about) if about else st.sampled_from(["true", "false"])
        if draw(st.integers(0, 2)) == 0:
            built = built.having(when=[{"cel": draw(conditions)}])
        if draw(st.integers(0, 3)) == 0:
            built = built.having(continueOnFail=True)
        names.append(name)
    policies = {
        "failurePolicy": draw(st.sampled_from([None, "FailFast", "RunIndependent"])),
        "successPolicy": draw(st.sampled_from([None, {"type": "Any"}])),
    }
    return built.setting(**{field: value for field, value in policies.items() if value is not None})


class World:
    """The flow, its Jobs, and who of them fails."""

    def __init__(self, built: FlowBuilder, failing: set[str]) -> None:
        self.built = built
        self.failing = failing
        self.states: dict[str, str] = {}
        self.status = JobFlowStatus()

    def look(self) -> bool:
        """One pass; whether anything came of it."""
        jobs = [child(name, of="f").state(state, after=0).view() for name, state in self.states.items()]
        plan = reconcile_flow(self.built.status(self.status).snapshot(*jobs))
        for create in plan.creates:
            assert create.node.step not in self.states, "one Job a step"
            self.states[create.node.step] = ""
        ended = [step for end in plan.ends if (step := end.name.removeprefix("f-")) in self.live()]
        self.states |= dict.fromkeys(ended, "Terminated")
        before, self.status = self.status, plan.status or self.status
        self.nothing_is_taken_back(before)
        return bool(plan.creates or ended) or self.status != before

    def nothing_is_taken_back(self, before: JobFlowStatus) -> None:
        now = {entry.name: entry for entry in self.status.flowStatuses}
        for entry in before.flowStatuses:
            assert not entry.phase.settled or now[entry.name] == entry
        skipped = [entry.name for entry in self.status.flowStatuses if entry.phase is StepPhase.SKIPPED]
        assert not any(name in self.states for name in skipped), "a step that was skipped has no Job"

    def live(self) -> list[str]:
        return [name for name, state in self.states.items() if state in WALK or state == "Running"]

    def walk(self, name: str) -> None:
        self.states[name] = WALK.get(self.states[name]) or ("Failed" if name in self.failing else "Completed")


@settings(max_examples=150, deadline=None)
@given(flows(), st.data())
def test_every_flow_ends(built, data):
    assume(not built.frozen().compiled.problems)
    names = [step["name"] for step in built.steps]
    world = World(built, data.draw(st.sets(st.sampled_from(names)), label="failing"))
    for _ in range(PASSES):
        if world.look():
            continue
        live = world.live()
        if not live:
            break
        world.walk(data.draw(st.sampled_from(live), label="goes on"))
    assert world.status.completionTime is not None, world.status.flowStatuses
    assert all(entry.phase.settled for entry in world.status.flowStatuses)
