"""kubectl logs: what a container printed, whole or in part, at once or as it comes."""

import asyncio
import re

import pytest

from jobflow.clock import SystemClock
from jobflow.local.apiserver.reads.logs import LogOptions
from jobflow.local.kubelet import logfiles
from jobflow.local.kubelet.supervisor.logs import LogWriter

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"


async def logged(path, *printed):
    """A log file of what was printed, piece by piece."""
    await asyncio.to_thread(write, path, printed)
    return logfiles.LogFile(path=lambda: path, ended=lambda: True, what='container "main" in pod "p"')


def write(path, printed):
    writer = LogWriter(str(path))
    for piece in printed:
        writer.write(piece.encode())
    writer.close()


async def read(log, **options):
    pieces = logfiles.read(log, LogOptions(container="main", **options), SystemClock())
    return b"".join([piece async for piece in pieces]).decode()


LINES = [f"line {number}\n" for number in range(5)]


@pytest.mark.parametrize(
    ("printed", "options", "read_back"),
    [
        (LINES, {}, "".join(LINES)),
        (["no newline at the end"], {}, "no newline at the end"),
        (["a", "b\nc", "\n"], {}, "ab\nc\n"),
        (["\n", "\n"], {}, "\n\n"),
        ([], {}, ""),
        (LINES, {"tail_lines": 2}, "line 3\nline 4\n"),
        (LINES, {"tail_lines": 0}, ""),
        (LINES, {"tail_lines": 99}, "".join(LINES)),
        ([*LINES, "unfinished"], {"tail_lines": 2}, "line 4\nunfinished"),
        (LINES, {"limit_bytes": 9}, "line 0\nli"),
        (LINES, {"tail_lines": 1, "limit_bytes": 4}, "line"),
        (LINES, {"since_seconds": 3600}, "".join(LINES)),
        (["x" * 40_000 + "\n", "after\n"], {}, "x" * 40_000 + "\nafter\n"),
        (["x" * 40_000 + "\n", "after\n"], {"tail_lines": 2}, "x" * 40_000 + "\nafter\n"),
    ],
)
async def test_what_was_printed_is_read_back(tmp_path, printed, options, read_back):
    assert await read(await logged(tmp_path / "0.log", *printed), **options) == read_back


async def test_a_tail_is_found_over_many_blocks(tmp_path):
    log = await logged(tmp_path / "0.log", *[f"{number:0100d}\n" for number in range(10_000)])
    assert (await read(log, tail_lines=5000)).splitlines()[0] == f"{5000:0100d}"


async def test_each_line_has_its_time(tmp_path):
    text = await read(await logged(tmp_path / "0.log", "a\n", "b" * 20_000 + "\n"), timestamps=True)
    assert re.fullmatch(f"{TIME} a\n{TIME} b+\n", text)


async def test_lines_before_since_are_left_out(tmp_path):
    path = tmp_path / "0.log"
    path.write_text("2020-01-01T00:00:00.000000000Z stdout F old\n")
    assert await read(await logged(path, "new\n"), since_seconds=60) == "new\n"


async def test_a_container_that_has_not_started_is_said_to_wait(tmp_path):
    log = logfiles.LogFile(path=lambda: None, ended=lambda: False, what='container "main" in pod "p"')
    with pytest.raises(LookupError, match='container "main" in pod "p" is waiting to start: ContainerCreating'):
        await read(log)


async def test_there_is_no_previous_run_before_the_first(tmp_path):
    log = logfiles.LogFile(path=lambda: None, ended=lambda: True, what='container "main" in pod "p"')
    with pytest.raises(LookupError, match='previous terminated container "main" in pod "p" not found'):
        await read(log, previous=True)


@pytest.mark.e2e
async def test_a_follower_gets_lines_as_they_are_printed_and_ends_with_the_container(node, pod, container, tmp_path):
    gate = tmp_path / "gate"
    p = pod(container(shell=f"echo one; while ! test -e {gate}; do sleep 0.01; done; echo two"))
    node.start(p)
    pieces = node.runtime.logs(p, LogOptions(container="main", follow=True))
    async with asyncio.timeout(20):
        assert await anext(pieces) == b"one\n"
        gate.touch()
        assert [piece async for piece in pieces] == [b"two\n"]
