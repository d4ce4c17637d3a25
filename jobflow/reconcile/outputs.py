"""Outputs: what the Jobs of steps left behind is read and committed before the steps count as ended.

In: a snapshot, where its steps stand by their children. Out: where they stand with what was found, and the questions to
be asked meanwhile (`jobflow.probe` answers them). A step whose Job has ended stays Running, reason CollectingOutputs,
until the answer is there; its result and its outputs are then committed in one write, and later steps use what is
committed, never what was only read. So a crash at any moment leads to another reading, not to another Job, and not to
two values of one output. How a Job ended stands in upstream's jobStatusList meanwhile: should it be gone before its
outputs were read, its step has ended without them. Of a Job that failed nothing is concluded meanwhile either, but
nothing starts after it (`gate.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from jobflow.api.children import ChildView
from jobflow.api.output_values import TooLarge, entry_of, value_in
from jobflow.api.outputs import MAX_FLOW_BYTES, Absent, Counts, OutputsFound, OutputsOf, Reading
from jobflow.api.probes import Question
from jobflow.api.status import FlowStatus, OutputStatus, Reason, StepPhase
from jobflow.reconcile.graph import Graph, Step
from jobflow.reconcile.observe import Standing, upstream_record
from jobflow.reconcile.scope import Outputs
from jobflow.reconcile.snapshot import Flow, Snapshot


def collect(snapshot: Snapshot, graph: Graph, standings: dict[str, Standing]) -> frozenset[Question]:
    """Put in place where the steps with outputs stand; the questions that are to be asked for it."""
    producers = graph.producers
    if not producers:
        return frozenset()
    room = MAX_FLOW_BYTES - sum(_size(entry) for entry in _committed_entries(snapshot.flow))
    questions: set[Question] = set()
    for step in producers:
        standing = standings[step.name]
        if standing.frozen:
            continue
        if standing.child is None:
            standings[step.name] = _ended_unread(snapshot.flow, standing)
        elif standing.child.phase.terminal:
            question = _question(snapshot.flow, standing, standing.child)
            questions.add(question)
            standings[step.name] = found = _with_outputs(snapshot, standing, question, room)
            room -= sum(_size(entry) for entry in found.outputs)
    return frozenset(questions)


def uncommitted(flow: Flow, step: Step) -> list[str]:
    """The steps whose outputs this one uses and which are not committed yet."""
    if not step.reads:
        return []
    settled = {record.name for record in flow.committed.flowStatuses if record.phase.settled}
    return sorted(step.reads - settled)


def committed_outputs(flow: Flow, step: Step) -> Outputs:
    """What the placeholders of one step may use: the committed outputs of the steps that it names."""
    if not step.reads:
        return {}
    return {
        record.name: {entry.name: value_in(entry) for entry in record.outputs or _instead(flow, record)}
        for record in flow.committed.flowStatuses
        if record.name in step.reads and record.phase.settled
    }


def _instead(flow: Flow, record: FlowStatus) -> Iterator[OutputStatus]:
    """What stands for the outputs of a step that never had a Job: their defaults."""
    if not record.jobName:
        for wanted in flow.compiled.graph.by_name[record.name].outputs:
            yield OutputStatus(wanted.name, wanted.default, message=f"it never ran ({record.phase})")


def _question(flow: Flow, standing: Standing, child: ChildView) -> OutputsOf:
    tasks = tuple(task for task, _ in child.tasks)
    sources = tuple(wanted.source for wanted in standing.step.outputs)
    return OutputsOf(child.namespace, child.name, child.uid, tasks, sources, _counts(flow, standing, child))


def _counts(flow: Flow, standing: Standing, child: ChildView) -> Counts:
    """The Job's pods by task and phase: as it says, else as is committed of its end."""
    if any(count for phases in child.task_counts.values() for count in phases.values()):
        return child.task_counts
    told = flow.committed.conditions.get(child.name)
    if told is None or standing.record is None or standing.record.jobUID != child.uid:
        return {}
    return {task: state.phase for task, state in told.taskStatusCount.items()} if told.phase == child.state else {}


def _with_outputs(snapshot: Snapshot, standing: Standing, question: OutputsOf, room: int) -> Standing:
    """Where a step stands whose Job has ended."""
    answer = snapshot.answers.get(question)
    if not isinstance(answer, OutputsFound):
        return _being_read(standing, "")
    readings = answer.readings
    if answer.problem and not _is_last_chance(snapshot, standing):
        return _being_read(standing, answer.problem)
    readings = answer.readings or (Absent(answer.problem),) * len(question.sources)
    return _judged(standing, _entries(standing.step, readings, room))


def _being_read(standing: Standing, problem: str) -> Standing:
    """Until it is read. Of a Job that was ended it is committed why, and stays so."""
    if standing.ending and standing.record is not None:
        record = standing.record
        return replace(standing, phase=StepPhase.RUNNING, reason=record.reason, message=record.message)
    return replace(standing, phase=StepPhase.RUNNING, reason=Reason.COLLECTING_OUTPUTS, message=problem)


def _is_last_chance(snapshot: Snapshot, standing: Standing) -> bool:
    """Of a Job that failed or is gone, or whose flow has failed, what can be read is read; nothing waits for the rest.

    Only an outcome that is committed counts: before that, what decides it may yet turn out otherwise.
    """
    if standing.phase is StepPhase.FAILED:
        return True
    if snapshot.flow.committed.outcome is not None and not standing.step.on_exit:
        return True
    return standing.child is None or all(child.uid != standing.child.uid for child in snapshot.children)


@dataclass(frozen=True, slots=True)
class _Entries:
    """What there is to commit, and what was too much of it."""

    told: tuple[OutputStatus, ...]
    too_large: tuple[str, ...] = ()


def _entries(step: Step, readings: tuple[Reading, ...], room: int) -> _Entries:
    told: list[OutputStatus] = []
    too_large: list[str] = []
    for wanted, reading in zip(step.outputs, readings, strict=True):
        try:
            entry = entry_of(wanted, reading)
            if _size(entry) > room:
                raise TooLarge(f"with it the outputs of this flow pass {MAX_FLOW_BYTES // 1024} KiB")
        except TooLarge as problem:
            too_large.append(f"output {wanted.name} is too large: {problem}")
            entry = OutputStatus(wanted.name, message=str(problem))
        room -= _size(entry)
        told.append(entry)
    return _Entries(tuple(told), tuple(too_large))


def _judged(standing: Standing, found: _Entries) -> Standing:
    """What is too large fails a step whose Job did well; of one that failed, its own reason is the better one."""
    if found.too_large and standing.phase is StepPhase.SUCCEEDED:
        return replace(
            standing,
            phase=StepPhase.FAILED,
            reason=Reason.OUTPUT_TOO_LARGE,
            message="; ".join(found.too_large),
            outputs=found.told,
        )
    return replace(standing, outputs=found.told)


def _ended_unread(flow: Flow, standing: Standing) -> Standing:
    """A step whose Job is gone. Where it is committed that the Job had ended, it does not run again."""
    record = standing.record
    if standing.ending and record is not None:
        absent = (Absent(f"Job {record.jobName} is gone"),) * len(standing.step.outputs)
        return replace(standing, outputs=_entries(standing.step, absent, MAX_FLOW_BYTES).told)
    if record is None or record.reason != Reason.COLLECTING_OUTPUTS:
        return standing
    entry = next((entry for entry in flow.committed.jobStatusList if entry.name == record.jobName), None)
    ended = upstream_record(record.name, entry) if entry is not None else None
    if ended is None or not ended.phase.settled:
        return standing
    why = f"Job {record.jobName} was gone before it could be read"
    entries = _entries(standing.step, (Absent(why),) * len(standing.step.outputs), MAX_FLOW_BYTES)
    settled: FlowStatus = replace(
        record,
        phase=ended.phase,
        reason=ended.reason,
        message=f"Job {record.jobName} ended, and is gone" if ended.reason else "",
        completionTime=ended.completionTime,
        outputs=entries.told,
    )
    return replace(standing, phase=settled.phase, reason=settled.reason, message=settled.message, record=settled)


def _committed_entries(flow: Flow) -> Iterator[OutputStatus]:
    for record in flow.committed.flowStatuses:
        yield from record.outputs


def _size(entry: OutputStatus) -> int:
    """Bytes of its value in the status."""
    return 0 if entry.value is None else len(msgspec.json.encode(entry.value)) + len(entry.text.encode())
