"""`jobflow controller`: the controller against any API server, in a pod or on a desk.

In: a kubeconfig, or the service account of the pod. Out: flows that move, and logs on stderr. SIGTERM and Ctrl-C drain:
what is in hand is finished, nothing new is begun; a second signal ends the process at once, which is safe too.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from jobflow.config import Settings

DEFAULT_WORKERS = 32


class Format(StrEnum):
    """How a log line looks."""

    TEXT = "text"
    JSON = "json"


class Level(StrEnum):
    """From which level on lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def controller(
    kubeconfig: Annotated[
        str | None,
        typer.Option(
            "--kubeconfig", metavar="FILE", help="Default: $KUBECONFIG, ~/.kube/config, or the pod's service account."
        ),
    ] = None,
    context: Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.")] = None,
    namespace: Annotated[
        list[str] | None, typer.Option("--namespace", "-n", help="Work in this namespace only; may be repeated.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=1024, help="Flows handled at once.")
    ] = DEFAULT_WORKERS,
    log_format: Annotated[Format, typer.Option("--log-format", help="Lines for people, or for a collector.")] = (
        Format.TEXT
    ),
    log_level: Annotated[Level, typer.Option("--log-level", help="The least level that is logged.")] = Level.INFO,
) -> None:
    """Run the controller against an API server."""
    from jobflow.config import Settings
    from jobflow.kube.http import KubeconfigError
    from jobflow.obs.log import LogFormat, configure

    configure(log_level.value, LogFormat(log_format.value))
    settings = Settings(namespaces=tuple(dict.fromkeys(namespace or ())), workers=workers)
    try:
        _on_fast_loop(lambda: _controller(kubeconfig, context, settings))
    except KubeconfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    except Exception as error:
        from jobflow.cli.exit_codes import ExitCode

        _log_bug(error)
        raise typer.Exit(ExitCode.BUG) from error


async def _controller(kubeconfig: str | None, context: str | None, settings: Settings) -> None:
    """Connect, work, drain."""
    from jobflow.app import App
    from jobflow.cli.interrupts import Interrupts
    from jobflow.clock import SystemClock
    from jobflow.kube.client import Client
    from jobflow.kube.http import connect

    clock = SystemClock()
    client = Client(await connect(kubeconfig, context), clock)
    try:
        with Interrupts() as interrupts:
            await App(client, clock, settings).run(interrupts.event)
    finally:
        await client.close()


def _on_fast_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """uvloop where it is installed: task switches cost less there."""
    factory = None
    if importlib.util.find_spec("uvloop") is not None:
        factory = importlib.import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work())


def _log_bug(error: Exception) -> None:
    import structlog

    structlog.get_logger(__name__).error("the controller has a bug and ends", error=str(error), exc_info=error)
