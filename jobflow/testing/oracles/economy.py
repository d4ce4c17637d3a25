"""Economy: what a flow may cost the API server, and the controller.

In: a history. Out: flows that cost more writes, more Events or more passes than their steps and faults explain.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from jobflow.testing.history import Body, History
from jobflow.testing.oracles.asked import exits
from jobflow.testing.oracles.reading import (
    COMMAND,
    ENDING,
    EVENT,
    FLOW,
    JOB,
    TEMPLATE,
    by_controller,
    creates,
    faults,
    last_moment,
    node_of,
    records,
    taken_down,
    targets,
    uid_of,
    whole,
)
from jobflow.testing.oracles.verdict import Violation

WRITES_PER_STEP = 3  # the create; "it runs"; its end, which tells the next one's create, too
WRITES_PER_FLOW = 2  # the first status and the last
WRITES_PER_ENDING = 1  # why a Job is ended, before it is
WRITES_BEFORE_EXIT = 1  # the outcome, before the onExit steps start
SECONDS_PER_WRITE = 10.0  # counts of pods are told so often
# A fault can cost a flow one more child (created again, begun, ended: 3), one status that tells of the trouble, and one
# that takes it back.
WRITES_PER_FAULT = 5
EVENTS_PER_FLOW = 2  # the end, and one for company
EVENTS_PER_ATTEMPT = 2  # "Created", and why there is another one
EVENTS_PER_ENDING = 2  # why it is to end, and what was done about it
EVENTS_BEFORE_EXIT = 1
EVENTS_PER_FAULT = 2  # the trouble, and "Created" or "Recreated" once more
PASSES_PER_CHANGE = 2  # the flow of a changed object, and its template or one more look when company was waited for
PASSES_PER_FLOW = 10
# A fault can make every key due again (a list), and fail one call over and over: doubling from 0.1 s to 60 s, then
# once a minute.
PASSES_PER_FAULT = 20
SECONDS_PER_PASS = 60.0


def writes_are_few(history: History, _: History | None = None) -> list[Violation]:
    """Creates and status writes of a flow: at most 3 a step, 2 more, one for 10 s of run time, 5 for each fault.

    Each further attempt counts as a step; one more is due for each Job that is ended, and for the outcome where there
    is an onExit.
    """
    spent: Counter[str] = Counter()
    for commit in history.commits:
        if by_controller(commit) and commit.after is not None:
            if commit.kind == JOB and creates(commit) and (node := node_of(commit.after)):
                spent[node.flow_uid] += 1
            elif commit.kind == FLOW:
                spent[uid_of(commit.after)] += 1
    found = []
    for flow_uid, flow in whole(history).flows.items():
        steps = len(targets(flow)) + _further_attempts(history, flow_uid)
        seconds = _run_seconds(history, flow_uid)
        most = WRITES_PER_STEP * steps + WRITES_PER_FLOW + seconds / SECONDS_PER_WRITE
        most += WRITES_PER_FAULT * len(faults(history)) + WRITES_BEFORE_EXIT * bool(exits(flow))
        most += WRITES_PER_ENDING * _ended(flow)
        if spent[flow_uid] > most:
            text = f"{_name(flow)} cost {spent[flow_uid]} creates and status writes, at most {most:.0f} are due"
            found.append(Violation("writes are few", last_moment(history), text))
    return found


def events_are_few(history: History, _: History | None = None) -> list[Violation]:
    """Events of a flow: at most its levels, 2 more, one for each failed step and recreation, 2 for each fault.

    And 2 for each further attempt and for each Job that is ended, and one before onExit begins.
    """
    told: Counter[str] = Counter()
    for commit in history.commits:
        if commit.kind == EVENT and by_controller(commit) and commit.after is not None:
            told[str((commit.after.get("involvedObject") or {}).get("uid"))] += 1
    found = []
    for flow_uid, flow in whole(history).flows.items():
        entries = records(flow).values()
        troubles = sum((entry["phase"] == "Failed") + entry.get("recreations", 0) for entry in entries)
        most = levels(flow) + EVENTS_PER_FLOW + troubles + EVENTS_PER_FAULT * len(faults(history))
        most += EVENTS_PER_ATTEMPT * _further_attempts(history, flow_uid) + EVENTS_PER_ENDING * _ended(flow)
        most += EVENTS_BEFORE_EXIT * bool(exits(flow))
        if told[flow_uid] > most:
            text = f"{_name(flow)} was told of by {told[flow_uid]} Events, at most {most} are due"
            found.append(Violation("events are few", last_moment(history), text))
    return found


def passes_are_few(history: History, _: History | None = None) -> list[Violation]:
    """Reconciles: at most 2 for each change of a flow, Job or template, 10 a flow, 20 a fault, one a minute."""
    changes = sum(commit.kind in (COMMAND, FLOW, JOB, TEMPLATE) for commit in history.commits)
    flows = len(whole(history).flows)
    most: float = PASSES_PER_CHANGE * changes + PASSES_PER_FLOW * flows + PASSES_PER_FAULT * len(faults(history))
    most += last_moment(history) / SECONDS_PER_PASS if faults(history) else 0
    if history.reconciles <= most:
        return []
    text = f"{history.reconciles} reconciles for {changes} changes, at most {most:.0f} are due"
    return [Violation("passes are few", last_moment(history), text)]


def levels(flow: Body) -> int:
    """How many steps the longest way through the flow has, and then that through its onExit."""
    waits, last = targets(flow), exits(flow)
    depths: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in depths:
            depths[name] = 0  # a cycle ends here
            depths[name] = 1 + max((depth(target) for target in waits.get(name, ())), default=0)
        return depths[name]

    main = max((depth(name) for name in waits if name not in last), default=0)
    return main + max((depth(name) for name in last), default=0)


def _run_seconds(history: History, flow_uid: str) -> float:
    """From a flow's creation to its completionTime, or to the end of the world."""
    ours = [c for c in history.commits if c.kind == FLOW and uid_of(c.after or c.before or {}) == flow_uid]
    ended = (c.at for c in ours if "completionTime" in ((c.after or {}).get("status") or {}))
    return next(ended, min(taken_down(history), last_moment(history))) - ours[0].at


def _further_attempts(history: History, flow_uid: str) -> int:
    """Jobs of the flow that are not the first attempt of their step."""
    return len({(life.node, life.attempt) for life in whole(history).of_flow(flow_uid) if life.attempt})


def _ended(flow: Body) -> int:
    """Attempts that were ended."""
    entries = records(flow).values()
    told = [*entries, *(attempt for entry in entries for attempt in entry.get("attempts") or ())]
    return sum(one.get("reason") in ENDING for one in told)


def _name(flow: Body) -> str:
    meta: dict[str, Any] = flow["metadata"]
    return f"JobFlow {meta['name']}"
