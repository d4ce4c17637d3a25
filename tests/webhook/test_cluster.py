"""The webhook on an embedded API server: what it knows, whom it lets, when it is ready."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, Resource
from jobflow.clock import SystemClock
from jobflow.kube.client import Client
from jobflow.kube.errors import Unavailable
from jobflow.testing.clock import FixedClock
from jobflow.webhook.access import SUBJECT_ACCESS_REVIEW, Access, wishes
from jobflow.webhook.flows import TemplateName
from jobflow.webhook.keeper import CONFIGURATION
from jobflow.webhook.known import Known
from jobflow.webhook.reviewer import Reviewer
from jobflow.webhook.reviews import FLOWS
from jobflow.webhook.service import Webhook
from jobflow.webhook.settings import WebhookSettings
from jobflow.webhook.wire import GroupResource, Question, UserInfo

T = TemplateName("t")
SPEC = {"tasks": [{"name": "x", "replicas": 1, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}]}


def template(name="t"):
    return {"metadata": {"name": name}, "spec": SPEC}


def flow(name, *steps):
    return {"metadata": {"name": name}, "spec": {"flows": [{"name": step} for step in steps]}}


async def until(holds):
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture
async def known(cluster):
    await cluster.delete(CONFIGURATION, None, "jobflow-webhook")  # nobody answers where it leads
    watching = Known(cluster, SystemClock(), cluster_templates=False)
    running = asyncio.create_task(watching.run())
    await until(lambda: not watching.waiting)
    yield watching
    running.cancel()
    await asyncio.wait({running})


class TestKnown:
    async def test_a_template_made_a_moment_ago_is_found(self, cluster, known):
        await cluster.create(JOB_TEMPLATE, "default", template())
        found = await known.templates("default", [T, TemplateName("u"), TemplateName("v", cluster=True)])
        assert found[T]["tasks"][0]["name"] == "x"
        assert found[TemplateName("u")] is None
        assert TemplateName("v", cluster=True) not in found  # switched off: nobody looks

    async def test_a_flow_needs_the_templates_of_steps_that_have_not_ended(self, cluster, known):
        await cluster.create(JOB_FLOW, "default", flow("f", "t", "u"))
        await until(lambda: known._flows.get(("default", "f")))
        assert await known.users("default", T) == ["f"]
        assert await known.users("other", T) == []
        await self.status(cluster, "f", {"flowStatuses": [{"name": "t", "phase": "Succeeded"}]})
        assert await known.users("default", T) == []
        assert await known.users("default", TemplateName("u")) == ["f"]
        await self.status(cluster, "f", {"state": {"phase": "Failed"}})
        assert await known.users("default", TemplateName("u")) == []

    async def test_a_flow_that_has_just_gone_needs_nothing(self, cluster, known):
        await cluster.create(JOB_FLOW, "default", flow("f", "t"))
        await until(lambda: known._flows.get(("default", "f")))
        await cluster.delete(JOB_FLOW, "default", "f")
        assert await known.users("default", T) == []

    async def status(self, cluster, name, status):
        await cluster.patch(JOB_FLOW, "default", name, {"status": status}, subresource="status")


class Authorizer:
    """Answers SubjectAccessReviews, and keeps what it was asked."""

    def __init__(self, *, allowed=True):
        self.allowed, self.asked, self.away = allowed, [], False

    async def create(self, resource: Resource, namespace, body):
        assert resource == SUBJECT_ACCESS_REVIEW
        self.asked.append(body["spec"])
        if self.away:
            raise Unavailable("no answer")
        return msgspec.json.encode({"status": {"allowed": self.allowed}})


ALICE = UserInfo("alice", "7", ("team",), {"scopes": ("a",)})


class TestAccess:
    async def test_who_is_asked_about_and_for_what(self):
        authorizer = Authorizer()
        wanted = wishes("ns", [T, TemplateName("gpu", cluster=True)])
        assert await Access(authorizer, FixedClock()).refusal(ALICE, wanted) == ""
        create, use = (spec["resourceAttributes"] for spec in authorizer.asked)
        assert (create["verb"], create["resource"], create["namespace"]) == ("create", "jobs", "ns")
        assert (use["verb"], use["resource"], use["name"]) == ("use", "clusterjobtemplates", "gpu")
        spec = authorizer.asked[0]
        assert (spec["user"], spec["uid"], spec["groups"], spec["extra"]) == ("alice", "7", ("team",), ALICE.extra)

    async def test_a_yes_counts_for_ten_seconds_and_for_nobody_else(self):
        authorizer, clock = Authorizer(), FixedClock()
        access = Access(authorizer, clock)
        for user, asked in ((ALICE, 1), (ALICE, 1), (UserInfo("alice"), 2)):
            await access.refusal(user, wishes("ns", []))
            assert len(authorizer.asked) == asked
        clock.advance(11)
        await access.refusal(ALICE, wishes("ns", []))
        assert len(authorizer.asked) == 3

    async def test_a_no_is_asked_again(self):
        authorizer = Authorizer(allowed=False)
        access = Access(authorizer, FixedClock())
        for _ in range(2):
            assert 'user "alice" cannot create jobs.batch' in await access.refusal(ALICE, wishes("ns", []))
        assert len(authorizer.asked) == 2

    async def test_where_nobody_can_tell_the_flow_is_refused(self, known):
        authorizer = Authorizer()
        authorizer.away = True
        resource = GroupResource(JOB_FLOW.group, JOB_FLOW.version, JOB_FLOW.plural)
        question = Question("u", resource, "CREATE", namespace="default", object=flow("f", "t"))
        verdict = await Reviewer(known, Access(authorizer, FixedClock())).review(FLOWS, question, 100)
        assert (verdict.code, verdict.rule) == (503, "access unknown")


async def test_a_replica_is_ready_when_it_knows_and_is_trusted(cluster):
    settings = WebhookSettings(listen_address="127.0.0.1:0")
    service, stop = Webhook(cluster, SystemClock(), settings), asyncio.Event()
    assert "not listening yet" in service.unready()
    running = asyncio.create_task(service.run(stop, linger=0.0))
    await until(lambda: not service.unready())
    assert service.port
    assert b"jobflow_webhook_certificate_expires_seconds 1." in service.metrics.text()
    stop.set()
    await asyncio.wait_for(running, 20)
    assert service.unready() == ["stopping"]


async def test_without_the_crds_a_replica_is_ready_for_their_coming(server):
    known = Known(Client(server.transport(), SystemClock()), SystemClock(), cluster_templates=False)
    running = asyncio.create_task(known.run())
    await until(lambda: not known.waiting)
    running.cancel()
    await asyncio.wait({running})
