"""Observe: where does each step stand, by its child and by what is committed?

In: a snapshot and the steps. Out: a Standing per step; one that has not started, or whose unfinished child was
deleted by a stranger, stands at Waiting, and the gate and the start decide what becomes of it.
Rules: a result that is committed stands for ever, whatever becomes of its child; a child that vanished counts in its
last state; identity is the owner's UID plus the node, never the name alone (except that a child which names no
step, made by upstream's controller, is recognised by upstream's name).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from jobflow.api.children import ChildPhase, ChildView
from jobflow.api.names import short_hash
from jobflow.api.status import READING, FlowStatus, JobStatus, OutputStatus, Reason, StepPhase
from jobflow.reconcile.graph import Step
from jobflow.reconcile.snapshot import Flow, Snapshot


class Standing(Struct, frozen=True, gc=False):
    """Where one step stands. `child` is what it was read from: live, or vanished in its last state."""

    step: Step
    phase: StepPhase
    reason: str = ""
    message: str = ""
    child: ChildView | None = None
    record: FlowStatus | None = None
    outputs: tuple[OutputStatus, ...] = ()  # what its child left, once it has ended and was read
    exit_code: int | None = None  # of the first container that ended with an error, where that was read
    becomes: FlowStatus | None = None  # its record, where that is no longer what its child says (`retry.py`)

    @property
    def good(self) -> bool:
        """It has ended well, or as well as the flow asks of it: a failure that the flow is to go on after."""
        return self.phase is StepPhase.SUCCEEDED or (self.phase is StepPhase.FAILED and self.step.continue_on_fail)

    @property
    def ending(self) -> bool:
        """Its Job is to be ended, or was, for a reason of ours."""
        return self.reason in ENDINGS

    @property
    def frozen(self) -> bool:
        """Its result is committed: nothing about it changes any more."""
        return self.record is not None and self.record.phase.settled

    @property
    def attempt(self) -> int:
        """Which attempt it stands at, from 0."""
        committed = self.record.attempt if self.record is not None else 0
        return max(committed, attempt_of(self.child)) if self.child is not None else committed

    @property
    def had_child(self) -> bool:
        """A child of it exists or has existed."""
        record = self.record
        return self.child is not None or (record is not None and (record.jobName != "" or record.attempt > 0))


STEP_PHASES = {
    ChildPhase.PENDING: StepPhase.PENDING,
    ChildPhase.RUNNING: StepPhase.RUNNING,
    ChildPhase.SUCCEEDED: StepPhase.SUCCEEDED,
    ChildPhase.FAILED: StepPhase.FAILED,
    ChildPhase.UNKNOWN: StepPhase.RUNNING,  # a phase of a newer Volcano: wait, it is live as far as we know
}

NOBODY: Sequence[ChildView] = ()

ENDINGS = frozenset({Reason.DEADLINE_EXCEEDED, Reason.PENDING_DEADLINE_EXCEEDED, Reason.FAIL_FAST})  # of a Job by us

FAILURES = {"Terminated": Reason.JOB_TERMINATED, "Aborted": Reason.JOB_ABORTED}

UPSTREAM_RESULTS = {
    "Completed": StepPhase.SUCCEEDED,
    "Failed": StepPhase.FAILED,
    "Terminated": StepPhase.FAILED,
    "Aborted": StepPhase.FAILED,
}


def observe(snapshot: Snapshot, steps: Iterable[Step]) -> dict[str, Standing]:
    """Where each step stands, before any gate is asked."""
    steps = tuple(steps)
    records = _records(snapshot.flow, steps)
    children = _by_step(snapshot.flow, snapshot.children)
    vanished = _by_step(snapshot.flow, snapshot.vanished)
    return {
        step.name: _standing(
            step, records.get(step.name), children.get(step.name, NOBODY), vanished.get(step.name, NOBODY)
        )
        for step in steps
    }


def of_child(step: Step, record: FlowStatus | None, child: ChildView) -> Standing:
    """The standing that a child's own phase gives its step."""
    phase = STEP_PHASES[child.phase]
    reason, message = "", ""
    if phase is StepPhase.FAILED:
        reason = FAILURES.get(child.state, Reason.JOB_FAILED)
        message = f"Job {child.name} is {child.state}"
        if child.failed_pods:
            message += f": {child.failed_pods} of {child.pods} pods failed"
    elif child.phase is ChildPhase.UNKNOWN:
        message = f"Job {child.name} is in phase {child.state}, which is not known here"
    elif child.deleting and phase.live:
        message = f"Job {child.name} is being deleted"
    if record is not None and record.reason and phase is not StepPhase.SUCCEEDED and is_ours_to_end(record, child):
        ended = phase is StepPhase.FAILED
        reason, message = record.reason, f"{record.message}; the Job is {child.state}" if ended else record.message
    return Standing(step, phase, reason, message, child, record)


def is_ours_to_end(record: FlowStatus, child: ChildView) -> bool:
    """It is committed that this child is to be ended, whatever is said of deadlines and policies by now."""
    return record.reason in ENDINGS and record.jobUID == child.uid


def _standing(
    step: Step, record: FlowStatus | None, children: Sequence[ChildView], vanished: Sequence[ChildView]
) -> Standing:
    if vanished or (children and (record is None or len(children) > 1 or children[0].uid != record.jobUID)):
        record, children, vanished = _of_last_attempt(step, record, children, vanished)
    child = _current(record, children)
    if record is not None and record.phase.settled:
        return Standing(step, record.phase, record.reason, record.message, child, record)
    if child is not None:
        return of_child(step, record, child)
    ended = _current(record, [gone for gone in vanished if gone.phase.terminal])
    if ended is not None:
        return of_child(step, record, ended)
    if record is not None and record.reason in ENDINGS:  # it was to end, and did
        return Standing(step, StepPhase.FAILED, record.reason, f"{record.message}; the Job is gone", None, record)
    if record is not None and record.reason == Reason.READING_EXIT_CODE and step.retry is None:
        # It has failed, and the retry that asked for more was taken away since: it is that attempt's end.
        said = f"Job {record.jobName} ended, and is gone"
        return Standing(step, StepPhase.FAILED, Reason.JOB_FAILED, said, None, record)
    return Standing(step, StepPhase.WAITING, child=None, record=record)


def attempt_of(child: ChildView) -> int:
    """Which attempt of its step the child is, from 0; upstream's controller makes no others."""
    return child.node.attempt if child.node is not None else 0


def _of_last_attempt(
    step: Step, record: FlowStatus | None, children: Sequence[ChildView], vanished: Sequence[ChildView]
) -> tuple[FlowStatus | None, Sequence[ChildView], Sequence[ChildView]]:
    """The record and the children of the last attempt that is known of. Those of earlier ones never count again.

    A child of a later attempt than the record's says that the record is an old one, which somebody has restored: no
    attempt begins before it is committed that the one before is over.
    """
    known = record.attempt if record is not None else 0
    last = known
    if record is None or not record.phase.settled:
        last = max([known, *map(attempt_of, children), *map(attempt_of, vanished)])
    if last > known:
        kept = (record.recreations, record.attempts) if record is not None else (0, ())
        record = FlowStatus(step.name, StepPhase.WAITING, attempt=last, recreations=kept[0], attempts=kept[1])
    uid = record.jobUID if record is not None else ""  # of a child whose annotation somebody has edited
    return (
        record,
        [child for child in children if attempt_of(child) == last or child.uid == uid],
        [child for child in vanished if attempt_of(child) == last or child.uid == uid],
    )


def _current(record: FlowStatus | None, children: Sequence[ChildView]) -> ChildView | None:
    """The one that is committed as the step's child; else the oldest, so that every reader picks the same."""
    if not children:
        return None
    if len(children) == 1:  # as nearly always
        return children[0]
    committed = record.jobUID if record else ""
    return min(children, key=lambda child: (child.uid != committed, child.created, child.uid))


def _by_step(flow: Flow, children: Iterable[ChildView]) -> Mapping[str, Sequence[ChildView]]:
    found: defaultdict[str, list[ChildView]] = defaultdict(list)
    prefix = f"{flow.name}-"
    for child in children:
        if child.flow_uid != flow.uid:
            continue
        if child.node is not None:
            found[child.node.step].append(child)
        elif child.name.startswith(prefix):
            found[child.name.removeprefix(prefix)].append(child)
    return found


def _records(flow: Flow, steps: Iterable[Step]) -> Mapping[str, FlowStatus]:
    """What is committed of each step: our record, joined with what upstream's jobStatusList tells of its Job.

    A result that either of them has stands: the list may be of upstream's controller, before us or between. Only where
    our record says that something is yet to be read, or why the Job was ended, its end in the list is not the step's;
    nor is that of the first attempt, which has the name that is looked for, once there is a second one.
    """
    records = _upstream_records(flow, steps)
    for ours in flow.committed.flowStatuses:
        theirs = records.get(ours.name)
        being_read = ours.reason in READING or ours.reason in ENDINGS
        open_yet = theirs is None or not theirs.phase.settled or being_read or ours.attempt > 0
        if ours.phase.settled or open_yet:
            records[ours.name] = ours
    return records


def _upstream_records(flow: Flow, steps: Iterable[Step]) -> dict[str, FlowStatus]:
    """What the list tells of steps, where that may be more than our records do."""
    ours = {record.jobName: record.phase.settled for record in flow.committed.flowStatuses}
    entries = {entry.name: entry for entry in flow.committed.jobStatusList if _says_more(entry, ours)}
    if not entries:
        return {}
    names_of_steps = {f"{flow.name}-{step.name}": step.name for step in steps}
    found = {step: upstream_record(step, entries[name]) for name, step in names_of_steps.items() if name in entries}
    if len(found) < len(entries):  # names that were cut to fit end in a hash of the whole
        by_hash = {short_hash(name): step for name, step in names_of_steps.items() if step not in found}
        cut = ((by_hash.get(entry.name.rpartition("-")[2]), entry) for entry in entries.values())
        found |= {step: upstream_record(step, entry) for step, entry in cut if step is not None}
    return found


def _says_more(entry: JobStatus, ours: Mapping[str, bool]) -> bool:
    """Than our record of the Job, of which `ours` has whether it is a result."""
    settled = ours.get(entry.name)
    return settled is None or (not settled and entry.state in UPSTREAM_RESULTS)


def upstream_record(step: str, entry: JobStatus) -> FlowStatus:
    """What upstream's jobStatusList tells of a step."""
    phase = UPSTREAM_RESULTS.get(entry.state, StepPhase.PENDING)
    reason = FAILURES.get(entry.state, Reason.JOB_FAILED) if phase is StepPhase.FAILED else ""
    return FlowStatus(
        name=step,
        phase=phase,
        reason=reason,
        jobName=entry.name,
        startTime=entry.startTimestamp,
        completionTime=entry.endTimestamp if phase.settled else None,
    )
