"""Accounts: ServiceAccounts at work.

In: every change of the store; TokenRequests; bearer tokens. Out: a ServiceAccount `default` in every namespace that
lives; tokens; and the Caller that a token stands for, while its account (and the Pod it is bound to) exists.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from jobflow.api.resources import SERVICE_ACCOUNT
from jobflow.kube.transport import JSON, Response
from jobflow.local.apiserver.access.callers import AUTHENTICATED, Caller
from jobflow.local.apiserver.access.rights import SERVICE_ACCOUNT_PREFIX
from jobflow.local.apiserver.access.tokens import ISSUER, Bound, Claims, Named, read, sign
from jobflow.local.apiserver.calls import Call
from jobflow.local.apiserver.ownership.unstored import owned
from jobflow.local.apiserver.registry import NAMESPACES, PODS
from jobflow.local.apiserver.statuses import StatusError, bad_request, method_not_allowed
from jobflow.local.apiserver.storage.store import Collection, Event, Stored
from jobflow.local.apiserver.wire.bodies import read_object
from jobflow.local.apiserver.writes.metadata import timestamp
from jobflow.local.apiserver.writes.objects import Objects

ACCOUNTS = Collection("", SERVICE_ACCOUNT.plural)
SECRETS = Collection("", "secrets")
DEFAULT = "default"
LEAST_SECONDS, USUAL_SECONDS, MOST_SECONDS = 600, 3600, 1 << 32
REVIEW = "TokenRequest.authentication.k8s.io"

_HOLDERS = {"Pod": PODS, "Secret": SECRETS}


class Accounts:
    """The ServiceAccounts of one server. `make` creates an object of the server's own."""

    def __init__(self, objects: Objects, secret: bytes, make: Callable[[dict[str, Any]], None]) -> None:
        self._objects = objects
        self._secret = secret
        self._make = make
        self._due: dict[str, None] = {}
        self._work = asyncio.Event()

    def load(self) -> None:
        """Look at the namespaces that are there."""
        for namespace in self._objects.store.shelf(NAMESPACES).objects.values():
            self._add(namespace.name)

    def saw(self, collection: Collection, event: Event) -> None:
        """Take note of a namespace that comes, and of an account that goes."""
        if collection == NAMESPACES and event.type == "ADDED":
            self._add(event.object.name)
        elif collection == ACCOUNTS and event.type == "DELETED" and event.object.name == DEFAULT:
            self._add(event.object.namespace)

    def _add(self, namespace: str) -> None:
        self._due[namespace] = None
        self._work.set()

    async def run(self) -> None:
        """Give every namespace its account, for ever."""
        while True:
            while self._due:
                namespace = next(iter(self._due))
                del self._due[namespace]
                self._ensure(namespace)
                await self._objects.clock.sleep(0)
            self._work.clear()
            await self._work.wait()

    def _ensure(self, name: str) -> None:
        store = self._objects.store
        namespace = store.get(NAMESPACES, "", name)
        if namespace is None or namespace.deleting or store.get(ACCOUNTS, name, DEFAULT) is not None:
            return
        head = {"apiVersion": "v1", "kind": "ServiceAccount"}
        self._make({**head, "metadata": {"name": DEFAULT, "namespace": name}})

    def caller(self, token: str) -> Caller | None:
        """Whom a token stands for; None for one that is none, or whose account or Pod is gone."""
        claims = read(token, self._secret, self._objects.clock.now().timestamp())
        if claims is None or ISSUER not in claims.aud:
            return None
        bound = claims.bound
        holders = [(ACCOUNTS, bound.serviceaccount)]
        holders += [(_HOLDERS[kind], one) for kind, one in (("Pod", bound.pod), ("Secret", bound.secret)) if one]
        for collection, held in holders:
            found = self._objects.store.get(collection, bound.namespace, held.name)
            if found is None or found.uid != held.uid:
                return None
        return _caller(bound, claims.jti)

    def token(self, call: Call) -> Response:
        """POST of a TokenRequest to an account's `token`."""
        if call.request.method != "POST":
            raise method_not_allowed()
        account = self._objects.find(call.served, call.namespace, call.name)
        body = read_object(call.request)
        if body.get("kind", "TokenRequest") != "TokenRequest":
            raise bad_request(f"{body['kind']} cannot be handled as a TokenRequest")
        spec = body.get("spec") or {}
        if not isinstance(spec, dict):
            raise bad_request("spec of a TokenRequest must be an object")
        seconds = _seconds(spec)
        audiences = tuple(spec.get("audiences") or (ISSUER,))
        now = self._objects.clock.now()
        claims = Claims(
            aud=audiences,
            exp=int(now.timestamp()) + seconds,
            iat=int(now.timestamp()),
            nbf=int(now.timestamp()),
            sub=f"{SERVICE_ACCOUNT_PREFIX}{call.namespace}:{call.name}",
            jti=_uuid(self._objects.random),
            bound=self._bound(call, account, spec.get("boundObjectRef")),
        )
        manager = call.query.text("fieldManager") or call.caller.program
        wanted = {**spec, "expirationSeconds": seconds}
        expires = timestamp(now.fromtimestamp(claims.exp, now.tzinfo))
        told = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": call.name,
                "namespace": call.namespace,
                "uid": _uuid(self._objects.random),
                "creationTimestamp": timestamp(now),
                **owned(manager, "authentication.k8s.io/v1", timestamp(now), wanted, "token"),
            },
            "spec": {
                "audiences": list(audiences),
                "expirationSeconds": seconds,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {"token": sign(claims, self._secret), "expirationTimestamp": expires},
        }
        return Response(201, msgspec.json.encode(told), {"content-type": JSON})

    def _bound(self, call: Call, account: Stored, reference: Any) -> Bound:
        owner = Named(account.name, account.uid)
        if not reference:
            return Bound(call.namespace, owner)
        kind, name, uid = (reference.get(field) or "" for field in ("kind", "name", "uid"))
        if kind not in _HOLDERS:
            version = reference.get("apiVersion") or ""
            raise bad_request(f"cannot bind token to object of type {version.replace('v1', '/v1')}, Kind={kind}")
        found = self._objects.store.get(_HOLDERS[kind], call.namespace, name)
        plural = _HOLDERS[kind].plural
        if found is None:
            raise StatusError(404, "NotFound", f'{plural} "{name}" not found', {"name": name, "kind": plural})
        if kind == "Pod":
            _check_account(account.name, found)
        if uid and uid != found.uid:
            told = f"the UID in the bound object reference ({uid}) does not match the UID in record. "
            raise StatusError(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {plural} "{name}": {told}'
                "The object might have been deleted and then recreated",
                {"name": name, "kind": plural},
            )
        held = Named(found.name, found.uid)
        return Bound(call.namespace, owner, pod=held if kind == "Pod" else None, secret=held if kind != "Pod" else None)


class _PodSpec(msgspec.Struct):
    serviceAccountName: str = ""


class _Pod(msgspec.Struct):
    spec: _PodSpec


def _check_account(account: str, pod: Stored) -> None:
    if msgspec.json.decode(pod.data, type=_Pod).spec.serviceAccountName != account:
        told = f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
        raise bad_request(told)


def _uuid(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def _seconds(spec: dict[str, Any]) -> int:
    seconds = spec.get("expirationSeconds")
    if seconds is None:
        return USUAL_SECONDS
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise bad_request("spec.expirationSeconds of a TokenRequest must be a whole number")
    told = ""
    if seconds < LEAST_SECONDS:
        told = "may not specify a duration less than 10 minutes"
    elif seconds > MOST_SECONDS:
        told = "may not specify a duration larger than 2^32 seconds"
    if told:
        message = f"Invalid value: {seconds}: {told}"
        causes = [{"reason": "FieldValueInvalid", "message": message, "field": "spec.expirationSeconds"}]
        details = {"group": "authentication.k8s.io", "kind": "TokenRequest", "causes": causes}
        whole = f'{REVIEW} "" is invalid: spec.expirationSeconds: {message}'
        raise StatusError(422, "Invalid", whole, details)
    return seconds


def _caller(bound: Bound, credential: str) -> Caller:
    extra = {"authentication.kubernetes.io/credential-id": [f"JTI={credential}"]}
    if bound.pod is not None:
        extra["authentication.kubernetes.io/pod-name"] = [bound.pod.name]
        extra["authentication.kubernetes.io/pod-uid"] = [bound.pod.uid]
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{bound.namespace}", AUTHENTICATED)
    account = bound.serviceaccount
    return Caller(f"{SERVICE_ACCOUNT_PREFIX}{bound.namespace}:{account.name}", groups, account.uid, extra=extra)
