"""Bad days of rights and kinds: what is missing stops only what cannot be done without it, is told, and heals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from cluster.days import Day
from cluster.installed import Cluster, Refused
from cluster.processes import Processes, Replica
from cluster.proxy import Proxy
from cluster.rights import Right, rights, without

from jobflow.api.crd import product_crds, volcano_crds
from jobflow.api.resources import (
    CUSTOM_RESOURCE_DEFINITION,
    EVENT,
    JOB_FLOW,
    JOB_TEMPLATE,
    VOLCANO_JOB,
    Resource,
)
from jobflow.deploy import rbac
from jobflow.deploy.names import NAME

pytestmark = [pytest.mark.real, pytest.mark.blocking]

FLOWS = 6


@pytest.fixture
def day(cluster: Cluster, processes: Processes) -> Day:
    return Day.begin(cluster, processes)


def the(verb: str, resource: str) -> Right:
    return next(right for right in rights() if (right.verb, right.resource) == (verb, resource))


def states(day: Day) -> set[tuple[str, str]]:
    """Phases and reasons of all flows."""
    told = [one.get("status", {}).get("state", {}) for one in day.cluster.all(JOB_FLOW, day.namespace)]
    return {(state.get("phase", ""), state.get("reason", "")) for state in told}


def names_it(replica: Replica, right: Right) -> bool:
    """The log does."""
    return any(right.words in str(value) for line in replica.lines for value in line.values())


@pytest.mark.parametrize(
    ("verb", "resource", "flows_say", "is_unready"),
    [
        ("list", "jobs", {("", "")}, True),
        ("list", "jobflows", {("", "")}, True),
        ("list", "jobtemplates", {("Pending", "TemplateUnreadable")}, True),
        ("create", "jobs", {("Pending", "ChildRejected")}, False),
    ],
)
def test_without_a_right_flows_wait_for_it(day, verb, resource, flows_say, is_unready):
    right = the(verb, resource)
    with without(day.cluster, right, day.account.user):
        day.diamonds.submit(FLOWS)
        replica = day.controller()
        day.wait_until(lambda: names_it(replica, right) and states(day) == flows_say, replica)
        if is_unready:
            day.wait_until(lambda: right.words in replica.get("/readyz")[1], replica)
        assert (replica.metric("jobflow_watches_out_of_sync") > 0) == is_unready
        assert not day.cluster.jobs(day.namespace), "nothing is created blindly"
    day.ends_well(replica)


def test_steps_that_wait_for_unreadable_templates_say_so_in_an_event(day):
    right = the("list", "jobtemplates")
    with without(day.cluster, right, day.account.user):
        day.diamonds.submit(1)
        replica = day.controller()

        def told() -> bool:
            events = day.cluster.all(EVENT, day.namespace)
            return any(one["reason"] == "TemplateUnreadable" and right.words in one["message"] for one in events)

        day.wait_until(told, replica)
    day.ends_well(replica)


@pytest.mark.parametrize(("verb", "resource"), [("create", "events"), ("list", "pods"), ("watch", "pods")])
def test_what_flows_can_do_without_stops_none(day, verb, resource):
    right = the(verb, resource)
    with without(day.cluster, right, day.account.user):
        replica = day.controller()
        day.diamonds.submit(FLOWS)
        day.diamonds.succeed(day.processes)
        day.wait_until(lambda: names_it(replica, right), replica)
    day.diamonds.submit(FLOWS)
    day.wait_until(lambda: day.ready(replica), replica)
    day.ends_well(replica)


def test_status_that_may_not_be_written_is_written_when_it_may(day):
    right = the("update", "jobflows/status")
    with without(day.cluster, right, day.account.user):
        day.diamonds.submit(FLOWS)
        replica = day.controller()
        day.wait_until(lambda: names_it(replica, right), replica)
        assert states(day) == {("", "")}
    day.ends_well(replica)


def test_rights_in_one_of_two_namespaces(cluster, processes):
    day = Day.begin(cluster, processes)
    shut = Day.begin(cluster, processes, "shut")
    day.account = cluster.account("narrow", day.namespace)
    replica = day.controller(None, f"--namespace={day.namespace}", f"--namespace={shut.namespace}")
    day.diamonds.submit(FLOWS)
    shut.diamonds.submit(FLOWS)
    day.diamonds.succeed(processes)
    told = replica.get("/readyz")[1]
    assert f"in {shut.namespace}: forbidden" in told
    assert f"in {day.namespace}" not in told
    assert cluster.phases(shut.namespace) == {"": FLOWS}
    for obj in rbac.flow_roles(shut.namespace):
        body = {**obj, "metadata": {**obj["metadata"], "name": f"{NAME}-{shut.namespace}"}}
        if "subjects" in body:
            account = day.account.user.rpartition(":")[2]
            body["subjects"] = [{**body["subjects"][0], "name": account}]
            body["roleRef"] = {**body["roleRef"], "name": f"{NAME}-{shut.namespace}"}
        kind = obj["kind"].lower() + "s"
        cluster.ask("POST", f"/apis/{rbac.API_VERSION}/namespaces/{shut.namespace}/{kind}", body)
    shut.account = day.account
    shut.diamonds.succeed(processes)
    day.wait_until(lambda: day.ready(replica), replica)
    day.diamonds.each_child_was_created_once()
    shut.diamonds.each_child_was_created_once()
    day.rests(replica)


def test_rights_that_are_taken_away_while_it_runs(day):
    """Jobs may still be created, but no longer be seen: none is created. A right given back needs no restart."""
    cluster = day.cluster
    between = Proxy(cluster.plane.url, cluster.plane.certificate.client_context())
    replica = day.controller(day.kubeconfig(between.url))
    day.filled(replica)
    day.diamonds.submit(FLOWS)
    day.diamonds.succeed(day.processes)
    with ExitStack() as taken:
        for verb in ("list", "watch"):
            taken.enter_context(without(cluster, the(verb, "jobs"), day.account.user))
        between.reset()  # an API server looks at rights when a watch begins
        day.wait_until(lambda: "jobs.batch.volcano.sh: forbidden" in replica.get("/readyz")[1], replica)
        before = len(cluster.jobs(day.namespace))
        day.diamonds.submit(FLOWS)
        day.rests(replica)
        assert len(cluster.jobs(day.namespace)) == before
    day.wait_until(lambda: day.ready(replica), replica)
    day.ends_well(replica)
    between.close()


class TestKinds:
    """A CRD is removed, with all objects of its kind, and installed again; Jobs run as long as the player lets them."""

    def test_templates(self, day):
        """Steps that run go on; steps that have yet to start wait for their template."""
        replica = day.controller()
        day.filled(replica)
        day.diamonds.player.freeze()
        day.diamonds.submit(FLOWS)
        day.wait_until(lambda: len(day.cluster.jobs(day.namespace)) == FLOWS, replica)
        with gone(day, JOB_TEMPLATE):
            day.wait_until(lambda: self.problem(replica) == {"jobtemplates.flow.volcano.sh": "kind absent"}, replica)
            day.diamonds.player.thaw()
            day.wait_until(lambda: states(day) == {("Running", "TemplateNotFound")}, replica)
        day.diamonds.prepare()
        day.ends_well(replica)

    def test_jobs(self, day):
        """Jobs that have not ended are made again; those that have are not."""
        replica = day.controller()
        day.filled(replica)
        day.diamonds.submit(FLOWS)
        day.diamonds.succeed(day.processes)
        day.diamonds.player.freeze()
        day.diamonds.submit(FLOWS)
        wanted = {f"diamond-{number}-a" for number in range(FLOWS, 2 * FLOWS)}
        day.wait_until(lambda: wanted <= {job["metadata"]["name"] for job in day.cluster.jobs(day.namespace)}, replica)
        with gone(day, VOLCANO_JOB):
            day.wait_until(lambda: ("Pending", "ChildRejected") in states(day), replica)
        day.diamonds.player.thaw()
        day.wait_until(lambda: day.cluster.all_in("Succeed", 2 * FLOWS, day.namespace), replica)
        day.diamonds.each_step_ran_once()
        day.rests(replica)

    def test_flows(self, day):
        """They are gone with their kind, which is what was asked for; when it is back, new ones run."""
        replica = day.controller()
        day.filled(replica)
        day.diamonds.submit(FLOWS)
        day.diamonds.succeed(day.processes)
        with gone(day, JOB_FLOW):
            day.wait_until(lambda: self.problem(replica) == {"jobflows.flow.volcano.sh": "kind absent"}, replica)
            day.rests(replica)
        again = Day.begin(day.cluster, day.processes, "again")
        again.diamonds.submit(FLOWS)
        again.ends_well(replica)

    def problem(self, replica: Replica) -> dict[str, Any]:
        """What the log said last of each watch that is not in sync."""
        told: dict[str, Any] = {}
        for line in replica.lines:
            match line["event"]:
                case "watch interrupted":
                    told[line["kind"]] = line["problem"]
                case "watch in sync":
                    told.pop(line["kind"], None)
        return told


def serves(cluster: Cluster, resource: Resource) -> bool:
    try:
        cluster.ask("GET", f"{resource.path()}?limit=1")
    except Refused as error:
        if error.status != 404:
            raise
        return False
    return True


@contextmanager
def gone(day: Day, resource: Resource) -> Iterator[None]:
    """The kind is not served, nor is any object of it there; afterwards it is served again."""
    [crd] = [one for one in (*product_crds(), *volcano_crds()) if one["metadata"]["name"] == str(resource)]
    path = CUSTOM_RESOURCE_DEFINITION.path(None, str(resource))
    day.cluster.ask("DELETE", path)
    day.processes.wait_until(lambda: not serves(day.cluster, resource), 60)
    yield
    day.cluster.ask("POST", CUSTOM_RESOURCE_DEFINITION.path(), crd)
    day.processes.wait_until(lambda: serves(day.cluster, resource), 60)
