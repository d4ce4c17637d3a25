"""`jobflow run`: runs files to their end on this machine, no cluster needed.

In: files. Out: progress while it runs, a report with logs and reasons, an exit code. It checks the files, then starts a
control plane of its own (`session`), and stops it with all processes when every flow has ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from jobflow.cli.parameter_option import ParameterOption
from jobflow.cli.verb import verb

if TYPE_CHECKING:
    from jobflow.cli.documents import Documents
    from jobflow.cli.progress import Progress
    from jobflow.cli.session import Result
    from jobflow.clock import Clock
    from jobflow.local.controlplane import LocalSettings

STOPPING = "stopping; once more to stop at once"
LOG_NAME = "jobflow.log"


class Runtime(StrEnum):
    """How pods run."""

    PROCESS = "process"
    SIMULATE = "simulate"


class Output(StrEnum):
    """What is on standard output."""

    TEXT = "text"
    JSON = "json"


DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Keep all objects and logs in DIR; a later run goes on from there."),
]
RuntimeOption = Annotated[
    Runtime, typer.Option("--runtime", help="Run the pods' commands as processes, or only simulate pods.")
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Refuse a Job whose queue does not exist, as Volcano does, and do not make it.")
]
AllowRootOption = Annotated[bool, typer.Option("--allow-root", help="Do not warn that processes run as root.")]
HostPathOption = Annotated[
    bool, typer.Option("--allow-host-path", help="Let pods mount files of this machine (hostPath volumes).")
]


@dataclass(frozen=True)
class Options:
    """What the command line said."""

    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Files, folders (*.yaml, *.yml, *.json), or - for stdin.")
    ]
    parameter: ParameterOption = None
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", min=0, help="Stop and exit with 124 after so long.")
    ] = None
    runtime: RuntimeOption = Runtime.PROCESS
    output: Annotated[
        Output,
        typer.Option(
            "--output", "-o", help='json: one document {"flows": [...], "jobs": [...]} on stdout, all else on stderr.'
        ),
    ] = Output.TEXT
    data: DataOption = None
    allow_root: AllowRootOption = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the controller's log on stderr.")] = False
    strict: StrictOption = False
    allow_host_path: HostPathOption = False

    @property
    def stream(self) -> TextIO:
        """Where progress and report go: standard output is JSON's alone."""
        return sys.stderr if self.output is Output.JSON else sys.stdout


@verb
def run(options: Options) -> None:
    """Run JobFlows and Volcano Jobs from files on this machine, without a cluster.

    The commands of their pods run as processes; images are not pulled. Ctrl-C stops everything.
    """
    raise typer.Exit(execute(options))


def execute(options: Options) -> int:
    """The verb without its command line; the exit code."""
    from jobflow.cli.exit_codes import ExitCode
    from jobflow.cli.inputs import read_inputs

    inputs = read_inputs(options.files, kept=options.data is not None, parameters=options.parameter or ())
    for finding in inputs.findings:
        typer.echo(finding, err=True)
    if not inputs.usable:
        return ExitCode.BAD_INPUT
    warn_of_root(options.runtime, options.allow_root, os.geteuid())
    return _execute(options, inputs.documents)


def warn_of_root(runtime: Runtime, allow_root: bool, user: int) -> None:
    """What a pod's command may do as root, it may do to this machine."""
    if runtime is Runtime.PROCESS and user == 0 and not allow_root:
        typer.echo("warning: processes run as root; --allow-root silences this", err=True)


def scratch_directory(data: Path | None, verb: str) -> Path:
    """Where pods' directories and logs go: below `data`, else a new directory that stays after the run."""
    if data is None:
        return Path(tempfile.mkdtemp(prefix=f"jobflow-{verb}-"))
    scratch = data / "run"  # of our own: leftovers of pods in it are removed
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    return scratch


def _execute(options: Options, documents: Documents) -> int:
    """Logs and errors round a session, and the report after it."""
    from jobflow.cli.exit_codes import of_signal
    from jobflow.cli.interrupts import Interrupted
    from jobflow.cli.progress import progress_on
    from jobflow.cli.stopping import logged_to, refusal_of
    from jobflow.clock import SystemClock
    from jobflow.local.controlplane import LocalSettings

    clock = SystemClock()
    progress = progress_on(options.stream, clock, plain_lines=options.verbose)
    try:
        scratch = scratch_directory(options.data, "run")
        settings = LocalSettings(
            data=options.data,
            runtime=options.runtime.value,
            scratch=scratch,
            strict=options.strict,
            host_paths=options.allow_host_path,
        )
        with logged_to(scratch / LOG_NAME, verbose=options.verbose):
            result = asyncio.run(_run_session(settings, clock, progress, options.timeout, documents))
    except Interrupted as interrupted:
        typer.echo(f"stopped before the end; logs: {scratch}", err=True)
        return of_signal(interrupted.number)
    except BrokenPipeError:  # `jobflow run ... | head`: nobody reads on
        raise
    except Exception as error:
        progress.end(keep=True)
        return refusal_of(error)
    return _tell(result, progress, clock, options, scratch)


async def _run_session(
    settings: LocalSettings, clock: Clock, progress: Progress, timeout: float | None, documents: Documents
) -> Result:
    """Raises Interrupted, and what a session raises."""
    from jobflow.cli.interrupts import interruptible
    from jobflow.cli.session import Session
    from jobflow.local.controlplane import ControlPlane

    def stopping() -> None:
        progress.end(keep=True)
        typer.echo(STOPPING, err=True)

    session = Session(ControlPlane(settings, clock), clock, progress, timeout)
    return await interruptible(session.run(documents), clock, stopping)


def _tell(result: Result, progress: Progress, clock: Clock, options: Options, scratch: Path) -> int:
    from jobflow.cli.exit_codes import ExitCode, of_flows
    from jobflow.cli.looks import Span
    from jobflow.cli.report import Evidence, report, still_waiting
    from jobflow.cli.session import Ending

    now = clock.now()
    progress.end(keep=False)
    evidence = Evidence(result.following.pods_of, result.log_paths)
    pictures = result.following.pictures
    for picture in pictures:
        if picture.finished:
            progress.say(report(picture, evidence, now, progress.charset))
    if options.output is Output.JSON:
        print(json.dumps(result.objects, indent=2, ensure_ascii=False))
    if result.ending is Ending.ENDED:
        return of_flows(pictures)
    timed_out = result.ending is Ending.TIMED_OUT
    told = f"timed out after {options.timeout:g} s" if timed_out else "nothing more can start"
    progress.say([(Span(f"{told}; logs: {scratch}; still waited for:"),)])
    for picture in pictures:
        if not picture.finished:
            progress.say(still_waiting(picture, now, progress.charset))
    return ExitCode.TIMEOUT if timed_out else ExitCode.FAILED
