"""Restart: the contender is killed beside N live flows, some go on meanwhile, and it is started again.

In: a rig, how many live flows. Out: seconds from the start of the process to its first right write (the create of a Job
that became due while it was down), to its last, and until it is idle; and how many of its writes were about flows that
had not changed, of which there should be none.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from bench.audit import Write
from bench.burst import MEBIBYTE
from bench.figures import Figures
from bench.rig import Rig
from bench.shape import LIVE, flow_and_step, job_name

ADVANCED = 20  # flows whose first Job ends while the contender is down
IDLE_SHARE = 0.05  # of a core
IDLE_SECONDS = 3.0
SAMPLE_SECONDS = 0.5
OF_FLOWS = frozenset({"jobs", "jobflows", "jobflows/status"})


async def restart(rig: Rig, live: int) -> Figures:
    """Measure one contender."""
    rig.tell(f"  {rig.contender.name}: up to {live} live flows")
    await rig.fill(live)
    rig.stop(at_once=True)
    advanced = [f"{LIVE}{number}" for number in range(min(ADVANCED, live))]
    await rig.volcano.complete([job_name(flow, "a") for flow in advanced])
    seen = len(rig.writes())
    began, clock = time.monotonic(), datetime.now(UTC)
    rig.start()
    rig.tell(f"  {rig.contender.name}: started again, {len(advanced)} flows have work")
    idle_at = await _idle(rig, seen)
    await rig.ended(advanced)
    await rig.quiet()
    own = rig.own_writes(seen)
    first = min((write.at for write in own if _is_right(write, advanced)), default=None)
    last = max((write.at for write in own if write.done), default=None)
    return {
        "first right write after s": (first - clock).total_seconds() if first else None,
        "last write after s": (last - clock).total_seconds() if last else None,
        "idle after s": idle_at - began,
        "CPU s until then": rig.usage().cpu_seconds,
        "resident MiB": rig.usage().resident_bytes / MEBIBYTE,
        "writes in all": float(len(own)),
        "writes about flows that had not changed": float(len(wasted(own, advanced))),
    }


def wasted(own: list[Write], advanced: list[str]) -> list[Write]:
    """Writes to flows and Jobs of flows that did not go on: a restart is no reason to write."""
    changed = set(advanced)
    return [write for write in own if write.kind in OF_FLOWS and _flow_of(write) not in changed]


def _flow_of(write: Write) -> str:
    owner = flow_and_step(write.name) if write.kind == "jobs" else None
    return owner[0] if owner else write.name


def _is_right(write: Write, advanced: list[str]) -> bool:
    return write.done and (write.verb, write.kind) == ("create", "jobs") and _flow_of(write) in advanced


async def _idle(rig: Rig, seen: int) -> float:
    """When the contender began to use next to nothing and to write nothing, for three seconds."""
    since = time.monotonic()
    spent, written = rig.usage().cpu_seconds, 0
    while time.monotonic() - since < IDLE_SECONDS or not written:
        at = time.monotonic()
        await asyncio.sleep(SAMPLE_SECONDS)
        now_spent, now_written = rig.usage().cpu_seconds, len(rig.own_writes(seen))
        busy = (now_spent - spent) / (time.monotonic() - at) > IDLE_SHARE or now_written > written
        spent, written = now_spent, now_written
        if busy:
            since = time.monotonic()
        rig.check("it to be idle")
    return since
