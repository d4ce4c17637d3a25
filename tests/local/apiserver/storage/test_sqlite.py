"""The store on disk: what was answered is there after any end, and nobody's file is harmed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from jobflow.api.resources import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION
from jobflow.clock import SystemClock
from jobflow.local.apiserver.server import ApiServer
from jobflow.local.apiserver.storage.sqlite import FILE_NAME, DataDirectoryLocked, StoreCorrupted


@pytest.fixture
def opened(client, tmp_path):
    """opened() is a server on the test's directory, as an async context that gives the server."""
    return lambda: ApiServer(SystemClock(), data=tmp_path / "data")


async def test_objects_survive_with_their_versions_and_uids(opened, client, crd, widgets, widget):
    async with opened() as server:
        api = client(server, server.transport())
        await api.create(CUSTOM_RESOURCE_DEFINITION, crd(), None)
        await api.create(widgets, widget("a", labels={"x": "y"}))
        await api.create(widgets, widget("b"))
        await api.patch(widgets, "a", {"spec": {"size": 9}})
        await api.delete(widgets, "b")
        before = (await api.list(widgets)).body
        revision = server.revision
    async with opened() as server:
        api = client(server, server.transport())
        assert server.revision == revision, "starting again writes nothing"
        assert (await api.list(widgets)).body == before
        assert await api.names(widgets, labelSelector="x=y") == ["a"]
        created = (await api.create(widgets, widget("c"))).body
        assert int(created["metadata"]["resourceVersion"]) == revision + 1


async def test_what_was_being_deleted_still_is(opened, client):
    held = {"metadata": {"name": "a", "finalizers": ["example.com/held"]}}
    async with opened() as server:
        api = client(server, server.transport())
        await api.create(CONFIG_MAP, held)
        await api.delete(CONFIG_MAP, "a")
    async with opened() as server:
        api = client(server, server.transport())
        told = await api.create(CONFIG_MAP, held)
        assert (told.status, "object is being deleted" in told.body["message"]) == (409, True)


async def test_a_watch_from_before_the_restart_is_410(opened, client):
    async with opened() as server:
        api = client(server, server.transport())
        early = (await api.create(CONFIG_MAP, {"metadata": {"name": "a"}})).body["metadata"]["resourceVersion"]
        await api.create(CONFIG_MAP, {"metadata": {"name": "b"}})
    async with opened() as server:
        api = client(server, server.transport())
        async with api.watching(CONFIG_MAP, resourceVersion=early) as watch:
            assert watch.status == 410
        async with api.watching(CONFIG_MAP, resourceVersion=str(server.revision)) as watch:
            await api.create(CONFIG_MAP, {"metadata": {"name": "c"}})
            assert await watch.take(1) == [("ADDED", "c")], "the last version is still good"


async def test_garbage_left_at_the_end_is_collected_at_the_start(opened, client, crd, widgets, widget):
    async with opened() as server:
        api = client(server, server.transport())
        await api.create(CUSTOM_RESOURCE_DEFINITION, crd(), None)
        owner = (await api.create(widgets, widget("a"))).body
        for index in range(50):
            await api.create(widgets, widget(f"b{index}", owners=(owner,)))
        await api.delete(widgets, "a")
    async with opened() as server:
        api = client(server, server.transport())
        for index in range(50):
            await api.gone(widgets, f"b{index}")


async def test_a_second_server_is_told_who_has_the_directory(opened, tmp_path):
    async with opened():
        with pytest.raises(DataDirectoryLocked) as refused:
            async with opened():
                pass
    told = str(refused.value)
    assert str(tmp_path / "data") in told
    assert f"process {os.getpid()}" in told
    assert "directory of its own" in told
    async with opened():
        pass  # free again


def _not_sqlite(path: Path) -> None:
    path.write_bytes(b"precious notes of somebody else, rather longer than a header of a hundred bytes" * 4)


def _other_application(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE photos (id)")
    database.close()


def _newer_format(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("PRAGMA application_id = 1785684582")
    database.execute("PRAGMA user_version = 99")
    database.execute("CREATE TABLE objects (whatever)")
    database.commit()
    database.close()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_not_sqlite, "cannot be read"),
        (_other_application, "is not a store of jobflow"),
        (_newer_format, "has format 99"),
    ],
)
async def test_a_file_that_is_not_ours_is_left_alone(opened, tmp_path, spoil, complaint):
    path = tmp_path / "data" / FILE_NAME
    path.parent.mkdir()
    spoil(path)
    content = path.read_bytes()
    with pytest.raises(StoreCorrupted) as refused:
        async with opened():
            pass
    assert complaint in str(refused.value)
    assert str(path) in str(refused.value)
    assert "move the file away" in str(refused.value)
    assert path.read_bytes() == content


async def test_a_damaged_page_is_noticed(opened, client, tmp_path):
    async with opened() as server:
        api = client(server, server.transport())
        for index in range(200):
            await api.create(CONFIG_MAP, {"metadata": {"name": f"c{index}"}, "data": {"x": "y" * 500}})
    path = tmp_path / "data" / FILE_NAME
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 4)
    with pytest.raises(StoreCorrupted):
        async with opened():
            pass


async def test_only_the_owner_may_read_the_files(opened, tmp_path):
    async with opened():
        modes = {path.name: path.stat().st_mode & 0o077 for path in (tmp_path / "data").iterdir()}
    assert set(modes.values()) == {0}, modes


WRITER = """
    import asyncio, sys
    from pathlib import Path
    from jobflow.clock import SystemClock
    from jobflow.kube.transport import Request
    from jobflow.local.apiserver.server import ApiServer

    async def main():
        async with ApiServer(SystemClock(), data=Path(sys.argv[1])) as server:
            transport = server.transport()

            async def write(prefix):
                for index in range(10_000):
                    body = b'{"metadata": {"name": "%s-%d"}}' % (prefix, index)
                    path = "/api/v1/namespaces/default/configmaps"
                    response = await transport.request(Request("POST", path, (), body), 10)
                    assert response.status == 201, response.body
                    print(f"{prefix.decode()}-{index}", flush=True)

            await asyncio.gather(*(write(b"w%d" % number) for number in range(8)))

    asyncio.run(main())
"""


async def test_what_was_answered_survives_kill_9(opened, client, tmp_path):
    answered = await _write_until_killed(tmp_path / "data", answers=300)
    async with opened() as server:
        api = client(server, server.transport())
        assert answered - set(await api.names(CONFIG_MAP)) == set()


FULL = """
    import asyncio, resource, sys
    from pathlib import Path
    from jobflow.clock import SystemClock
    from jobflow.kube.transport import Request
    from jobflow.local.apiserver.server import ApiServer

    async def main():
        async with ApiServer(SystemClock(), data=Path(sys.argv[1])) as server:
            resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
            transport = server.transport()
            path = "/api/v1/namespaces/default/configmaps"
            for index in range(1_000):
                body = b'{"metadata": {"name": "c-%d"}, "data": {"x": "%s"}}' % (index, b"x" * 10_000)
                response = await transport.request(Request("POST", path, (), body), 10)
                if response.status != 201:
                    break
                print(f"c-{index}", flush=True)
            print(response.status, response.body.decode(), flush=True)
            later = await transport.request(Request("GET", path), 10)
            print(later.status, flush=True)

    asyncio.run(main())
"""


async def test_a_full_disk_is_told_and_what_was_answered_is_kept(opened, client, tmp_path):
    """A limit on the size of files stands in for the end of a disk: SQLite meets it in the same place."""
    import asyncio

    command = [sys.executable, "-c", textwrap.dedent(FULL), str(tmp_path / "data")]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    *answered, refused, later = done.stdout.splitlines()
    assert refused.startswith("500 ")
    assert "objects.sqlite cannot be written" in refused
    assert "see to the disk (is it full?)" in refused
    assert later == "500", "a reader might see what will not be there after a restart"
    assert len(answered) > 3
    async with opened() as server:
        api = client(server, server.transport())
        assert set(answered) - set(await api.names(CONFIG_MAP)) == set()
        assert (await api.create(CONFIG_MAP, {"metadata": {"name": "after"}})).status == 201


async def _write_until_killed(directory: Path, answers: int) -> set[str]:
    import asyncio

    def run() -> set[str]:
        command = [sys.executable, "-c", textwrap.dedent(WRITER), str(directory)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            heard = [process.stdout.readline().strip() for _ in range(answers)]
            process.send_signal(signal.SIGKILL)
            lines = process.stdout.read().split("\n")
        return set(heard + lines[:-1])  # the last line may be cut

    return await asyncio.to_thread(run)
