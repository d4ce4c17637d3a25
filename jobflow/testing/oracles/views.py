"""Views: the controller acts on what the API server told it, on nothing older than its own last writes.

In: a history, its calls above all. Out: each call that a controller would not have made had it remembered what it had
just done, or had it looked; each write that was not worth sending; each cached object that somebody changed. Most of
these cost nothing in the end, because names are deterministic and writes carry versions and UIDs: a second rule makes
up for the first. So the objects do not show them, and the calls do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from jobflow.testing.history import Call, Commit, History
from jobflow.testing.oracles.reading import (
    FLOW,
    JOB,
    Life,
    World,
    by_controller,
    creates,
    node_of,
    records,
    replay,
    uid_of,
    watch_was_disturbed,
)
from jobflow.testing.oracles.verdict import Violation

REMEMBERED_SECONDS = 120.0  # after which a write that no watch brought back is given up


@dataclass
class Remembered:
    """What one controller process knows that it has written, and when it learned so."""

    jobs: dict[str, float] = field(default_factory=dict)  # UIDs of children that it created
    deleted: dict[str, float] = field(default_factory=dict)  # UIDs of what it deleted
    statuses: dict[str, tuple[int, float]] = field(default_factory=dict)  # versions that it wrote, by path


def own_writes_are_remembered(history: History, _: History | None = None) -> list[Violation]:
    """Until the watch has brought a write back, or for 120 s, a controller does not act as if it had not made it.

    It does not create again what it created, nor delete again what it deleted, nor write a flow's status from a
    version older than its own last one.
    """
    known: dict[str, Remembered] = {}
    found = []
    for call, written, world in _writes(history):
        memory = known.setdefault(call.who, Remembered())
        if not call.fault:
            found += [Violation("own writes are remembered", call.at, why) for why in _forgotten(call, memory, world)]
        if 200 <= call.status < 300:
            _remember(call, written, memory)
    return found


def every_write_changes_something(history: History, _: History | None = None) -> list[Violation]:
    """No write is sent that changes nothing: an API server drops it, and has had all the work."""
    return [
        Violation("every write changes something", call.at, f"{call.verb} {call.path} was accepted and changed nothing")
        for call in history.calls
        if call.write and 200 <= call.status < 300 and not call.committed and not call.fault
    ]


def second_child_after_a_look(history: History, _: History | None = None) -> list[Violation]:
    """Before a step gets another Job in the place of one that is gone, the API server is asked how the flow stands.

    Save where news of flows was kept from the controller, which then may not know that there was a Job before.
    """
    if watch_was_disturbed(history, FLOW):
        return []
    found = []
    for commit, world in replay(history):
        node = node_of(commit.after or {})
        if commit.kind != JOB or not by_controller(commit) or not creates(commit) or node is None:
            continue
        flow = world.flows.get(node.flow_uid)
        before = [life for life in world.of_node(node) if life.removed is not None]
        if not before or not records(flow).get(node.step, {}).get("jobName"):
            continue
        gone = max(life.removed.order for life in before if life.removed is not None)
        path = f"/jobflows/{((flow or {}).get('metadata') or {}).get('name')}"
        if not any(_looked(call, commit, path) and call.order > gone for call in history.calls):
            text = f"Job {commit.name} was created in the place of {before[-1].uid} without a look at its flow"
            found.append(Violation("second child after a look", commit.at, text))
    return found


def cache_is_true(history: History, _: History | None = None) -> list[Violation]:
    """Cached objects stay as the API server sent them; at rest the cache has what is stored, and nothing else."""
    return [Violation("cache is true", at, text) for at, text in history.untrue]


def _writes(history: History) -> Iterator[tuple[Call, Commit | None, World]]:
    """Each write call, with the commit that it made, and the world when it was answered."""
    world = World()
    last: dict[tuple[str, str], Commit] = {}
    commits = iter([*history.commits, None])
    following = next(commits)
    for call in (call for call in history.calls if call.write):
        while following is not None and following.order < call.order:
            world.take(following)
            last[following.who, following.name] = following
            following = next(commits)
        yield call, last.get((call.who, _name_of(call))) if call.committed else None, world


def _name_of(call: Call) -> str:
    """Of the object that the call writes: its body names it, or its path does."""
    name = ((call.body or {}).get("metadata") or {}).get("name")
    return str(name or call.path.removesuffix("/status").rpartition("/")[2])


def _forgotten(call: Call, memory: Remembered, world: World) -> Iterator[str]:
    meta = (call.body or {}).get("metadata") or {}
    if call.verb == "create" and call.path.endswith("/jobs") and call.status == 409:
        life = _living(world, call)
        if life is not None and _lately(memory.jobs.get(life.uid), call):
            yield f"Job {life.name} was created once more, by who had created it"
    elif call.verb == "delete":
        uid = ((call.body or {}).get("preconditions") or {}).get("uid", "")
        if _lately(memory.deleted.get(uid), call):
            yield f"{call.path} was deleted once more, by who had deleted it"
    elif call.verb == "update" and "/jobflows/" in call.path:
        version, at = memory.statuses.get(call.path, (0, None))
        if _lately(at, call) and int(meta.get("resourceVersion") or version) < version:
            yield f"{call.path} was written from version {meta['resourceVersion']}, by who had written {version}"


def _remember(call: Call, written: Commit | None, memory: Remembered) -> None:
    if call.verb == "delete":
        memory.deleted[((call.body or {}).get("preconditions") or {}).get("uid", "")] = call.at
    elif written is None or written.after is None:
        return
    elif call.verb == "create" and written.kind == JOB:
        memory.jobs[uid_of(written.after)] = call.at
    elif call.verb == "update":
        memory.statuses[call.path] = (int(written.after["metadata"]["resourceVersion"]), call.at)


def _lately(at: float | None, call: Call) -> bool:
    return at is not None and call.at - at < REMEMBERED_SECONDS


def _living(world: World, call: Call) -> Life | None:
    """The flow's own Job that has the name of the one to be created."""
    node, name = node_of(call.body or {}), _name_of(call)
    if node is None:
        return None
    return next((life for life in world.of_flow(node.flow_uid) if life.name == name and not life.gone), None)


def _looked(call: Call, commit: Commit, path: str) -> bool:
    """The same controller read the flow, before it created the Job."""
    return call.verb == "get" and call.who == commit.who and call.path.endswith(path) and call.order < commit.order
