"""Decisions about a CronJob: a row a rule."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from jobflow.local.volcano.cron.decide import decide, with_job
from jobflow.local.volcano.cron.objects import ActiveJob, CronJobObject, MadeJob, cron_job_view

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def hours(number):
    return MIDNIGHT + timedelta(hours=number)


def cron(schedule="0 * * * *", last=None, active=(), **spec):
    status = {"active": [{"name": name, "uid": name} for name in active]}
    if last is not None:
        status["lastScheduleTime"] = last
    template = {"metadata": {"labels": {"team": "a"}}, "spec": {"tasks": []}}
    body = {
        "metadata": {"name": "c", "namespace": "ns", "uid": "c", "creationTimestamp": MIDNIGHT},
        "spec": {"schedule": schedule, "jobTemplate": template, **spec},
        "status": status,
    }
    return cron_job_view(msgspec.json.decode(msgspec.json.encode(body), type=CronJobObject))


def made(name, phase="Running", age=0.0, deleting=False):
    return MadeJob(
        namespace="ns",
        name=name,
        uid=name,
        resource_version="1",
        created=hours(age),
        deleting=deleting,
        cron="c",
        cron_uid="c",
        phase=phase,
        changed=hours(age),
    )


@pytest.mark.parametrize(
    ("told", "of", "now", "due"),
    [
        ("not yet", cron(), hours(0.5), None),
        ("due", cron(), hours(1), hours(1)),
        ("a little late", cron(), hours(1.2), hours(1)),
        ("served already", cron(last=hours(1)), hours(1.5), None),
        ("several were missed: the last one counts", cron(last=hours(1)), hours(7.5), hours(7)),
        ("suspended", cron(suspend=True), hours(1), None),
        ("too late for its deadline", cron(startingDeadlineSeconds=600), hours(1.2), None),
        ("within its deadline", cron(startingDeadlineSeconds=1200), hours(1.2), hours(1)),
        ("a time zone of its own", cron("0 9 * * *", timeZone="Asia/Tokyo"), hours(24), hours(24)),
        ("an interval from its creation", cron("@every 90m"), hours(1.6), hours(1.5)),
        ("an interval from the last one", cron("@every 90m", last=hours(3)), hours(4.6), hours(4.5)),
        ("a schedule that slipped in", cron("nonsense"), hours(1), None),
        ("a zone that slipped in", cron(timeZone="Mars/Base"), hours(1), None),
    ],
)
def test_when_a_job_is_made(told, of, now, due):
    decision = decide(of, [], now)
    assert decision.due == due, told
    assert (decision.create is not None) == (due is not None)


def test_the_job():
    body = decide(cron("0 9 * * *", timeZone="Europe/Berlin"), [], hours(8.1)).create
    metadata = body["metadata"]
    assert metadata["name"] == f"c-{int(hours(8).timestamp()) // 60}"
    assert metadata["labels"] == {"team": "a"}
    assert metadata["annotations"] == {"volcano.sh/cronjob-scheduled-timestamp": "2026-01-01T09:00:00+01:00"}
    [owner] = metadata["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("CronJob", "c", True)
    assert body["spec"] == {"tasks": []}


@pytest.mark.parametrize(
    ("policy", "jobs", "creates", "deletes", "reason"),
    [
        ("Allow", [made("old")], True, [], None),
        ("Forbid", [made("old")], False, [], "ForbidConcurrent"),
        ("Forbid", [made("old", "Completed")], True, [], None),
        ("Forbid", [made("old", "Aborted")], False, [], "ForbidConcurrent"),
        ("Replace", [made("old"), made("ended", "Failed")], True, ["old"], "ReplaceConcurrent"),
        ("Replace", [made("old", deleting=True)], True, [], "ReplaceConcurrent"),
    ],
)
def test_jobs_that_still_run(policy, jobs, creates, deletes, reason):
    decision = decide(cron(concurrencyPolicy=policy), jobs, hours(1))
    assert (decision.create is not None) is creates
    assert [job.name for job in decision.delete] == deletes
    assert [notice.reason for notice in decision.notices] == ([reason] if reason else [])
    assert decision.wake_at == hours(2)


class TestHistory:
    JOBS = (
        made("done-1", "Completed", 1),
        made("done-2", "Completed", 2),
        made("bad-1", "Failed", 3),
        made("bad-2", "Terminated", 4),
        made("runs", "Running", 0),
        made("paused", "Aborted", 0),
    )

    @pytest.mark.parametrize(
        ("limits", "deleted"),
        [
            ({}, []),
            ({"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1}, ["bad-1"]),
            ({"successfulJobsHistoryLimit": 1}, ["done-1"]),
            ({"successfulJobsHistoryLimit": 0, "failedJobsHistoryLimit": 0}, ["done-1", "done-2", "bad-1", "bad-2"]),
        ],
    )
    def test_the_oldest_that_ended_go(self, limits, deleted):
        decision = decide(cron(last=hours(4), **limits), self.JOBS, hours(4.5))
        assert [job.name for job in decision.delete] == deleted

    def test_also_while_it_is_suspended(self):
        assert decide(cron(suspend=True, successfulJobsHistoryLimit=1), self.JOBS, hours(5)).delete


class TestStatus:
    def test_active_are_those_that_have_not_ended(self):
        jobs = [made("a"), made("b", "Completed", 2), made("c", "", 1)]
        status = decide(cron(last=hours(4), active=["a", "b"]), jobs, hours(4.5)).status
        assert [one.name for one in status.active] == ["a", "c"]
        assert status.last_successful_time == hours(2)

    def test_what_ended_and_what_vanished_is_told(self):
        decision = decide(cron(last=hours(4), active=["a", "b"]), [made("a", "Failed")], hours(4.5))
        assert [notice.reason for notice in decision.notices] == ["SawCompletedJob", "StaleReference"]

    def test_the_last_success_stands_when_its_job_has_gone(self):
        of = cron(last=hours(4))
        of = msgspec.structs.replace(of, status=msgspec.structs.replace(of.status, last_successful_time=hours(3)))
        assert decide(of, [made("b", "Completed", 2)], hours(4.5)).status.last_successful_time == hours(3)

    def test_a_job_that_is_made_is_active_once(self):
        status = decide(cron(), [], hours(1)).status
        job = ActiveJob("v", "Job", "ns", "c-1", "u")
        twice = with_job(with_job(status, job, hours(1)), job, hours(1))
        assert (twice.active, twice.last_schedule_time) == ((job,), hours(1))

    def test_nothing_new_changes_nothing(self):
        of = cron(last=hours(4))
        assert decide(of, [], hours(4.5)).status == of.status


@pytest.mark.parametrize(
    ("now", "deadline", "told"), [(99.5, None, False), (101.5, None, True), (200.5, 3600 * 5, False)]
)
def test_more_than_a_hundred_missed_times_are_told(now, deadline, told):
    spec = {} if deadline is None else {"startingDeadlineSeconds": deadline}
    decision = decide(cron(**spec), [], hours(now))
    assert ([notice.reason for notice in decision.notices] == ["TooManyMissedTimes"]) is told
    assert decision.create is not None
