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
from jobflow.api.status import FlowStatus, JobStatus, OutputStatus, Reason, StepPhase
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

    @property
    def frozen(self) -> bool:
        """Its result is committed: nothing about it changes any more."""
        return self.record is not None and self.record.phase.settled

    @property
    def had_child(self) -> bool:
        """A child of it exists or has existed."""
        return self.child is not None or (self.record is not None and self.record.jobName != "")


STEP_PHASES = {
    ChildPhase.PENDING: StepPhase.PENDING,
    ChildPhase.RUNNING: StepPhase.RUNNING,
    ChildPhase.SUCCEEDED: StepPhase.SUCCEEDED,
    ChildPhase.FAILED: StepPhase.FAILED,
    ChildPhase.UNKNOWN: StepPhase.RUNNING,  # a phase of a newer Volcano: wait, it is live as far as we know
}

NOBODY: Sequence[ChildView] = ()

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
    return Standing(step, phase, reason, message, child, record)


def _standing(
    step: Step, record: FlowStatus | None, children: Sequence[ChildView], vanished: Sequence[ChildView]
) -> Standing:
    child = _current(record, children)
    if record is not None and record.phase.settled:
        return Standing(step, record.phase, record.reason, record.message, child, record)
    if child is not None:
        return of_child(step, record, child)
    ended = _current(record, [gone for gone in vanished if gone.phase.terminal])
    if ended is not None:
        return of_child(step, record, ended)
    return Standing(step, StepPhase.WAITING, child=None, record=record)


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
    our record says that outputs are yet to be read, the Job's end in the list is not the step's.
    """
    records = _upstream_records(flow, steps)
    for ours in flow.committed.flowStatuses:
        theirs = records.get(ours.name)
        open_yet = theirs is None or not theirs.phase.settled or ours.reason == Reason.COLLECTING_OUTPUTS
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
