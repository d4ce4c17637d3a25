"""CronJobs on the embedded API server, in virtual time that begins at midnight."""

import pytest

from jobflow.api.resources import CRON_JOB, VOLCANO_JOB

pytestmark = pytest.mark.looptime


async def jobs(world):
    return {job["metadata"]["name"]: job["status"]["state"]["phase"] for job in await world.items(VOLCANO_JOB)}


async def status_of(world, name):
    return (await world.find(CRON_JOB, name)).get("status", {})


async def test_a_job_is_made_at_each_time_of_the_schedule(world, build_task):
    await world.cron("nightly", "*/10 * * * *", build_task(runs="5s"))
    await world.clock.sleep(601)
    [name] = await jobs(world)
    status = await status_of(world, "nightly")
    assert status["lastScheduleTime"] == "2026-01-01T00:10:00Z"
    assert [one["name"] for one in status["active"]] == [name]
    await world.until(name, "Completed")
    await world.clock.sleep(1)
    status = await status_of(world, "nightly")
    assert status.get("active", []) == []
    assert status["lastSuccessfulTime"]
    await world.clock.sleep(1200)
    assert len(await jobs(world)) == 3
    reasons = {reason for _, reason, _ in await world.events()}
    assert {"SuccessfulCreate", "SawCompletedJob"} <= reasons


async def test_three_that_completed_and_one_that_failed_are_kept(world, build_task):
    await world.cron("good", "* * * * *", build_task())
    await world.cron("bad", "* * * * *", build_task(exits=1))
    await world.clock.sleep(600 + 50)
    names = [name.rpartition("-")[0] for name in await jobs(world)]
    assert (names.count("good"), names.count("bad")) == (3, 1)


async def test_forbid_waits_until_the_earlier_one_has_ended(world, build_task):
    await world.cron("slow", "* * * * *", build_task(runs="150s"), concurrencyPolicy="Forbid")
    await world.clock.sleep(200)
    assert list((await jobs(world)).values()) == ["Running"]
    await world.clock.sleep(30)
    assert sorted((await jobs(world)).values()) == ["Completed", "Running"]


async def test_replace_deletes_the_earlier_one(world, build_task):
    await world.cron("slow", "* * * * *", build_task(runs="1h"), concurrencyPolicy="Replace")
    await world.clock.sleep(65)
    [first] = await jobs(world)
    await world.clock.sleep(60)
    assert first not in await jobs(world)
    assert len(await jobs(world)) == 1


async def test_allow_lets_them_run_side_by_side(world, build_task):
    await world.cron("slow", "* * * * *", build_task(runs="1h"))
    await world.clock.sleep(185)
    assert list((await jobs(world)).values()) == ["Running"] * 3
    assert len((await status_of(world, "slow"))["active"]) == 3


async def test_suspend_and_go_on(world, build_task):
    await world.cron("nightly", "* * * * *", build_task(), suspend=True)
    await world.clock.sleep(300)
    assert await jobs(world) == {}
    await world.client.patch(CRON_JOB, "default", "nightly", {"spec": {"suspend": False}})
    await world.clock.sleep(5)
    assert len(await jobs(world)) == 1, "the last of the times that were missed is made good"


async def test_another_schedule_counts_from_now(world, build_task):
    await world.cron("nightly", "0 3 * * *", build_task())
    await world.clock.sleep(30)
    await world.client.patch(CRON_JOB, "default", "nightly", {"spec": {"schedule": "*/2 * * * *"}})
    await world.clock.sleep(100)
    assert (await status_of(world, "nightly"))["lastScheduleTime"] == "2026-01-01T00:02:00Z"


async def test_jobs_go_with_their_cron_job(world, build_task):
    await world.cron("nightly", "* * * * *", build_task(runs="1h"))
    await world.clock.sleep(70)
    await world.client.delete(CRON_JOB, "default", "nightly")
    await world.clock.sleep(120)
    assert await jobs(world) == {}


async def test_a_job_of_a_stranger_in_its_place_is_left_alone_and_told(world, build_task):
    await world.create(f"nightly-{1767225600 // 60 + 1}", build_task(runs="1h"))
    await world.cron("nightly", "* * * * *", build_task())
    await world.clock.sleep(70)
    assert "ForeignJob" in {reason for _, reason, _ in await world.events()}
    assert len(await jobs(world)) == 1


async def test_a_template_that_is_refused_is_told_and_tried_again(world, build_task):
    await world.cron("nightly", "* * * * *", build_task("a"), build_task("a"))
    await world.clock.sleep(90)
    told = [message for _, reason, message in await world.events() if reason == "FailedCreate"]
    assert "duplicated task name a;" in told[0]


async def test_job_unknown_is_taken_for_unknown_in_a_template(world, build_task):
    task = build_task(policies=[{"event": "JobUnknown", "action": "AbortJob"}])
    cron = await world.cron("nightly", "* * * * *", task)
    [policy] = cron["spec"]["jobTemplate"]["spec"]["tasks"][0]["policies"]
    assert policy["event"] == "Unknown"
