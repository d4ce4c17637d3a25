"""Resolve: from what a probe names to the one address that is dialled.

In: a pod's address, or a host as the user wrote it. Out: an IP address that the rules allow, or Unresolved with the
reason. A name is resolved once per try, without blocking the loop, and what is dialled is the address that was
judged: a name that answers differently the second time gains nothing. Names of Services are looked up in the flow's
namespace, whatever namespace the controller is in; such a name that turns out to be an alias (an ExternalName) is not
trusted as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Protocol

from jobflow.api.probes import OfHost, PodAddress
from jobflow.probe.addresses import AddressRules, Origin


class Unresolved(Exception):
    """There is no address that may be dialled; the message says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a name stands for. `alias`: it is another name for something else."""

    addresses: tuple[str, ...]
    alias: bool = False


class Names(Protocol):
    """Looks names up."""

    async def look_up(self, name: str) -> Found:
        """The addresses of a host. Raises Unresolved."""

    async def close(self) -> None:
        """Let go of what is open."""


class Dns:
    """Names by DNS, with the search list and the hosts file of the machine; c-ares, so that no thread waits."""

    def __init__(self) -> None:
        self._resolver: Any = None

    async def look_up(self, name: str) -> Found:
        """The addresses of a host. Raises Unresolved."""
        import aiodns

        if self._resolver is None:
            self._resolver = aiodns.DNSResolver()
        try:
            result = await self._resolver.getaddrinfo(name)
        except aiodns.error.DNSError as error:
            raise Unresolved(f"{name}: {str(error.args[-1]).lower()}") from error
        nodes = sorted(result.nodes, key=lambda node: node.family)  # IPv4 first, as most clusters have it
        return Found(tuple(dict.fromkeys(node.addr[0].decode() for node in nodes)), bool(result.cnames))

    async def close(self) -> None:
        """Let go of the sockets."""
        if self._resolver is not None:
            await self._resolver.close()


async def resolve(namespace: str, address: PodAddress | OfHost, names: Names, rules: AddressRules) -> str:
    """The IP address to dial. Raises Unresolved."""
    if isinstance(address, PodAddress):
        origin = Origin.HOST_NETWORK_POD if address.host_network else Origin.POD
        return _allowed((address.ip,), origin, rules)
    host = address.host.removeprefix("[").removesuffix("]")
    if _is_literal(host):
        return _allowed((host,), Origin.OTHER, rules)
    name = service_name(host, namespace)
    found = await names.look_up(name or host)
    origin = Origin.SERVICE if name and not found.alias else Origin.OTHER
    return _allowed(found.addresses, origin, rules)


def service_name(host: str, namespace: str) -> str:
    """`host` as `<service>.<namespace>.svc...` where it names something of the namespace; else empty.

    `db`, `db.ns`, `db.ns.svc`, `db.ns.svc.cluster.local`, and `pod-0.db.ns.svc` of a headless Service.
    """
    parts = host.rstrip(".").split(".")
    if len(parts) == 1:
        return f"{host}.{namespace}.svc"
    if len(parts) == 2:
        return f"{host}.svc" if parts[1] == namespace else ""
    if "svc" in parts[2:4]:
        place = parts.index("svc", 2)
        return host if parts[place - 1] == namespace else ""
    return ""


def _allowed(addresses: tuple[str, ...], origin: Origin, rules: AddressRules) -> str:
    """The first address, if the rules allow every one: a name that hides a bad one among good ones is refused."""
    if not addresses:
        raise Unresolved("the name has no address")
    for address in addresses:
        refusal = rules.refusal(address, origin)
        if refusal:
            raise Unresolved(f"refused: {refusal}")
    return addresses[0]


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
