"""Open loop: flows arrive at a steady rate beside N that live; what does that cost, and is it independent of N?

In: a rig; how many live flows at each stage; the rate; for how long. Out: figures of each stage. Live flows have one
Job each that runs and goes on running. What the contender uses at rest beside them is measured apart, and taken off.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from bench.audit import counts, dependency_seconds, submit_seconds
from bench.burst import MEBIBYTE
from bench.figures import Figures, milliseconds, percentile
from bench.plane import USER
from bench.rig import Rig

REST_SECONDS = 5.0


@dataclass(frozen=True)
class Arrivals:
    """How flows come."""

    per_second: float
    seconds: float

    @property
    def count(self) -> int:
        """How many come in all."""
        return max(round(self.per_second * self.seconds), 1)


async def open_loop(rig: Rig, live: list[int], arrivals: Arrivals) -> Figures:
    """Measure one contender, at each of the counts of live flows in turn."""
    figures: Figures = {}
    resident: list[tuple[int, float]] = []
    for stage in live:
        rig.tell(f"  {rig.contender.name}: up to {stage} live flows")
        await rig.fill(stage)
        resident.append((stage, rig.usage().resident_bytes / MEBIBYTE))
        rig.tell(f"  {rig.contender.name}: {arrivals.per_second:g} flows/s beside them")
        figures |= {f"{stage} live: {name}": value for name, value in (await _stage(rig, stage, arrivals)).items()}
    figures |= {f"{stage} live: resident MiB": value for stage, value in resident}
    figures["resident MiB per 1,000 live flows"] = slope(resident)
    return figures


def slope(resident: list[tuple[int, float]]) -> float | None:
    """MiB for a thousand flows more, from the first stage to the last."""
    (few, at_few), (many, at_many) = resident[0], resident[-1]
    return None if many == few else 1000 * (at_many - at_few) / (many - few)


async def _stage(rig: Rig, stage: int, arrivals: Arrivals) -> Figures:
    resting = await _at_rest(rig)
    names = [f"open-{stage}-{number}" for number in range(arrivals.count)]
    seen, before, began = len(rig.writes()), rig.usage().cpu_seconds, time.monotonic()
    await rig.flows.create_at(names, arrivals.per_second)
    await rig.ended(names)
    await rig.quiet()
    spent, seconds = rig.usage().cpu_seconds - before, time.monotonic() - began
    writes = rig.writes()[seen:]
    own = [write for write in writes if write.user == USER]
    events = sum(write.kind == "events" for write in own)
    waits, submits = dependency_seconds(writes, USER), submit_seconds(writes, USER)
    return {
        "dependency ms p50": milliseconds(percentile(waits, 50)),
        "dependency ms p99": milliseconds(percentile(waits, 99)),
        "submit to first Job ms p50": milliseconds(percentile(submits, 50)),
        "submit to first Job ms p99": milliseconds(percentile(submits, 99)),
        "controller CPU ms/flow": 1000 * max(spent - resting * seconds, 0.0) / arrivals.count,
        "CPU at rest, % of a core": 100 * resting,
        "writes/flow but Events": (len(own) - events) / arrivals.count,
        **{f"  {what} /flow": number / arrivals.count for what, number in counts(own).items()},
    }


async def _at_rest(rig: Rig) -> float:
    """The part of a core that is used when nothing happens."""
    before = rig.usage().cpu_seconds
    await asyncio.sleep(REST_SECONDS)
    return (rig.usage().cpu_seconds - before) / REST_SECONDS
