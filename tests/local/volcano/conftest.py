"""An API server that serves Volcano's kinds, with the Job and CronJob runtimes and a simulating kubelet, in virtual
time.
"""

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta

import pytest

from jobflow.api.crd import volcano_crds
from jobflow.api.resources import (
    COMMAND,
    CRON_JOB,
    CUSTOM_RESOURCE_DEFINITION,
    EVENT,
    POD,
    POD_GROUP,
    QUEUE,
    VOLCANO_JOB,
    Resource,
)
from jobflow.kube.client import Client
from jobflow.kube.errors import NotFound
from jobflow.local.apiserver.server import ApiServer
from jobflow.local.kubelet.kubelet import Kubelet
from jobflow.local.kubelet.simulated import SimulatedRuntime
from jobflow.local.volcano.cron.runtime import CronRuntime
from jobflow.local.volcano.runtime import JobRuntime
from jobflow.local.volcano.webhook import VolcanoAdmission

START = datetime(2026, 1, 1, tzinfo=UTC)
LOOKS = 4000  # and then a wait is taken for a hang
LOOK_SECONDS = 0.25  # virtual
NODE = Resource("", "v1", "nodes", "Node", namespaced=False)


class VirtualClock:
    """Wall time that goes with the event loop's."""

    def now(self):
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self):
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds):
        await asyncio.sleep(max(0.0, seconds))


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
        self.commands = 0
        self.history = {}  # by Job: the phases that it went through
        self.pod_history = []  # pod and phase, as they were committed

    def saw(self, collection, event):
        """A change was committed."""
        if event.type == "DELETED":
            return
        status = json.loads(event.object.data).get("status", {})
        if collection.plural == POD.plural:
            self.pod_history.append((event.object.name, status.get("phase")))
        if collection.plural != VOLCANO_JOB.plural:
            return
        phase = status.get("state", {}).get("phase")
        phases = self.history.setdefault(event.object.name, [])
        if phase and phases[-1:] != [phase]:
            phases.append(phase)

    def start(self):
        """Start the Job runtime; it knows nothing but what the API server has."""
        self.runtime = asyncio.create_task(self.job_runtime(self.client).run())

    def job_runtime(self, client):
        """One that waits for no thread, which would take virtual hours."""

        async def at_once(make):
            return make()

        return JobRuntime(client, self.clock, at_once)

    async def stop(self, *tasks):
        """End them as a crash does, and tell what they died of before."""
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    async def create(self, name, *tasks, **spec):
        body = {
            "apiVersion": VOLCANO_JOB.api_version,
            "kind": "Job",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"tasks": list(tasks), **spec},
        }
        return json.loads(await self.client.create(VOLCANO_JOB, "default", body))

    async def make(self, resource, name, **fields):
        """Any other object."""
        namespace = "default" if resource.namespaced else None
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **fields}
        return json.loads(await self.client.create(resource, namespace, body))

    async def node(self, **allocatable):
        """A node that has so much."""
        await self.make(NODE, "local")
        status = {"status": {"allocatable": allocatable}}
        await self.client.patch(NODE, None, "local", status, subresource="status")

    async def command(self, action, target, kind="Job", uid=""):
        """Ask something of a Job or a Queue, as `vcctl job suspend` does."""
        about = {"apiVersion": "batch.volcano.sh/v1alpha1", "kind": kind, "name": target, "uid": uid or "?"}
        if not uid:
            resource = QUEUE if kind == "Queue" else VOLCANO_JOB
            found = json.loads(await self.client.get(resource, "default" if kind == "Job" else None, target))
            about["uid"] = found["metadata"]["uid"]
        self.commands += 1
        return await self.make(COMMAND, f"{target}-{self.commands}", action=action, target=about)

    async def scale(self, name, task=0, **fields):
        """Change replicas or minAvailable of a task, and with `total` minAvailable of the Job."""
        spec = (await self.job(name))["spec"]
        total = fields.pop("total", spec["minAvailable"])
        spec["tasks"][task].update(fields)
        patch = {"spec": {"tasks": spec["tasks"], "minAvailable": total}}
        await self.client.patch(VOLCANO_JOB, "default", name, patch)

    async def find(self, resource, name):
        """The object, or None."""
        namespace = "default" if resource.namespaced else None
        try:
            return json.loads(await self.client.get(resource, namespace, name))
        except NotFound:
            return None

    async def group(self, name):
        """The PodGroup of a Job, or None."""
        groups = [
            group for group in await self.items(POD_GROUP) if group["metadata"]["ownerReferences"][0]["name"] == name
        ]
        return groups[0] if groups else None

    async def cron(self, name, schedule, *tasks, **spec):
        template = {"spec": {"tasks": list(tasks)}}
        return await self.make(CRON_JOB, name, spec={"schedule": schedule, "jobTemplate": template, **spec})

    async def until_true(self, holds):
        """Until an awaitable check holds."""
        for _ in range(LOOKS):
            if await holds():
                return
            await self.clock.sleep(LOOK_SECONDS)
        raise AssertionError("it never held")

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
async def a_world(admission):
    clock = VirtualClock()
    async with ApiServer(clock, admission=admission) as server:
        transport = server.transport()
        client = Client(transport, clock)
        for crd in volcano_crds():
            await client.create(CUSTOM_RESOURCE_DEFINITION, None, crd)
        kubelet = Kubelet(client, clock, SimulatedRuntime(clock))
        server.logs = kubelet
        world = World(client, transport, clock)
        server.tell(world.saw)
        world.works = [asyncio.create_task(part.run()) for part in (CronRuntime(client, clock), kubelet)]
        world.start()
        try:
            yield world
        finally:
            await world.stop(*world.works, world.runtime)
            await client.close()


@pytest.fixture(autouse=True)
def _time_zones_are_small_files(_nobody_blocks_the_loop):
    """Read once each, when a CronJob names one."""
    if _nobody_blocks_the_loop is not None:
        for function in _nobody_blocks_the_loop.functions.values():
            function.can_block_in("jobflow/local/volcano/cron/schedule.py", {"zone_of"})


@pytest.fixture
async def world():
    """As in the product."""
    async with a_world(VolcanoAdmission()) as world:
        yield world


@pytest.fixture
async def strict_world():
    """As with `--strict`."""
    async with a_world(VolcanoAdmission(strict=True)) as world:
        yield world


@pytest.fixture
async def open_world():
    """Without admission: what was stored before its rules."""
    async with a_world(None) as world:
        yield world


@pytest.fixture
def build_task():
    return task


@pytest.fixture
def policy():
    return on
