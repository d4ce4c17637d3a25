"""Decode: how many Job events a core takes from the watch's bytes to a plan, without a network.

In: recorded lines. Out: Job events for each second of this process's CPU time, which a busy machine disturbs less than
a clock on the wall; all that comes with them (the flows' own lines, several passes for one event) is in it. With a
profile: which functions take the time.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import pstats
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.errors import BenchError
from bench.figures import Figures
from bench.pipeline import Kind, Line, Pipeline, let_go
from bench.recording import World
from bench.report import Report
from jobflow.kinds import vcjob
from jobflow.kube.codec import Codec
from jobflow.reconcile.plan import CreateChild
from jobflow.reconcile.snapshot import Flow

PROFILED = 40  # functions
WARM_UP_FLOWS = 50


@dataclass(frozen=True)
class Decoding:
    """What is measured."""

    flows: int
    rounds: int
    patches: int
    profile: bool


class Replay:
    """Answers as the recorded world did, at once: the same plans come in the same order."""

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = iter(answers)

    def created(self, flow: Flow, wanted: CreateChild) -> str:
        """The next UID."""
        return next(self._answers)

    def written(self, flow: Flow, status: object) -> str:
        """The next version."""
        return next(self._answers)


class Noted(World):
    """A world that keeps its answers."""

    def __init__(self, patches: int) -> None:
        super().__init__(patches)
        self.answers: list[str] = []

    def created(self, flow: Flow, wanted: CreateChild) -> str:
        """As the world says."""
        self.answers.append(super().created(flow, wanted))
        return self.answers[-1]

    def written(self, flow: Flow, status: object) -> str:
        """As the world says."""
        self.answers.append(super().written(flow, status))
        return self.answers[-1]


def decode(report: Report, wanted: Decoding, tell: Callable[[str], None]) -> None:
    """Measure, each round into the report."""
    world = Noted(wanted.patches)
    tell(f"recording {wanted.flows} flows")
    lines = asyncio.run(world.record(wanted.flows))
    gc.collect()
    gc.freeze()  # the recording is no load of the controller, which sets what it keeps aside as well
    for number in range(wanted.rounds):
        figures = asyncio.run(_replayed(lines, world.answers))
        tell(f"round {number + 1} of {wanted.rounds}: {figures['Job events/s/core']:.0f} Job events/s/core")
        report.add("jobflow", figures)
    if wanted.profile:
        tell(asyncio.run(_profiled(lines, world.answers)))


async def _replayed(lines: Sequence[Line], answers: Sequence[str]) -> Figures:
    pipeline = Pipeline(Replay(answers))
    jobs = [line for line in lines if line.kind is Kind.JOB]
    started = time.process_time()
    for line in lines:
        await pipeline.feed(line)
    seconds = time.process_time() - started
    pipeline.close()
    await let_go()
    _insist_on_the_same(pipeline, answers)
    return {
        "Job events/s/core": len(jobs) / seconds,
        "us per Job event, all in": 1e6 * seconds / len(jobs),
        "us of it to decode a Job": 1e6 * _decoding(jobs),
        "lines per Job event": len(lines) / len(jobs),
        "passes per Job event": pipeline.passes / len(jobs),
        "bytes per Job line": sum(len(line.data) for line in jobs) / len(jobs),
    }


def _insist_on_the_same(pipeline: Pipeline, answers: Sequence[str]) -> None:
    if pipeline.planned != len(answers):
        raise BenchError(f"the replay planned {pipeline.planned} writes, the recording {len(answers)}: plans differ")


def _decoding(jobs: Sequence[Line]) -> float:
    codec = Codec(vcjob.Job, vcjob.view)
    started = time.process_time()
    for line in jobs:
        codec.event(line.data)
    return (time.process_time() - started) / len(jobs)


async def _profiled(lines: Sequence[Line], answers: Sequence[str]) -> str:
    import io

    pipeline = Pipeline(Replay(answers))
    profile = cProfile.Profile(time.process_time)  # a busy machine is no function of ours
    profile.enable()
    for line in lines:
        await pipeline.feed(line)
    profile.disable()
    pipeline.close()
    told = io.StringIO()
    pstats.Stats(profile, stream=told).sort_stats("tottime").print_stats(PROFILED)
    return told.getvalue()
