"""Embedded: the embedded API server beside kube-apiserver and etcd: creates, watches, lists, memory.

In: how many Volcano Jobs, in stages that grow; how many watchers and changes. Out: figures of each server at each
stage. Every server is a process of its own behind TLS on loopback, is fresh in each round, and gets the same requests
from the same client. Nobody acts on the Jobs. Until a stage is reached nobody watches, so that creates are creates.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import msgspec

from bench.errors import BenchError
from bench.fan_out import watched
from bench.figures import Figures, milliseconds, percentile
from bench.plane import DidNotStart, fresh_plane, start_program
from bench.processes import Usage, usage
from bench.rig import first_error
from bench.shape import NAMESPACE, template_body
from bench.wire import CONNECTIONS, Wire
from jobflow.api.resources import VOLCANO_JOB

MEBIBYTE = 2**20
WARM_UP = 5  # changes that nobody counts: the watches are being opened
TELL_SECONDS = 5.0
JOBS = VOLCANO_JOB.path(NAMESPACE)
REAL, MEMORY, DATA = "kube-apiserver+etcd", "embedded", "embedded --data"
SERVERS = (REAL, MEMORY, DATA)  # the first is what the others are compared with

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Load:
    """What is asked of each server."""

    stages: tuple[int, ...]  # Jobs
    watchers: int
    changes: int
    limit_seconds: float


@dataclass(frozen=True)
class Serving:
    """A server that answers."""

    name: str
    kubeconfig: Path
    pids: tuple[int, ...]

    def usage(self) -> Usage:
        """Of all its processes together."""
        found = [usage(pid) for pid in self.pids]
        return Usage(sum(one.cpu_seconds for one in found), sum(one.resident_bytes for one in found))


def serving(name: str, tell: Tell) -> AbstractContextManager[Serving]:
    """A fresh server; it and its data are gone at the end. Call from the main thread. Raises BenchError."""
    return _real(tell) if name == REAL else _embedded(name)


@contextmanager
def _real(tell: Tell) -> Iterator[Serving]:
    with fresh_plane(tell, audit=False) as plane:
        yield Serving(REAL, plane.admin, tuple(plane.pids.values()))


@contextmanager
def _embedded(name: str) -> Iterator[Serving]:
    with tempfile.TemporaryDirectory(prefix="jobflow-bench-") as directory:
        home = Path(directory)
        kubeconfig = home / "kubeconfig"
        data = [str(home / "data")] if name == DATA else []
        program = start_program(
            name, [sys.executable, "-m", "bench.embedded_server", str(kubeconfig), *data], home / "server.log"
        )
        try:
            program.wait_for(kubeconfig.exists)
            yield Serving(name, kubeconfig, (program.process.pid,))
        except DidNotStart as error:
            raise BenchError(f"no embedded server: {error}") from error
        finally:
            program.stop()


async def embedded(server: Serving, load: Load, tell: Tell) -> Figures:
    """Measure one server. Raises BenchError."""
    wire = Wire(server.kubeconfig)
    measuring = _Measuring(server, load, wire, tell)
    try:
        async with asyncio.timeout(load.limit_seconds):
            return await measuring.stages()
    except TimeoutError as error:
        raise BenchError(f"{server.name}: no longer measured after {load.limit_seconds:g} s") from error
    except BaseExceptionGroup as errors:
        raise first_error(errors) from None
    finally:
        await wire.close()


class _Measuring:
    """One server and what it holds by now."""

    def __init__(self, server: Serving, load: Load, wire: Wire, tell: Tell) -> None:
        self._server = server
        self._load = load
        self._wire = wire
        self._tell = tell
        self._made = 0
        self._told = 0.0  # when progress was told last

    async def stages(self) -> Figures:
        """Each stage after the one before."""
        if self._server.name != REAL:  # the plane has it from the start
            space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
            await self._wire.post("/api/v1/namespaces", msgspec.json.encode(space))
        figures: Figures = {"empty: resident MiB": self._server.usage().resident_bytes / MEBIBYTE}
        for stage in self._load.stages:
            found = await self._stage(stage)
            figures |= {f"{stage} Jobs: {name}": value for name, value in found.items()}
        return figures

    async def _stage(self, stage: int) -> Figures:
        missing = stage - self._made
        rate, cpu = await self._creates(missing)
        resident = self._server.usage().resident_bytes / MEBIBYTE
        started = time.monotonic()
        _, version = await self._wire.list(JOBS)
        listing = time.monotonic() - started
        answers, arrivals, beside = await self._fan_out(version)
        return {
            "creates/s": rate,
            "server CPU ms/create": cpu,
            "resident MiB": resident,
            "list all s": listing,
            "change answered ms p50": milliseconds(percentile(answers, 50)),
            f"change at {self._load.watchers} watchers ms p50": milliseconds(percentile(arrivals, 50)),
            f"change at {self._load.watchers} watchers ms p99": milliseconds(percentile(arrivals, 99)),
            f"creates/s seen by {self._load.watchers} watchers": beside,
        }

    async def _creates(self, count: int) -> tuple[float, float]:
        """Creates a second, and CPU milliseconds of each at the server."""
        before, started, self._told = self._server.usage(), time.monotonic(), time.monotonic()
        first, self._made = self._made, self._made + count
        names = iter(range(first, self._made))

        async def work() -> None:
            for number in names:  # one iterator for all workers
                await self._wire.post(JOBS, job_body(number))
                self._progress(number + 1)

        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(work())
        seconds = time.monotonic() - started
        cpu = self._server.usage().cpu_seconds - before.cpu_seconds
        return count / seconds, 1000 * cpu / count

    async def _fan_out(self, version: str) -> tuple[Sequence[float], Sequence[float], float]:
        """Seconds to answers, seconds to watchers; creates a second until every watcher has seen each."""
        answers: list[float] = []
        arrivals: list[float] = []
        async with watched(self._wire, JOBS, version, self._load.watchers) as fan_out:
            for number in range(WARM_UP + self._load.changes):
                path, body = f"{JOBS}/{job_name(number % self._made)}", change_body(f"{self._made}-{number}")
                answered, arrived = await fan_out.write(partial(self._wire.patch, path, body))
                if number >= WARM_UP:
                    answers.append(answered)
                    arrivals += arrived
            self._tell(f"  {self._server.name}: {self._made} Jobs: {self._load.changes} changes watched")
            started = time.monotonic()
            async with asyncio.TaskGroup() as group:
                group.create_task(fan_out.seen(self._load.changes * self._load.watchers))
                await self._creates(self._load.changes)
            return answers, arrivals, self._load.changes / (time.monotonic() - started)

    def _progress(self, made: int) -> None:
        now = time.monotonic()
        if now - self._told >= TELL_SECONDS:
            self._told = now
            self._tell(f"  {self._server.name}: {made} Jobs made")


def check_stages(stages: Sequence[int], changes: int) -> None:
    """Each stage leaves some Jobs to be made beyond those that the one before made while it was watched."""
    for before, stage in pairwise((-changes, *stages)):
        if stage <= before + changes:
            told = " ".join(map(str, stages))
            raise BenchError(f"--jobs {told}: must grow, from one to the next by more than --changes ({changes})")


def job_name(number: int) -> str:
    """The name of a Job by its number."""
    return f"job-{number:06}"


def job_body(number: int) -> bytes:
    """A Volcano Job of a usual size: a task that leads and one of four workers, each with settings and a volume."""
    leads, works = (template_body(step)["spec"] for step in ("a", "b"))
    tasks = [{**leads["tasks"][0], "name": "master"}, {**works["tasks"][0], "name": "worker", "replicas": 4}]
    metadata = {"name": job_name(number), "namespace": NAMESPACE, "labels": {"team": f"team-{number % 20}"}}
    spec = {**leads, "minAvailable": 5, "tasks": tasks}
    return msgspec.json.encode(
        {"apiVersion": VOLCANO_JOB.api_version, "kind": VOLCANO_JOB.kind, "metadata": metadata, "spec": spec}
    )


def change_body(word: str) -> bytes:
    """A merge patch that changes a Job, where the word is a new one: what changes nothing is no event."""
    return msgspec.json.encode({"metadata": {"labels": {"change": word}}})
