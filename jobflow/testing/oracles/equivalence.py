"""Equivalence: what a disturbed run leaves is what the undisturbed run leaves.

In: a history and its undisturbed reference. Out: flows whose final status tells something else, Jobs that are there
and should not be, or the reverse. Compared is what users and tools decide on: phase, reason and outcome, progress,
each step's phase, reason, Job and attempt, which list names which Job, which Jobs there were and how they ended. Not
compared, because the world really differed:

- UIDs, versions and times, everywhere;
- what was seen on the way (`runningHistories`, pod counts, `podFailureRatio`, `runningDuration`): a watch that was cut
  or a controller that was down did not see it, and Volcano zeroes its counts after the end;
- `recreations`, where a child was deleted by a stranger, and whether that child is there;
- in a flow that fails, the steps beside the failed one: whether they had begun by then, or had ended before they were
  ended, is a race, which a fault may turn either way;
- in a flow that has a time to end by, everything but how it ends: a fault takes of that time;
- whether a Job that was ended is there: it was deleted, where its Command was refused;
- anything, where the create of a Job was refused as invalid: its step fails, rightly; or where another flow was made
  under the name.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from jobflow.testing.faults import DeleteFlow, ForegroundDelete, HeldDelete, RemakeFlow, StrangerDeletes
from jobflow.testing.history import Body, History
from jobflow.testing.oracles.asked import flow_seconds
from jobflow.testing.oracles.liveness import last_states, refused_as_invalid
from jobflow.testing.oracles.reading import (
    JOB,
    LISTS,
    faults,
    job_phase,
    last_moment,
    records,
    status_of,
    targets,
)
from jobflow.testing.oracles.verdict import Violation

REFUSED = frozenset({400, 403, 404, 413, 422})  # a Command: its Job is deleted in its stead


def same_end(history: History, reference: History | None = None) -> list[Violation]:
    """The final status of each flow equals the undisturbed run's, modulo what the faults explain."""
    if reference is None or refused_as_invalid(history) or _is_another(history):
        return []
    deleted = {fault.child for fault in faults(history) if isinstance(fault, StrangerDeletes)}
    undisturbed = {flow["metadata"]["name"]: flow for flow in last_states(reference)}
    found = []
    for flow in last_states(history):
        name = flow["metadata"]["name"]
        if name not in undisturbed:
            continue
        beside = _beside(undisturbed[name])
        wanted = _essence(undisturbed[name], beside, deleted)
        for field, value in _essence(flow, beside, deleted).items():
            if wanted[field] != value:
                text = f"JobFlow {name}: {field} is {value}, undisturbed {wanted[field]}"
                found.append(Violation("same end", last_moment(history), text))
    return found


def same_children(history: History, reference: History | None = None) -> list[Violation]:
    """The Jobs that are left are those that the undisturbed run leaves, each in the phase that it has there."""
    plan = faults(history)
    if reference is None or refused_as_invalid(history) or _is_another(history):
        return []
    if any(isinstance(fault, DeleteFlow | ForegroundDelete | HeldDelete) for fault in plan):
        return []  # a flow that its user deleted went with its children
    spared = {fault.child for fault in plan if isinstance(fault, StrangerDeletes)}
    spared |= _deleted_to_end_them(history)
    for flow in last_states(reference):
        spared |= _jobs_of(flow, _beside(flow))
    wanted, left = _jobs(reference), _jobs(history)
    return [
        Violation(
            "same children", last_moment(history), f"Job {name} is {left.get(name)}, should be {wanted.get(name)}"
        )
        for name in sorted((wanted.keys() | left.keys()) - spared)
        if wanted.get(name) != left.get(name)
    ]


def _deleted_to_end_them(history: History) -> set[str]:
    """Jobs whose Command was refused, so that they had to be deleted."""
    refused = (call for call in history.calls if call.path.endswith("/commands") and call.status in REFUSED)
    return {str(((call.body or {}).get("target") or {}).get("name")) for call in refused}


def _is_another(history: History) -> bool:
    """Another flow was made under the name of the first."""
    return any(isinstance(fault, RemakeFlow) for fault in faults(history))


def _beside(flow: Body) -> Set[str]:
    """Of a flow with a failed step, the steps that neither failed nor led to a failure; of any other flow none.

    Of a flow with a deadline all.
    """
    entries, steps = records(flow), targets(flow)
    if flow_seconds(flow) is not None:
        return entries.keys()
    open_ = [
        name for name, entry in entries.items() if entry["phase"] == "Failed" and entry.get("reason") != "FailFast"
    ]
    if not open_:
        return set()
    led = set()
    while open_:
        name = open_.pop()
        if name not in led:
            led.add(name)
            open_ += steps.get(name, ())
    return entries.keys() - led


def _jobs_of(flow: Body, steps: Set[str]) -> set[str]:
    name = flow["metadata"]["name"]
    return {records(flow)[step].get("jobName") or f"{name}-{step}" for step in steps}


def _essence(flow: Body, beside: Set[str], deleted: Set[str]) -> dict[str, Any]:
    """What is compared of a flow's status, without the steps `beside`."""
    status, left_out = status_of(flow), _jobs_of(flow, beside & records(flow).keys())
    state = status.get("state") or {}
    entries = [entry for name, entry in records(flow).items() if name not in beside]
    jobs = [entry for entry in status.get("jobStatusList") or () if entry["name"] not in left_out]
    conditions = status.get("conditions") or {}
    whole = {name: status.get(name) for name in ("progress", "nextFlows")} if not beside else {}
    return {
        "phase": (state.get("phase"), state.get("reason")),
        "outcome": status.get("outcome"),
        "complete": "completionTime" in status,
        "generation": status.get("observedGeneration"),
        "specHash": status.get("specHash"),
        "steps": [(e["name"], e["phase"], e.get("reason"), e.get("jobName"), e.get("attempt", 0)) for e in entries],
        "recreations": [entry.get("recreations", 0) for entry in entries if not _names(entry) & deleted],
        "jobs": [(entry["name"], entry.get("state")) for entry in jobs],
        "conditions": {name: conditions[name].get("phase") for name in sorted(conditions) if name not in left_out},
        **{which: [name for name in status.get(which) or () if name not in left_out] for which in LISTS},
        **whole,
    }


def _names(entry: Body) -> set[str]:
    """Names of the Jobs that the step has had."""
    told = (entry, *(entry.get("attempts") or ()))
    return {str(one["jobName"]) for one in told if one.get("jobName")}


def _jobs(history: History) -> dict[str, str]:
    """The phases of the Jobs that were there when the world had come to rest."""
    return {name: job_phase(body) for (kind, _, name), body in history.objects().items() if kind == JOB}
