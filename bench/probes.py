"""Probes: many that are live at once, dead hosts among them; what do they cost, and whom do they delay?

In: a rig whose contender may ask on loopback; how many probes. Out: figures of ordinary flows before the probes and
beside them, of the probes at rest, and how long after its server begins to answer a step's Job is created. Servers
begin to answer more slowly than Jobs can be created, so that what is measured is no queue of Jobs.
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
from bench.servers import ADDRESSES, DEAD, HOSTILE, TLS
from bench.shape import NAMESPACE, flow_body
from jobflow.api.resources import JOB_FLOW

PERIOD_SECONDS = 5
SETTLE_SECONDS = 10.0
CALM_PER_SECOND = 5.0  # writes: more than of what goes on as before
REST_SECONDS = 20.0
HOSTILE_SETTLE_SECONDS = 5.0  # a few tries of each
OPEN_SECONDS = 40.0
OPEN_PER_SECOND = 8.0
PATIENT = 1000  # failures that do not make a probe ask less often
LAG = "jobflow_event_loop_lag_seconds_bucket"
TRIES = "jobflow_probes_total{"

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Crowd:
    """How many probes, how many of them of hosts that never answer; how many flows beside them, `rate` a second."""

    live: int
    dead: int
    flows: int
    rate: float
    at_once: int = 0  # and so many more, all at once


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
        figures = _named("alone", await _ordinary(rig, "alone", crowd))
        good = crowd.live - crowd.dead
        before = rig.usage().resident_bytes
        await _create(rig, [_flow(f"probe-{number}", asked.ports["answering"], number) for number in range(good)])
        await _create(rig, [_flow(f"dead-{number}", asked.ports[DEAD], number) for number in range(crowd.dead)])
        rig.tell(f"  {crowd.live} probes, {crowd.dead} of them of hosts that never answer")
        await _told(rig, [f"probe-{number}" for number in range(good)], SETTLE_SECONDS)
        figures |= _named("probes", await _at_rest(rig))
        added = rig.usage().resident_bytes - before
        figures["probes: resident MiB per 1,000 probing flows"] = 1000 * added / MEBIBYTE / crowd.live
        figures |= _named("beside probes", await _ordinary(rig, "beside", crowd))
        return figures | await _opened(rig, asked, min(good, int(OPEN_SECONDS * OPEN_PER_SECOND)))


async def hostile(rig: Rig, crowd: Crowd) -> Figures:
    """Ordinary flows alone, beside probes of each kind of server that means no good, and alone once more."""
    async with servers() as asked:
        figures = _named("alone", await _ordinary(rig, "alone", crowd))
        for place, kind in enumerate((*HOSTILE, DEAD)):
            made = [f"hostile{place}-{number}" for number in range(crowd.dead)]
            before = rig.usage().resident_bytes
            scheme = "HTTPS" if kind in TLS else "HTTP"
            await _create(rig, [_flow(name, asked.ports[kind], number, scheme) for number, name in enumerate(made)])
            await _told(rig, made, HOSTILE_SETTLE_SECONDS)
            added = (rig.usage().resident_bytes - before) / MEBIBYTE
            found = await _ordinary(rig, f"h{place}", crowd)
            figures |= _named(kind, {"its probes' MiB": added, **found})
            await asyncio.gather(*(rig.wire.delete(JOB_FLOW.path(NAMESPACE, name)) for name in made))
        return figures | _named("alone again", await _ordinary(rig, "again", crowd))


def _named(prefix: str, figures: Figures) -> Figures:
    return {f"{prefix}: {name}": value for name, value in figures.items()}


async def _ordinary(rig: Rig, prefix: str, crowd: Crowd) -> Figures:
    """Flows that wait for no probe: some that arrive one after another, then some at once."""
    names = [f"{prefix}-{number}" for number in range(crowd.flows)]
    lag, cpu, seen, started = _lags(rig), rig.usage().cpu_seconds, len(rig.writes()), time.monotonic()
    await rig.flows.create_at(names, crowd.rate)
    await rig.ended(names)
    seconds, spent = time.monotonic() - started, rig.usage().cpu_seconds - cpu
    figures: Figures = {
        **_waits(rig, seen),
        "CPU, % of a core": 100 * spent / seconds,
        "event loop lag p99 ms, at most": milliseconds(percentile_of_buckets(lag, _lags(rig))),
        "resident MiB": rig.usage().resident_bytes / MEBIBYTE,
    }
    if not crowd.at_once:
        return figures
    names, seen = [f"{prefix}-once-{number}" for number in range(crowd.at_once)], len(rig.writes())
    await rig.flows.create(names)
    await rig.ended(names)
    return figures | _named(f"{crowd.at_once} at once", _waits(rig, seen))


def _waits(rig: Rig, since: int) -> Figures:
    waits = dependency_seconds(rig.writes()[since:], USER)
    return {
        "dependency ms p50": milliseconds(percentile(waits, 50)),
        "dependency ms p99": milliseconds(percentile(waits, 99)),
    }


async def _told(rig: Rig, names: Sequence[str], settle: float) -> None:
    """Wait until each of these flows says that it waits for its probe, and for what came after that to be over.

    Not until nothing is written: of what goes on failing the flows tell for ever, though few at a time.
    """
    untold, seen = set(names), 0

    def all_told() -> bool:
        nonlocal seen
        since, seen = seen, len(rig.writes())
        untold.difference_update(write.name for write in rig.own_writes(since) if write.kind == "jobflows/status")
        return not untold

    await rig.until(all_told, "flows to tell of their probes", lambda: f"{len(untold)} have not")
    before = -1
    while before < 0 or len(rig.own_writes()) - before > CALM_PER_SECOND * settle:
        before = len(rig.own_writes())
        rig.check("the probes to settle")
        await asyncio.sleep(settle)


async def _at_rest(rig: Rig) -> Figures:
    """What the probes alone use."""
    lag, tries, cpu, sockets = _lags(rig), _tries(rig), rig.usage().cpu_seconds, 0
    written = len(rig.writes())
    started = time.monotonic()
    while time.monotonic() - started < REST_SECONDS:
        sockets = max(sockets, _sockets(rig))
        await asyncio.sleep(1.0)
    seconds = time.monotonic() - started
    spent, own = rig.usage().cpu_seconds - cpu, rig.own_writes(written)
    events = sum(write.kind == "events" for write in own)
    return {
        "CPU, % of a core": 100 * spent / seconds,
        "tries/s": (_tries(rig) - tries) / seconds,
        "Events/s": events / seconds,
        "other writes/s": (len(own) - events) / seconds,
        "open sockets, most": sockets,
        "event loop lag p99 ms, at most": milliseconds(percentile_of_buckets(lag, _lags(rig))),
    }


async def _opened(rig: Rig, asked: Servers, count: int) -> Figures:
    """Servers begin to answer one after another; when does the Job of each come?"""
    start = time.time() + 1.0
    asked.open(start, OPEN_PER_SECOND)
    await rig.ended([f"probe-{number}" for number in range(count)])
    created = {
        write.name: write.at.timestamp()
        for write in rig.writes()
        if write.done and (write.user, write.verb, write.kind) == (USER, "create", "jobs")
    }
    waits = [created[f"probe-{number}-a"] - (start + number / OPEN_PER_SECOND) for number in range(count)]
    return {
        "period s": float(PERIOD_SECONDS),
        f"answering ({OPEN_PER_SECOND:g}/s) to Job s p50": percentile(waits, 50),
        f"answering ({OPEN_PER_SECOND:g}/s) to Job s p99": percentile(waits, 99),
    }


def _flow(name: str, port: int, number: int, scheme: str = "HTTP") -> dict[str, Any]:
    """One step, which waits for nothing but an answer."""
    body = flow_body(name, "retain")
    host = ADDRESSES[number % len(ADDRESSES)]
    http = {"host": host, "port": port, "path": f"/{number}", "scheme": scheme, "acceptedStatus": "200"}
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
    found = (line.removeprefix(f'{LAG}{{le="').partition('"} ') for line in _metrics(rig) if line.startswith(LAG))
    return {float(bound): float(count) for bound, _, count in found}


def _tries(rig: Rig) -> float:
    """Of probes, since the contender started."""
    return sum(float(line.rpartition(" ")[2]) for line in _metrics(rig) if line.startswith(TRIES))


def _metrics(rig: Rig) -> list[str]:
    with urllib.request.urlopen(f"http://{rig.contender.metrics}/metrics", timeout=10) as answer:
        return str(answer.read().decode()).splitlines()
