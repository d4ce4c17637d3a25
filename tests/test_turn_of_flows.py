"""Whose turn it is when many flows are due: those that were begun first are to end first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import structs

from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, Key
from jobflow.app import App
from jobflow.config import Settings
from jobflow.testing.builders import NAMESPACE, flow
from jobflow.testing.clock import EPOCH, VirtualClock


@pytest.fixture
async def app(client):
    app = App(client, VirtualClock(), Settings())
    for name, seconds in {"oldest": 0, "b-second": 10, "a-second": 10, "youngest": 20}.items():
        app.cache.flows.put(structs.replace(flow(name).view(), created=EPOCH + timedelta(seconds=seconds)))
    yield app
    app.queue.close()


async def turns(app: App, *keys: Key) -> list[str]:
    """In which order the keys are handed out, added in the order given."""
    for key in keys:
        app.queue.add(key)
    return [(await app.queue.get()).name for _ in keys]


def of(name: str) -> Key:
    return Key(JOB_FLOW.kind, NAMESPACE, name)


@pytest.mark.looptime
async def test_the_flow_that_was_created_first_comes_first_whatever_changed_first(app):
    assert await turns(app, of("youngest"), of("b-second"), of("oldest")) == ["oldest", "b-second", "youngest"]


@pytest.mark.looptime
async def test_flows_of_one_second_have_an_order_too(app):
    assert await turns(app, of("b-second"), of("a-second")) == ["a-second", "b-second"]


@pytest.mark.looptime
async def test_a_flow_that_is_gone_is_settled_at_once_and_templates_come_last(app):
    template = Key(JOB_TEMPLATE.kind, NAMESPACE, "a-template")
    assert await turns(app, template, of("oldest"), of("gone")) == ["gone", "oldest", "a-template"]
