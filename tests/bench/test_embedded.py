"""The embedded API server as a process of its own, measured; and the words that say what to measure."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from bench.__main__ import application
from bench.embedded import DATA, MEMORY, check_stages, job_body
from bench.errors import BenchError
from bench.fan_out import FanOut
from bench.wire import Wire

runner = CliRunner()


@pytest.mark.parametrize(
    ("what", "words", "said"),
    [
        (
            "an unknown server",
            ["--server", "etcd"],
            "--server 'etcd': must be one of 'kube-apiserver+etcd', 'embedded'",
        ),
        ("stages that shrink", ["--jobs", "2000", "--jobs", "1000"], "--jobs 2000 1000: must grow"),
        ("no watchers", ["--watchers", "0"], "'--watchers': Input should be greater than or equal to 1"),
    ],
)
def test_words_that_cannot_be_used_are_told_in_a_line(what, words, said) -> None:
    result = runner.invoke(application, ["embedded", *words])
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("stages", "changes", "fit"),
    [((1000, 10_000), 200, True), ((1,), 200, True), ((10, 20), 10, False), ((10, 21), 10, True), ((20, 10), 1, False)],
)
def test_a_stage_leaves_jobs_to_be_made(stages, changes, fit) -> None:
    if fit:
        check_stages(stages, changes)
    else:
        with pytest.raises(BenchError, match="must grow"):
            check_stages(stages, changes)


def test_a_job_is_of_a_usual_size() -> None:
    body = job_body(7)
    assert 1500 < len(body) < 4000
    told = msgspec.json.decode(body)
    assert told["metadata"]["name"] == "job-000007"
    assert [(task["name"], task["replicas"]) for task in told["spec"]["tasks"]] == [("master", 1), ("worker", 4)]


def test_each_stage_is_measured_in_memory_and_on_disk(tmp_path: Path) -> None:
    file = tmp_path / "servers.json"
    servers = ["--server", MEMORY, "--server", DATA]
    words = ["--jobs", "5", "--jobs", "12", "--changes", "3", "--watchers", "2", *servers, "--json", str(file)]
    result = runner.invoke(application, ["embedded", *words])
    assert result.exit_code == 0, result.output
    rounds = json.loads(file.read_text())["rounds"]
    assert list(rounds) == [MEMORY, DATA]
    for (figures,) in rounds.values():
        assert all(value is not None and value >= 0 for value in figures.values()), figures
        for stage in (5, 12):
            for name in ("creates/s", "resident MiB", "change at 2 watchers ms p99", "creates/s seen by 2 watchers"):
                assert figures[f"{stage} Jobs: {name}"] > 0


class OneLine(Wire):
    """A server that ends its watch after one line."""

    def __init__(self) -> None:
        """No server."""

    async def watch(self, path, version):
        yield b'{"type":"ADDED","object":{"metadata":{"resourceVersion":"8"}}}'
        yield b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}'


async def answered() -> bytes:
    return b'{"metadata":{"resourceVersion":"8"}}'


async def test_a_write_has_reached_the_watchers_when_all_have_its_version() -> None:
    fan_out = FanOut(watchers=2)
    writing = asyncio.create_task(fan_out.write(answered))
    with pytest.raises(BenchError, match=r"a watch of /jobs ended"):
        await fan_out.follow(OneLine(), "/jobs", "7")
    assert not writing.done()
    with pytest.raises(BenchError):
        await fan_out.follow(OneLine(), "/jobs", "7")
    _, arrivals = await asyncio.wait_for(writing, 5)
    assert (len(arrivals), fan_out.lines) == (2, 2)
