"""`jobflow webhook`: admission of JobFlows and JobTemplates, in a pod or on a desk.

In: settings from flags, environment and a file; a kubeconfig, or the service account of the pod. Out: reviews that are
answered, logs on stderr, metrics and health where an address is given. SIGTERM and Ctrl-C: the replica says that it is
not ready, answers what still comes for some seconds, and ends.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobflow.cli.controller import CONFIG_VARIABLE, Format, Level
from jobflow.cli.verb import verb

if TYPE_CHECKING:
    from jobflow.webhook.settings import WebhookSettings

REVIEW_SECONDS = 4.0  # what one request to the API server may take: less than the hook's own timeout


@dataclass(frozen=True)
class WebhookFlags:
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
    listen_address: Annotated[
        str | None,
        typer.Option("--listen-address", metavar="HOST:PORT", help="Where to answer. Default: 0.0.0.0:9443."),
    ] = None
    admission_service: Annotated[
        str | None,
        typer.Option(
            "--admission-service",
            metavar="NAME.NAMESPACE",
            help="Service before the webhook. Default: jobflow-webhook.jobflow-system.",
        ),
    ] = None
    certificate_names: Annotated[
        list[str] | None,
        typer.Option("--certificate-name", metavar="NAME", help="Another name or address in the certificate."),
    ] = None
    certificate_secret: Annotated[
        str | None,
        typer.Option("--certificate-secret", help="Shared by replicas. Default: jobflow-webhook-certificates."),
    ] = None
    certificate_directory: Annotated[
        Path | None,
        typer.Option(
            "--certificate-directory", metavar="DIR", help="tls.crt and tls.key of cert-manager. Default: make them."
        ),
    ] = None
    configuration: Annotated[
        str | None,
        typer.Option(
            "--configuration", metavar="NAME", help="ValidatingWebhookConfiguration to tell of the CA. "
            "Default: jobflow-webhook."
        ),
    ] = None  # fmt: skip
    protect_running: Annotated[
        bool | None,
        typer.Option(
            "--protect-running/--no-protect-running",
            help="Refuse to delete JobFlows that have not ended. Default: no.",
        ),
    ] = None
    enable_cluster_templates: Annotated[
        bool | None,
        typer.Option(
            "--enable-cluster-templates/--no-enable-cluster-templates",
            help="Look at ClusterJobTemplates too. Default: no.",
        ),
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
def webhook(flags: WebhookFlags) -> None:
    """Run the admission webhook of JobFlows and JobTemplates."""
    from jobflow.config import SettingsError, load_as
    from jobflow.kube.http import KubeconfigError
    from jobflow.obs.health import AddressTakenError
    from jobflow.obs.log import configure
    from jobflow.webhook.settings import WebhookSettings

    given = {name: tuple(value) or None if isinstance(value, list) else value for name, value in vars(flags).items()}
    del given["config"]
    named = os.environ.get(CONFIG_VARIABLE)
    try:
        file = flags.config or (Path(named) if named else None)
        settings = load_as(WebhookSettings, given, os.environ, file)
        configure(settings.log_level, settings.log_format)
        asyncio.run(answer_reviews(settings))
    except (SettingsError, KubeconfigError, AddressTakenError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


async def answer_reviews(settings: WebhookSettings) -> None:
    """Connect, answer, stop."""
    from jobflow.cli.interrupts import Interrupts
    from jobflow.clock import SystemClock
    from jobflow.kube.client import Client, Patience
    from jobflow.kube.http import connect
    from jobflow.kube.preflight import check
    from jobflow.kube.server_time import ServerClock, TimedTransport
    from jobflow.obs.address import Address
    from jobflow.obs.health import serve
    from jobflow.webhook.service import Webhook

    clock = ServerClock(SystemClock())
    server = await connect(settings.kubeconfig, settings.context)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.close)
        await check(server, clock)
        client = Client(TimedTransport(server, clock), clock, patience=Patience(request=REVIEW_SECONDS))
        service = Webhook(client, clock, settings)
        if settings.metrics_address:
            address = Address.parse(settings.metrics_address)
            await stack.enter_async_context(serve(address, service.unready, service.metrics))
        interrupts = stack.enter_context(Interrupts())
        await service.run(interrupts.event)
