"""`jobflow up`: a control plane on a local port, for kubectl and other clients.

In: a port, a directory to keep things in. Out: a kubeconfig and a running server, until Ctrl-C or SIGTERM. What runs is
the same as under `jobflow run`, with a TLS socket in front.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobflow.cli.run import (
    LOG_NAME,
    STOPPING,
    AllowRootOption,
    DataOption,
    HostPathOption,
    Runtime,
    RuntimeOption,
    StrictOption,
    scratch_directory,
    warn_of_root,
)
from jobflow.cli.verb import verb

if TYPE_CHECKING:
    from jobflow.clock import Clock
    from jobflow.local.controlplane import LocalSettings

DEFAULT_PORT = 6443  # kube-apiserver's


@dataclass(frozen=True)
class Serving:
    """What to serve, and where."""

    settings: LocalSettings
    port: int
    kubeconfig: Path


@dataclass(frozen=True)
class Options:
    """What the command line said."""

    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 is any free one.")] = (
        DEFAULT_PORT
    )
    data: DataOption = None
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            "--kubeconfig",
            metavar="FILE",
            help="Where to write the kubeconfig. Default: DIR/kubeconfig with --data, else ~/.kube/jobflow.",
        ),
    ] = None
    runtime: RuntimeOption = Runtime.PROCESS
    no_controller: Annotated[
        bool, typer.Option("--no-controller", help="Leave flows to a `jobflow controller` of your own.")
    ] = False
    allow_root: AllowRootOption = False
    allow_host_path: HostPathOption = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the logs on stderr.")] = False
    strict: StrictOption = False


@verb
def up(options: Options) -> None:
    """Serve a small control plane on this machine, for kubectl and other clients.

    API server, Volcano Job runtime and controller in one process: a development tool, not a cluster.
    Without --data all objects are gone when it stops.
    """
    from jobflow.cli.exit_codes import ExitCode
    from jobflow.cli.stopping import logged_to, refusal_of
    from jobflow.local.controlplane import LocalSettings

    warn_of_root(options.runtime, options.allow_root, os.geteuid())
    code = ExitCode.OK
    try:
        scratch = scratch_directory(options.data, "up")
        settings = LocalSettings(
            data=options.data,
            runtime=options.runtime.value,
            controller=not options.no_controller,
            scratch=scratch,
            strict=options.strict,
            served=True,
            host_paths=options.allow_host_path,
        )
        kubeconfig = options.kubeconfig or default_kubeconfig(options.data, options.port)
        with logged_to(scratch / LOG_NAME, verbose=options.verbose):
            asyncio.run(_up(Serving(settings, options.port, kubeconfig)))
    except Exception as error:
        code = refusal_of(error)
    raise typer.Exit(code)


def default_kubeconfig(data: Path | None, port: int) -> Path:
    """With the data, else beside the user's own; another port has another file, so that two do not mix."""
    if data is not None:
        return data / "kubeconfig"
    return Path.home() / ".kube" / ("jobflow" if port == DEFAULT_PORT else f"jobflow-{port}")


async def _up(serving: Serving) -> None:
    """Until a signal comes."""
    from jobflow.cli.interrupts import Interrupted, interruptible
    from jobflow.clock import SystemClock

    clock = SystemClock()
    with suppress(Interrupted):
        await interruptible(_serve(serving, clock), clock, lambda: typer.echo(STOPPING, err=True))


async def _serve(serving: Serving, clock: Clock) -> None:
    """Until cancelled, or until a part died."""
    from jobflow.local.controlplane import ControlPlane, serve

    async with (
        ControlPlane(serving.settings, clock) as plane,
        serve(plane, serving.port, serving.kubeconfig) as url,
    ):
        typer.echo(greeting(serving, url))
        raise await plane.failed()


def greeting(serving: Serving, url: str) -> str:
    """What to type next."""
    settings = serving.settings
    kept = f"kept in {settings.data}" if settings.data else "in memory only; --data DIR keeps them"
    controller = "" if settings.controller else "\nNo controller runs here: start one with `jobflow controller`.\n"
    return f"""\
jobflow is up at {url} (a development tool, not a cluster)

  export KUBECONFIG={shlex.quote(str(serving.kubeconfig.absolute()))}

Then, in that or another terminal:

  kubectl apply -f FILE
  kubectl get jobflow --watch
  kubectl logs POD
{controller}
Objects: {kept}.
Logs:    {settings.scratch}
Ctrl-C stops it and all processes."""
