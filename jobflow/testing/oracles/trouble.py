"""Trouble: what goes wrong with one step is told, and stays that step's.

In: a history. Out: troubles that nobody was told of, steps that waited for another's trouble, counts that were not told
or not kept. Judged where the plan leaves no doubt about what a step had to wait for.
"""

from __future__ import annotations

from collections.abc import Iterator

from jobflow.testing.faults import (
    Answer,
    CopiedJob,
    Fault,
    Forbid,
    ForeignJob,
    LostAnswer,
    StrangerTouches,
    TemplateAbsent,
    TemplateDeleted,
    TemplateEdited,
    TemplateLate,
    TouchFlow,
)
from jobflow.testing.history import Body, Commit, History
from jobflow.testing.oracles.asked import exits, steps_of, waits_plainly
from jobflow.testing.oracles.liveness import RECOVERY_SECONDS, last_disturbance
from jobflow.testing.oracles.reading import (
    FINAL,
    FLOW,
    JOB,
    SETTLED,
    World,
    by_controller,
    controller_of,
    creates,
    faults,
    flow_phase,
    job_phase,
    node_of,
    records,
    replay,
    status_of,
    taken_down,
    targets,
    uid_of,
)
from jobflow.testing.oracles.verdict import Violation

BLOCKED = frozenset({"NameConflict", "PreviousChildTerminating"})  # reasons of a step whose Job's name is taken
# Faults that touch some steps and nothing that the others need.
OF_ONE_STEP = (
    Answer,
    CopiedJob,
    ForeignJob,
    LostAnswer,
    StrangerTouches,
    TemplateAbsent,
    TemplateDeleted,
    TemplateEdited,
    TemplateLate,
    TouchFlow,
)
START_SECONDS = 5.0  # from the end of a step's last target to its Job: a pass, and a conflict or two
ANSWER_SECONDS = 30.0  # after which a request without an answer is given up
COUNTS_SECONDS = 13.0  # counts of pods are told within ten, and one look may come between


def strangers_are_told_of(history: History, _: History | None = None) -> list[Violation]:
    """Another's Job with a child's name is never adopted, and the flow's status says that it is in the way.

    Judged where it stays in the way for longer than any fault can keep the controller from finding out.
    """
    bound = last_disturbance(history, apart_from=(ForeignJob, CopiedJob)) + RECOVERY_SECONDS
    return [
        Violation("strangers are told of", refused, f"Job {name} is another's, and step {step} does not say so")
        for name, step, refused, until in _refused_names(history)
        if until > max(refused + RECOVERY_SECONDS, bound) and not _is_told(history, name, step, refused, until)
    ]


def trouble_stays_where_it_is(history: History, _: History | None = None) -> list[Violation]:
    """A missing template, a taken name, a refused or unanswered create of one step delays no other step or flow.

    Save that a flow is in one hand: what becomes due while a create has no answer starts when that is given up.
    """
    plan = faults(history)
    if any(not isinstance(fault, (*OF_ONE_STEP, Forbid)) for fault in plan) or not plan:
        return []
    troubled = _troubled(history, plan)
    if troubled is None:
        return []
    due: dict[tuple[str, str], float] = {}
    found = []
    for commit, world in replay(history):
        for flow_uid, step in _opened(commit, world):
            due.setdefault((flow_uid, step), commit.at)
        node = node_of(commit.after or {}) if commit.kind == JOB and by_controller(commit) else None
        if node is None or not creates(commit) or world.of_node(node):
            continue
        late = commit.at - _from_when(history, due.get((node.flow_uid, node.step), commit.at))
        if late > START_SECONDS and commit.name not in troubled and commit.namespace not in troubled:
            text = f"Job {commit.name} was created {late:.0f} s after its step was due; {plan} does not concern it"
            found.append(Violation("trouble stays where it is", commit.at, text))
    return found


def counts_are_told(history: History, _: History | None = None) -> list[Violation]:
    """What a running Job says of its pods stands in its flow's status within ten seconds; judged without faults."""
    if faults(history):
        return []
    found = []
    stands: dict[str, tuple[float, Commit]] = {}  # by Job: since when it has the counts that it has
    for commit, world in replay(history):
        for name, (since, job) in list(stands.items()):
            if commit.at - since > COUNTS_SECONDS and commit.at < taken_down(history):
                del stands[name]
                if (told := _told_counts(world, job)) != _counts(job.after):
                    text = f"Job {name} has had {_counts(job.after)} since {since:.0f} s, its flow tells of {told}"
                    found.append(Violation("counts are told", commit.at, text))
        if commit.kind == JOB and node_of(commit.after or {}) and job_phase(commit.after or {}) == "Running":
            stands[commit.name] = (commit.at, commit)
        elif commit.kind == JOB:
            stands.pop(commit.name, None)
    return found


def counts_are_kept(history: History, _: History | None = None) -> list[Violation]:
    """Counts that a status has told of a Job's pods are never emptied: Volcano zeroes them after the Job's end."""
    found = []
    for commit in history.of(FLOW):
        before, after = (status_of(body).get("conditions") or {} for body in (commit.before, commit.after))
        found += [
            Violation("counts are kept", commit.at, f"JobFlow {commit.name}: counts of Job {name} were lost")
            for name, was in before.items()
            if name in after
            and was.get("createTime") == after[name].get("createTime")
            and was.get("taskStatusCount")
            and not after[name].get("taskStatusCount")
        ]
    return found


def _refused_names(history: History) -> Iterator[tuple[str, str, float, float]]:
    """Jobs of others whose name a create met: name, step, when, and until when it was so."""
    known: set[str] = set()
    for call in history.calls:
        if call.verb != "create" or not call.path.endswith("/jobs") or call.status != 409 or call.fault:
            continue
        node, name = node_of(call.body or {}), str((call.body or {})["metadata"]["name"])
        ours = [commit for commit in history.of(JOB) if commit.name == name]
        holder = next((commit for commit in reversed(ours) if commit.order < call.order), None)
        if node is None or name in known or holder is None or holder.after is None:
            continue
        if _owner_uid(holder.after) != node.flow_uid:
            known.add(name)
            gone = next((one.at for one in ours if one.order > call.order and one.after is None), taken_down(history))
            ended = next((c.at for c in history.of(FLOW) if _is_over(c, node.flow_uid)), taken_down(history))
            yield name, node.step, call.at, min(gone, ended)


def _owner_uid(job: Body) -> str:
    return str((controller_of(job) or {}).get("uid", ""))


def _is_over(commit: Commit, flow_uid: str) -> bool:
    """The flow is gone, is going, or has ended: nothing is told of its steps any more."""
    body = commit.after or commit.before or {}
    if uid_of(body) != flow_uid:
        return False
    return commit.after is None or "deletionTimestamp" in body["metadata"] or flow_phase(body) in FINAL


def _is_told(history: History, name: str, step: str, refused: float, until: float) -> bool:
    entries = (
        records(commit.after).get(step, {})
        for commit in history.of(FLOW)
        if refused <= commit.at <= until and commit.after
    )
    return any(entry.get("reason") in BLOCKED and name in entry.get("message", "") for entry in entries)


def _troubled(history: History, plan: tuple[Fault, ...]) -> set[str] | None:
    """Names of Jobs, and namespaces, that the faults concern; None where a fault may concern all."""
    found: set[str] = set()
    for fault in plan:
        match fault:
            case Answer() | LostAnswer():
                call = next((call for call in history.calls if call.fault == str(fault)), None)
                if call is None or not call.path.endswith("/jobs") or call.verb != "create":
                    return None  # of a status, or of an Event: what all steps share
                found.add(str((call.body or {})["metadata"]["name"]))
            case CopiedJob(child) | ForeignJob(child) | StrangerTouches(child):
                found.add(child)
            case (
                TemplateAbsent(template) | TemplateLate(template) | TemplateDeleted(template) | TemplateEdited(template)
            ):
                found |= _jobs_from(history, template)
            case Forbid(namespace):
                found.add(namespace)
    return found


def _from_when(history: History, due: float) -> float:
    """When a step that became due could start: at once, or when the answer that its flow waited for was given up."""
    waits = (call.at for call in history.calls if call.fault.startswith(LostAnswer.NAME))
    return next((until for until in waits if until - ANSWER_SECONDS < due < until), due)


def _jobs_from(history: History, template: str) -> set[str]:
    """Names of the Jobs of steps that use the template."""
    return {f"{commit.name}-{template}" for commit in history.of(FLOW)}


def _opened(commit: Commit, world: World) -> Iterator[tuple[str, str]]:
    """Steps whose last target's Job ends with this commit; all that wait for nothing, when the flow is created."""
    if commit.kind == FLOW and creates(commit) and commit.after is not None:
        steps = ((step, waits) for step, waits in targets(commit.after).items() if _starts_plainly(commit.after, step))
        yield from ((uid_of(commit.after), step) for step, waits in steps if not waits)
    node = node_of(commit.after or {}) if commit.kind == JOB else None
    if node is None or job_phase(commit.after or {}) != "Completed" or job_phase(commit.before or {}) == "Completed":
        return
    flow = world.flows.get(node.flow_uid, {})
    done = {life.node.step for life in world.of_flow(node.flow_uid) if life.result == "Completed"} | {node.step}
    for step, waits in targets(flow).items():
        due = node.step in waits and set(waits) <= done and _starts_plainly(flow, step)
        if due and records(flow).get(step, {}).get("phase") not in SETTLED:
            yield node.flow_uid, step


def _starts_plainly(flow: Body, step: str) -> bool:
    """Nothing but the success of its targets decides when it starts."""
    switched = "switch" in (flow.get("spec") or {})
    return not switched and step not in exits(flow) and waits_plainly(steps_of(flow).get(step, {}))


def _counts(job: Body | None) -> Body:
    counted = (status_of(job).get("taskStatusCount") or {}).items()
    return {task: dict(entry.get("phase") or {}) for task, entry in counted if entry}


def _told_counts(world: World, job: Commit) -> Body:
    flow = world.flows.get(_owner_uid(job.after or {}))
    told = ((status_of(flow).get("conditions") or {}).get(job.name) or {}).get("taskStatusCount") or {}
    return {task: dict(entry.get("phase") or {}) for task, entry in told.items()}
