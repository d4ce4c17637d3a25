"""pods/log: whose log, how much of it, and for how long."""

from __future__ import annotations

import asyncio

import pytest

from jobflow.api.resources import POD
from jobflow.kube.transport import Request
from jobflow.local.apiserver.reads.logs import LogOptions
from jobflow.local.apiserver.statuses import bad_request


class Recorder:
    """A LogSource that tells what it was asked for."""

    def __init__(self):
        self.asked = []
        self.more = asyncio.Event()
        self.closed = False

    async def logs(self, namespace, pod, options):
        self.asked.append((namespace, pod, options))
        try:
            yield b"one\ntw"
            yield b"o\n"
            if options.follow:
                await self.more.wait()
                yield b"three"
        finally:
            self.closed = True


class Refuser:
    def logs(self, namespace, pod, options):
        raise bad_request(f'container "{options.container}" in pod "{pod}" is waiting to start: ContainerCreating')


@pytest.fixture
async def pod(api):
    containers = [{"name": "main", "image": "i"}, {"name": "side", "image": "i"}]
    await api.create(POD, {"metadata": {"name": "one"}, "spec": {"containers": containers[:1]}})
    await api.create(POD, {"metadata": {"name": "two"}, "spec": {"containers": containers}})


def log(name):
    return POD.path("default", name, "log")


async def test_a_log_is_text_from_the_only_container(api, pod):
    api.server.logs = source = Recorder()
    told = await api.call("GET", log("one"), tailLines=5, previous="true")
    assert (told.status, told.body) == (200, b"one\ntwo\n")
    assert told.headers["content-type"] == "text/plain"
    assert source.asked == [("default", "one", LogOptions("main", previous=True, tail_lines=5))]


@pytest.mark.parametrize(
    ("path", "container", "complaint"),
    [
        ("two", None, "a container name must be specified for pod two, choose one of: [main side]"),
        ("two", "third", "container third is not valid for pod two"),
    ],
)
async def test_a_container_must_be_known(api, pod, path, container, complaint):
    api.server.logs = Recorder()
    told = await api.call("GET", log(path), **({"container": container} if container else {}))
    assert (told.status, told.body["message"]) == (400, complaint)


async def test_the_logs_of_no_pod_are_not_found(api):
    api.server.logs = Recorder()
    assert (await api.call("GET", log("none"))).status == 404


async def test_without_a_kubelet_there_are_no_logs(api, pod):
    told = await api.call("GET", log("one"))
    assert (told.status, told.body["reason"]) == (503, "ServiceUnavailable")


async def test_a_kubelet_may_refuse_with_a_status(api, pod):
    api.server.logs = Refuser()
    told = await api.call("GET", log("one"))
    assert told.status == 400
    assert "is waiting to start" in told.body["message"]


async def test_a_followed_log_goes_on_until_its_source_ends(api, pod):
    api.server.logs = source = Recorder()
    request = Request("GET", log("one"), (("follow", "true"),))
    async with api.transport.stream(request, 60) as stream:
        lines = stream.lines()
        assert [await anext(lines), await anext(lines)] == [b"one", b"two"]
        source.more.set()
        assert [line async for line in lines] == [b"three"]
    assert source.closed


async def test_who_stops_following_closes_the_source(api, pod):
    api.server.logs = source = Recorder()
    request = Request("GET", log("one"), (("follow", "true"),))
    async with api.transport.stream(request, 60) as stream:
        await anext(stream.lines())
    assert source.closed
