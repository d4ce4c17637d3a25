"""kubeconfig: how kubectl and others find the embedded server.

In: the server's URL, its CA and its token. Out: a file that only its owner may read, with one cluster, one user and one
current context.
"""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

import yaml

from jobflow.local.apiserver.wire.private_files import write_private

CONTEXT = "jobflow-local"
TOKEN_BYTES = 32


def new_token() -> str:
    """A bearer token that cannot be guessed."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def write_kubeconfig(path: Path, server_url: str, ca_pem: bytes, token: str) -> None:
    """Write the file, mode 0600, in place of one that may be there. Blocks."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CONTEXT,
                "cluster": {
                    "server": server_url,
                    "certificate-authority-data": base64.b64encode(ca_pem).decode(),
                },
            }
        ],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"}}],
        "current-context": CONTEXT,
        "preferences": {},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, yaml.safe_dump(document, sort_keys=False).encode())
