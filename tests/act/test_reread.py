"""A flow that was read without fields of ours is read again once the CRD has them."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from jobflow.act.reread import is_worth_a_look, reread
from jobflow.api.resources import JOB_FLOW, Key
from jobflow.api.status import FlowPhase, FlowState, JobFlowStatus
from jobflow.cache.cache import Cache
from jobflow.kube.errors import NotFound
from jobflow.testing.builders import cluster_template, flow, template
from jobflow.work.interests import Interests
from jobflow.work.route import Route

pytestmark = pytest.mark.looptime

KEY = Key("JobFlow", "default", "f")
F = flow("f").step("a")
LOST = ("spec.flows[].note",)


class Due:
    def __init__(self):
        self.keys = []

    def add(self, key):
        self.keys.append(key)

    def add_after(self, key, seconds):
        self.keys.append(key)


@pytest.fixture
def due():
    return Due()


@pytest.fixture
def cache(due):
    return Cache(Route(due, Interests()))


def held(cache):
    return cache.flows.get(("default", "f"))


@pytest.mark.parametrize(
    ("said", "view", "worth"),
    [
        ("it is whole", F.view(), False),
        ("it has lost something", replace(F.view(), lost=LOST), True),
        ("it has ended", replace(F.status(JobFlowStatus(state=FlowState(FlowPhase.SUCCEED))).view(), lost=LOST), False),
    ],
)
def test_which_flows_are_read_again(cache, said, view, worth):
    cache.flows.put(view)
    assert is_worth_a_look(cache, KEY) == worth


def test_not_while_the_crd_still_lacks_fields_nor_where_there_is_no_flow(cache):
    assert not is_worth_a_look(cache, KEY)
    cache.flows.put(replace(F.view(), lost=LOST))
    cache.installed.saw_schema(JOB_FLOW, {})
    assert not is_worth_a_look(cache, KEY)


def answers(api, body):
    api.on("GET jobflows", api.answer(body))


async def test_what_is_read_takes_the_place_of_what_was(api, client, cache, due):
    cache.flows.put(replace(F.view(), spec=b"{}", lost=LOST))
    due.keys.clear()
    answers(api, F.body())
    await reread(client, cache, KEY)
    assert held(cache) == F.view()
    assert due.keys == [KEY], "it is due, though its version is the same"


@pytest.mark.parametrize("builder", [F.at("101"), F.incarnation("second")], ids=["another version", "another flow"])
async def test_what_the_watch_brings_by_itself_is_left_to_it(api, client, cache, builder):
    before = replace(F.view(), lost=LOST)
    cache.flows.put(before)
    answers(api, builder.body())
    await reread(client, cache, KEY)
    assert held(cache) == before


async def test_a_flow_that_is_gone_meanwhile(api, client, cache):
    cache.flows.put(replace(F.view(), lost=LOST))
    api.on("GET jobflows", api.refusal(404, "NotFound"))
    with pytest.raises(NotFound):
        await reread(client, cache, KEY)
    assert msgspec.to_builtins(held(cache))["lost"] == LOST


@pytest.mark.parametrize(
    "template", [template("a").task("main"), cluster_template("a").task("main")], ids=["JobTemplate", "cluster's"]
)
async def test_a_template_is_read_again_too(api, client, cache, template):
    view = template.view()
    templates = cache.templates_in(view.namespace)
    templates.put(replace(view, spec=b"{}", lost=("spec.note",)))
    assert is_worth_a_look(cache, view.key)
    api.on(f"GET {view.resource.plural}", api.answer({"metadata": {}, "items": [template.body()]}))
    await reread(client, cache, view.key)
    assert templates.get((view.namespace, "a")) == view
    assert not is_worth_a_look(cache, view.key)
