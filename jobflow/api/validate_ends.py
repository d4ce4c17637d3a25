"""Rules of how a flow ends: its success policy, and which steps may wait for which.

In: a parsed spec. Out: Problems: critical steps that are missing, unknown, named twice, or whose failure would count as
success; steps of `flows` and of `onExit` that wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jobflow.api.ends import SuccessType
from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.problems import Problem, suggestion_or_list

POLICY = "spec.successPolicy"
CRITICAL = f"{POLICY}.criticalFlows"
ON_EXIT = "spec.onExit"


def end_problems(spec: JobFlowSpec) -> Iterator[Problem]:
    """What is wrong with the success policy of a flow."""
    policy = spec.success_policy
    if policy is None:
        return
    if policy.kind is not SuccessType.CRITICAL:
        if policy.critical_flows:
            said = f"with type {policy.kind} no step is critical; set type: Critical, or take criticalFlows away"
            yield Problem.plain(CRITICAL, said)
        return
    if not policy.critical_flows:
        said = "with type Critical the steps that have to succeed are named here; name at least one"
        yield Problem.plain(CRITICAL if policy.critical_flows is not None else POLICY, said)
    steps = {step.name: (f"spec.flows[{index}]", step) for index, step in enumerate(spec.flows)}
    first: dict[str, int] = {}
    for index, name in enumerate(policy.critical_flows or ()):
        path = f"{CRITICAL}[{index}]"
        if first.setdefault(name, index) != index:
            yield Problem(path, f'"{name}" is already named at {CRITICAL}[{first[name]}]; take one of them away')
        elif name not in steps:
            yield Problem(path, _unknown(name, steps, {step.name for step in spec.on_exit or ()}))
        elif steps[name][1].continue_on_fail:
            at = f"{steps[name][0]}.continueOnFail"
            said = f'the failure of "{name}" counts as success ({at}), so it cannot be critical; take one of them away'
            yield Problem(path, said)


def misplaced(name: str, of_exit: bool, places: Mapping[str, str]) -> str:
    """Why a step may not wait for `name`, where that is a step on the other side of the flow's end; else nothing.

    `places` are the paths of the steps by name.
    """
    place = places.get(name, "")
    if not place or place.startswith(ON_EXIT) == of_exit:
        return ""
    if of_exit:
        return (
            f'"{name}" is a step of spec.flows, and the steps of onExit start when all of those have ended; take it '
            "away; $(context.phase) tells how the flow ended"
        )
    return f'"{name}" is a step of onExit, which runs when the flow has ended; so this step would never start'


def _unknown(name: str, steps: Mapping[str, object], of_exit: set[str]) -> str:
    if name in of_exit:
        return f'"{name}" is a step of onExit, which has no say in how the flow ends; name a step of spec.flows'
    return f'"{name}" is not a step of this flow{suggestion_or_list(name, steps, "the steps are")}'
