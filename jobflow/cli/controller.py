"""`jobflow controller`: the controller against any API server, in a pod or on a desk.

In: settings from flags, environment and a file; a kubeconfig, or the service account of the pod. Out: flows that move,
logs on stderr, metrics and health where an address is given. SIGTERM and Ctrl-C drain: what is in hand is finished,
nothing new is begun, the lease is given back; a second signal ends the process at once, which is safe too.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobflow.cli.verb import verb

if TYPE_CHECKING:
    from jobflow.clock import Clock
    from jobflow.config import Settings
    from jobflow.kube.client import Patience
    from jobflow.kube.http import HttpTransport
    from jobflow.kube.lease import Election
    from jobflow.kube.transport import Transport
    from jobflow.obs.measures import Measures

CONFIG_VARIABLE = "JOBFLOW_CONFIG"


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


@dataclass(frozen=True)
class Flags:
    """What the command line said, by the names of the settings; None where it said nothing."""

    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings as YAML; flags and JOBFLOW_... variables come first."),
    ] = None
    kubeconfig: Annotated[
        str | None,
        typer.Option(
            "--kubeconfig", metavar="FILE", help="Default: $KUBECONFIG, ~/.kube/config, or the pod's service account."
        ),
    ] = None
    context: Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.")] = None
    namespaces: Annotated[
        list[str] | None, typer.Option("--namespace", "-n", help="Work in this namespace only; may be repeated.")
    ] = None
    workers: Annotated[int | None, typer.Option("--workers", help="Flows handled at once. Default: 32.")] = None
    enable_cluster_templates: Annotated[
        bool | None,
        typer.Option(
            "--enable-cluster-templates/--no-enable-cluster-templates",
            help="Let steps run ClusterJobTemplates too. Default: no.",
        ),
    ] = None
    leader_elect: Annotated[
        bool | None,
        typer.Option(
            "--leader-elect/--no-leader-elect", help="One of several replicas works, the others stand by. Default: no."
        ),
    ] = None
    lease_namespace: Annotated[
        str | None, typer.Option("--lease-namespace", help="Of the Lease. Default: the pod's, or the context's.")
    ] = None
    lease_name: Annotated[
        str | None, typer.Option("--lease-name", help="Of the Lease. Default: jobflow-controller.")
    ] = None
    lease_seconds: Annotated[
        int | None, typer.Option("--lease-seconds", help="How long a leader that is gone is respected. Default: 15.")
    ] = None
    probe_allow_cidrs: Annotated[
        list[str] | None,
        typer.Option(
            "--probe-allow-cidr", metavar="RANGE", help="Probes may ask these addresses too; may be repeated."
        ),
    ] = None
    probe_deny_cidrs: Annotated[
        list[str] | None,
        typer.Option("--probe-deny-cidr", metavar="RANGE", help="Probes never ask these; wins; may be repeated."),
    ] = None
    metrics_address: Annotated[
        str | None,
        typer.Option(
            "--metrics-address", metavar="HOST:PORT", help="Serve /metrics, /healthz, /readyz. Default: do not."
        ),
    ] = None
    log_format: Annotated[
        Format | None, typer.Option("--log-format", help="Lines for people, or for a collector. Default: text.")
    ] = None
    log_level: Annotated[
        Level | None, typer.Option("--log-level", help="The least level that is logged. Default: info.")
    ] = None


@verb
def controller(flags: Flags) -> None:
    """Run the controller against an API server."""
    from jobflow.config import SettingsError, load
    from jobflow.kube.http import KubeconfigError
    from jobflow.obs.health import AddressTakenError
    from jobflow.obs.log import configure

    given = {name: tuple(value) or None if isinstance(value, list) else value for name, value in vars(flags).items()}
    del given["config"]
    named = os.environ.get(CONFIG_VARIABLE)
    try:
        settings = load(given, os.environ, flags.config or (Path(named) if named else None))
        configure(settings.log_level, settings.log_format)
        asyncio.run(control(settings))  # not on uvloop, which mixes up sockets: docs/dependencies.md
    except (SettingsError, KubeconfigError, AddressTakenError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    except Exception as error:
        from jobflow.cli.exit_codes import ExitCode

        _log_bug(error)
        raise typer.Exit(ExitCode.BUG) from error


async def control(settings: Settings, machine: Clock | None = None, patience: Patience | None = None) -> None:
    """Connect, work (or stand by), drain. Of `machine` only the wall clock may differ from the system's."""
    from jobflow.app import App
    from jobflow.cache.garbage import short_collections
    from jobflow.cli.interrupts import Interrupts
    from jobflow.clock import SystemClock
    from jobflow.kube.client import Client
    from jobflow.kube.fenced import FencedTransport
    from jobflow.kube.http import connect
    from jobflow.kube.measured import MeasuredTransport
    from jobflow.kube.preflight import check
    from jobflow.kube.server_time import ServerClock, TimedTransport
    from jobflow.obs.measures import Measures
    from jobflow.obs.metrics import Metrics

    machine = machine or SystemClock()
    clock = ServerClock(machine)
    metrics = Metrics() if settings.metrics_address else None
    measures = metrics or Measures()
    server = await connect(settings.kubeconfig, settings.context)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.close)
        await check(server, clock)
        transport: Transport = TimedTransport(MeasuredTransport(server, clock, measures), clock)
        election = None
        if settings.leader_elect:
            election = _election(settings, server, transport, machine, measures)
            transport = FencedTransport(transport, election.may_write)
        app = App(Client(transport, clock, patience=patience), clock, settings, election=election, measures=measures)
        if metrics is not None:
            metrics.read_from(app.readings)
            await _serve(stack, settings, app.unready, metrics, clock)
        await stack.enter_async_context(short_collections(clock, app.synced, lambda: not app.queue))
        interrupts = stack.enter_context(Interrupts())
        await app.run(interrupts.event)


def _election(
    settings: Settings, server: HttpTransport, transport: Transport, clock: Clock, measures: Measures
) -> Election:
    """The replicas of one Deployment share a Lease; each is told from the others by host and a random word."""
    import secrets
    import socket

    from jobflow.kube.leadership import Timing
    from jobflow.kube.lease import Election
    from jobflow.kube.lease_records import LeaseRecords

    records = LeaseRecords(transport, settings.lease_namespace or server.namespace, settings.lease_name)
    identity = f"{socket.gethostname()}_{secrets.token_hex(8)}"
    return Election(records, clock, identity, Timing.of(settings.lease_seconds), measures=measures)


async def _serve(
    stack: AsyncExitStack, settings: Settings, unready: Callable[[], list[str]], metrics: Any, clock: Clock
) -> None:
    """Health and metrics, for as long as the stack stands."""
    import structlog

    from jobflow.obs.address import Address
    from jobflow.obs.health import serve, watched_loop

    address = Address.parse(settings.metrics_address or "")
    port = await stack.enter_async_context(serve(address, unready, metrics))
    await stack.enter_async_context(watched_loop(clock, metrics))
    structlog.get_logger(__name__).info("serving metrics and health", address=str(Address(address.host, port)))


def _log_bug(error: Exception) -> None:
    import structlog

    structlog.get_logger(__name__).error("the controller has a bug and ends", error=str(error), exc_info=error)
