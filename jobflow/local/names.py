"""Names: what a Service's name stands for where there is no DNS.

In: a name as a probe asks it, `db.default.svc` or `worker-0.db.default.svc`. Out: the addresses of the running pods
that the Service selects. In a cluster its DNS does this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from jobflow.api.resources import POD, SERVICE
from jobflow.kube.client import Client
from jobflow.kube.errors import ApiError, NotFound
from jobflow.probe.addresses import rules_of
from jobflow.probe.dial import Dialer
from jobflow.probe.pods import Pods
from jobflow.probe.resolve import Found, Unresolved
from jobflow.probe.runner import World

LOCALHOST = "localhost"


def local_world(client: Client, allow: Sequence[str]) -> World:
    """Whom probes ask on a control plane without DNS."""
    return World(Dialer(LocalNames(client), rules_of(allow, ())), Pods(client))


class LocalNames:
    """Looks Services and their pods up at the API server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def look_up(self, name: str) -> Found:
        """The addresses of the pods behind a Service. Raises Unresolved."""
        if name == LOCALHOST:
            return Found(("127.0.0.1",))
        parts = name.rstrip(".").split(".")
        if "svc" not in parts[2:4]:
            raise Unresolved(f"{name}: only Services have names on this control plane")
        place = parts.index("svc", 2)
        service, namespace, hostname = parts[place - 2], parts[place - 1], parts[0] if place == 3 else ""
        try:
            found = msgspec.json.decode(await self._client.get(SERVICE, namespace, service))
            pods = await self._pods(namespace, (found.get("spec") or {}).get("selector") or {})
        except NotFound:
            raise Unresolved(f"{name}: there is no Service {service} in namespace {namespace}") from None
        except ApiError as error:
            raise Unresolved(f"{name}: {error.message}") from error
        addresses = [_address(pod) for pod in pods if hostname in ("", _hostname(pod))]
        return Found(tuple(sorted(address for address in addresses if address)))

    async def _pods(self, namespace: str, selector: Mapping[str, str]) -> list[dict[str, Any]]:
        if not selector:
            return []
        wanted = ",".join(f"{key}={value}" for key, value in selector.items())
        found: list[dict[str, Any]] = []
        async for page in self._client.list(POD, namespace, label_selector=wanted):
            found += msgspec.json.decode(page)["items"]
        return found

    async def close(self) -> None:
        """Nothing is open."""


def _address(pod: Mapping[str, Any]) -> str:
    status = pod.get("status") or {}
    running = status.get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
    return str(status.get("podIP") or "") if running else ""


def _hostname(pod: Mapping[str, Any]) -> str:
    return str((pod.get("spec") or {}).get("hostname") or pod["metadata"]["name"])
