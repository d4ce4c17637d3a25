"""Probes: many that are live at once, dead hosts among them; what do they cost, and whom do they delay?

In: a rig whose contender may ask on loopback; how many probes. Out: figures of a burst of ordinary flows before the
probes and beside them, of the probes at rest, and how long after its server begins to answer a step's Job is created.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bench.audit import dependency_seconds
from bench.burst import MEBIBYTE
from bench.contenders import Contender, jobflow
from bench.errors import BenchError
from bench.figures import Figures, milliseconds, percentile, percentile_of_buckets
from bench.plane import USER
from bench.rig import Rig
from bench.servers import ADDRESSES, DEAD, HOSTILE
from bench.shape import NAMESPACE, flow_body
from jobflow.api.resources import JOB_FLOW

PERIOD_SECONDS = 5
SETTLE_SECONDS = 30.0  # longer than the tries after which failing is told again
REST_SECONDS = 20.0
OPEN_SECONDS = 40.0
PATIENT = 1000  # failures that do not make a probe ask less often
LAG = "jobflow_event_loop_lag_seconds_bucket"

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Crowd:
    """How many probes, how many of them of hosts that never answer, and how many flows beside them."""

    live: int
    dead: int
    flows: int


@dataclass(frozen=True)
class Servers:
    """What the probes ask: ports by kind, and the way to open the good ones."""

    ports: dict[str, int]
    process: asyncio.subprocess.Process

    def open(self, start: float, per_second: float) -> None:
        """Number i answers from `start` + i / `per_second` on, by the wall clock."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"open {start} {per_second}\n".encode())


def prober() -> Contender:
    """This tree's controller, allowed to ask on loopback, with metrics."""
    plain = jobflow()
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    more = ("--probe-allow-cidr", "127.0.0.0/8", "--metrics-address", address)
    return Contender(plain.name, (*plain.command, *more), address)


async def probes(rig: Rig, crowd: Crowd) -> Figures:
    """Measure one contender."""
    async with servers() as asked:
        figures = {f"alone: {name}": value for name, value in (await _burst(rig, "alone", crowd.flows)).items()}
        good = crowd.live - crowd.dead
        before = rig.usage().resident_bytes
        await _create(rig, [_flow(f"probe-{number}", asked.ports["answering"], number) for number in range(good)])
        await _create(rig, [_flow(f"dead-{number}", asked.ports[DEAD], number) for number in range(crowd.dead)])
        rig.tell(f"  {crowd.live} probes, {crowd.dead} of them of hosts that never answer")
        await _told(rig, [f"probe-{number}" for number in range(good)])
        figures |= await _at_rest(rig)
        figures["resident MiB per 1,000 probing flows"] = (
            1000 * (rig.usage().resident_bytes - before) / MEBIBYTE / crowd.live
        )
        beside = await _burst(rig, "beside", crowd.flows)
        figures |= {f"beside probes: {name}": value for name, value in beside.items()}
        return figures | await _opened(rig, asked, good)


async def hostile(rig: Rig, crowd: Crowd) -> Figures:
    """The burst alone, and beside probes of each kind of server that means no good."""
    async with servers() as asked:
        figures = {f"alone: {name}": value for name, value in (await _burst(rig, "alone", crowd.flows)).items()}
        for place, kind in enumerate((*HOSTILE, DEAD)):
            made = [f"hostile{place}-{number}" for number in range(crowd.dead)]
            await _create(rig, [_flow(name, asked.ports[kind], number) for number, name in enumerate(made)])
            await _told(rig, made)
            found = await _burst(rig, f"h{place}", crowd.flows)
            figures |= {f"{kind}: {name}": value for name, value in found.items()}
            await asyncio.gather(*(rig.wire.delete(JOB_FLOW.path(NAMESPACE, name)) for name in made))
        return figures


async def _burst(rig: Rig, prefix: str, count: int) -> Figures:
    names = [f"{prefix}-{number}" for number in range(count)]
    seen = len(rig.writes())
    await rig.flows.create(names)
    await rig.ended(names)
    waits = dependency_seconds(rig.writes()[seen:], USER)
    return {
        "dependency ms p50": milliseconds(percentile(waits, 50)),
        "dependency ms p99": milliseconds(percentile(waits, 99)),
        "resident MiB": rig.usage().resident_bytes / MEBIBYTE,
    }


async def _told(rig: Rig, names: Sequence[str]) -> None:
    """Wait until each of these flows says that it waits for its probe, and for what came after that to be over.

    Not until nothing is written: of what goes on failing the flows tell ever more rarely, but for ever.
    """
    untold, seen = set(names), 0

    def all_told() -> bool:
        nonlocal seen
        since, seen = seen, len(rig.writes())
        untold.difference_update(write.name for write in rig.own_writes(since) if write.kind == "jobflows/status")
        return not untold

    await rig.until(all_told, "flows to tell of their probes", lambda: f"{len(untold)} have not")
    rest = time.monotonic()
    await rig.until(lambda: time.monotonic() - rest > SETTLE_SECONDS, "the probes to settle")


async def _at_rest(rig: Rig) -> Figures:
    """What the probes alone use."""
    lag, cpu, sockets = _lags(rig), rig.usage().cpu_seconds, 0
    written = len(rig.own_writes())
    started = time.monotonic()
    while time.monotonic() - started < REST_SECONDS:
        sockets = max(sockets, _sockets(rig))
        await asyncio.sleep(1.0)
    spent = rig.usage().cpu_seconds - cpu
    return {
        "probes: CPU, % of a core": 100 * spent / REST_SECONDS,
        "probes: writes/s": (len(rig.own_writes()) - written) / REST_SECONDS,
        "probes: open sockets, most": sockets,
        "probes: event loop lag p99 ms, at most": milliseconds(percentile_of_buckets(lag, _lags(rig))),
    }


async def _opened(rig: Rig, asked: Servers, good: int) -> Figures:
    """Servers begin to answer one after another; when does the Job of each come?"""
    start, per_second = time.time() + 1.0, good / OPEN_SECONDS
    asked.open(start, per_second)
    names = [f"probe-{number}" for number in range(good)]
    await rig.ended(names)
    created = {
        write.name: write.at.timestamp()
        for write in rig.writes()
        if write.done and (write.user, write.verb, write.kind) == (USER, "create", "jobs")
    }
    waits = [created[f"probe-{number}-a"] - (start + number / per_second) for number in range(good)]
    return {
        "period s": float(PERIOD_SECONDS),
        "answering to Job s p50": percentile(waits, 50),
        "answering to Job s p99": percentile(waits, 99),
    }


def _flow(name: str, port: int, number: int) -> dict[str, Any]:
    """One step, which waits for nothing but an answer."""
    body = flow_body(name, "retain")
    http = {"host": ADDRESSES[number % len(ADDRESSES)], "port": port, "path": f"/{number}", "acceptedStatus": "200"}
    probe = {"httpGet": http, "periodSeconds": PERIOD_SECONDS, "failureThreshold": PATIENT}
    body["spec"]["flows"] = [{"name": "a", "dependsOn": {"probe": probe}}]
    return body


async def _create(rig: Rig, bodies: Sequence[dict[str, Any]]) -> None:
    path = JOB_FLOW.path(NAMESPACE)
    await asyncio.gather(*(rig.wire.post(path, _encode(body)) for body in bodies))


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """A process of servers (`servers.py`), ended with the block."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.servers", stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        if not line:
            raise BenchError("the servers to ask did not start")
        yield Servers(json.loads(line), process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _sockets(rig: Rig) -> int:
    """Open sockets of the contender."""
    assert rig.program is not None
    found = 0
    for entry in Path(f"/proc/{rig.program.process.pid}/fd").iterdir():
        try:
            found += os.readlink(entry).startswith("socket:")
        except OSError:
            continue  # closed while we looked
    return found


def _lags(rig: Rig) -> dict[float, float]:
    """The buckets of the contender's own measure of its event loop."""
    with urllib.request.urlopen(f"http://{rig.contender.metrics}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = (line.removeprefix(f'{LAG}{{le="').partition('"} ') for line in lines if line.startswith(LAG))
    return {float(bound): float(count) for bound, _, count in found}
