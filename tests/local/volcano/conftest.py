"""An API server that serves Volcano's kinds, with the Job runtime and a simulating kubelet, in virtual time."""

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, EVENT, POD, QUEUE, VOLCANO_JOB
from jobflow.kube.client import Client
from jobflow.kube.errors import NotFound
from jobflow.local.apiserver.server import ApiServer
from jobflow.local.kubelet.kubelet import Kubelet
from jobflow.local.kubelet.simulated import SimulatedRuntime
from jobflow.local.volcano.runtime import JobRuntime

START = datetime(2026, 1, 1, tzinfo=UTC)
LOOKS = 4000  # and then a wait is taken for a hang
LOOK_SECONDS = 0.25  # virtual


class VirtualClock:
    """Wall time that goes with the event loop's."""

    def now(self):
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self):
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds):
        await asyncio.sleep(max(0.0, seconds))


def crd(resource):
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": {
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
            },
            "versions": [
                {
                    "name": resource.version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": free, "status": free}}},
                }
            ],
        },
    }


def task(name="work", replicas=1, runs="1s", exits=0, restart="Never", **fields):
    """A task whose pods are simulated: they run so long and exit so."""
    annotations = {
        "simulate.jobflow.volcano.sh/duration": runs,
        "simulate.jobflow.volcano.sh/exit-code": str(exits),
    }
    return {
        "name": name,
        "replicas": replicas,
        "template": {
            "metadata": {"annotations": annotations},
            "spec": {"restartPolicy": restart, "containers": [{"name": "main", "image": "busybox"}]},
        },
        **fields,
    }


def on(event, action, **fields):
    """A lifecycle policy."""
    return {"event": event, "action": action, **fields}


class World:
    """What a test does to the cluster, and sees of it."""

    def __init__(self, client, transport, clock):
        self.client = client
        self.transport = transport
        self.clock = clock

    async def create(self, name, *tasks, **spec):
        body = {
            "apiVersion": VOLCANO_JOB.api_version,
            "kind": "Job",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"tasks": list(tasks), **spec},
        }
        return json.loads(await self.client.create(VOLCANO_JOB, "default", body))

    async def job(self, name):
        return json.loads(await self.client.get(VOLCANO_JOB, "default", name))

    async def status(self, name):
        return (await self.job(name)).get("status", {})

    async def until(self, name, phase):
        """The Job's status once it is in the phase."""
        return await self.until_status(name, lambda status: status.get("state", {}).get("phase") == phase)

    async def until_status(self, name, holds):
        for _ in range(LOOKS):
            status = await self.status(name)
            if holds(status):
                return status
            await self.clock.sleep(LOOK_SECONDS)
        raise AssertionError(f"Job {name} is {status}")

    async def until_gone(self, name):
        with contextlib.suppress(NotFound):
            for _ in range(LOOKS):
                await self.client.get(VOLCANO_JOB, "default", name)
                await self.clock.sleep(LOOK_SECONDS)

    async def items(self, resource):
        found = []
        async for page in self.client.list(resource, "default" if resource.namespaced else None):
            found += json.loads(page)["items"]
        return found

    async def pods(self):
        pods = await self.items(POD)
        return {pod["metadata"]["name"]: pod for pod in pods}

    async def events(self):
        await self.clock.sleep(5)
        return [(event["type"], event["reason"], event["message"]) for event in await self.items(EVENT)]

    async def queues(self):
        return {queue["metadata"]["name"] for queue in await self.items(QUEUE)}


@contextlib.asynccontextmanager
async def a_world():
    clock = VirtualClock()
    async with ApiServer(clock) as server:
        transport = server.transport()
        client = Client(transport, clock)
        for resource in (VOLCANO_JOB, QUEUE):
            await client.create(CUSTOM_RESOURCE_DEFINITION, None, crd(resource))
        runtime, kubelet = JobRuntime(client, clock), Kubelet(client, clock, SimulatedRuntime(clock))
        server.logs = kubelet
        works = [asyncio.create_task(runtime.run()), asyncio.create_task(kubelet.run())]
        try:
            yield World(client, transport, clock)
        finally:
            for work in works:
                work.cancel()
            results = await asyncio.gather(*works, return_exceptions=True)
            await client.close()
            for result in results:
                if isinstance(result, Exception):
                    raise result


@pytest.fixture
async def world():
    async with a_world() as world:
        yield world


@pytest.fixture
def build_task():
    return task


@pytest.fixture
def policy():
    return on
