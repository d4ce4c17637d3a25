"""Evidence: do the probes of a step hold, now that its targets have got as far as it waits for?

In: a snapshot, a step, where its targets stand. Out: a gate (Open, Closed, Never, or Broken where a probe is allowed
to fail the step), and the questions that must go on being asked for the answer. Called once per waiting step whose
targets let it start. All probes have to hold in one evaluation. A task-status probe reads the Job's own counts; a
network probe reads verdicts, which the runner brings (`jobflow.probe`): nothing of them is stored, so after a restart
all are asked anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from jobflow.api.probes import (
    NetworkProbe,
    OfHost,
    OfTask,
    PodAddress,
    PodList,
    PodPhase,
    PodsFound,
    PodView,
    Probe,
    Probes,
    Question,
    TaskProbe,
    Verdict,
)
from jobflow.api.resources import POD, Key
from jobflow.api.status import Reason
from jobflow.reconcile.gate import Broken, Closed, Gate, Never, Open
from jobflow.reconcile.graph import Step
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.snapshot import Snapshot

UNSETTLED = (PodPhase.PENDING, PodPhase.RUNNING, PodPhase.UNKNOWN)


class Weight(IntEnum):
    """Which finding decides, where the probes of a step differ."""

    HOLDS = 0
    UNASKED = 1
    FAILS = 2
    BROKEN = 3
    LOST = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe found of one target, or of one pod."""

    weight: Weight
    message: str = ""
    reason: Reason = Reason.PROBE


HOLDS = Finding(Weight.HOLDS)


@dataclass
class Evidence:
    """What the probes say, what has to be asked for it, and which pods it was read from."""

    snapshot: Snapshot
    probes: Probes
    gate: Gate = field(default_factory=Open)
    questions: set[Question] = field(default_factory=set)
    awaits: set[Key] = field(default_factory=set)

    @property
    def namespace(self) -> str:
        """Of the flow, and so of everything it asks for."""
        return self.snapshot.flow.namespace

    def ask(self, probe: Probe) -> Finding:
        """The verdict of a network probe, which is asked for from now on."""
        self.questions.add(probe)
        verdict = self.snapshot.answers.get(probe)
        if not isinstance(verdict, Verdict):
            return Finding(Weight.UNASKED, f"{probe.told}: no answer yet")
        if verdict.passed:
            return HOLDS
        fails = self.probes.fail and verdict.failed
        return Finding(Weight.BROKEN if fails else Weight.FAILS, verdict.message)

    def list_pods(self, job: str, uid: str) -> PodsFound | None:
        """The pods of a Job that no watch brings; None until they are listed."""
        question = PodList(self.namespace, job, uid, self.probes.timing.period)
        self.questions.add(question)
        found = self.snapshot.answers.get(question)
        return found if isinstance(found, PodsFound) else None


def evidence(snapshot: Snapshot, step: Step, standings: Mapping[str, Standing]) -> Evidence:
    """What the probes of `step` say."""
    found = Evidence(snapshot, step.probes or Probes())
    targets = [standings[name] for name in step.targets]
    findings = [one for probe in found.probes.tasks for one in _counted(found, probe, targets)]
    findings += [one for probe in found.probes.network for one in _asked(found, probe, targets)]
    found.gate = _gate(findings)
    return found


def _gate(findings: Iterable[Finding]) -> Gate:
    worst = max(findings, key=lambda finding: finding.weight, default=HOLDS)
    match worst.weight:
        case Weight.HOLDS:
            return Open()
        case Weight.UNASKED:
            return Closed(Reason.PROBE, worst.message)
        case Weight.FAILS:
            return Closed(Reason.PROBE_FAILING, worst.message)
        case Weight.BROKEN:
            return Broken(Reason.PROBE_FAILED, worst.message)
        case Weight.LOST:
            return Never(worst.reason, worst.message)


def _asked(found: Evidence, probe: NetworkProbe, targets: list[Standing]) -> list[Finding]:
    match probe.where:
        case OfHost():
            return [found.ask(Probe(found.namespace, probe.where, probe.check, found.probes.timing))]
        case OfTask(task, any_pod):
            having = [target for target in targets if task in _replicas(found, target)]
            if not having:
                return [_no_such_task(found, task, targets)]
            return [_pods_answer(found, probe, target, task, any_pod) for target in having]


def _pods_answer(found: Evidence, probe: NetworkProbe, target: Standing, task: str, any_pod: bool) -> Finding:
    """What the pods of one target's task answer."""
    pods = _pods(found, target)
    if isinstance(pods, Finding):
        return pods
    of_task = [pod for pod in pods if pod.task == task and not pod.deleting]
    verdicts = []
    for pod in of_task:
        address = PodAddress(pod.uid, pod.ip, pod.host_network)
        question = Probe(found.namespace, address, probe.check, found.probes.timing)
        if pod.phase is PodPhase.RUNNING and pod.ip:
            verdicts.append(found.ask(question))
        elif question in found.snapshot.answers:  # it answered, and has ended since
            found.questions.add(question)
            verdicts.append(found.ask(question))
    good = sum(finding.weight is Weight.HOLDS for finding in verdicts)
    wanted = 1 if any_pod else _replicas(found, target)[task] or len(of_task) or 1
    if good >= wanted:
        return HOLDS
    if target.phase.settled:
        said = f"Job {_job_name(target)} completed before the probe of its task {task} ever held"
        return Finding(Weight.LOST, said, Reason.PROBE_TARGET_GONE)
    if len(verdicts) < wanted:
        said = f"{len(verdicts)} of {wanted} pods of task {task} of Job {_job_name(target)} run"
        return Finding(Weight.UNASKED, said)
    choose = min if any_pod else max
    return choose(
        (finding for finding in verdicts if finding.weight is not Weight.HOLDS), key=lambda finding: finding.weight
    )


def _pods(found: Evidence, target: Standing) -> tuple[PodView, ...] | Finding:
    """The pods of the target's Job: from the watch, or where upstream's controller made it, from a list."""
    child = target.child
    if child is None:
        return ()
    if child.node is not None and found.snapshot.pods_unseen:
        return Finding(Weight.UNASKED, f"the pods of Job {child.name} cannot be seen: {found.snapshot.pods_unseen}")
    if child.node is not None:
        found.awaits.add(Key(POD.kind, child.namespace, child.name))
        return found.snapshot.pods.get(child.uid, ())
    listed = found.list_pods(child.name, child.uid)
    if listed is None or listed.problem:
        return Finding(Weight.UNASKED, listed.problem if listed else f"the pods of Job {child.name} are being listed")
    return listed.pods


def _counted(found: Evidence, probe: TaskProbe, targets: list[Standing]) -> list[Finding]:
    having = [target for target in targets if probe.task in _replicas(found, target)]
    if not having:
        return [_no_such_task(found, probe.task, targets)]
    return [_count(found, probe, target) for target in having]


def _count(found: Evidence, probe: TaskProbe, target: Standing) -> Finding:
    """Pods of one target's task in the phase, by the Job's own counts."""
    counts = _counts(found, target).get(probe.task, {})
    wanted = probe.count or _replicas(found, target)[probe.task] or sum(counts.values()) or 1
    have = counts.get(probe.phase, 0)
    told = f"{have} of {wanted} pods of task {probe.task} of Job {_job_name(target)} are {probe.phase}"
    if have >= wanted:
        return HOLDS
    if not target.phase.settled:
        return Finding(Weight.FAILS if have else Weight.UNASKED, told)
    if not probe.phase.terminal:
        said = f"Job {_job_name(target)} completed, and its pods can no longer be {probe.phase}"
        return Finding(Weight.LOST, said, Reason.PROBE_TARGET_GONE)
    if counts and not any(counts.get(phase) for phase in UNSETTLED):
        return Finding(Weight.LOST, f"{told}, and it has completed", Reason.PROBE_NOT_MET)
    return _count_retained(found, probe, target, wanted)


def _count_retained(found: Evidence, probe: TaskProbe, target: Standing, wanted: int) -> Finding:
    """The counts at the end were missed, and Volcano has zeroed them: the pods that are left decide."""
    name = _job_name(target)
    uid = target.child.uid if target.child else target.record.jobUID if target.record else ""
    listed = found.list_pods(name, uid)
    if listed is None or listed.problem:
        said = listed.problem if listed else f"the pods of Job {name} are being counted"
        return Finding(Weight.UNASKED, said)
    phases = [pod.phase for pod in listed.pods if pod.task == probe.task]
    have = phases.count(probe.phase)
    if have >= wanted:
        return HOLDS
    if not phases:
        said = f"how the pods of task {probe.task} of Job {name} ended was not seen, and they are gone"
        return Finding(Weight.LOST, said, Reason.COUNTS_LOST)
    said = f"{have} of {wanted} pods of task {probe.task} of Job {name} are {probe.phase}, and it has completed"
    return Finding(Weight.LOST, said, Reason.PROBE_NOT_MET)


def _counts(found: Evidence, target: Standing) -> Mapping[str, Mapping[str, int]]:
    """Pods by task and phase: as committed at the Job's end, else as the Job says now."""
    committed = found.snapshot.flow.committed.conditions.get(_job_name(target))
    if target.phase.settled and committed is not None and committed.taskStatusCount:
        settled = {task: state.phase for task, state in committed.taskStatusCount.items()}
        if target.frozen or not target.child or not target.child.task_counts:
            return settled
    return target.child.task_counts if target.child else {}


def _replicas(found: Evidence, target: Standing) -> Mapping[str, int]:
    """The tasks of the target's Job, and how many pods each should have; 0 where that is no longer known."""
    if target.child is not None:
        return dict(target.child.tasks)
    return dict.fromkeys(_counts(found, target), 0)


def _no_such_task(found: Evidence, task: str, targets: list[Standing]) -> Finding:
    known = sorted({name for target in targets for name in _replicas(found, target)})
    jobs = ", ".join(_job_name(target) for target in targets)
    said = f'there is no task "{task}" in {jobs}' + (f"; the tasks are {', '.join(known)}" if known else "")
    return Finding(Weight.LOST, said, Reason.PROBE_TASK_UNKNOWN)


def _job_name(target: Standing) -> str:
    if target.child is not None:
        return target.child.name
    return target.record.jobName if target.record else target.step.name
