"""Attempts: a step that may be tried again is tried as often as it may, one after the other, and in its own time.

In: a history. Out: every Job that is one attempt too many, or came before the end of the one before was committed or
before its back-off was over; every status that forgets an attempt.
"""

from __future__ import annotations

from collections.abc import Iterator

from jobflow.testing.history import Body, Commit, History, seconds_of
from jobflow.testing.oracles.asked import retry_of
from jobflow.testing.oracles.reading import (
    FLOW,
    JOB,
    Node,
    World,
    attempt_of,
    by_controller,
    creates,
    deleting,
    node_of,
    records,
    replay,
    status_of,
)
from jobflow.testing.oracles.verdict import Violation

RETRIED = frozenset({"JobFailed", "DeadlineExceeded", "PendingDeadlineExceeded"})  # failures worth another attempt
LOST = frozenset({"Failed"})
KEPT_ATTEMPTS = 10  # the newest earlier ones that a status tells of


def attempts_are_few(history: History, _: History | None = None) -> list[Violation]:
    """A step has at most `limit` + 1 attempts: no Job is of an attempt beyond its retry's limit."""
    found = []
    for commit, node, world in _child_creates(history):
        limit = retry_of(world.flows.get(node.flow_uid, {}), node.step).limit
        had = {life.attempt for life in world.of_node(node)} | {attempt_of(commit.after or {})}
        if max(had) > limit or len(had) > limit + 1:
            text = f"Job {commit.name} is attempt {max(had)} of step {node.step}, whose retry has limit {limit}"
            found.append(Violation("attempts are few", commit.at, text))
    return found


def one_attempt_after_the_other(history: History, _: History | None = None) -> list[Violation]:
    """Attempt n + 1 comes after the end of attempt n is committed as a failure, and after its back-off."""
    return [
        Violation("one attempt after the other", commit.at, f"Job {commit.name} was created {why}")
        for commit, node, world in _child_creates(history)
        for why in _too_early(commit, node, world)
    ]


def attempts_are_used(history: History, _: History | None = None) -> list[Violation]:
    """A step whose Job failed is not committed as failed while it has attempts left, unless the flow ends or goes.

    Judged of a retry that makes no conditions.
    """
    found = []
    for commit in history.of(FLOW):
        flow, before, after = commit.after or {}, records(commit.before), records(commit.after)
        if status_of(commit.before).get("outcome") or deleting(flow):
            continue
        for step, entry in after.items():
            was, retry = before.get(step, {}), retry_of(flow, step)
            fails = entry.get("phase") == "Failed" and was.get("phase") != "Failed" and entry.get("reason") in RETRIED
            if not fails or retry.choosy or was.get("reason") == "RetryBackoff":
                continue
            others = any(one.get("phase") in LOST for name, one in after.items() if name != step)
            if entry.get("attempt", 0) < retry.limit and not (others and status_of(flow).get("outcome")):
                text = f"step {step} of {commit.name} has failed at attempt {entry.get('attempt', 0)} of {retry.limit}"
                found.append(Violation("attempts are used", commit.at, text))
    return found


def attempts_are_remembered(history: History, _: History | None = None) -> list[Violation]:
    """The number of a step's attempt never falls, and what is told of an earlier one never changes.

    It is dropped only where ten newer ones are told. A step whose next attempt never comes, because the flow ends, is
    told as its last one again.
    """
    found = []
    for commit in history.of(FLOW):
        before, after = records(commit.before), records(commit.after)
        for step in before.keys() & after.keys():
            was, now = before[step], after[step]
            if now.get("phase") == "Failed" and was.get("attempts") and not was.get("jobName"):
                was = _last_attempt(was)
            text = ""
            if now.get("attempt", 0) < was.get("attempt", 0):
                text = f"was at attempt {was['attempt']}, is at {now.get('attempt', 0)}"
            kept = {told.get("attempt", 0): told for told in now.get("attempts") or ()}
            for told in was.get("attempts") or ():
                number = told.get("attempt", 0)
                if number not in kept and number >= now.get("attempt", 0) - KEPT_ATTEMPTS:
                    text = f"forgot its attempt {number}"
                elif number in kept and kept[number] != told:
                    text = f"told {told} of an attempt, now tells {kept[number]}"
            if text:
                found.append(Violation("attempts are remembered", commit.at, f"step {step} of {commit.name} {text}"))
    return found


def _last_attempt(entry: Body) -> Body:
    """A step that waits for its next attempt, as it was while the last one was its own."""
    told = entry.get("attempts") or ()
    return {**entry, "attempt": entry.get("attempt", 0) - 1, "attempts": told[:-1]}


def _child_creates(history: History) -> Iterator[tuple[Commit, Node, World]]:
    """Each child that the controller created, with the world just before."""
    for commit, world in replay(history):
        if commit.kind == JOB and by_controller(commit) and creates(commit):
            node = node_of(commit.after or {})
            if node is not None:
                yield commit, node, world


def _too_early(commit: Commit, node: Node, world: World) -> Iterator[str]:
    attempt = attempt_of(commit.after or {})
    earlier = [life for life in world.of_node(node) if life.attempt < attempt]
    yield from (f"while attempt {life.attempt} lives" for life in earlier if life.live)
    yield from (f"although attempt {life.attempt} completed" for life in earlier if life.result == "Completed")
    yield from (f"after attempt {life.attempt} had been" for life in world.of_node(node) if life.attempt > attempt)
    if attempt == 0:
        return
    flow = world.flows.get(node.flow_uid, {})
    entry = records(flow).get(node.step, {})
    told = next((one for one in entry.get("attempts") or () if one.get("attempt", 0) == attempt - 1), None)
    if entry.get("attempt", 0) != attempt or told is None:
        yield f"before the end of attempt {attempt - 1} was committed"
        return
    ended = told.get("completionTime")
    pause = retry_of(flow, node.step).before(attempt)
    if ended is not None and commit.at < seconds_of(ended) + pause - 0.001:
        late = commit.at - seconds_of(ended)
        yield f"{late:.1f} s after the end of attempt {attempt - 1}, where {pause:.0f} s are due"
