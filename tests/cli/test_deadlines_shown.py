"""What a deadline did, as it is shown: while the Job is being ended, and when it has."""

from __future__ import annotations

from jobflow.cli.drawn import JobFacts, flow_picture
from jobflow.cli.linelog import changes
from jobflow.cli.looks import Charset, plain
from jobflow.cli.tree import flow_lines
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import child, flow
from jobflow.testing.clock import FixedClock

LIMITED = flow("f").step("a").having(activeDeadlineSeconds=60)
BRIEF = flow("f").step("a").setting(activeDeadlineSeconds=60)
A = child("a", of="f")
RAN_OUT = "DeadlineExceeded: Job f-a has run for its activeDeadlineSeconds, 60 s"
OVER = "DeadlineExceeded: the flow has run for its activeDeadlineSeconds, 60 s"


def at(seconds):
    clock = FixedClock()
    clock.advance(seconds)
    return clock.now()


def shown(builder, *moments):
    """The flow as it is drawn after each of these: a Job, and how many seconds have passed."""
    drawn, before, lines = [], None, []
    for job, seconds in moments:
        plan = reconcile_flow(builder.snapshot(job.view(), now=at(seconds)))
        builder = builder.status(plan.status or builder.committed)
        picture = flow_picture(builder.view(), lambda uid, job=job: JobFacts(job.view(), ()))
        lines += changes(before, picture, at(seconds))
        drawn.append([plain(line).strip() for line in flow_lines(picture, at(seconds), Charset(unicode=False))])
        before = picture
    return drawn, [line.split(" ", 1)[1] for line in lines]


def test_a_step():
    moments = ((A.running(), 2), (A.running(), 62), (A.state("Terminated", after=63), 64))
    (_, during, after), lines = shown(LIMITED, *moments)
    assert during[1].startswith("* Running      a  ")
    assert during[1].endswith(RAN_OUT)
    assert after[0].endswith(f"StepFailed: step a: {RAN_OUT.partition(': ')[2]}; the Job is Terminated")
    assert after[1].endswith(f"{RAN_OUT}; the Job is Terminated")
    assert f"f/a Running  {RAN_OUT}" in lines
    assert f"f/a Failed  1m03s  {RAN_OUT}; the Job is Terminated" in lines


def test_a_flow():
    moments = ((A.running(), 2), (A.running(), 62), (A.state("Terminated", after=63), 64))
    (_, during, after), lines = shown(BRIEF, *moments)
    assert during[0].endswith(OVER)
    assert during[1].endswith(OVER)
    assert after[1].endswith(f"{OVER}; the Job is Terminated")
    assert f"f/a Running  {OVER}" in lines
