"""Liveness and quiescence: once nothing disturbs any more, every flow ends as it should, and then it is quiet.

In: a history, and the undisturbed one, whose length says how long the flows take by themselves. Out: flows that did
not end, or ended late, or otherwise than expected; writes at rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from jobflow.testing.controllers import STALE_SECONDS
from jobflow.testing.faults import (
    ClockJump,
    CopiedJob,
    Delay,
    Drop,
    Fault,
    Forbid,
    ForeignJob,
    HeldDelete,
    SlowList,
    Stale,
    TemplateAbsent,
    TemplateDeleted,
    TemplateLate,
)
from jobflow.testing.history import Body, Commit, History
from jobflow.testing.injection import DROPPING_SECONDS, FORBIDDEN_SECONDS
from jobflow.testing.interventions import (
    ABSENT_SECONDS,
    DELETED_TEMPLATE_SECONDS,
    FOREIGN_JOB_SECONDS,
    HELD_SECONDS,
)
from jobflow.testing.oracles.reading import (
    FINAL,
    FLOW,
    JOB,
    MADE_FROM,
    OWNED_TTL,
    creates,
    faults,
    flow_phase,
    last_moment,
    records,
    removes,
    restarts,
    starts,
    status_of,
    taken_down,
    uid_of,
)
from jobflow.testing.oracles.verdict import Violation

# The longest wait of the controller that one fault can start, each from its own constant: 120 s for a write that the
# watch never brings back, 90 s for a dead peer, 60 s for the last back-off, 30 s for the last wait of a watch.
RECOVERY_SECONDS = 300.0


def every_flow_ends(history: History, reference: History | None = None) -> list[Violation]:
    """Every flow reaches completionTime within a bounded time after the last fault is over, and keeps it."""
    found = []
    own_seconds = max((end.at for end in _ends(reference).values()), default=0.0) if reference else 0.0
    bound = last_disturbance(history) + own_seconds + RECOVERY_SECONDS
    ends = _ends(history)
    for last in last_states(history):
        end = ends.get(uid_of(last))
        name = f"JobFlow {last['metadata']['name']}"
        if end is None:
            found.append(Violation("every flow ends", last_moment(history), f"{name} never ended: {_where(last)}"))
        elif reference is not None and end.at > bound:
            found.append(Violation("every flow ends", end.at, f"{name} ended {end.at - bound:.0f} s too late"))
        elif "completionTime" not in status_of(last):
            found.append(Violation("every flow ends", last_moment(history), f"{name} was complete and is not any more"))
    return found


def outcome_is_expected(history: History, _: History | None = None) -> list[Violation]:
    """A flow that ended has the outcome that its Jobs' walks lead to, and its steps stand where these lead them."""
    found = []
    for last in last_states(history):
        expected = history.expected.get(last["metadata"]["name"])
        outcome = status_of(last).get("outcome")
        if expected is None or refused_as_invalid(history) or flow_phase(last) not in FINAL or outcome == str(expected):
            continue  # a Job that is refused as invalid fails its step, rightly
        text = f"JobFlow {last['metadata']['name']} is {outcome}, expected {expected}: {_where(last)}"
        found.append(Violation("outcome is expected", last_moment(history), text))
    return found if refused_as_invalid(history) else [*found, *_misplaced(history)]


def quiet_at_rest(history: History, _: History | None = None) -> list[Violation]:
    """No controller writes anything in the quiet hour, nor tries to, nor reads: nothing polls, watches stand.

    Where the wall clock jumped, a child's `ttlSecondsAfterFinished` may be over only then: it is deleted, and its
    template is told.
    """
    jumped = any(isinstance(fault, ClockJump) for fault in faults(history))
    owned = _with_ttl(history) if jumped else set()
    return [
        Violation("quiet at rest", call.at, f"{call.who} asked for {call.verb} {call.path}: {call.status}")
        for call in history.calls
        if history.quiet_from < call.at < taken_down(history)
        and call.verb != "watch"
        and call.path.removesuffix("/status").rpartition("/")[2] not in owned
    ]


def refused_as_invalid(history: History) -> bool:
    """The create of a Job was answered with 422: its step fails, rightly."""
    return any(call.status == 422 and call.path.endswith("/jobs") for call in history.calls)


def _misplaced(history: History) -> Iterator[Violation]:
    for last in last_states(history):
        name, told = last["metadata"]["name"], records(last)
        for step, phase in history.phases.get(name, {}).items():
            stands = told.get(step, {}).get("phase")
            if flow_phase(last) in FINAL and step in told and stands != phase:
                text = f"step {step} of JobFlow {name} is {stands}, expected {phase}: {_where(last)}"
                yield Violation("outcome is expected", last_moment(history), text)


def _ends(history: History) -> dict[str, Commit]:
    """The commit that set a flow's completionTime, by the flow's UID."""
    ends: dict[str, Commit] = {}
    for commit in history.commits:
        if commit.kind == FLOW and commit.after is not None and "completionTime" in status_of(commit.after):
            ends.setdefault(uid_of(commit.after), commit)
    return ends


def last_states(history: History) -> Iterator[Body]:
    """Each flow that no user deleted before the world was taken down, in its last state; last incarnations only."""
    last: dict[tuple[str, str], Body] = {}
    for commit in history.commits:
        if commit.kind != FLOW or commit.at >= taken_down(history):
            continue
        key = (commit.namespace, commit.name)
        if removes(commit):
            last.pop(key, None)
        elif commit.after is not None and (creates(commit) or key in last):
            last[key] = commit.after
    return iter(last.values())


def last_disturbance(history: History, apart_from: tuple[type[Fault], ...] = ()) -> float:
    """When the last fault was over: the last mark, and what the faults last by themselves, save some kinds of them."""
    end = history.quiet_from or float("inf")
    disturbed = [mark.at for mark in history.marks if mark.text.startswith("fault ")]
    begin = max((at for at in (*disturbed, *restarts(history), *starts(history)) if at < end), default=0.0)
    return begin + sum(_seconds(fault) for fault in faults(history) if not isinstance(fault, apart_from))


def _seconds(fault: Fault) -> float:
    """How long the fault lasts after its mark; what ends at once, or is told by a mark of its own, lasts no time."""
    match fault:
        case Delay(seconds=seconds) | SlowList(seconds=seconds) | TemplateLate(seconds=seconds):
            return seconds
        case TemplateAbsent():
            return ABSENT_SECONDS
        case TemplateDeleted():
            return DELETED_TEMPLATE_SECONDS
        case ForeignJob() | CopiedJob():
            return FOREIGN_JOB_SECONDS
        case HeldDelete():
            return HELD_SECONDS
        case Forbid():
            return FORBIDDEN_SECONDS
        case Drop():
            return DROPPING_SECONDS
        case Stale():
            return STALE_SECONDS
    return 0.0


def _where(flow: Body) -> str:
    steps = ", ".join(f"{name} {entry['phase']}" for name, entry in records(flow).items())
    return f"{flow_phase(flow) or 'no status'} ({steps})"


def _with_ttl(history: History) -> set[str]:
    """Names of the Jobs that the controller has to delete some time after their end, and of their templates."""
    notes = [(commit.after or {}).get("metadata", {}).get("annotations") or {} for commit in history.of(JOB)]
    names = {commit.name for commit, note in zip(history.of(JOB), notes, strict=True) if OWNED_TTL in note}
    return names | {note[MADE_FROM].partition(".")[2] for note in notes if OWNED_TTL in note and MADE_FROM in note}
