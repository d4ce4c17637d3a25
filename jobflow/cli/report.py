"""Report: how it ended, where the logs are, and why what failed has failed.

In: final pictures, the pods of each Job and where their logs are. Out: Lines. Of what failed, the end of the log is
shown at once: that is what anybody would look at next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from os.path import commonprefix
from pathlib import Path

from jobflow.api.status import StepPhase
from jobflow.cli.looks import Charset, Line, Span
from jobflow.cli.pictures import FlowPicture, StepPicture, one_line
from jobflow.cli.pods import PodView
from jobflow.cli.tails import tail
from jobflow.cli.tree import flow_line, flow_lines, step_lines, step_note

TAIL_LINES = 20
PODS_TOLD = 3  # failed pods of a step whose logs are shown; the others mostly say the same
STEPS_TOLD = 40  # flows with more steps tell of those that failed, and where all logs are
WAITING_TOLD = 20
OUTPUT_CHARACTERS = 80  # of a value; all of it is in the status


@dataclass(frozen=True)
class Evidence:
    """Pods by the UID of their Job, failed ones first, and the log files of a pod."""

    pods_of: Callable[[str], Sequence[PodView]]
    log_paths: Callable[[str, str], Sequence[Path]]

    def logs_of(self, job_uid: str) -> list[Path]:
        """All log files of a Job."""
        return [path for pod in self.pods_of(job_uid) for path in self.log_paths(pod.namespace, pod.name)]


def report(flow: FlowPicture, evidence: Evidence, now: datetime, charset: Charset) -> list[Line]:
    """The end of one flow or Job."""
    if not flow.steps:
        return [flow_line(flow, now, charset), *_job_lines(flow.uid, flow.phase, evidence)]
    if len(flow.steps) > STEPS_TOLD:
        return [*flow_lines(flow, now, charset, STEPS_TOLD // 2), *_many(flow, evidence, now)]
    lines = [flow_line(flow, now, charset)]
    ordered = sorted(flow.steps, key=lambda step: step.level)
    for step, line in zip(ordered, step_lines(flow.steps, now, charset), strict=True):
        lines.append(line)
        lines += [_output_line(name, value) for name, value in step.outputs]
        lines += _earlier_lines(step, evidence)
        lines += _job_lines(step.job_uid, step.phase, evidence) if step.job_uid else []
    return lines


def still_waiting(flow: FlowPicture, now: datetime, charset: Charset) -> list[Line]:
    """What an unfinished flow still waited for."""
    open_steps = [step for step in flow.steps if not step.phase.settled]
    lines = [flow_line(flow, now, charset)]
    for step in sorted(open_steps, key=lambda step: step.level)[:WAITING_TOLD]:
        note = step_note(step, {}, now)
        lines.append((Span(f"    {step.name} {step.phase}"), Span(f"  {note}" if note else "", "dim")))
    more = len(open_steps) - WAITING_TOLD
    return [*lines, (Span(f"    and {more} more steps"),)] if more > 0 else lines


def _earlier_lines(step: StepPicture, evidence: Evidence) -> Iterator[Line]:
    """Where the logs of the attempts are that failed before the one that is shown."""
    for number, job_uid in step.earlier:
        if paths := evidence.logs_of(job_uid):
            yield (Span(f"        logs of attempt {number}: {_together(paths)}", "dim"),)


def _output_line(name: str, value: str) -> Line:
    """What a step left for others, in one line."""
    shown = one_line(value)
    cut = shown if len(shown) <= OUTPUT_CHARACTERS else f"{shown[: OUTPUT_CHARACTERS - 3]}..."
    return (Span(f"        {name} = "), Span(cut, "cyan"))


def _many(flow: FlowPicture, evidence: Evidence, now: datetime) -> Iterator[Line]:
    failed = [step for step in flow.steps if step.phase is StepPhase.FAILED]
    for step in failed[:STEPS_TOLD]:
        yield (Span(f"      {step.name}", "bold red"), Span(f"  {step_note(step, {}, now)}"))
        yield from _job_lines(step.job_uid, step.phase, evidence)
    first = next((paths[0] for step in flow.steps if (paths := _logs(step, evidence))), None)
    if first is not None:
        yield (Span(f"      logs of all steps: {first.parents[2]}", "dim"),)


def _logs(step: StepPicture, evidence: Evidence) -> list[Path]:
    return evidence.logs_of(step.job_uid) if step.job_uid else []


def _job_lines(job_uid: str, phase: StepPhase, evidence: Evidence) -> Iterator[Line]:
    """Where the logs are; for a failure also their ends."""
    paths = evidence.logs_of(job_uid)
    if paths:
        yield (Span(f"        logs: {_together(paths)}", "dim"),)
    if phase is StepPhase.FAILED:
        failed = [pod for pod in evidence.pods_of(job_uid) if pod.phase == "Failed"]
        for pod in failed[:PODS_TOLD]:
            yield from _pod_end(pod, evidence)
        if len(failed) > PODS_TOLD:
            yield (Span(f"        and {len(failed) - PODS_TOLD} more pods failed"),)


def _pod_end(pod: PodView, evidence: Evidence) -> Iterator[Line]:
    yield (Span(f"        {pod.name}: {pod.problem or 'failed'}", "red"),)
    for path in evidence.log_paths(pod.namespace, pod.name):
        lines = tail(path, TAIL_LINES)
        if not lines:
            yield (Span("          it printed nothing", "dim"),)
        for text in lines:
            yield (Span("          | ", "dim"), Span(text))


def _together(paths: Sequence[Path]) -> str:
    """One path, or for several what their paths begin with and how many there are."""
    if len(paths) == 1:
        return str(paths[0])
    # Of characters, not of folders: the pods of a Job differ in their number only.
    begin = commonprefix([str(path) for path in paths])  # noqa: RUF071
    return f"{begin}* ({len(paths)} files)"
