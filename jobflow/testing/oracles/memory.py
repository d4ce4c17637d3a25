"""Safety of statuses: what the controller writes down, which is all that it will remember.

In: a history. Out: every committed status that forgets, contradicts itself or the Jobs, or does not fit its schema.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

from jobflow.api.crd import job_flow_crd, job_template_crd
from jobflow.local.apiserver.schema.structural import StructuralSchema
from jobflow.testing.history import Body, Commit, History
from jobflow.testing.oracles.asked import is_plain
from jobflow.testing.oracles.reading import (
    ENDING,
    FINAL,
    FLOW,
    LISTS,
    SETTLED,
    TEMPLATE,
    Node,
    World,
    by_controller,
    creates,
    flow_phase,
    records,
    replay,
    status_of,
    uid_of,
)
from jobflow.testing.oracles.verdict import Violation

LISTED_AS = {"Succeeded": ("completedJobs",), "Failed": ("failedJobs", "terminatedJobs")}
NEVER_CREATED = frozenset(
    {"ChildInvalid", "ExpressionError", "NameTooLong"}
)  # reasons of a step that failed without a Job


def phase_is_final(history: History, _: History | None = None) -> list[Violation]:
    """`status.state` never changes once it is Succeed or Failed, nor does `outcome`, nor `completionTime`."""
    found = []
    for commit, before, after, _world in _statuses(history):
        was, now = flow_phase({"status": before}), flow_phase({"status": after})
        if was in FINAL and before["state"] != after.get("state"):
            told = f"{was} became {now or 'empty'}" if now != was else f"{before['state']} became {after['state']}"
            found.append(Violation("phase is final", commit.at, f"JobFlow {commit.name}: {told}"))
        found += [
            Violation(
                "phase is final", commit.at, f"JobFlow {commit.name}: {name} was {before[name]}, is {after.get(name)}"
            )
            for name in ("outcome", "completionTime")
            if name in before and after.get(name) != before[name]
        ]
    return found


def memory_is_kept(history: History, _: History | None = None) -> list[Violation]:
    """A settled step stays settled as it was; no entry of a child, vanished or not, is ever dropped."""
    return [
        Violation("memory is kept", commit.at, f"JobFlow {commit.name}: {text}")
        for commit, before, after, _world in _statuses(history)
        for text in _forgotten(before, after)
    ]


def children_in_one_list(history: History, _: History | None = None) -> list[Violation]:
    """Each child that the status tells of is in exactly one of upstream's lists, and nothing else is."""
    return [
        Violation("children in one list", commit.at, f"JobFlow {commit.name}: {text}")
        for commit, _before, after, _world in _statuses(history)
        for text in _misplaced(after)
    ]


def results_are_true(history: History, _: History | None = None) -> list[Violation]:
    """A step is committed Succeeded or Failed only after a Job of it ended so; Succeed only when all succeeded.

    Or were skipped; where the spec asks for less than that, `outcome is expected` judges. A Job that was deleted in
    order to end it has no result of its own.
    """
    found = []
    for commit, before, after, world in _statuses(history):
        flow_uid = uid_of(commit.after or {})
        told = records({"status": before})
        for step, entry in records({"status": after}).items():
            if told.get(step, {}).get("phase") in SETTLED:
                continue
            if text := _untrue(entry, world, Node(flow_uid, step, "")):
                found.append(Violation("results are true", commit.at, f"JobFlow {commit.name}, step {step}: {text}"))
        phases = {entry.get("phase") for entry in records({"status": after}).values()}
        plain = is_plain(commit.after or {})
        if flow_phase({"status": after}) == "Succeed" and plain and phases - {"Succeeded", "Skipped"}:
            found.append(Violation("results are true", commit.at, f"JobFlow {commit.name}: Succeed with {phases}"))
    return found


def complete_means_at_rest(history: History, _: History | None = None) -> list[Violation]:
    """`completionTime` is set once the phase is final and no Job of the flow is live."""
    found = []
    for commit, before, after, world in _statuses(history):
        if "completionTime" not in after or "completionTime" in before:
            continue
        if flow_phase({"status": after}) not in FINAL:
            found.append(Violation("complete means at rest", commit.at, f"JobFlow {commit.name} has no final phase"))
        found += [
            Violation("complete means at rest", commit.at, f"JobFlow {commit.name} is complete, Job {life.name} lives")
            for life in world.of_flow(uid_of(commit.after or {}))
            if life.live
        ]
    return found


def statuses_fit(history: History, _: History | None = None) -> list[Violation]:
    """Statuses fit the CRD's schema: no unknown field, no null for an absent time, nothing of another type."""
    found = []
    for commit in history.commits:
        if commit.kind in (FLOW, TEMPLATE) and by_controller(commit) and commit.after is not None:
            body = copy.deepcopy(dict(commit.after))
            found += [
                Violation("statuses fit", commit.at, f"{commit.kind} {commit.name}: {e}")
                for e in _misfits(commit.kind, body)
            ]
    for call in history.calls:
        status = (call.body or {}).get("status") if call.path.endswith("/status") else None
        if status is not None:
            kind = FLOW if "/jobflows/" in call.path else TEMPLATE
            body = copy.deepcopy({"status": status})
            found += [
                Violation("statuses fit", call.at, f"{call.path}: {path} is null") for path in nulls(status, "status")
            ]
            found += [
                Violation("statuses fit", call.at, f"{call.path}: unknown field {path}")
                for path in _schema(kind).prune(body)
            ]
    return found


def nulls(value: Any, path: str) -> Iterator[str]:
    """Paths of nulls in a JSON value."""
    if value is None:
        yield path
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from nulls(below, f"{path}.{name}")
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from nulls(below, f"{path}[{index}]")


@cache
def _schema(kind: str) -> StructuralSchema:
    """The schema that the API server has for the kind; read once, as a server does."""
    crd = job_flow_crd() if kind == FLOW else job_template_crd()
    return StructuralSchema(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def _misfits(kind: str, body: dict[str, Any]) -> Iterator[str]:
    schema = _schema(kind)
    yield from (f"{path} is null" for path in nulls(body.get("status"), "status") if path != "status")
    yield from map(str, schema.validate(body))
    yield from (f"unknown field {path}" for path in schema.prune(body))


def _statuses(history: History) -> Iterator[tuple[Commit, Body, Body, World]]:
    """Each commit of a flow that existed before: its status before and after, and the world before."""
    for commit, world in replay(history):
        if commit.kind == FLOW and commit.after is not None and not creates(commit):
            before, after = status_of(commit.before), status_of(commit.after)
            if before != after:
                yield commit, before, after, world


def _forgotten(before: Body, after: Body) -> Iterator[str]:
    now = records({"status": after})
    superseded = {told.get("jobName") for entry in now.values() for told in entry.get("attempts") or ()}
    for step, was in records({"status": before}).items():
        entry = now.get(step)
        if entry is None:
            yield f"the entry of step {step} is gone"
        elif was.get("phase") in SETTLED and entry != was:
            yield f"step {step} was settled as {was}, is now {entry}"
        elif was.get("jobName") not in (None, entry.get("jobName"), *superseded):
            yield f"step {step} had Job {was['jobName']}, is now told to have {entry.get('jobName') or 'none'}"
        elif entry.get("recreations", 0) < was.get("recreations", 0) and entry.get("attempt") == was.get("attempt"):
            yield f"step {step} counts fewer recreations than before"
    kept = {entry["name"] for entry in after.get("jobStatusList") or ()}
    yield from (
        f"jobStatusList forgot {entry['name']}"
        for entry in before.get("jobStatusList") or ()
        if entry["name"] not in kept | superseded
    )
    yield from (
        f"conditions forgot {name}"
        for name in before.get("conditions") or {}
        if name not in (after.get("conditions") or {}) and name not in superseded
    )


def _misplaced(status: Body) -> Iterator[str]:
    places = {name: [which for which in LISTS if name in (status.get(which) or ())] for name in _listed(status)}
    yield from (f"Job {name} is listed {count} times" for name, count in _listed(status).items() if count > 1)
    carried = [_carried(entry) for entry in records({"status": status}).values()]
    known = {entry["jobName"]: entry for entry in carried if entry.get("jobName")}
    yield from (f"Job {name} is listed and no step has it" for name in places if name not in known)
    entries = {entry["name"] for entry in status.get("jobStatusList") or ()}
    for name, entry in known.items():
        if name not in places:
            yield f"Job {name} of step {entry['name']} is in no list"
        elif entry["phase"] in LISTED_AS and places[name][0] not in LISTED_AS[entry["phase"]]:
            yield f"step {entry['name']} is {entry['phase']}, its Job {name} is in {places[name][0]}"
        if name not in entries:
            yield f"Job {name} of step {entry['name']} is not in jobStatusList"
        if name not in (status.get("conditions") or {}):
            yield f"Job {name} of step {entry['name']} has no condition"


def _carried(entry: Body) -> Body:
    """The step with the Job that stands for it: while it waits for its next attempt, that of the last one."""
    if entry.get("jobName") or not entry.get("attempts"):
        return entry
    return {"name": entry["name"], "phase": "Failed", "jobName": entry["attempts"][-1].get("jobName")}


def _listed(status: Body) -> Counter[str]:
    return Counter(name for which in LISTS for name in status.get(which) or ())


def _untrue(entry: Body, world: World, node: Node) -> str:
    results = {life.result for life in world.of_node(node) if life.result}
    results |= {"deleted" for life in world.of_node(node) if life.removed and entry.get("reason") in ENDING}
    match entry.get("phase"):
        case "Succeeded" if "Completed" not in results:
            return f"Succeeded, and its Jobs ended as {sorted(results) or 'none'}"
        case "Failed" if not results - {"Completed"} and entry.get("reason") not in NEVER_CREATED:
            return f"Failed ({entry.get('reason')}), and its Jobs ended as {sorted(results) or 'none'}"
    return ""
