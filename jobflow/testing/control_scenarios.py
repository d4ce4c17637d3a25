"""Control scenarios: flows that branch, try again, run out of time, and clean up after themselves.

In: nothing. Out: CONTROL, Scenarios by name, one for each field that decides what a flow does next. Each is small, for
a sweep plays every fault in each. In all of them the last step of `flows` is one that nothing waits for and that does
not decide the outcome, so that a flow which is made again without it ends as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobflow.api.status import Outcome
from jobflow.testing.builders import FlowBuilder, flow
from jobflow.testing.scenario import Scenario, scenario
from jobflow.testing.volcano import COMPLETES, FAILS, NEVER_ENDS, NEVER_STARTS, SERVES

SLOWLY = 3.0  # a Job that takes so many times longer than its siblings
VERY_SLOWLY = 8.0
FLOW_SECONDS = 60  # a flow's deadline; a process that begins to count anew when it starts is seen to be late
STEP_SECONDS = 20
PENDING_SECONDS = 15
TTL_SECONDS = 30
BACKOFF_SECONDS = 5

FAILED, SUCCEEDED, SKIPPED, UNREACHABLE = "Failed", "Succeeded", "Skipped", "Unreachable"
AGAIN: Mapping[str, Any] = {"limit": 2, "backoff": {"duration": f"{BACKOFF_SECONDS}s", "factor": 2}}

PATIENT: Mapping[str, Any] = {"limit": 2, "backoff": {"duration": "50m"}}


def _if(given: str, *values: str) -> dict[str, Any]:
    return {"when": [{"input": given, "operator": "In", "values": list(values)}]}


def _pair(name: str) -> FlowBuilder:
    return flow(name).step("a").step("b")


_ANY = scenario(
    "any",
    [_pair("any").step("c", after=("a", "b"), strategy="Any").step("d", after="c")],
    walks={"a": FAILS, "b": COMPLETES.slower(SLOWLY)},
    phases={"any": {"a": FAILED, "b": SUCCEEDED, "c": SUCCEEDED, "d": SUCCEEDED}},
)
_BY_STATUS = scenario(
    "by-status",
    [
        flow("by-status")
        .step("a")
        .step("rescue", targetsWithStatus=[{"name": "a", "phase": "Failed"}])
        .step("celebrate", targetsWithStatus=[{"name": "a", "phase": "Succeeded"}])
    ],
    walks={"a": FAILS},
    phases={"by-status": {"a": FAILED, "rescue": SUCCEEDED, "celebrate": UNREACHABLE}},
)
_OR_GROUPS = scenario(
    "or-groups",
    [_pair("or-groups").step("c", after="a", orGroups=[{"targets": ["b"]}]).step("d", after="c")],
    walks={"a": FAILS, "b": COMPLETES.slower(SLOWLY)},
    phases={"or-groups": {"a": FAILED, "c": SUCCEEDED, "d": SUCCEEDED}},
)
_EXPRESSION = scenario(
    "expression",
    [
        _pair("expression")
        .step("c", expression="steps['a'].phase == 'Failed' && steps['b'].phase == 'Succeeded'")
        .step("d", after="c")
    ],
    walks={"a": FAILS, "b": COMPLETES.slower(SLOWLY)},
    phases={"expression": {"c": SUCCEEDED, "d": SUCCEEDED}},
)
_WHEN = scenario(
    "when",
    [
        flow("when")
        .parameter("mode", "full")
        .step("a")
        .step("full", after="a")
        .having(**_if("$(params.mode)", "full"))
        .step("quick", after="a")
        .having(**_if("$(params.mode)", "quick"))
        .step("join", after=("full", "quick"))
        .step("after-quick", after="quick")
    ],
    phases={"when": {"full": SUCCEEDED, "quick": SKIPPED, "join": SUCCEEDED, "after-quick": SKIPPED}},
)
_SWITCH = scenario(
    "switch",
    [
        flow("switch")
        .parameter("mode", "nightly")
        .step("a")
        .step("hourly", after="a")
        .step("nightly", after="a")
        .step("other", after="a")
        .step("join", after=("hourly", "nightly", "other"))
        .setting(
            switch=[
                {
                    "input": "$(params.mode)",
                    "cases": [
                        {"values": ["hourly"], "flows": ["hourly"]},
                        {"values": ["nightly", "weekly"], "flows": ["nightly"]},
                    ],
                    "default": ["other"],
                }
            ]
        )
    ],
    phases={"switch": {"hourly": SKIPPED, "nightly": SUCCEEDED, "other": SKIPPED, "join": SUCCEEDED}},
)
_RETRY = scenario(
    "retry",
    [flow("retry").step("a").having(retry=AGAIN).step("b", after="a")],
    walks={"a": (FAILS, COMPLETES)},
    phases={"retry": {"a": SUCCEEDED, "b": SUCCEEDED}},
)
_EXHAUSTED = scenario(
    "exhausted",
    [flow("exhausted").step("a").having(retry=AGAIN).step("b", after="a")],
    walks={"a": FAILS},
    expected={"exhausted": Outcome.FAILED},
    phases={"exhausted": {"a": FAILED, "b": UNREACHABLE}},
)
_GIVEN_UP = scenario(
    "given-up",
    [
        flow("given-up")
        .step("b")
        .having(retry=PATIENT)
        .step("a", targetsWithStatus=[{"name": "b", "phase": "Pending"}])  # fails while b is between two attempts
        .step("c", after="a")
    ],
    walks={"a": FAILS.slower(SLOWLY), "b": FAILS},
    expected={"given-up": Outcome.FAILED},
    phases={"given-up": {"a": FAILED, "b": FAILED, "c": UNREACHABLE}},
)
_RETRIED_RESCUE = scenario(
    "retried-rescue",
    [
        flow("retried-rescue")
        .step("a")
        .having(retry={"limit": 1})
        .step("rescue", targetsWithStatus=[{"name": "a", "phase": "Failed"}])
        .step("b", after="a", strategy="Any")
    ],
    walks={"a": (FAILS, COMPLETES)},
    phases={"retried-rescue": {"a": SUCCEEDED, "rescue": UNREACHABLE, "b": SUCCEEDED}},
)
_DEADLINE = scenario(
    "deadline",
    [
        flow("deadline")
        .step("a")
        .step("b", after="a")
        .step("c", after="b")
        .setting(activeDeadlineSeconds=FLOW_SECONDS, onExit=[{"name": "notify"}])
    ],
    walks={"a": COMPLETES.slower(VERY_SLOWLY), "b": NEVER_ENDS},
    expected={"deadline": Outcome.FAILED},
    phases={"deadline": {"notify": SUCCEEDED}},
)
_UNCOMMANDED = scenario(
    "uncommanded",
    [flow("uncommanded").step("a").step("b", after="a").setting(activeDeadlineSeconds=FLOW_SECONDS)],
    walks={"a": NEVER_ENDS},
    expected={"uncommanded": Outcome.FAILED},
    commands=False,
)
_STEP_DEADLINE = scenario(
    "step-deadline",
    [
        flow("step-deadline")
        .step("a")
        .having(activeDeadlineSeconds=STEP_SECONDS, retry={"limit": 1})
        .step("b", after="a")
    ],
    walks={"a": (NEVER_ENDS, COMPLETES)},
    phases={"step-deadline": {"a": SUCCEEDED, "b": SUCCEEDED}},
)
_PENDING = scenario(
    "pending",
    [flow("pending").step("a").having(pendingDeadlineSeconds=PENDING_SECONDS).step("b", after="a")],
    walks={"a": NEVER_STARTS},
    expected={"pending": Outcome.FAILED},
    phases={"pending": {"a": FAILED, "b": UNREACHABLE}},
)
_CONTINUE = scenario(
    "continue",
    [flow("continue").step("a").having(continueOnFail=True).step("b", after="a")],
    walks={"a": FAILS},
    phases={"continue": {"a": FAILED, "b": SUCCEEDED}},
)
_ANY_SUCCESS = scenario(
    "any-success",
    [_pair("any-success").step("c", after="a").setting(successPolicy={"type": "Any"})],
    walks={"a": FAILS, "b": COMPLETES.slower(SLOWLY)},
    phases={"any-success": {"a": FAILED, "b": SUCCEEDED, "c": UNREACHABLE}},
)
_CRITICAL = scenario(
    "critical",
    [_pair("critical").step("c", after="b").setting(successPolicy={"type": "Critical", "criticalFlows": ["a"]})],
    walks={"a": COMPLETES.slower(SLOWLY), "b": FAILS},
    phases={"critical": {"a": SUCCEEDED, "b": FAILED, "c": UNREACHABLE}},
)
_FAIL_FAST = scenario(
    "fail-fast",
    [_pair("fail-fast").step("c", after="b").setting(failurePolicy="FailFast")],
    walks={"a": FAILS.slower(SLOWLY), "b": SERVES},
    expected={"fail-fast": Outcome.FAILED},
    phases={"fail-fast": {"a": FAILED, "c": UNREACHABLE}},
)
_INDEPENDENT = scenario(
    "independent",
    [_pair("independent").step("c", after="b").step("d", after="a").setting(failurePolicy="RunIndependent")],
    walks={"a": FAILS, "b": COMPLETES.slower(SLOWLY)},
    expected={"independent": Outcome.FAILED},
    phases={"independent": {"a": FAILED, "b": SUCCEEDED, "c": SUCCEEDED, "d": UNREACHABLE}},
)
_ON_EXIT = scenario(
    "on-exit",
    [
        flow("on-exit")
        .step("a")
        .step("b", after="a")
        .setting(onExit=[{"name": "notify"}, {"name": "tidy", "dependsOn": {"targets": ["notify"]}}])
        .policy("delete")
    ],
    phases={"on-exit": {"a": SUCCEEDED, "b": SUCCEEDED, "notify": SUCCEEDED, "tidy": SUCCEEDED}},
)
_ON_EXIT_FAILED = scenario(
    "on-exit-failed",
    [
        _pair("on-exit-failed")
        .step("c", after="b")
        .setting(
            onExit=[
                {"name": "report", **_if("$(context.phase)", "Failed")},
                {"name": "praise", **_if("$(context.phase)", "Succeeded")},
            ]
        )
    ],
    walks={"a": FAILS, "b": COMPLETES.slower(SLOWLY), "report": FAILS},
    expected={"on-exit-failed": Outcome.FAILED},
    phases={"on-exit-failed": {"a": FAILED, "report": FAILED, "praise": SKIPPED}},
)
_FLOW_TTL = scenario(
    "flow-ttl",
    [flow("flow-ttl").step("a").step("b", after="a").setting(ttlSecondsAfterFinished=TTL_SECONDS)],
)

CONTROL: Mapping[str, Scenario] = {
    one.name: one
    for one in (
        _ANY,
        _BY_STATUS,
        _OR_GROUPS,
        _EXPRESSION,
        _WHEN,
        _SWITCH,
        _RETRY,
        _EXHAUSTED,
        _GIVEN_UP,
        _RETRIED_RESCUE,
        _DEADLINE,
        _UNCOMMANDED,
        _STEP_DEADLINE,
        _PENDING,
        _CONTINUE,
        _ANY_SUCCESS,
        _CRITICAL,
        _FAIL_FAST,
        _INDEPENDENT,
        _ON_EXIT,
        _ON_EXIT_FAILED,
        _FLOW_TTL,
    )
}
