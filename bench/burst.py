"""Burst: N flows at once; how fast do they all end, and what does that cost?

In: a rig, a count. Out: figures. Time runs from the first create to the moment the last flow was seen to succeed (with
policy delete: until its Jobs are gone); CPU and writes until the contender has come to rest after that.
"""

from __future__ import annotations

import time

from bench.audit import counts, dependency_seconds, submit_seconds
from bench.figures import Figures, milliseconds, percentile
from bench.plane import USER
from bench.rig import Rig

MEBIBYTE = 2**20


async def burst(rig: Rig, count: int) -> Figures:
    """Measure one contender."""
    names = [f"burst-{number}" for number in range(count)]
    before, servers, seen = rig.usage(), rig.servers(), len(rig.writes())
    started = time.monotonic()
    await rig.flows.create(names)
    seconds = await rig.ended(names) - started
    at_end = rig.usage()
    await rig.quiet()
    after = rig.usage()
    writes = rig.writes()[seen:]
    own = [write for write in writes if write.user == USER]
    waits = dependency_seconds(writes, USER)
    submits = submit_seconds(writes, USER)
    events = sum(write.kind == "events" for write in own)
    return {
        "seconds": seconds,
        "flows/s": count / seconds,
        "dependency ms p50": milliseconds(percentile(waits, 50)),
        "dependency ms p99": milliseconds(percentile(waits, 99)),
        "submit to first Job ms p50": milliseconds(percentile(submits, 50)),
        "submit to first Job ms p99": milliseconds(percentile(submits, 99)),
        "controller CPU ms/flow": 1000 * (after.cpu_seconds - before.cpu_seconds) / count,
        "servers' CPU ms/flow": 1000 * (rig.servers() - servers) / count,
        "resident MiB before": before.resident_bytes / MEBIBYTE,
        "resident MiB at the end": at_end.resident_bytes / MEBIBYTE,
        "writes/flow but Events": (len(own) - events) / count,
        **{f"  {what} /flow": number / count for what, number in counts(own).items()},
    }
