"""Pods to run, and a runtime that runs them as processes and remembers what it reported."""

import asyncio
import contextlib
from collections import defaultdict
from datetime import UTC, datetime

import msgspec
import pytest

from jobflow.clock import SystemClock
from jobflow.local.apiserver.logs import LogOptions
from jobflow.local.kubelet.containers import Container, Pod, PodSpec, RestartPolicy, StoredStatus
from jobflow.local.kubelet.process_runtime import ProcessRuntime

PATIENCE_SECONDS = 20


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
        spec=PodSpec(
            containers=containers, init_containers=tuple(init), restart_policy=restart, node_name="local", **spec
        ),
        status=StoredStatus(),
    )


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
        self._news = asyncio.Condition()
        self._tasks = set()

    def report(self, pod, state):
        self.told[pod.name].append(state)
        task = asyncio.ensure_future(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self):
        async with self._news:
            self._news.notify_all()

    async def until(self, pod, holds):
        """The first reported state that holds."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: any(holds(state) for state in self.told[pod.name]))
        return next(state for state in self.told[pod.name] if holds(state))

    async def end(self, pod):
        return await self.until(pod, lambda state: state.phase.finished)

    async def run(self, pod):
        self.runtime.start(pod)
        return await self.end(pod)

    async def logged(self, pod, wanted=""):
        """The log once it is what is wanted, or anything at all."""
        return await eventually(lambda: self._logged(pod, wanted))

    async def _logged(self, pod, wanted):
        text = await self.log(pod)
        return text if not wanted or text == wanted else None

    async def log(self, pod, container="main", **options):
        pieces = self.runtime.logs(pod, LogOptions(container=container, **options))
        return b"".join([piece async for piece in pieces]).decode()


@contextlib.asynccontextmanager
async def running(runtime):
    node = Node(runtime)
    work = asyncio.create_task(runtime.run(node.report))
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
