"""Watches: what is missing for one namespace keeps only its own flows waiting."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from narrow_rights import NarrowRights

from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, NAMESPACE
from jobflow.app import App
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.transport import Transport
from jobflow.local.controlplane import ControlPlane, LocalSettings
from jobflow.testing.builders import flow, template
from jobflow.testing.clock import VirtualClock

pytestmark = pytest.mark.looptime


def written(body, namespace: str):
    named = {"name": body["metadata"]["name"], "namespace": namespace}
    return {key: body[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": named}


@asynccontextmanager
async def plane_with_flows(tmp_path: Path, *namespaces: str):
    """A control plane whose Jobs are played, and the same flow `f` of one step in each namespace."""
    clock = VirtualClock()
    async with ControlPlane(LocalSettings(scratch=tmp_path, runtime="simulate", controller=False), clock) as plane:
        user = Client(plane.transport(), clock)
        for namespace in namespaces:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            await user.create(NAMESPACE, None, body)
            await user.create(JOB_TEMPLATE, namespace, written(template("a").task("main").body(), namespace))
            await user.create(JOB_FLOW, namespace, written(flow("f").step("a").body(), namespace))
        yield plane, user


@asynccontextmanager
async def app_over(transport: Transport, *namespaces: str):
    stop = asyncio.Event()
    app = App(Client(transport, VirtualClock()), VirtualClock(), Settings(namespaces=namespaces))
    running = asyncio.create_task(app.run(stop))
    yield app
    stop.set()
    await running


async def state(client: Client, namespace: str, name: str = "f") -> tuple[str, str]:
    found = msgspec.json.decode(await client.get(JOB_FLOW, namespace, name))
    told = found.get("status", {}).get("state", {})
    return told.get("phase", ""), told.get("reason", "")


SUCCEEDED = ("Succeed", "")
WAITS_FOR_RIGHTS = {  # what a flow says while the watch of a kind is refused
    "jobs": ("", ""),
    "jobtemplates": ("Pending", "TemplateUnreadable"),
    "jobflows": ("", ""),
}


@pytest.mark.parametrize(("kind", "waiting"), WAITS_FOR_RIGHTS.items())
async def test_missing_rights_in_one_namespace(tmp_path: Path, kind: str, waiting: tuple[str, str]) -> None:
    async with plane_with_flows(tmp_path, "open", "shut") as (plane, user):
        transport = NarrowRights(plane.transport())
        transport.forbidden = f"/namespaces/shut/{kind}"
        async with app_over(transport, "open", "shut") as app:
            await asyncio.sleep(60)
            assert (await state(user, "open"), await state(user, "shut")) == (SUCCEEDED, waiting)
            assert any("in shut: forbidden: no rights here" in line for line in app.unready())
            assert not any("in open" in line for line in app.unready())

            transport.forbidden = ""
            await asyncio.sleep(90)
            assert (await state(user, "shut"), app.unready()) == (SUCCEEDED, [])


@pytest.mark.parametrize(("kind", "waiting"), WAITS_FOR_RIGHTS.items())
async def test_a_kind_that_may_not_be_read_in_the_whole_cluster(tmp_path, kind, waiting) -> None:
    async with plane_with_flows(tmp_path, "a") as (plane, user):
        transport = NarrowRights(plane.transport())
        transport.forbidden = f"/{kind}"
        async with app_over(transport) as app:
            await asyncio.sleep(60)
            assert await state(user, "a") == waiting
            assert [line for line in app.unready() if f"{kind}." in line and "no rights here" in line]
            assert app.readings().troubled >= 1

            transport.forbidden = ""
            await asyncio.sleep(90)
            assert (await state(user, "a"), app.unready()) == (SUCCEEDED, [])


async def test_a_template_that_is_not_there_is_told_so_once_templates_can_be_read(tmp_path: Path) -> None:
    async with plane_with_flows(tmp_path, "a") as (plane, user):
        await user.create(JOB_FLOW, "a", written(flow("lonely").step("nowhere").body(), "a"))
        transport = NarrowRights(plane.transport())
        transport.forbidden = "/jobtemplates"
        async with app_over(transport):
            await asyncio.sleep(60)
            assert await state(user, "a", "lonely") == ("Pending", "TemplateUnreadable")
            transport.forbidden = ""
            await asyncio.sleep(90)
            assert await state(user, "a", "lonely") == ("Pending", "TemplateNotFound")


@pytest.mark.parametrize("kind", ["jobs", "jobflows"])
async def test_rights_that_are_taken_away_while_it_runs_stop_what_can_no_longer_be_seen(tmp_path, kind) -> None:
    """What can be written but not seen is not written: no Job is created, no status."""
    async with plane_with_flows(tmp_path, "a") as (plane, user):
        transport = NarrowRights(plane.transport())
        async with app_over(transport) as app:
            await asyncio.sleep(60)
            transport.forbidden = f"/{kind}?watch"
            await asyncio.sleep(700)  # the watch that stands ends by itself within ten minutes
            assert [line for line in app.unready() if f"{kind}." in line and "no rights here" in line]
            await user.create(JOB_FLOW, "a", written(flow("late").step("a").body(), "a"))
            await asyncio.sleep(300)
            assert await state(user, "a", "late") == ("", "")

            transport.forbidden = ""
            await asyncio.sleep(90)
            assert (await state(user, "a", "late"), app.unready()) == (SUCCEEDED, [])
    created = [path for method, path in transport.asked if method == "POST" and path.endswith("/jobs")]
    assert len(created) == 2, "one for each step"


async def test_children_are_listed_before_templates_before_flows(tmp_path: Path) -> None:
    async with plane_with_flows(tmp_path) as (plane, _):
        transport = NarrowRights(plane.transport())
        async with app_over(transport) as app:
            await app.synced.wait()
            kinds = [path.rpartition("/")[2] for path in transport.paths]
            first = [kinds.index(kind) for kind in ("jobs", "jobtemplates", "jobflows")]
            assert first == sorted(first)
