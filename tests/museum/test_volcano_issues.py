"""Bugs that users reported to Volcano about JobFlow and the Jobs under it, which must not happen here."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from jobflow.api.resources import VOLCANO_JOB
from jobflow.api.status import Outcome
from jobflow.app import App
from jobflow.cache.children import Children
from jobflow.config import Settings
from jobflow.kinds import vcjob
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.reflector import Reflector
from jobflow.local.controlplane import ControlPlane, LocalSettings
from jobflow.obs.measures import Measures
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import child, flow, template
from jobflow.testing.clock import VirtualClock
from jobflow.testing.faults import parse_plan
from jobflow.testing.scenarios import STANDARD, scenario
from jobflow.testing.volcano import ABORTS, FAILS, TERMINATES
from jobflow.testing.world import play


def test_4089_two_flows_over_the_same_templates_see_only_their_own_jobs(exhibit, creates, final):
    """Statuses were built from every Job made from the template: flows saw each other's."""
    one = flow("one").step("a").step("b", after="a")
    two = flow("two").step("a").step("b", after="a")
    history = exhibit(scenario("shared", [one, two])).undisturbed
    assert sorted(creates(history)) == ["one-a", "one-b", "two-a", "two-b"]
    for name in ("one", "two"):
        assert final(history, name)["completedJobs"] == [f"{name}-a", f"{name}-b"]


@pytest.mark.parametrize("walk", [TERMINATES, ABORTS, FAILS], ids=["4442 and 5672: Terminated", "Aborted", "Failed"])
@pytest.mark.parametrize("step", ["a", "b"])
def test_a_child_that_ended_badly_ends_its_flow(exhibit, final, walk, step):
    """A Terminated child left its flow Pending (#4442), later Running (#5672), for ever."""
    two = flow("two").step("a").step("b", after="a")
    history = exhibit(scenario("two", [two], walks={step: walk}, expected={"two": Outcome.FAILED})).undisturbed
    status = final(history, "two")
    assert (status["state"]["phase"], status["outcome"]) == ("Failed", "Failed")
    assert "completionTime" in status


class Ends(Measures):
    """Keeps the flows that ended."""

    def __init__(self):
        self.told = []

    def flow_ended(self, namespace, phase):
        self.told.append((namespace, str(phase)))


@pytest.mark.parametrize("walk", [TERMINATES, ABORTS, FAILS], ids=["Terminated", "Aborted", "Failed"])
def test_5672_a_flow_that_failed_is_counted_once_whatever_its_last_write_met(walk):
    """Flows whose Job was Terminated never came into the metric of failed flows; a repeated write counted twice."""
    two = scenario("two", [flow("two").step("a").step("b", after="a")], walks={"b": walk}, expected={"two": "Failed"})
    last = max(call.write for call in play(two).calls if call.path.endswith("/jobflows/two/status"))
    for plan in ("", f"answer:{last}:409", f"answer:{last}:500", f"lost-answer:{last}", "duplicate:JobFlow:6"):
        ends = Ends()
        play(
            two,
            parse_plan(plan),
            app_factory=lambda client, clock, random, ends=ends: App(client, clock, Settings(), random, measures=ends),
        )
        assert ends.told == [("default", "Failed")], plan


def test_4134_a_failed_job_never_leaves_its_flow_running(exhibit):
    """The flow stayed Running. Here the status that tells of the failure tells of the flow's, too."""
    failing = exhibit(STANDARD["failing"]).undisturbed
    for commit in failing.of("JobFlow"):
        status = commit.after.get("status", {}) if commit.after else {}
        if any(entry["phase"] == "Failed" for entry in status.get("flowStatuses", ())):
            assert status["state"]["phase"] == "Failed"


def test_4125_a_cycle_fails_at_once_and_says_where(exhibit, creates, final):
    """It was accepted and waited for itself for ever."""
    cycle = flow("cycle").step("a", after="b").step("b", after="a")
    history = exhibit(scenario("cycle", [cycle], expected={"cycle": Outcome.FAILED})).undisturbed
    state = final(history, "cycle")["state"]
    assert (state["phase"], state["reason"]) == ("Failed", "InvalidSpec")
    assert "spec.flows[0].dependsOn.targets" in state["message"]
    assert creates(history) == []


def test_5868_a_step_named_twice_fails_and_says_where():
    """It was accepted, and completed Jobs never came to the number of steps. (A CRD of ours refuses it before.)"""
    status = reconcile_flow(flow("f").step("a").step("a").snapshot()).status
    assert (status.state.phase, status.state.reason) == ("Failed", "InvalidSpec")
    assert "spec.flows[1].name" in status.state.message


@pytest.mark.looptime
async def test_4964_of_more_than_a_thousand_jobs_none_is_overlooked(tmp_path):
    """Jobs past the first thousand of a list got no status. Here a list comes in pages of 500, to its end."""
    clock = VirtualClock()
    async with ControlPlane(LocalSettings(scratch=tmp_path, runtime="simulate"), clock) as plane:
        client = Client(plane.transport(), clock)
        body = child("a", of="many").body() | {"spec": template("a").task("main", replicas=0).spec}
        for number in range(1200):
            body["metadata"] = {"name": f"many-{number}", "labels": body["metadata"]["labels"]}
            await client.create(VOLCANO_JOB, "default", body)
        children = Children(lambda old, new: None)
        reflector = Reflector(client, clock, VOLCANO_JOB, Codec(vcjob.Job, vcjob.view), children)
        running = asyncio.create_task(reflector.run())
        await reflector.synced()
        running.cancel()
        assert len(children) == 1200


@pytest.mark.parametrize("status", [500, 503, 504])
def test_3318_a_webhook_that_does_not_answer_costs_only_time(exhibit, creates, status):
    """Creates that met a webhook's time-out were given up after 15 tries, and the flow with them."""
    chain = exhibit(STANDARD["chain"])
    for write in chain.writes("/jobs"):
        assert creates(chain.with_faults(f"answer:{write}:{status}")) == ["chain-a", "chain-b", "chain-c"]


def test_4616_counts_of_pods_are_kept_as_they_were_at_the_end(exhibit, final):
    """Volcano writes a finished Job once more with its counts zeroed; who looked then saw no pod succeeded."""
    conditions = final(exhibit(STANDARD["chain"]).undisturbed, "chain")["conditions"]
    succeeded = {name: entry["taskStatusCount"]["main"]["phase"]["Succeeded"] for name, entry in conditions.items()}
    assert succeeded == {"chain-a": 2, "chain-b": 2, "chain-c": 2}


def test_3234_a_time_that_is_not_known_is_left_out(exhibit):
    """endTimestamp was null while a Job ran, which the CRD refuses: the status was never updated."""
    history = exhibit(STANDARD["chain"]).undisturbed
    sent = [msgspec.json.encode(call.body) for call in history.calls if call.path.endswith("/status")]
    assert any(b"startTimestamp" in body and b"endTimestamp" not in body for body in sent)
    assert not any(b"null" in body for body in sent)
