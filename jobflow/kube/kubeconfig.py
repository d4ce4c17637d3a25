"""Kubeconfig: where the API server is and what it is shown, as users and pods are told.

In: a kubeconfig file, $KUBECONFIG, ~/.kube/config or the service account of the pod we run in. Out: an Access, or
KubeconfigError with one line that names the file and says what to do. kubernetes_asyncio reads kubeconfigs and runs
credential plugins; it is imported for that only: it costs half a second and 70 MB, which no pod has to pay. All of it
blocks: call it from a thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")  # where a kubelet puts it
POD = "the pod's service account"
BEARER = "BearerToken"  # kubernetes_asyncio's name for whatever goes into the Authorization header


class KubeconfigError(Exception):
    """No configuration was found, or it does not lead to an API server."""


@dataclass(frozen=True)
class Access:
    """How to reach one API server, and as whom.

    `origin` is what to mend where it does not work. With `plugin` a credential plugin gave the token, which `expires`
    where it said so. `digest` is of all that may be renewed, to tell whether reading again brought anything new.
    """

    origin: str
    server: str
    namespace: str
    authorization: str
    tls: ssl.SSLContext
    server_name: str | None
    proxy: str | None
    proxy_headers: Mapping[str, str] | None
    plugin: bool
    expires: datetime | None
    digest: str

    @property
    def in_pod(self) -> bool:
        """Whether it is the service account of the pod we run in."""
        return self.origin == POD

    def __repr__(self) -> str:
        return f"Access({self.origin!r}, {self.server!r})"  # the token is not for logs


def load(kubeconfig: str | None, context: str | None, service_account: Path = SERVICE_ACCOUNT) -> Access:
    """The API server of `kubeconfig`, $KUBECONFIG, ~/.kube/config or the pod's service account, in this order."""
    path = _path(kubeconfig)
    if path is None and "KUBERNETES_SERVICE_HOST" not in os.environ:
        raise KubeconfigError(
            "no cluster to talk to: there is no --kubeconfig, no $KUBECONFIG and no ~/.kube/config, and this is "
            "not a pod; name a kubeconfig, or run without a cluster (jobflow run)"
        )
    if path is None:
        return _from_pod(service_account)
    with asyncio.Runner() as runner:  # a loop of its own: some of what the loader awaits blocks
        return runner.run(_from_file(path, context))


def _path(kubeconfig: str | None) -> str | None:
    """The file, or the list of files that $KUBECONFIG may be; None where there is none."""
    named, origin = (kubeconfig, "--kubeconfig") if kubeconfig else (os.environ.get("KUBECONFIG"), "$KUBECONFIG")
    if not named:
        default = Path.home() / ".kube" / "config"
        return str(default) if default.is_file() else None
    files = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    if not any(file.is_file() for file in files):
        raise KubeconfigError(f"kubeconfig {named} (from {origin}) does not exist: correct the path or unset it")
    return named


async def _from_file(path: str, context: str | None) -> Access:
    config = importlib.import_module("kubernetes_asyncio.config")
    configuration = importlib.import_module("kubernetes_asyncio.client").Configuration()
    configuration.host = ""
    where = f"kubeconfig {path}, " + (f"context {context!r}" if context else "its current context")
    try:
        loader = await config.load_kube_config(path, context, configuration, persist_config=False)
        if not configuration.host:
            raise KubeconfigError(f"{where}: its cluster names no server; set clusters[].cluster.server")
        namespace = loader.current_context["context"].get("namespace") or "default"
        user = loader._user or ()  # not told otherwise: to read again is to run the plugin again
        plugin = "exec" in user or "auth-provider" in user
        return _access(where, configuration, namespace, plugin, getattr(loader, "exec_plugin_expiry", None))
    except KubeconfigError:
        raise
    except Exception as error:  # YAML, missing keys, certificates, plugins: each has errors of its own
        raise KubeconfigError(
            f"{where}: {error or type(error).__name__}; `kubectl config get-contexts` lists what there is"
        ) from error


def _from_pod(directory: Path) -> Access:
    """What a kubelet tells each pod: two variables and three files."""
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    ca = directory / "ca.crt"
    try:
        token = (directory / "token").read_text().strip()
        if not host or not port or not token:
            raise ValueError("KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT or the token is empty")
        authorization = f"Bearer {token}"
        return Access(
            origin=POD,
            server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            namespace=(directory / "namespace").read_text().strip() or "default",
            authorization=authorization,
            tls=ssl.create_default_context(cafile=ca),
            server_name=None,
            proxy=None,
            proxy_headers=None,
            plugin=False,
            expires=None,
            digest=_digest(authorization, ca),
        )
    except (OSError, ValueError) as error:
        raise KubeconfigError(
            f"{POD} does not lead to the API server: {error}; set automountServiceAccountToken, or name a kubeconfig"
        ) from error


def _access(origin: str, configuration: Any, namespace: str, plugin: bool, expires: datetime | None) -> Access:
    authorization = str(configuration.api_key.get(BEARER, "")).strip()  # token files made by hand end in a newline
    return Access(
        origin=origin,
        server=configuration.host.rstrip("/"),
        namespace=namespace,
        authorization=authorization,
        tls=_tls(configuration),
        server_name=configuration.tls_server_name,
        proxy=configuration.proxy,
        proxy_headers=configuration.proxy_headers,
        plugin=plugin,
        expires=expires,
        digest=_digest(authorization, configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file),
    )


def _tls(configuration: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.disable_strict_ssl_verification:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _digest(authorization: str, *files: str | Path | None) -> str:
    digest = hashlib.sha256(authorization.encode())
    for file in files:
        digest.update(Path(file).read_bytes() if file else b"")
    return digest.hexdigest()
