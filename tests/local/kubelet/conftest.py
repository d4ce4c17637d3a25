"""Pods to run; a runtime that remembers what it reported; a kubelet on an embedded API server."""

import asyncio
import contextlib
import json
import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from jobflow.api.resources import EVENT, POD
from jobflow.clock import SystemClock
from jobflow.kube.client import Client
from jobflow.kube.errors import NotFound
from jobflow.kube.transport import Request
from jobflow.local.apiserver.reads.logs import LogOptions
from jobflow.local.apiserver.server import ApiServer
from jobflow.local.kubelet.claims import ApiClaims
from jobflow.local.kubelet.containers import Pod, StoredStatus
from jobflow.local.kubelet.kubelet import Kubelet
from jobflow.local.kubelet.process_runtime import Outside, ProcessRuntime
from jobflow.local.kubelet.sources import ApiSources
from jobflow.local.kubelet.spec import Container, PodSpec, RestartPolicy

PATIENCE_SECONDS = 20
START = datetime(2026, 1, 1, tzinfo=UTC)
PREFIX = "simulate.jobflow.volcano.sh/"
LOOKS = 4000
LOOK_SECONDS = 0.02


def build_container(name="main", shell=None, **spec):
    if shell is not None:
        spec["command"] = ["sh", "-c", shell]
    return msgspec.convert({"name": name, "image": "busybox", **spec}, Container)


def build_pod(*containers, name="p", init=(), restart=RestartPolicy.NEVER, annotations=None, **spec):
    return Pod(
        namespace="ns",
        name=name,
        uid=f"uid-{name}",
        resource_version="1",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        deleting=False,
        labels={"color": "green"},
        annotations=annotations or {},
        spec=msgspec.structs.replace(
            msgspec.convert(camel(spec), PodSpec),
            containers=containers,
            init_containers=tuple(init),
            restart_policy=restart,
            node_name="local",
        ),
        status=StoredStatus(),
    )


def camel(spec):
    """Field names as the API spells them."""
    return {re.sub("_(.)", lambda found: found[1].upper(), name): value for name, value in spec.items()}


async def eventually(look):
    """What `look` finds, once it finds something; for what no event tells of."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.01)


class Node:
    """A runtime with what it reported, by pod name."""

    def __init__(self, runtime):
        self.runtime = runtime
        self.told = defaultdict(list)
        self.warnings = defaultdict(list)
        self._news = asyncio.Condition()
        self._tasks = set()

    def state(self, pod, state):
        self.told[pod.name].append(state)
        task = asyncio.ensure_future(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def warn(self, pod, reason, message):
        self.warnings[pod.name].append((reason, message))

    async def _tell(self):
        async with self._news:
            self._news.notify_all()

    async def until(self, pod, holds):
        """The first reported state that holds."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: any(holds(state) for state in self.told[pod.name]))
        return next(state for state in self.told[pod.name] if holds(state))

    async def warned(self, pod, reason, text):
        """The first warning of this reason with this text in it."""

        async def look():
            found = (message for told, message in self.warnings[pod.name] if told == reason and text in message)
            return next(found, None)

        return await eventually(look)

    async def end(self, pod):
        return await self.until(pod, lambda state: state.phase.finished)

    async def run(self, pod):
        self.start(pod)
        return await self.end(pod)

    def start(self, pod, address="127.9.9.9"):
        self.runtime.start(pod, address)

    async def logged(self, pod, wanted=""):
        """The log once it is what is wanted, or anything at all."""
        return await self.logged_of(pod, "main", wanted)

    async def logged_of(self, pod, container, wanted=""):
        return await eventually(lambda: self._logged(pod, container, wanted))

    async def _logged(self, pod, container, wanted):
        with contextlib.suppress(LookupError):  # it waits to start
            text = await self.log(pod, container)
            return text if not wanted or text == wanted else None

    async def log(self, pod, container="main", **options):
        pieces = self.runtime.logs(pod, LogOptions(container=container, **options))
        return b"".join([piece async for piece in pieces]).decode()


@contextlib.asynccontextmanager
async def running(runtime):
    node = Node(runtime)
    work = asyncio.create_task(runtime.run(node))
    try:
        yield node
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


@pytest.fixture
def container():
    """Builds a container: `container(shell="exit 3")`."""
    return build_container


@pytest.fixture
def pod():
    """Builds a pod around containers."""
    return build_pod


@pytest.fixture
def running_node():
    """Runs a runtime and remembers what it reports."""
    return running


@pytest.fixture
async def node(tmp_path):
    async with running(ProcessRuntime(tmp_path, SystemClock())) as node:
        yield node


class LoopClock:
    """Wall time that goes with the event loop's, be it real or virtual."""

    def now(self):
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self):
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds):
        await asyncio.sleep(max(0.0, seconds))


class Cluster:
    def __init__(self, server, transport, client, clock):
        self.server, self.transport, self.client, self.clock = server, transport, client, clock

    async def create(self, name="p", annotations=None, containers=None, **spec):
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "annotations": {PREFIX + k: v for k, v in (annotations or {}).items()}},
            "spec": {
                "restartPolicy": "Never",
                "containers": containers or [{"name": "main", "image": "busybox"}],
                **spec,
            },
        }
        return json.loads(await self.client.create(POD, "default", body))

    async def pod(self, name="p"):
        return json.loads(await self.client.get(POD, "default", name))

    async def run(self, shell, name="p", **spec):
        """Create a pod with one container that runs a shell command; how it ended."""
        await self.create(name, containers=[sh(shell, **spec.pop("container", {}))], **spec)
        return await self.ended(name)

    async def ended(self, name="p"):
        return await self.when(lambda pod: pod["status"].get("phase") in ("Succeeded", "Failed"), name)

    async def until(self, phase, name="p"):
        return await self.when(lambda pod: pod["status"].get("phase") == phase, name)

    async def when(self, holds, name="p"):
        """The pod, once it is so."""
        for _ in range(LOOKS):
            pod = await self.pod(name)
            if holds(pod):
                return pod
            await self.clock.sleep(LOOK_SECONDS)
        raise AssertionError(f"pod {name} is {pod.get('status')}")

    async def make(self, resource, name, **body):
        meta = {"name": name, **body.pop("metadata", {})}
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **body}
        return json.loads(await self.client.create(resource, "default", whole))

    async def events(self, name="p"):
        """Reason and message of what was told of a pod, as soon as anything was."""
        for _ in range(LOOKS):
            found = []
            async for page in self.client.list(EVENT, "default"):
                found += [each for each in json.loads(page)["items"] if each["involvedObject"]["name"] == name]
            if found:
                return [(each["reason"], each["message"]) for each in found]
            await self.clock.sleep(LOOK_SECONDS)
        raise AssertionError(f"nothing was told of pod {name}")

    async def until_gone(self, name="p"):
        with contextlib.suppress(NotFound):
            for _ in range(LOOKS):
                await self.pod(name)
                await self.clock.sleep(LOOK_SECONDS)
            raise AssertionError(f"pod {name} is still there")

    async def log(self, name="p", *query):
        answer = await self.transport.request(Request("GET", POD.path("default", name, "log"), query), 5)
        return answer.status, answer.body.decode()

    @contextlib.asynccontextmanager
    async def kubelet(self, runtime, capacity=None):
        kubelet = Kubelet(self.client, self.clock, runtime, capacity)
        self.server.logs = kubelet
        work = asyncio.create_task(kubelet.run())
        synced = asyncio.create_task(kubelet.synced())
        await asyncio.wait({work, synced}, return_when=asyncio.FIRST_COMPLETED)
        try:
            yield kubelet
        finally:
            work.cancel()
            [result] = await asyncio.gather(work, return_exceptions=True)
            if not isinstance(result, asyncio.CancelledError):
                raise result


def sh(command, name="main", **spec):
    """A container that runs a shell command."""
    return {"name": name, "image": "busybox", "command": ["sh", "-c", command], **spec}


@pytest.fixture
def shell():
    """Builds a container of an API object: `shell("exit 3", name="a", env=[...])`."""
    return sh


@pytest.fixture
def processes(cluster, tmp_path):
    """Runs a kubelet whose pods are processes and see the objects of the cluster."""

    @contextlib.asynccontextmanager
    async def run(capacity=None, **outside):
        known = {"sources": ApiSources(cluster.client, cluster.clock), "claims": claims_of(cluster, tmp_path)}
        runtime = ProcessRuntime(tmp_path / "run", cluster.clock, Outside(**{**known, **outside}))
        async with cluster.kubelet(runtime, capacity) as kubelet:
            yield kubelet

    return run


def claims_of(cluster, directory):
    return ApiClaims(cluster.client, cluster.clock, directory / "volumes")


@pytest.fixture
async def cluster():
    clock = LoopClock()
    async with ApiServer(clock) as server:
        transport = server.transport()
        client = Client(transport, clock)
        yield Cluster(server, transport, client, clock)
        await client.close()
