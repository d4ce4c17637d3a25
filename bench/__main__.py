"""The command line: `python -m bench burst|open-loop|restart|embedded|decode|render`.

In: words. Out: exit code 0 and a table on standard output; 2 and one line on standard error where the words cannot be
used or the measurement could not be taken; 130 after Ctrl-C, with everything ended that was started.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.contenders import Contender, contenders
from bench.decode import Decoding, decode
from bench.errors import BenchError
from bench.figures import Figures
from bench.open_loop import Arrivals
from bench.report import Report

if TYPE_CHECKING:
    from bench.embedded import Load

UNUSABLE, INTERRUPTED = 2, 130

application = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Measure JobFlow controllers.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Patches(StrEnum):
    """How many status patches Volcano makes of a Job."""

    TWO = "2"
    SIX = "6"


Controller = Annotated[
    list[str] | None,
    typer.Option("--controller", help="Command that starts a controller, with {kubeconfig}; repeat. Default: jobflow."),
]
Name = Annotated[list[str] | None, typer.Option("--name", help="Its name in the table, in the same order.")]
WithIdeal = Annotated[bool, typer.Option("--ideal/--no-ideal", help="Measure the least that could be done as well.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, max=20, help="All contenders in turn, so often.")]
Delete = Annotated[bool, typer.Option("--delete", help="Flows with jobRetainPolicy delete. Default: retain.")]
SixOrTwo = Annotated[Patches, typer.Option("--patches", help="Status patches a Job: 2, or 6 as Volcano makes.")]
JobSeconds = Annotated[float, typer.Option("--job-seconds", min=0, max=60, help="How long a Job runs.")]
Rate = Annotated[float, typer.Option("--rate", min=0.01, max=1000, help="Ordinary flows that arrive a second.")]
Limit = Annotated[float, typer.Option("--limit-seconds", min=10, help="Give a contender up after so long.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write every round's figures to this file.")]


@dataclass(frozen=True)
class Options:
    """What all measurements over a control plane have in common."""

    controller: list[str] | None
    name: list[str] | None
    ideal: bool
    rounds: int
    delete: bool
    patches: Patches
    job_seconds: float
    limit_seconds: float
    json: Path | None


@application.command("burst")
def burst_command(  # noqa: PLR0913 -- a verb's options are its parameters (typer)
    count: Annotated[int, typer.Argument(min=1, max=100_000, help="Flows.")],
    controller: Controller = None,
    name: Name = None,
    ideal: WithIdeal = True,
    rounds: Rounds = 1,
    delete: Delete = False,
    patches: SixOrTwo = Patches.TWO,
    job_seconds: JobSeconds = 0.0,
    limit_seconds: Limit = 300.0,
    json: Json = None,
) -> None:
    """COUNT flows at once."""
    from bench.burst import burst

    options = Options(controller, name, ideal, rounds, delete, patches, job_seconds, limit_seconds, json)
    _measure(f"burst of {count} flows", options, lambda rig: burst(rig, count))


@application.command("open-loop")
def open_loop_command(  # noqa: PLR0913 -- a verb's options are its parameters (typer)
    live: Annotated[list[int] | None, typer.Option("--live", min=0, max=100_000, help="Live flows; repeat.")] = None,
    rate: Annotated[float, typer.Option("--rate", min=0.01, max=1000, help="Flows that arrive a second.")] = 4.0,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=3600, help="For how long.")] = 30.0,
    controller: Controller = None,
    name: Name = None,
    ideal: WithIdeal = True,
    rounds: Rounds = 1,
    delete: Delete = False,
    patches: SixOrTwo = Patches.TWO,
    job_seconds: JobSeconds = 0.0,
    limit_seconds: Limit = 600.0,
    json: Json = None,
) -> None:
    """Flows that arrive at a steady rate beside live ones; memory for each of those."""
    from bench.open_loop import open_loop

    stages = live or [0, 1000]
    if sorted(set(stages)) != stages:
        _end(BenchError(f"--live {' '.join(map(str, stages))}: must grow from one to the next"))
    options = Options(controller, name, ideal, rounds, delete, patches, job_seconds, limit_seconds, json)
    title = f"open loop, {rate:g} flows/s for {seconds:g} s"
    _measure(title, options, lambda rig: open_loop(rig, stages, Arrivals(rate, seconds)))


@application.command("restart")
def restart_command(  # noqa: PLR0913 -- a verb's options are its parameters (typer)
    live: Annotated[int, typer.Argument(min=1, max=100_000, help="Live flows.")],
    controller: Controller = None,
    name: Name = None,
    rounds: Rounds = 1,
    patches: SixOrTwo = Patches.TWO,
    limit_seconds: Limit = 600.0,
    json: Json = None,
) -> None:
    """Kill it beside LIVE flows and start it again. (The ideal client keeps nothing and cannot be measured here.)"""
    from bench.restart import restart

    options = Options(controller, name, False, rounds, False, patches, 0.0, limit_seconds, json)
    _measure(f"restart beside {live} live flows", options, lambda rig: restart(rig, live))


@application.command("embedded")
def embedded_command(  # noqa: PLR0913 -- a verb's options are its parameters (typer)
    jobs: Annotated[
        list[int] | None, typer.Option("--jobs", min=1, max=1_000_000, help="Volcano Jobs in it; repeat, growing.")
    ] = None,
    watchers: Annotated[int, typer.Option("--watchers", min=1, max=1000, help="Watches open at once.")] = 20,
    changes: Annotated[int, typer.Option("--changes", min=1, help="Changes that they watch, at each stage.")] = 200,
    server: Annotated[
        list[str] | None, typer.Option("--server", help="Measure this one only; repeat. Default: all.")
    ] = None,
    rounds: Rounds = 1,
    limit_seconds: Limit = 1800.0,
    json: Json = None,
) -> None:
    """The embedded API server beside kube-apiserver: creates, watches, lists, memory."""
    from bench.embedded import SERVERS, Load, check_stages

    stages = tuple(jobs or (1000, 10_000, 50_000))
    report = Report(f"API servers, {watchers} watchers, {changes} changes")
    try:
        check_stages(stages, changes)
        if unknown := set(server or ()) - set(SERVERS):
            raise BenchError(f"--server {sorted(unknown)[0]!r}: must be one of {', '.join(map(repr, SERVERS))}")
        load = Load(stages, watchers, changes, limit_seconds)
        for number in range(rounds):
            for name in server or SERVERS:
                _tell(f"round {number + 1} of {rounds}: {name}")
                report.add(name, _one_server(name, load))
        _finish(report, json)
    except BenchError as error:
        _end(error)
    except KeyboardInterrupt:
        _tell("interrupted; everything that was started has ended")
        raise typer.Exit(INTERRUPTED) from None


def _one_server(name: str, load: Load) -> Figures:
    from bench.embedded import embedded, serving

    with serving(name, _tell) as made:
        return asyncio.run(embedded(made, load, _tell))


@application.command("decode")
def decode_command(
    flows: Annotated[
        int, typer.Option("--flows", min=1, max=100_000, help="Five-step flows, from start to end.")
    ] = 2000,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=50, help="Repeat; the table has the median.")] = 5,
    patches: SixOrTwo = Patches.TWO,
    profile: Annotated[bool, typer.Option("--profile", help="Say where the time goes.")] = False,
    json: Json = None,
) -> None:
    """Decode, cache, reconcile, plan: without a network, in this process."""
    report = Report(f"decode to plan, {flows} flows")
    try:
        decode(report, Decoding(flows, rounds, int(patches), profile), _tell)
        _finish(report, json)
    except BenchError as error:
        _end(error)


@application.command("render")
def render_command(  # noqa: PLR0913 -- a verb's options are its parameters (typer)
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=100_000, help="Jobs made in each batch.")] = 100,
    batches: Annotated[int, typer.Option("--batches", min=1, max=1000, help="Batches a round.")] = 10,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=50, help="Repeat; the table has the median.")] = 5,
    flows: Annotated[int, typer.Option("--flows", min=1, max=100_000, help="Flows whose CPU time is compared.")] = 500,
    flow_us: Annotated[
        float | None, typer.Option("--flow-us", min=1, help="A flow's CPU time, in place of measuring it.")
    ] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Say where the time goes.")] = False,
    json: Json = None,
) -> None:
    """A step's Job of its template: patch, placeholders, checks. In this process."""
    from bench.render import Rendering, render

    report = Report(f"template to Job, {batches} batches of {jobs}")
    try:
        render(report, Rendering(jobs, batches, rounds, flows, flow_us, profile), _tell)
        _finish(report, json)
    except BenchError as error:
        _end(error)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


@application.command("probes")
def probes_command(  # noqa: PLR0913 -- a verb's options are its parameters (typer)
    live: Annotated[int, typer.Option("--live", min=1, max=100_000, help="Probes that are live at once.")] = 10_000,
    dead: Annotated[int, typer.Option("--dead", min=0, help="Of these, of hosts that never answer.")] = 2_000,
    flows: Annotated[int, typer.Option("--flows", min=1, help="Ordinary flows, alone and beside them.")] = 1_000,
    rate: Rate = 6.0,
    at_once: Annotated[int, typer.Option("--at-once", min=0, help="So many more of them at once.")] = 300,
    rounds: Rounds = 1,
    limit_seconds: Limit = 1800.0,
    json: Json = None,
) -> None:
    """LIVE probes at once: what they cost, whom they delay, how soon an answer is acted on."""
    from bench.probes import Crowd, prober, probes

    if dead > live:
        _end(BenchError(f"--dead {dead}: is more than --live {live}"))
    options = Options(None, None, False, rounds, False, Patches.TWO, 0.0, limit_seconds, json)
    crowd = Crowd(live, dead, flows, rate, at_once)
    title = f"{live} probes, {dead} dead, {flows} flows at {rate:g}/s"
    _measure(title, options, lambda rig: probes(rig, crowd), [prober()])


@application.command("hostile")
def hostile_command(
    probes: Annotated[int, typer.Option("--probes", min=1, help="Probes of each kind of server.")] = 200,
    flows: Annotated[int, typer.Option("--flows", min=1, help="Ordinary flows, alone and beside each kind.")] = 1_000,
    rate: Rate = 6.0,
    rounds: Rounds = 1,
    limit_seconds: Limit = 1800.0,
    json: Json = None,
) -> None:
    """Ordinary flows beside probes of servers that mean no good, one kind after another."""
    from bench.probes import Crowd, hostile, prober

    options = Options(None, None, False, rounds, False, Patches.TWO, 0.0, limit_seconds, json)
    crowd = Crowd(probes, probes, flows, rate)
    title = f"{flows} flows at {rate:g}/s beside {probes} probes of each"
    _measure(title, options, lambda rig: hostile(rig, crowd), [prober()])


def _measure(
    title: str,
    options: Options,
    measure: Callable[..., Awaitable[Figures]],
    only: Sequence[Contender] | None = None,
) -> None:
    """Every contender on a control plane of its own, in turn, as many rounds as asked for."""
    details = [
        "delete" if options.delete else "retain",
        f"{options.patches} patches a Job",
        *([f"Jobs of {options.job_seconds:g} s"] if options.job_seconds else []),
    ]
    report = Report(", ".join([title, *details]))
    try:
        found = only or contenders(options.controller or (), options.name or (), options.ideal)
        for number in range(options.rounds):
            for contender in found:
                _tell(f"round {number + 1} of {options.rounds}: {contender.name}")
                report.add(contender.name, _one(contender, options, measure))
        _finish(report, options.json)
    except BenchError as error:
        _end(error)
    except KeyboardInterrupt:
        _tell("interrupted; everything that was started has ended")
        raise typer.Exit(INTERRUPTED) from None


def _one(contender: Contender, options: Options, measure: Callable[..., Awaitable[Figures]]) -> Figures:
    from bench.plane import fresh_plane
    from bench.rig import Load, rig
    from bench.volcano import Script

    retain = "delete" if options.delete else "retain"
    load = Load(retain, Script(int(options.patches), options.job_seconds), options.limit_seconds)
    with fresh_plane(_tell) as plane:

        async def run() -> Figures:
            async with rig(plane, contender, load, _tell) as made:
                return await measure(made)

        return asyncio.run(run())


def _finish(report: Report, json: Path | None) -> None:
    print(report.text(), flush=True)
    if json is not None:
        report.write(json)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _end(error: BenchError) -> None:
    _tell(f"bench: {error}")
    raise typer.Exit(UNUSABLE) from error


def _as_interrupt(number: int, frame: object) -> None:
    """SIGTERM ends everything in order, as Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with it ignored
    signal.signal(signal.SIGTERM, _as_interrupt)
    application(prog_name="python -m bench")
