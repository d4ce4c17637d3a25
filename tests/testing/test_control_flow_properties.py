"""Whatever flows ask for, and however their Jobs fare: played to their end they keep every promise, and end as told.

Hypothesis makes small flows with the fields that decide what comes next, and a walk for each attempt of each step. A
reference beside the engine says where the steps must stand in the end, for flows in which that is no matter of time.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jobflow.testing.builders import FlowBuilder, flow
from jobflow.testing.faults import CrashAfter, CrashAtAwait, CrashBefore, Plan
from jobflow.testing.history import History
from jobflow.testing.oracles import judge
from jobflow.testing.scenario import Scenario, scenario
from jobflow.testing.volcano import COMPLETES, FAILS, WALKS
from jobflow.testing.world import play

Body = dict[str, Any]
NAME = "f"
NAMED = {**WALKS, "completes-slowly": COMPLETES.slower(3), "fails-slowly": FAILS.slower(3)}
ENDS_WELL = ("completes", "completes-slowly")
ENDS_BADLY = ("fails", "fails-slowly", "terminates", "aborts")
GOOD, BAD = "Succeeded", "Failed"
EXAMPLES = int(os.environ.get("JOBFLOW_FLOWS", "20"))  # played for each property; more by hand


@dataclass(frozen=True)
class Case:
    """A flow, and how the Jobs of its steps fare, attempt by attempt."""

    steps: tuple[Body, ...]
    control: Body
    walks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def flow(self) -> FlowBuilder:
        return dataclasses.replace(flow(NAME), steps=self.steps).setting(**self.control).parameter("mode", "full")

    def is_valid(self) -> bool:
        return not self.flow().frozen().compiled.problems

    def scenario(self) -> Scenario:
        walks = {step: tuple(NAMED[word] for word in words) for step, words in self.walks.items()}
        return scenario(NAME, [self.flow()], walks=walks)


# Flows


def waits(targets: list[str]) -> st.SearchStrategy[Body]:
    """A dependsOn of some of these steps."""
    some = st.lists(st.sampled_from(targets), min_size=1, max_size=3, unique=True)
    strategy = st.sampled_from([{}, {"strategy": "Any"}, {"strategy": "All"}])
    plain = st.builds(lambda names, how: {"targets": names} | how, some, strategy)
    phase = st.sampled_from(["Succeeded", "Completed", "Failed", "Skipped", "Unreachable"])
    by_status = st.builds(
        lambda names, wanted: {"targetsWithStatus": [{"name": name, "phase": wanted} for name in names]}, some, phase
    )
    group = st.one_of(plain, by_status)
    either = st.builds(lambda base, groups: base | {"orGroups": groups}, plain, st.lists(group, min_size=1, max_size=2))
    return st.one_of(plain, plain, by_status, either, some.flatmap(_expressions))


def _expressions(names: list[str]) -> st.SearchStrategy[Body]:
    phases = st.lists(st.sampled_from([GOOD, BAD]), min_size=len(names), max_size=len(names))

    def text(wanted: list[str], word: str) -> Body:
        terms = [f"steps['{name}'].phase == '{phase}'" for name, phase in zip(names, wanted, strict=True)]
        return {"expression": f" {word} ".join(terms)}

    return st.builds(text, phases, st.sampled_from(["&&", "||"]))


CONDITIONS = st.sampled_from(
    [
        {"input": "$(params.mode)", "operator": "In", "values": ["full", "half"]},
        {"input": "$(params.mode)", "operator": "In", "values": ["quick"]},
        {"input": "$(params.mode)", "operator": "NotIn", "values": ["quick"]},
        {"cel": "params.mode == 'full'"},
        {"cel": "params.mode == 'quick'"},
    ]
)
RETRIES = st.builds(
    lambda limit, backoff: {"limit": limit} | backoff,
    st.integers(0, 2),
    st.sampled_from(
        [{}, {"backoff": {"duration": "3s", "factor": 2}}, {"backoff": {"duration": "1s", "jitter": "0.5"}}]
    ),
)


@st.composite
def steps(draw: st.DrawFn, prefix: str, most: int) -> tuple[Body, ...]:
    names = [f"{prefix}{number}" for number in range(draw(st.integers(1, most)))]
    made = []
    for place, name in enumerate(names):
        step: Body = {"name": name}
        if place and draw(st.integers(0, 3)):
            step["dependsOn"] = draw(waits(names[:place]))
        if not draw(st.integers(0, 3)):
            step["continueOnFail"] = True
        if not draw(st.integers(0, 2)):
            step["retry"] = draw(RETRIES)
        if not draw(st.integers(0, 3)):
            step["when"] = [draw(CONDITIONS)]
        made.append(step)
    return tuple(made)


@st.composite
def timeless(draw: st.DrawFn) -> Case:
    """Flows in which the order of events decides nothing: every step comes to its own end."""
    made = draw(steps("s", 5))
    last = draw(st.one_of(st.just(()), steps("x", 2)))
    control: Body = {"failurePolicy": "RunIndependent"} | ({"onExit": list(last)} if last else {})
    leading = st.lists(st.sampled_from([step["name"] for step in made]), min_size=1, max_size=2, unique=True)
    control |= draw(
        st.one_of(
            st.just({}),
            st.just({"successPolicy": {"type": "Any"}}),
            leading.map(lambda names: {"successPolicy": {"type": "Critical", "criticalFlows": names}}),
        )
    )
    walk = st.one_of(st.sampled_from(ENDS_WELL), st.sampled_from(ENDS_WELL), st.sampled_from(ENDS_BADLY))
    walks = {step["name"]: draw(st.tuples(walk, walk, walk)) for step in (*made, *last)}
    case = Case(made, control, walks)
    assume(case.is_valid())
    return case


@st.composite
def hurried(draw: st.DrawFn) -> Case:
    """Flows with deadlines and other ends; some Jobs neither start nor end by themselves."""
    drawn = draw(timeless())
    control = {name: value for name, value in drawn.control.items() if name != "failurePolicy"}
    control |= {"activeDeadlineSeconds": draw(st.sampled_from([12, 40]))}
    control |= draw(st.sampled_from([{}, {"failurePolicy": "FailFast"}, {"failurePolicy": "RunIndependent"}]))
    control |= draw(st.sampled_from([{}, {"ttlSecondsAfterFinished": 20}, {"jobRetainPolicy": "delete-always"}]))
    timed = st.sampled_from([{}, {"activeDeadlineSeconds": 5}, {"pendingDeadlineSeconds": 5}])
    walks = dict(drawn.walks)
    made = tuple(step | draw(timed) for step in drawn.steps)
    for step in made:
        endless = draw(st.sampled_from([None, None, "never-ends", "never-starts"]))
        walks[step["name"]] = (endless, *walks[step["name"]][1:]) if endless else walks[step["name"]]
    case = Case(made, control, walks)
    assume(case.is_valid())
    return case


# The reference


def expected(case: Case) -> tuple[str, dict[str, str]]:
    """The outcome, and where the main steps stand in the end."""
    ends: dict[str, str] = {}
    for step in case.steps:
        may = gate(step, ends, case)
        if may is not True:
            ends[step["name"]] = may
        elif not all(holds(condition) for condition in step.get("when", ())):
            ends[step["name"]] = "Skipped"
        else:
            tried = case.walks[step["name"]][: step.get("retry", {}).get("limit", 0) + 1]
            ends[step["name"]] = GOOD if any(walk in ENDS_WELL for walk in tried) else BAD
    return outcome(case, ends), ends


def gate(step: Body, ends: Mapping[str, str], case: Case) -> bool | str:
    """True, or where the step stands that can never start."""
    waits = step.get("dependsOn", {})
    if "expression" in waits:
        text = waits["expression"]
        terms = [ends[term.split("'")[1]] == term.split("'")[3] for term in text.replace("&&", "||").split("||")]
        return (all(terms) if "&&" in text else any(terms)) or "Unreachable"
    ways = [group(waits, ends, case), *(group(one, ends, case) for one in waits.get("orGroups", ()))]
    if True in ways:
        return True
    return "Unreachable" if "Unreachable" in ways else "Skipped"


def group(waits: Body, ends: Mapping[str, str], case: Case) -> bool | str:
    targets = [(ends[name], is_good(name, ends, case)) for name in waits.get("targets", ())]
    found: list[bool | str] = []
    if targets and waits.get("strategy") == "Any":
        fine = any(good for _, good in targets)
        found.append(fine or ("Skipped" if all(end == "Skipped" for end, _ in targets) else "Unreachable"))
    elif targets:
        lost = any(not good and end != "Skipped" for end, good in targets)
        found.append("Unreachable" if lost else "Skipped" if not any(good for _, good in targets) else True)
    for wanted in waits.get("targetsWithStatus", ()):
        well = wanted["phase"] in ("Succeeded", "Completed")
        held = is_good(wanted["name"], ends, case) if well else ends[wanted["name"]] == wanted["phase"]
        found.append(held or "Unreachable")
    return "Unreachable" if "Unreachable" in found else "Skipped" if "Skipped" in found else True


def holds(condition: Body) -> bool:
    if "cel" in condition:
        return "full" in condition["cel"]
    return ("full" in condition["values"]) is (condition["operator"] == "In")


def is_good(name: str, ends: Mapping[str, str], case: Case) -> bool:
    bears = any(step["name"] == name and step.get("continueOnFail") for step in case.steps)
    return ends[name] == GOOD or (ends[name] == BAD and bears)


def edges(step: Body) -> set[str]:
    waits = step.get("dependsOn", {})
    named = {name for one in (waits, *waits.get("orGroups", ())) for name in one.get("targets", ())}
    named |= {w["name"] for one in (waits, *waits.get("orGroups", ())) for w in one.get("targetsWithStatus", ())}
    return named | {term.split("'")[1] for term in waits.get("expression", "").replace("&&", "||").split("||") if term}


def outcome(case: Case, ends: Mapping[str, str]) -> str:
    """A failure counts where no step that names the failed one has run."""
    by_name = {step["name"]: edges(step) for step in case.steps}
    handled = {name for step, named in by_name.items() if ends[step] in (GOOD, BAD) for name in named}
    bad = {n for n in ends if ends[n] == BAD and not is_good(n, ends, case) and n not in handled}
    policy = case.control.get("successPolicy", {})
    match policy.get("type"):
        case "Any":
            leaves = ends.keys() - {name for named in by_name.values() for name in named}
            fine = any(is_good(name, ends, case) for name in leaves)
            return GOOD if fine or all(ends[name] == "Skipped" for name in leaves) else BAD
        case "Critical":
            lost = [n for n in policy["criticalFlows"] if n in bad or ends[n] == "Unreachable"]
            return BAD if lost else GOOD
    return BAD if bad else GOOD


# The promises

NO_FAULTS = Plan()


def played(case: Case, plan: Plan = NO_FAULTS, seed: int = 0) -> History:
    history = play(case.scenario(), plan, seed)
    return dataclasses.replace(history, expected={}, phases={})  # what oracles know otherwise is told by `expected`


def kept(history: History, reference: History | None = None) -> None:
    assert [str(violation) for violation in judge(history, reference)] == [], history.timeline()


def final(history: History) -> Body:
    return dict(history.objects()["JobFlow", "default", NAME]["status"])


QUICKLY = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICKLY
@given(timeless(), st.integers(0, 3))
def test_flows_end_as_their_fields_say(case: Case, seed: int) -> None:
    history = played(case, seed=seed)
    kept(history)
    told, wanted = final(history), expected(case)
    stands = {entry["name"]: entry["phase"] for entry in told["flowStatuses"] if entry["name"][0] == "s"}
    assert (told["outcome"], stands) == wanted, history.timeline()


CRASHES: tuple[Callable[[int], Any], ...] = (CrashBefore, CrashAfter)


@QUICKLY
@given(timeless(), st.data())
def test_a_crash_changes_nothing(case: Case, data: st.DataObject) -> None:
    undisturbed = played(case)
    writes = st.integers(1, undisturbed.reach.writes).flatmap(
        lambda write: st.sampled_from([crash(write) for crash in CRASHES])
    )
    crash = data.draw(st.one_of(writes, st.sampled_from(undisturbed.reach.turns).map(CrashAtAwait)))
    history = played(case, Plan((crash,)))
    kept(history, undisturbed)
    stands, wanted = ({e["name"]: e["phase"] for e in final(told)["flowStatuses"]} for told in (history, undisturbed))
    assert stands == wanted


@QUICKLY
@given(hurried(), st.integers(0, 3), st.integers(0, 40))
def test_time_ends_what_does_not_end_by_itself(case: Case, seed: int, write: int) -> None:
    kept(played(case, Plan((CrashAfter(write),)) if write else Plan(), seed))
