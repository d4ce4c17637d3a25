"""Access: how the processes of pods reach the API server, as their ServiceAccount.

In: where the server listens (`announce`), the ServiceAccount of a pod. Out: what a container in a cluster has: the
files of /var/run/secrets/kubernetes.io/serviceaccount and KUBERNETES_SERVICE_HOST and _PORT; and a kubeconfig, which
is of use where nothing can be mounted. Nothing of it where no server listens, as under `jobflow run`.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
import structlog

from jobflow.api.resources import SERVICE_ACCOUNT
from jobflow.clock import Clock
from jobflow.kube.errors import ApiError
from jobflow.kube.transport import Request, Transport
from jobflow.local.kubelet.containers import Pod
from jobflow.local.kubelet.payload import File, Payload

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 24 * 3600  # long enough that a laptop which slept finds it valid; asked anew after four fifths
RENEWED_AFTER = 0.8  # of the lifetime: kubelets' rule
REQUEST_SECONDS = 10.0
DEFAULT_ACCOUNT = "default"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Server:
    """An API server on this machine."""

    url: str
    ca_pem: bytes

    def variables(self) -> dict[str, str]:
        """What in-cluster clients look for."""
        parts = urlsplit(self.url)
        return {
            "KUBERNETES_SERVICE_HOST": parts.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(parts.port or ""),
            "KUBERNETES_SERVICE_PORT_HTTPS": str(parts.port or ""),
        }

    def files(self, namespace: str, token: str) -> Payload:
        """The files below MOUNT_PATH."""
        return {
            "token": File(token.encode(), 0o600),
            "ca.crt": File(self.ca_pem, 0o644),
            "namespace": File(namespace.encode(), 0o644),
        }

    def kubeconfig(self, pod: Pod, token_file: Path) -> bytes:
        """A kubeconfig that reads the token where it is renewed."""
        name = "jobflow-local"
        user = pod.spec.service_account_name or DEFAULT_ACCOUNT
        trust = base64.b64encode(self.ca_pem).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": self.url, "certificate-authority-data": trust}}],
            "users": [{"name": user, "user": {"tokenFile": str(token_file)}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user, "namespace": pod.namespace}}],
            "current-context": name,
        }
        return json.dumps(config, indent=1).encode()


@dataclass(frozen=True, slots=True)
class Token:
    """A token and for how many seconds it can be used."""

    text: str
    seconds: float


class Access(Protocol):
    """The way to an API server."""

    async def server(self) -> Server | None:
        """The server; None where none listens."""

    async def token(self, pod: Pod, audience: str = "") -> Token | None:
        """A token for the pod's ServiceAccount; None where the server gives none."""


class NoAccess:
    """No server listens."""

    async def server(self) -> Server | None:
        """None."""
        return None

    async def token(self, pod: Pod, audience: str = "") -> Token | None:
        """None."""
        return None


class _TokenStatus(msgspec.Struct):
    token: str = ""
    expirationTimestamp: datetime | None = None


class _TokenAnswer(msgspec.Struct):
    status: _TokenStatus = msgspec.field(default_factory=_TokenStatus)


class ApiAccess:
    """Tokens from the server's own token endpoint. Pods that start before `announce` wait for it."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._server: asyncio.Future[Server] | None = None

    async def server(self) -> Server | None:
        """Once it listens."""
        return await asyncio.shield(self._announced())

    def announce(self, server: Server) -> None:
        """It listens."""
        if not self._announced().done():
            self._announced().set_result(server)

    async def token(self, pod: Pod, audience: str = "") -> Token | None:
        """Ask for one that is bound to the pod."""
        account = pod.spec.service_account_name or DEFAULT_ACCOUNT
        path = SERVICE_ACCOUNT.path(pod.namespace, account, "token")
        request = Request("POST", path, (), json.dumps(_token_request(pod, audience)).encode())
        try:
            response = await self._transport.request(request, REQUEST_SECONDS)
        except ApiError as error:
            log.warning("no token for a pod", pod=f"{pod.namespace}/{pod.name}", error=error.message)
            return None
        if response.status >= 300:
            return None
        status = msgspec.json.decode(response.body, type=_TokenAnswer).status
        if not status.token:
            return None
        expires = status.expirationTimestamp
        seconds = (expires - self._clock.now()).total_seconds() if expires else float(TOKEN_SECONDS)
        return Token(status.token, max(seconds, 0.0))

    def _announced(self) -> asyncio.Future[Server]:
        if self._server is None:
            self._server = asyncio.get_running_loop().create_future()
        return self._server


def _token_request(pod: Pod, audience: str) -> Mapping[str, Any]:
    return {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {
            "audiences": [audience] if audience else [],
            "expirationSeconds": TOKEN_SECONDS,
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid},
        },
    }
