"""The in-process transport behaves as a network would, without one."""

from __future__ import annotations

import asyncio

import pytest

from jobflow.api.resources import CONFIG_MAP
from jobflow.kube.errors import Unavailable
from jobflow.kube.transport import Request


async def test_other_tasks_run_between_commit_and_reply(api, widgets, widget):
    order = []

    async def create():
        await api.create(widgets, widget("a"))
        order.append("reply")

    start = str(api.server.revision)
    async with api.watching(widgets, resourceVersion=start) as watch, asyncio.TaskGroup() as tasks:
        tasks.create_task(create())
        await watch.next()
        order.append("watched")
    assert set(order) == {"reply", "watched"}


async def test_a_closed_transport_is_unavailable(api):
    await api.transport.close()
    with pytest.raises(Unavailable):
        await api.names(CONFIG_MAP)
    with pytest.raises(Unavailable):
        async with api.transport.stream(Request("GET", CONFIG_MAP.path(), (("watch", "1"),)), 60):
            pass


async def test_other_transports_of_the_server_go_on(api, client):
    await api.transport.close()
    other = client(api.server, api.server.transport())
    assert await other.names(CONFIG_MAP) == []


async def test_a_reader_that_is_cancelled_is_cancelled_and_not_silent(api):
    async def read():
        async with api.watching(CONFIG_MAP) as watch:
            await watch.rest()

    reader = asyncio.create_task(read())
    for _ in range(10):
        await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader


async def test_a_list_through_stream_is_one_line(api):
    async with api.transport.stream(Request("GET", CONFIG_MAP.path()), 60) as stream:
        assert stream.status == 200
        assert len([line async for line in stream.lines()]) == 1


async def test_no_task_is_left_behind(api):
    before = len(asyncio.all_tasks())
    async with api.watching(CONFIG_MAP, allowWatchBookmarks="true"):
        assert len(asyncio.all_tasks()) > before
    assert len(asyncio.all_tasks()) == before
