"""Scenarios: the flows that every sweep plays, one for each way a flow can go.

In: nothing. Out: STANDARD, Scenarios by name; what a scenario is, is in `scenario.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from jobflow.api.status import Outcome
from jobflow.testing.builders import FlowBuilder, flow, template
from jobflow.testing.control_scenarios import CONTROL
from jobflow.testing.scenario import Scenario, scenario, written
from jobflow.testing.volcano import ABORTS, COMPLETES, FAILS, IS_COMPLETED, RESTARTS, SERVES, TERMINATES, TRICKLES

__all__ = ["STANDARD", "Scenario", "scenario", "written"]

TTL_SECONDS = 20  # shorter than the flow: the first Job goes while the last one runs
SLOWLY = 3.0  # a Job that takes so many times longer than its siblings


def _chain(name: str, namespace: str = "default") -> FlowBuilder:
    return flow(name, namespace).step("a").step("b", after="a").step("c", after="b")


def _diamond(name: str) -> FlowBuilder:
    sides = flow(name).step("a").step("b", after="a").step("c", after="a").step("d", after="a")
    return sides.step("e", after=("b", "c", "d"))


def _two(name: str) -> FlowBuilder:
    return flow(name).step("a").step("b", after="a")


_CHAIN = scenario("chain", [_chain("chain")])
_DIAMOND = scenario("diamond", [_diamond("diamond")], walks={"c": COMPLETES.slower(SLOWLY), "d": TRICKLES})
_RETAIN = scenario("retain", [_two("retain").policy("retain")], walks={"a": RESTARTS, "b": IS_COMPLETED})
_DELETE = scenario("delete", [_two("delete").step("c", after="a").policy("delete")])
_FAILING = scenario(
    "failing",
    [
        flow("failing")
        .step("a")
        .step("b", after="a")
        .step("c", after="a")
        .step("d", after=("b", "c"))
        .step("e", after="c")
    ],
    walks={"b": FAILS, "c": COMPLETES.slower(SLOWLY)},
    expected={"failing": Outcome.FAILED},
)
_TTL = scenario(
    "ttl",
    [_chain("ttl")],
    [template(step).task("main").ttl(TTL_SECONDS) for step in ("a", "b", "c")],
    walks={"c": COMPLETES.slower(SLOWLY)},
)
_STOPPED = scenario(
    "stopped",
    [_two("aborted"), _two("terminated")],
    walks={"aborted-a": ABORTS, "terminated-a": TERMINATES},
    expected={"aborted": Outcome.FAILED, "terminated": Outcome.FAILED},
)
_PROBED = scenario(
    "probed",
    [
        flow("probed")
        .step("server")
        .step("client")
        .having(
            dependsOn={
                "targets": ["server"],
                "waitFor": "Running",
                "probe": {"taskStatusCount": {"taskName": "main", "count": 2, "status": "Running"}},
            }
        )
    ],
    walks={"server": SERVES},
)
_NEIGHBOURS = scenario("neighbours", [_chain("here", "team-a"), _chain("there", "team-b")])

# The first six are the standard flows; then two for what needs more than one flow, and one whose step starts beside
# its target; last those that branch, try again, run out of time and clean up.
STANDARD: Mapping[str, Scenario] = {
    **{one.name: one for one in (_CHAIN, _DIAMOND, _RETAIN, _DELETE, _FAILING, _TTL, _STOPPED, _NEIGHBOURS, _PROBED)},
    **CONTROL,
}
