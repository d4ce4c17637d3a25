"""Tokens: what a ServiceAccount proves itself with. JSON Web Tokens, signed with the server's own secret.

In: claims. Out: a token; and from a token the claims again, if it is ours and not out of date. The claims are those of
Kubernetes, so that tools that look into a token find what they look for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

import msgspec
from msgspec import Struct, field

ISSUER = "https://kubernetes.default.svc"
_HEADER = {"alg": "HS256", "typ": "JWT"}


class Named(Struct, frozen=True, gc=False):
    """An object by name and UID."""

    name: str
    uid: str


class Bound(Struct, frozen=True, gc=False, omit_defaults=True):
    """Whose token it is, and the object with which it ends."""

    namespace: str
    serviceaccount: Named
    pod: Named | None = None
    secret: Named | None = None


class Claims(Struct, frozen=True, gc=False, rename={"bound": "kubernetes.io"}):
    """What a token says. Times are seconds since 1970."""

    aud: tuple[str, ...]
    exp: int
    iat: int
    nbf: int
    sub: str
    jti: str
    bound: Bound
    iss: str = field(default=ISSUER)


def sign(claims: Claims, secret: bytes) -> str:
    """The token."""
    body = f"{_encoded(msgspec.json.encode(_HEADER))}.{_encoded(msgspec.json.encode(claims))}"
    return f"{body}.{_encoded(_signature(body, secret))}"


def read(token: str, secret: bytes, now: float) -> Claims | None:
    """What the token says; None for one that is not ours or whose time is over."""
    body, _, signature = token.rpartition(".")
    try:
        if not hmac.compare_digest(_decoded(signature), _signature(body, secret)):
            return None
        claims = msgspec.json.decode(_decoded(body.partition(".")[2]), type=Claims)
    except (ValueError, msgspec.MsgspecError):
        return None
    return claims if claims.nbf <= now < claims.exp and claims.iss == ISSUER else None


def _signature(body: str, secret: bytes) -> bytes:
    return hmac.digest(secret, body.encode(), hashlib.sha256)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
