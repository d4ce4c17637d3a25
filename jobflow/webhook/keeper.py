"""Keeper: our certificates in a Secret that the replicas share, and their CA in the webhook's own configuration.

In: a Secret and a ValidatingWebhookConfiguration by name. Out: what they should say (`authority.py` decides), and the
certificate that is shown. Everything is read before it is written, and written on condition that nobody else has: of
two replicas that make the first CA at once one wins, and the other takes what is there. A certificate is shown once the
configuration has vouched for it so long that every API server must have heard. Two small objects are read by name every
half a minute, rather than watched: to watch them would take rights to all Secrets of the namespace.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from jobflow.api.access import Rule, Scope
from jobflow.api.resources import SECRET, Resource
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.errors import ApiError, Conflict, NotFound
from jobflow.webhook.authority import Kept, Lifetimes, born, due, fingerprint, issuers, trusted, vouching
from jobflow.webhook.shown import NotUsable, Shown

CONFIGURATION = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
MAKES = (Rule(SECRET, ("create",), scope=Scope.OWN),)  # cannot be confined to a name
KEEPS = (Rule(SECRET, ("get", "update"), scope=Scope.OWN),)  # of its own name only
CONFIGURES = (Rule(CONFIGURATION, ("get", "update"), scope=Scope.CLUSTER),)  # of its own name only

ROUND_SECONDS = 30.0
READY_SECONDS = 2.0  # for API servers to hear of the first CA; they watch, and need some hundred milliseconds
MOST_TRIES = 8  # of one write that others overtake
FIELDS = {"authorities": "ca.crt", "authority_key": "ca.key", "certificate": "tls.crt", "key": "tls.key"}

Object = dict[str, Any]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the certificates are kept, and whom they name."""

    namespace: str
    secret: str
    configuration: str
    names: Sequence[str]


class Keeper:
    """Certificates of our own making."""

    def __init__(
        self, client: Client, clock: Clock, place: Place, shown: Shown, lifetimes: Lifetimes | None = None
    ) -> None:
        self._client = client
        self._clock = clock
        self._place = place
        self._shown = shown
        self._lifetimes = lifetimes or Lifetimes()
        self._heard: dict[bytes, float] = {}  # CAs in the configuration, by fingerprint -> since when, at the latest
        self._told = b""
        self.problem = "certificate: not there yet"

    async def run(self) -> None:
        """Keep them, for ever."""
        while True:
            try:
                await self.round()
            except (ApiError, NotUsable) as error:
                told = str(error)
                if told != self.problem:
                    log.warning("certificates cannot be kept", because=told)
                self.problem = told
            await self._clock.sleep(READY_SECONDS if self.problem else ROUND_SECONDS)

    @property
    def unready(self) -> list[str]:
        """Why API servers might not trust us yet."""
        if not self._shown.ready.is_set() and self.problem:
            return [self.problem]
        if self._heard_for(self._shown.certificate) < READY_SECONDS:
            return ["certificate: API servers have yet to hear of its CA"]
        return []

    async def round(self) -> None:
        """One look at everything, and what is due. Raises ApiError, NotUsable."""
        kept = await self._kept()
        if not self._shown.ready.is_set():
            await self._shown.show(kept.certificate, kept.key)
        await self._vouch(kept)
        settled = self._heard_for(kept.certificate) >= self._lifetimes.settle.total_seconds()
        if settled and kept.certificate != self._shown.certificate:
            await self._shown.show(kept.certificate, kept.key)
            log.info("showing a new certificate")
        self.problem = "" if kept.certificate == self._shown.certificate else "a new certificate waits to be trusted"

    async def _kept(self) -> Kept:
        """What the Secret says, after what was due was written to it."""
        place = self._place
        for _ in range(MOST_TRIES):
            secret = await self._secret()
            before = _read(secret) if secret is not None else None
            kept = await asyncio.to_thread(due, before, place.names, self._clock.now(), self._lifetimes)
            if kept == before:
                return kept
            try:
                if secret is None:
                    await self._client.create(SECRET, place.namespace, _written(place, kept))
                else:
                    body = {**secret, "data": {**(secret.get("data") or {}), **_data(kept)}}
                    await self._client.replace(SECRET, place.namespace, place.secret, body)
            except (Conflict, NotFound):
                continue  # another replica was first, or somebody has deleted it
            log.info("certificates were written", secret=f"{place.namespace}/{place.secret}")
            return kept
        raise Conflict(f"Secret {place.namespace}/{place.secret} is written by others all the time")

    async def _secret(self) -> Object | None:
        try:
            body = await self._client.get(SECRET, self._place.namespace, self._place.secret)
        except NotFound:
            return None
        found: Object = msgspec.json.decode(body)
        return found

    async def _vouch(self, kept: Kept) -> None:
        """See to it that the configuration tells of our CAs."""
        name = self._place.configuration
        for _ in range(MOST_TRIES):
            configuration: Object = msgspec.json.decode(await self._client.get(CONFIGURATION, None, name))
            hooks = configuration.get("webhooks") or []
            told = [_bundle(hook) for hook in hooks]
            before = b"".join(dict.fromkeys(told))
            wanted = vouching(kept, before, self._clock.now(), self._lifetimes)
            if all(bundle == wanted for bundle in told):
                self._note(before, wanted)
                return
            encoded = base64.b64encode(wanted).decode()
            for hook in hooks:
                hook["clientConfig"] = {**hook.get("clientConfig", {}), "caBundle": encoded}
            try:
                await self._client.replace(CONFIGURATION, None, name, configuration)
            except Conflict:
                continue
            log.info("the CA was written", configuration=name)
            self._note(before, wanted)
            return
        raise Conflict(f"{CONFIGURATION.kind} {name} is written by others all the time")

    def _note(self, before: bytes, now_told: bytes) -> None:
        """Since when API servers may have heard of each CA: of one that was there already, since it was made."""
        now, wall = self._clock.monotonic(), self._clock.now()
        there = {fingerprint(one) for one in trusted(before)}
        heard = {}
        for one in trusted(now_told):
            known = fingerprint(one)
            age = (wall - born(one)).total_seconds() if known in there else 0.0
            heard[known] = self._heard.get(known, now - age) if known in there else now
        self._heard, self._told = heard, now_told

    def _heard_for(self, certificate: bytes) -> float:
        """For how many seconds API servers may have trusted this certificate; negative where they do not."""
        since = [self._heard[fingerprint(one)] for one in issuers(certificate, self._told)] if certificate else []
        return self._clock.monotonic() - min(since) if since else -1.0


def _read(secret: Object) -> Kept | None:
    data = secret.get("data") or {}
    try:
        return Kept(**{field: base64.b64decode(data[name], validate=True) for field, name in FIELDS.items()})
    except (KeyError, TypeError, binascii.Error):
        return None  # half of it, or edited: made anew


def _written(place: Place, kept: Kept) -> Object:
    metadata = {"name": place.secret, "namespace": place.namespace}
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.kind,
        "metadata": metadata,
        "type": "Opaque",
        "data": _data(kept),
    }


def _data(kept: Kept) -> dict[str, str]:
    return {name: base64.b64encode(getattr(kept, field)).decode() for field, name in FIELDS.items()}


def _bundle(hook: Object) -> bytes:
    try:
        return base64.b64decode(hook.get("clientConfig", {}).get("caBundle") or "", validate=True)
    except (TypeError, binascii.Error):
        return b""
