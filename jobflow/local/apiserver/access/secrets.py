"""The secret that tokens are signed with: kept with the data, so that tokens outlive a restart.

In: the data directory. Out: the secret, the same as before a restart.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from jobflow.local.apiserver.wire.private_files import write_private

TOKEN_SECRET_BYTES = 32


def token_secret(data: Path) -> bytes:
    """The secret of a data directory. Blocks."""
    path = data / "credentials" / "token-secret"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, secrets.token_bytes(TOKEN_SECRET_BYTES))
    return path.read_bytes()
