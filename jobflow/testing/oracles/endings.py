"""Endings: what is ended, and what runs at the end, does so for a reason, in time, and once.

In: a history. Out: Jobs ended without a committed reason or over and over; deadlines that were missed or came too soon;
onExit steps that came too early, too often or not at all; skipped steps with a Job; flows that wait for what cannot
come, or outlive their time.
"""

from __future__ import annotations

from jobflow.testing.history import Body, Commit, History, seconds_of
from jobflow.testing.oracles.asked import exits, steps_of, ttl_seconds
from jobflow.testing.oracles.liveness import RECOVERY_SECONDS, last_disturbance, last_states
from jobflow.testing.oracles.reading import (
    COMMAND,
    ENDED,
    ENDING,
    FLOW,
    JOB,
    SETTLED,
    Life,
    World,
    by_controller,
    creates,
    deleting,
    faults,
    job_phase,
    node_of,
    records,
    removes,
    replay,
    restarts,
    status_of,
    taken_down,
    uid_of,
    whole,
)
from jobflow.testing.oracles.verdict import Violation

AGAIN_SECONDS = 30.0  # between two tries of one controller to end the same Job
IDLE_SECONDS = 5.0  # in which a flow without a live Job comes to its next one, or to its end


def ended_for_a_reason(history: History, _: History | None = None) -> list[Violation]:
    """A Job that runs is ended only once its step's status says why, and not again within 30 s."""
    found = []
    last: dict[str, float] = {}
    for commit, world in replay(history):
        life = _ended_life(commit, world)
        if life is None or life.result:
            continue
        entry = records(world.flows.get(life.node.flow_uid)).get(life.node.step, {})
        if entry.get("reason") not in ENDING or entry.get("jobUID") != life.uid:
            text = (
                f"Job {life.name} was to be ended while its step is {entry.get('phase')}, reason {entry.get('reason')}"
            )
            found.append(Violation("ended for a reason", commit.at, text))
        before = last.get(life.uid)
        if before is not None and commit.at - before < AGAIN_SECONDS and not _crashed(history, before, commit.at):
            text = f"Job {life.name} was to be ended again after {commit.at - before:.1f} s"
            found.append(Violation("ended for a reason", commit.at, text))
        last[life.uid] = commit.at
    return found


def on_exit_comes_last(history: History, _: History | None = None) -> list[Violation]:
    """An onExit step runs once the outcome is committed and no other Job of the flow lives; its Job once.

    Once means: not again after an end, nor beside one that lives (`finished never again`, `one live child`), and never
    as another attempt than its retry allows.
    """
    found = []
    for commit, world in replay(history):
        node = node_of(commit.after or {}) if commit.kind == JOB and creates(commit) else None
        flow = world.flows.get(node.flow_uid, {}) if node else {}
        if node is None or not by_controller(commit) or node.step not in exits(flow):
            continue
        if not status_of(flow).get("outcome"):
            found.append(Violation("onExit comes last", commit.at, f"Job {commit.name} came before the outcome"))
        found += [
            Violation("onExit comes last", commit.at, f"Job {commit.name} came while {life.name} lives")
            for life in world.of_flow(node.flow_uid)
            if life.live and life.node.step not in exits(flow)
        ]
    return found


def on_exit_is_done(history: History, _: History | None = None) -> list[Violation]:
    """A flow is complete only when each of its onExit steps is settled."""
    found = []
    for commit in history.of(FLOW):
        if "completionTime" not in status_of(commit.after):
            continue
        if "completionTime" in status_of(commit.before):
            continue
        told = records(commit.after)
        for step in sorted(exits(commit.after or {})):
            phase = told.get(step, {}).get("phase")
            if phase not in SETTLED:
                text = f"JobFlow {commit.name} is complete, and its onExit step {step} is {phase}"
                found.append(Violation("onExit is done", commit.at, text))
    return found


def skipped_has_no_child(history: History, _: History | None = None) -> list[Violation]:
    """A step that is skipped, or that can no longer start, has no Job from then on; a skipped one never had any."""
    end = whole(history)
    found = []
    for flow_uid, flow in end.flows.items():
        for step, entry in records(flow).items():
            lives = [life for life in end.of_flow(flow_uid) if life.node.step == step]
            if entry.get("phase") == "Skipped" and lives:
                text = f"step {step} is skipped, and had Job {lives[0].name}"
                found.append(Violation("skipped has no child", lives[0].created.at, text))
    return found


def nothing_waits_in_vain(history: History, _: History | None = None) -> list[Violation]:
    """A flow without a live Job starts the next within 5 s, waits for a back-off, or ends; judged without faults."""
    if faults(history):
        return []
    idle: dict[str, float] = {}
    found = []
    for commit, world in replay(history):
        for flow_uid, since in list(idle.items()):
            if commit.at - since > IDLE_SECONDS and commit.at < taken_down(history):
                del idle[flow_uid]
                told = {step: entry["phase"] for step, entry in records(world.flows[flow_uid]).items()}
                text = f"JobFlow {world.flows[flow_uid]['metadata']['name']} stands at {told} since {since:.0f} s"
                found.append(Violation("nothing waits in vain", commit.at, text))
        flow_uid, flow = _flow_after(commit, world)
        if flow is not None and _is_idle(commit, world, flow_uid, flow):
            idle.setdefault(flow_uid, commit.at)
        else:
            idle.pop(flow_uid, None)
    return found


def flows_go_in_time(history: History, _: History | None = None) -> list[Violation]:
    """A flow with ttlSecondsAfterFinished is deleted that long after its end, not before, and by its UID."""
    found = []
    for commit in history.of(FLOW):
        if not (by_controller(commit) and removes(commit)) or commit.before is None:
            continue
        ended, ttl = status_of(commit.before).get("completionTime"), ttl_seconds(commit.before)
        if ended is None or ttl is None or commit.at < seconds_of(ended) + ttl - 0.001:
            text = f"JobFlow {commit.name} was deleted: it ended at {ended} and has {ttl} s to live"
            found.append(Violation("flows go in time", commit.at, text))
    for flow in last_states(history):
        ended, ttl = status_of(flow).get("completionTime"), ttl_seconds(flow)
        if ended is None or ttl is None or deleting(flow):
            continue
        due = max(seconds_of(ended) + ttl, last_disturbance(history)) + RECOVERY_SECONDS
        if due < taken_down(history):
            text = f"JobFlow {flow['metadata']['name']} is still there; it ended at {ended} and had {ttl:.0f} s to live"
            found.append(Violation("flows go in time", due, text))
    return found


def _ended_life(commit: Commit, world: World) -> Life | None:
    """The child that the controller has asked to end: by a Command, or by deleting it."""
    if not by_controller(commit):
        return None
    if commit.kind == COMMAND and creates(commit):
        target = (commit.after or {}).get("target") or {}
        return next((life for life in world.lives.values() if life.name == target.get("name") and not life.gone), None)
    if commit.kind == JOB and removes(commit):
        return world.lives.get(uid_of(commit.before or {}))
    return None


def _crashed(history: History, since: float, until: float) -> bool:
    return any(since <= at <= until for at in restarts(history))


def _flow_after(commit: Commit, world: World) -> tuple[str, Body | None]:
    """The flow that the commit is about, as it is after it."""
    if commit.kind == FLOW:
        return uid_of(commit.after or commit.before or {}), commit.after
    node = node_of(commit.after or commit.before or {}) if commit.kind == JOB else None
    return (node.flow_uid, world.flows.get(node.flow_uid)) if node else ("", None)


def _is_idle(commit: Commit, world: World, flow_uid: str, flow: Body) -> bool:
    if deleting(flow) or "completionTime" in status_of(flow) or not steps_of(flow):
        return False
    if commit.kind == JOB and creates(commit):
        return False
    if any(entry.get("reason") == "RetryBackoff" for entry in records(flow).values()):
        return False
    ended = ""
    if commit.kind == JOB and (commit.after is None or _has_ended(commit.after)):
        ended = uid_of(commit.after or commit.before or {})
    return not any(life.live and life.uid != ended for life in world.of_flow(flow_uid))


def _has_ended(job: Body) -> bool:
    return job_phase(job) in ENDED
