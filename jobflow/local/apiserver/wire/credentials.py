"""Credentials: the certificate and the token of a server, kept with its data.

In: the data directory, if any. Out: a certificate and a bearer token: the same as before a restart, so that clients
outlive it; new ones where nothing is kept.
"""

from __future__ import annotations

from pathlib import Path

from jobflow.local.apiserver.wire.certificates import Certificate
from jobflow.local.apiserver.wire.kubeconfig import new_token
from jobflow.local.apiserver.wire.private_files import write_private


def credentials(data: Path | None) -> tuple[Certificate, str]:
    """The certificate and the token. Blocks."""
    if data is None:
        return Certificate.create(), new_token()
    directory = data / "credentials"
    certificate = Certificate.kept_in(directory)
    token = directory / "token"
    if not token.exists():
        write_private(token, new_token().encode())
    return certificate, token.read_text()
