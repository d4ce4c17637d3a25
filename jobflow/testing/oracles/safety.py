"""Safety of children: what the controller creates and deletes, and when.

In: a history. Out: every commit that breaks a rule about children. The rules are those by which no step runs twice,
too early, or in another's place; docs/reliability.md tells them to users.
"""

from __future__ import annotations

from collections.abc import Iterator

from jobflow.testing.history import VOLCANO, Body, Commit, History
from jobflow.testing.oracles.asked import exits, is_plain, ttl_seconds
from jobflow.testing.oracles.gates import Gates
from jobflow.testing.oracles.reading import (
    COMMAND,
    ENDING,
    EVENT,
    FINAL,
    FLOW,
    JOB,
    SETTLED,
    TEMPLATE,
    Life,
    Node,
    World,
    attempt_of,
    by_controller,
    controller_of,
    creates,
    flow_phase,
    node_of,
    probed,
    records,
    removes,
    replay,
    restarts,
    starts,
    status_of,
    targets,
    uid_of,
    watch_was_disturbed,
)
from jobflow.testing.oracles.verdict import Violation

IN_FLIGHT_SECONDS = 1.0  # a create may be on its way, or planned, while a user deletes the flow


def one_live_child(history: History, _: History | None = None) -> list[Violation]:
    """At most one live Job per flow UID, step and item, at every revision."""
    return [
        Violation("one live child", commit.at, f"Job {commit.name} was created while Job {life.uid} of the step lives")
        for commit, node, world in _child_creates(history)
        for life in world.of_node(node)
        if life.live
    ]


def finished_never_again(history: History, _: History | None = None) -> list[Violation]:
    """A step with a finished Job, or a committed result, never gets another Job.

    Save in the one hole that is promised to nobody: a stranger deleted the finished Job before its result was
    committed, and no controller watched from its end to the next create.
    """
    return [
        Violation("finished never again", commit.at, f"step {node.step} got Job {commit.name} again: {why}")
        for commit, node, world in _child_creates(history)
        for why in _finished(history, world, node, commit)
    ]


def gate_was_open(history: History, _: History | None = None) -> list[Violation]:
    """No child before the Jobs of all its step's targets were Completed, or their success was committed.

    Or before they had been seen with as many running pods as the step's probe waits for, where it says so; or, of a
    step that waits in another way, before that had come true.
    """
    found, gates = [], Gates(history)
    for commit, node, world in _child_creates(history):
        flow = world.flows.get(node.flow_uid, {})
        steps, told, count = targets(flow), records(flow), probed(flow).get(node.step)
        if node.step not in steps:
            found.append(Violation("gate was open", commit.at, f"Job {commit.name} is of no step of its flow's spec"))
        elif not is_plain(flow):
            if attempt_of(commit.after or {}) == 0 and (waits := gates.waits_for(world, node.flow_uid, node.step)):
                text = f"Job {commit.name} was created before {waits}"
                found.append(Violation("gate was open", commit.at, text))
            continue
        found += [
            Violation("gate was open", commit.at, f"Job {commit.name} was created before step {target} succeeded")
            for target in steps.get(node.step, ())
            if not (count and _has_had(world.of_node(Node(node.flow_uid, target, "")), count))
            if told.get(target, {}).get("phase") != "Succeeded"
            and not any(life.result == "Completed" for life in world.of_node(Node(node.flow_uid, target, "")))
        ]
    return found


def _has_had(lives: list[Life], count: Body) -> bool:
    """One of them has had so many pods of the task in that phase."""
    return any(
        ((told.get(count["taskName"]) or {}).get("phase") or {}).get(count["status"], 0) >= count["count"]
        for life in lives
        for told in life.counts
    )


def nothing_after_the_end(history: History, _: History | None = None) -> list[Violation]:
    """No child once the flow's outcome is committed, save of onExit, nor for a flow that is being deleted or is gone.

    A create that was on its way when the user deleted the flow is nobody's fault, nor is one planned while news of
    flows was kept from the controller; the garbage collector takes such a child away.
    """
    late_news = watch_was_disturbed(history, FLOW)
    found = []
    for commit, node, world in _child_creates(history):
        flow, end = world.flows.get(node.flow_uid), world.flow_ends.get(node.flow_uid)
        decided = status_of(flow).get("outcome") or flow_phase(flow) in FINAL
        if decided and node.step not in exits(flow or {}):
            found.append(Violation("nothing after the end", commit.at, f"Job {commit.name} came after the outcome"))
        if end is not None and not late_news and commit.at - end.at > IN_FLIGHT_SECONDS:
            found.append(
                Violation("nothing after the end", commit.at, f"Job {commit.name} came {commit.at - end.at:.1f} s late")
            )
    return found


def own_objects_only(history: History, _: History | None = None) -> list[Violation]:
    """The controller creates, mends and deletes only Jobs that a flow controls; else it writes statuses and Events.

    And Commands for such Jobs; and it deletes flows that have ended and have a time to live.
    """
    return [
        Violation("own objects only", commit.at, f"{commit.kind} {commit.namespace}/{commit.name}: {why}")
        for commit, world in replay(history)
        if by_controller(commit)
        for why in _trespass(commit, world)
    ]


def deletes_name_the_uid(history: History, _: History | None = None) -> list[Violation]:
    """Every delete that the controller sends carries a UID precondition."""
    return [
        Violation("deletes name the UID", call.at, f"{call.verb} {call.path} names no UID")
        for call in history.calls
        if call.verb == "delete" and not ((call.body or {}).get("preconditions") or {}).get("uid")
    ]


def deleted_after_the_result(history: History, _: History | None = None) -> list[Violation]:
    """A child is deleted for its time or its flow's policy only after its result is committed in the flow's status.

    So the controller does it, and Volcano never: a Job that carries ttlSecondsAfterFinished would go by itself. What is
    deleted in order to end it is so once the reason is committed; an attempt, once its end is.
    """
    found = []
    for commit, world in replay(history):
        node = node_of(commit.before) if commit.kind == JOB and commit.before else None
        if node is None or not removes(commit) or not (by_controller(commit) or commit.who == VOLCANO):
            continue
        entry = records(world.flows.get(node.flow_uid)).get(node.step, {})
        phase = entry.get("phase", "unknown")
        if uid_of(commit.before or {}) in {one.get("jobUID") for one in entry.get("attempts") or ()}:
            phase = "Failed"
        if commit.who == VOLCANO:
            text = f"Job {commit.name} was deleted by Volcano, whose step is committed as {phase}"
            found.append(Violation("deleted after the result", commit.at, text))
        elif phase not in SETTLED and entry.get("reason") not in ENDING:
            text = f"Job {commit.name} was deleted while its step is committed as {phase}"
            found.append(Violation("deleted after the result", commit.at, text))
    return found


def _child_creates(history: History) -> Iterator[tuple[Commit, Node, World]]:
    """Each child that the controller created, with the world just before."""
    for commit, world in replay(history):
        if commit.kind == JOB and by_controller(commit) and creates(commit) and commit.after is not None:
            node = node_of(commit.after)
            if node is not None:
                yield commit, node, world


def _finished(history: History, world: World, node: Node, commit: Commit) -> Iterator[str]:
    entry = records(world.flows.get(node.flow_uid)).get(node.step, {})
    if entry.get("phase") in SETTLED:
        yield f"its result {entry['phase']} was committed"
        return
    attempt = attempt_of(commit.after or {})
    for life in world.of_node(node):
        if life.attempt != attempt and life.result != "Completed":
            continue  # `attempts.py` has the rules of another attempt
        if life.result and not _in_the_hole(history, life, commit):
            yield f"its Job {life.uid} was {life.result}"


def _in_the_hole(history: History, life: Life, again: Commit) -> bool:
    """Somebody else deleted the finished Job, and the controller lost what it had seen, or never saw it."""
    if life.ended is None or life.removed is None or by_controller(life.removed):
        return False
    if watch_was_disturbed(history, JOB):
        return True
    ended, removed = life.ended.at, life.removed.at
    forgot = any(ended <= crash <= again.at for crash in restarts(history))
    absent = any(
        crash <= ended and removed <= start + IN_FLIGHT_SECONDS for crash, start in _absences(history) if ended <= start
    )
    return forgot or absent


def _absences(history: History) -> list[tuple[float, float]]:
    """From when to when no controller ran."""
    started = starts(history)
    return [(crash, min((at for at in started if at > crash), default=float("inf"))) for crash in restarts(history)]


def _trespass(commit: Commit, world: World) -> Iterator[str]:
    if commit.kind == EVENT and not removes(commit):
        return
    if commit.kind == JOB:
        yield from _foreign(commit, world)
    elif commit.kind == COMMAND and creates(commit):
        yield from _unfit(commit, world)
    elif creates(commit):
        yield "created"
    elif commit.kind == FLOW and removes(commit):
        if "completionTime" not in status_of(commit.before) or ttl_seconds(commit.before or {}) is None:
            yield "deleted, and nobody said that it has a time to live"
    elif removes(commit):
        yield "deleted"
    elif commit.kind not in (FLOW, TEMPLATE) or commit.subresource != "status":
        yield "something other than a status was written"


def _unfit(commit: Commit, world: World) -> Iterator[str]:
    """A Command for anything but a child of a flow that is there."""
    target = (commit.after or {}).get("target") or {}
    life = next((life for life in world.lives.values() if life.name == target.get("name") and not life.gone), None)
    if life is None or commit.after is None:
        yield f"a Command for Job {target.get('name')}, which no flow controls"
        return
    owners = [owner.get("uid") for owner in commit.after["metadata"].get("ownerReferences") or ()]
    if life.uid not in owners or target.get("uid") not in (None, "", life.uid):
        yield f"a Command for Job {life.name} that is not bound to its UID {life.uid}"


def _foreign(commit: Commit, world: World) -> Iterator[str]:
    body = commit.before or commit.after or {}
    owner = controller_of(body)
    if owner is None or owner.get("kind") != FLOW:
        yield "no flow controls it"
        return
    flow = world.flows.get(str(owner.get("uid")))
    meta = (flow or {}).get("metadata") or {}
    if (meta.get("namespace"), meta.get("name")) != (commit.namespace, owner.get("name")):
        yield f"its owner {owner.get('name')} with UID {owner.get('uid')} is no flow of its namespace"
