"""The phase machine: Volcano's table, a row a cell."""

import pytest

from jobflow.local.volcano.objects import JobPhase
from jobflow.local.volcano.phases import Action, Facts, Operation, TaskFacts, order

PENDING, RUNNING, RESTARTING = JobPhase.PENDING, JobPhase.RUNNING, JobPhase.RESTARTING
ABORTING, ABORTED = JobPhase.ABORTING, JobPhase.ABORTED
COMPLETING, COMPLETED = JobPhase.COMPLETING, JobPhase.COMPLETED
TERMINATING, TERMINATED = JobPhase.TERMINATING, JobPhase.TERMINATED
FAILED = JobPhase.FAILED
ALL, LIVE, TARGET, SYNC = Operation.KILL_ALL, Operation.KILL_LIVE, Operation.KILL_TARGET, Operation.SYNC

SYNC_JOB, RESUME = Action.SYNC_JOB, Action.RESUME_JOB
RESTART, ABORT, TERMINATE, COMPLETE = (
    Action.RESTART_JOB,
    Action.ABORT_JOB,
    Action.TERMINATE_JOB,
    Action.COMPLETE_JOB,
)
PARTS = (Action.RESTART_TASK, Action.RESTART_POD, Action.RESTART_PARTITION)

QUIET = Facts(replicas=2, min_available=2, needed_by_tasks=2, max_retry=3)
BUSY = Facts(replicas=2, min_available=2, needed_by_tasks=2, max_retry=3, terminating=2)


@pytest.mark.parametrize(
    ("phase", "actions", "operation", "retry", "next_when_quiet", "next_when_busy"),
    [
        (PENDING, (RESTART,), ALL, True, RESTARTING, RESTARTING),
        (PENDING, PARTS, TARGET, True, RESTARTING, RESTARTING),
        (PENDING, (ABORT,), LIVE, False, ABORTING, ABORTING),
        (PENDING, (TERMINATE,), LIVE, False, TERMINATING, TERMINATING),
        (PENDING, (COMPLETE,), LIVE, False, COMPLETING, COMPLETING),
        (PENDING, (RESUME, SYNC_JOB), SYNC, False, PENDING, PENDING),
        (RUNNING, (RESTART,), ALL, True, RESTARTING, RESTARTING),
        (RUNNING, PARTS, TARGET, True, RESTARTING, RESTARTING),
        (RUNNING, (ABORT,), LIVE, False, ABORTING, ABORTING),
        (RUNNING, (TERMINATE,), LIVE, False, TERMINATING, TERMINATING),
        (RUNNING, (COMPLETE,), LIVE, False, COMPLETING, COMPLETING),
        (RUNNING, (RESUME, SYNC_JOB), SYNC, False, RUNNING, RUNNING),
        (RESTARTING, (RESTART, ABORT, TERMINATE, COMPLETE, RESUME), ALL, False, PENDING, RESTARTING),
        (RESTARTING, PARTS, TARGET, False, PENDING, RESTARTING),
        (RESTARTING, (SYNC_JOB,), SYNC, False, PENDING, RESTARTING),
        (ABORTING, (RESUME,), LIVE, True, RESTARTING, RESTARTING),
        (ABORTING, (RESTART, *PARTS, ABORT, TERMINATE, COMPLETE, SYNC_JOB), LIVE, False, ABORTED, ABORTING),
        (ABORTED, (RESUME,), LIVE, True, RESTARTING, RESTARTING),
        (ABORTED, (RESTART, *PARTS, ABORT, TERMINATE, COMPLETE, SYNC_JOB), LIVE, False, ABORTED, ABORTED),
        (COMPLETING, tuple(Action), LIVE, False, COMPLETED, COMPLETING),
        (TERMINATING, tuple(Action), LIVE, False, TERMINATED, TERMINATING),
        (COMPLETED, tuple(Action), LIVE, False, COMPLETED, COMPLETED),
        (FAILED, tuple(Action), LIVE, False, FAILED, FAILED),
        (TERMINATED, tuple(Action), LIVE, False, TERMINATED, TERMINATED),
    ],
)
def test_what_an_action_does_in_a_phase(phase, actions, operation, retry, next_when_quiet, next_when_busy):
    for action in actions:
        todo = order(phase, action)
        assert (todo.operation, todo.spends_retry) == (operation, retry)
        assert (todo.then(QUIET), todo.then(BUSY)) == (next_when_quiet, next_when_busy)


def job(replicas, min_available=None, **facts):
    needed = replicas if min_available is None else min_available
    return Facts(replicas=replicas, min_available=needed, **{"needed_by_tasks": needed, **facts})


@pytest.mark.parametrize(
    ("told", "facts", "phase"),
    [
        ("too few started", job(3, running=2, pending=1), PENDING),
        ("all started", job(3, running=3), RUNNING),
        ("enough started", job(3, min_available=2, running=2, pending=1), RUNNING),
        ("those that ended have started too", job(3, running=1, succeeded=1, failed=1), RUNNING),
    ],
)
def test_a_pending_job_runs_once_its_gang_started(told, facts, phase):
    assert order(PENDING, SYNC_JOB).then(facts) is phase, told


@pytest.mark.parametrize(
    ("told", "facts", "phase"),
    [
        ("no replicas: wait for some", job(0), RUNNING),
        ("still running", job(2, running=1, succeeded=1), RUNNING),
        ("all succeeded", job(2, succeeded=2), COMPLETED),
        ("one failed, all were needed", job(2, succeeded=1, failed=1), FAILED),
        ("one failed, one was needed", job(2, min_available=1, succeeded=1, failed=1), COMPLETED),
        ("enough successes, though two run", job(5, min_success=2, succeeded=2, running=2, failed=1), COMPLETED),
        ("too few successes at the end", job(3, min_available=1, min_success=2, succeeded=1, failed=2), FAILED),
        (
            "a task of the job missed its own minimum",
            job(2, min_available=1, succeeded=1, failed=1, tasks=(TaskFacts("a", 0, 1), TaskFacts("b", 1, 0))),
            FAILED,
        ),
        (
            "tasks' minima do not count where the job's is below their sum",
            job(
                2,
                min_available=1,
                needed_by_tasks=2,
                succeeded=1,
                failed=1,
                tasks=(TaskFacts("a", 0, 1), TaskFacts("b", 1, 1)),
            ),
            COMPLETED,
        ),
        ("so many lost that the gang no longer stands", job(3, min_available=2, pending=2, running=1), PENDING),
        ("as many pending as can be spared", job(3, min_available=2, pending=1, running=2), RUNNING),
    ],
)
def test_what_becomes_of_a_running_job(told, facts, phase):
    assert order(RUNNING, SYNC_JOB).then(facts) is phase, told


@pytest.mark.parametrize(
    ("told", "facts", "phase"),
    [
        ("old pods are still there", job(2, terminating=1, retry_count=1), RESTARTING),
        ("as many as are needed are gone", job(3, min_available=2, terminating=1, retry_count=1), PENDING),
        ("all are gone", job(2, retry_count=2), PENDING),
        ("its runs are spent", job(2, retry_count=3), FAILED),
        ("its runs are spent, pods or not", job(2, retry_count=3, terminating=2), FAILED),
    ],
)
def test_what_becomes_of_a_restarting_job(told, facts, phase):
    assert order(RESTARTING, SYNC_JOB).then(facts) is phase, told
