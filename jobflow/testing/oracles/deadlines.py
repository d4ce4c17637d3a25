"""Deadlines: what has a time to end by ends then, whatever crashes meanwhile, and not before.

In: a history. Out: deadlines that were missed, or that were called exceeded too soon. Times count from what is stored:
a flow's from its committed startTime, a step's from the moment its Job was first seen to run, a pending one from the
Job's creation. How late an end may come depends on the faults: a controller that crashed is back after a second, news
that were kept back may take minutes.
"""

from __future__ import annotations

from collections.abc import Iterator

from jobflow.testing.faults import (
    ClockJump,
    CrashAfter,
    CrashAtAwait,
    CrashBefore,
    Duplicate,
    Reorder,
    StrangerTouches,
    TemplateEdited,
    TouchFlow,
)
from jobflow.testing.history import Body, History, seconds_of
from jobflow.testing.oracles.asked import active_seconds, exits, fails_fast, flow_seconds, pending_seconds
from jobflow.testing.oracles.liveness import RECOVERY_SECONDS, last_disturbance
from jobflow.testing.oracles.reading import (
    FLOW,
    JOB,
    Life,
    World,
    faults,
    records,
    restarts,
    starts,
    status_of,
    taken_down,
    uid_of,
    watch_was_disturbed,
    whole,
)
from jobflow.testing.oracles.verdict import Violation

# After which the controller acts as before: it is back in a second, and nothing was kept from it.
QUICK = (
    ClockJump,
    CrashAfter,
    CrashAtAwait,
    CrashBefore,
    Duplicate,
    Reorder,
    StrangerTouches,
    TemplateEdited,
    TouchFlow,
)
SLACK_SECONDS = 15.0  # a pass, the commit of the reason, Volcano's own way to the end (3 s); a restart on the way
EXCEEDED = "DeadlineExceeded"
PENDING_EXCEEDED = "PendingDeadlineExceeded"


def deadlines_are_kept(history: History, _: History | None = None) -> list[Violation]:
    """What has a deadline has ended soon after it: a flow with its Jobs, a Job that ran or waited for too long.

    So have the Jobs of a flow with failurePolicy FailFast soon after its outcome.
    """
    world = whole(history)
    slack = SLACK_SECONDS if _is_quick(history) else RECOVERY_SECONDS
    disturbed = 0.0 if _is_quick(history) else last_disturbance(history)
    found = []
    for what, due, end, flow_uid in (*_flows_due(history, world), *_lives_due(world)):
        bound = max(due, disturbed) + slack
        gone = world.flow_ends.get(flow_uid)
        last = min(bound, gone.at if gone is not None else bound)
        if last < bound or bound > taken_down(history):
            continue
        if end > bound:
            text = f"{what} was due to end at {due:.0f} s and {'ended' if end < float('inf') else 'never did'}"
            found.append(Violation("deadlines are kept", bound, f"{text} at {end:.0f} s" if end < 1e9 else text))
    return found


def deadlines_are_no_sooner(history: History, _: History | None = None) -> list[Violation]:
    """Nothing is called too late before its time is over; a clock that jumps moves no deadline of a running process."""
    jumped = any(isinstance(fault, ClockJump) for fault in faults(history))
    if jumped and len(starts(history)) > 1:
        return []  # a new process has nothing but its wall clock to compare what is stored with
    world, found = whole(history), []
    told: set[tuple[str, str, str]] = set()
    for commit in history.of(FLOW):
        flow = commit.after or {}
        for step, entry in records(flow).items():
            reason, key = entry.get("reason"), (uid_of(flow), step, str(entry.get("jobUID")))
            if reason not in (EXCEEDED, PENDING_EXCEEDED) or key in told:
                continue
            told.add(key)
            due = min(_dues(history, world, flow, step, entry), default=None)
            if due is not None and commit.at < due - 0.001:
                text = f"step {step} of {commit.name} is {reason}, {due - commit.at:.1f} s too soon"
                found.append(Violation("deadlines are no sooner", commit.at, text))
    return found


def _dues(history: History, world: World, flow: Body, step: str, entry: Body) -> Iterator[float]:
    """From when on the step's Job may be called too late."""
    whole_flow, own = flow_seconds(flow), active_seconds(flow, step)
    began = status_of(flow).get("startTime")
    if entry.get("reason") == EXCEEDED and whole_flow is not None and began is not None and step not in exits(flow):
        yield seconds_of(began) + whole_flow
    life = world.lives.get(str(entry.get("jobUID")))
    if life is None:
        return
    if entry.get("reason") == EXCEEDED and own is not None:
        yield (int(life.running.at) if life.running is not None else float("inf")) + own
    pending = pending_seconds(flow, step)
    if entry.get("reason") == PENDING_EXCEEDED and pending is not None:
        late = life.running is not None and life.running.at < life.created.at + pending
        if not (late and watch_was_disturbed(history, JOB)):
            yield float("inf") if late else int(life.created.at) + pending


def _flows_due(history: History, world: World) -> Iterator[tuple[str, float, float, str]]:
    """Each flow with a deadline, and each of its Jobs: what, when due, when ended, of which flow."""
    outcomes: dict[str, float] = {}
    for commit in history.of(FLOW):
        if status_of(commit.after).get("outcome"):
            outcomes.setdefault(uid_of(commit.after or {}), commit.at)
    for flow_uid, flow in world.flows.items():
        if fails_fast(flow) and flow_uid in outcomes:
            yield from (
                (f"Job {life.name}", outcomes[flow_uid], _end_of(life), flow_uid)
                for life in world.of_flow(flow_uid)
                if life.node.step not in exits(flow)
            )
        seconds, began = flow_seconds(flow), status_of(flow).get("startTime")
        if seconds is None or began is None:
            continue
        due = seconds_of(began) + seconds
        yield f"JobFlow {flow['metadata']['name']}", due, outcomes.get(flow_uid, float("inf")), flow_uid
        for life in world.of_flow(flow_uid):
            if life.node.step not in exits(flow):
                yield f"Job {life.name}", due, _end_of(life), flow_uid


def _lives_due(world: World) -> Iterator[tuple[str, float, float, str]]:
    """Each Job whose step has a deadline of its own."""
    for life in world.lives.values():
        flow, step = world.flows.get(life.node.flow_uid, {}), life.node.step
        active, pending = active_seconds(flow, step), pending_seconds(flow, step)
        if active is not None and life.running is not None:
            yield f"Job {life.name}", life.running.at + active, _end_of(life), life.node.flow_uid
        if pending is not None and (life.running is None or life.running.at > life.created.at + pending):
            yield f"Job {life.name}", life.created.at + pending, _end_of(life), life.node.flow_uid


def _end_of(life: Life) -> float:
    ends = [commit.at for commit in (life.ended, life.removed) if commit is not None]
    return min(ends, default=float("inf"))


def _is_quick(history: History) -> bool:
    jumped = any(isinstance(fault, ClockJump) for fault in faults(history)) and bool(restarts(history))
    return not jumped and all(isinstance(fault, QUICK) for fault in faults(history))
