"""Addresses: which ones a probe may dial.

In: an address, and how it was come by. Out: why it may not be dialled, or nothing. A probe is a request from the
controller's own place in the network, which may reach what the user's pods may not. So by default only the pods of a
flow's own children and the Services of its namespace are asked, and never what is the node's or the cloud's own:
loopback, link-local with the metadata service, unspecified, multicast, IPv4 inside IPv6. What --probe-allow-cidr
names is allowed besides; what --probe-deny-cidr names is refused whatever else is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from jobflow.api.network import Network, is_within, parse_network

METADATA = (ip_network("fd00:ec2::254/128"), ip_network("100.100.100.200/32"), ip_network("168.63.129.16/32"))
EMBEDDED_IPV4 = (
    IPv6Network("::ffff:0:0/96"),
    IPv6Network("64:ff9b::/96"),
    IPv6Network("2002::/16"),
    IPv6Network("::/96"),
)
ALLOW_FLAG = "--probe-allow-cidr"


class Origin(Enum):
    """How an address was come by."""

    POD = "a pod of the flow"
    HOST_NETWORK_POD = "a pod on its node's network"
    SERVICE = "a Service of the flow's namespace"
    OTHER = "neither a pod of the flow nor a Service of its namespace"


@dataclass(frozen=True)
class AddressRules:
    """What is allowed and denied beside the defaults."""

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()

    def refusal(self, text: str, origin: Origin) -> str:
        """Why `text`, an IP address, must not be dialled; empty where it may."""
        address = ip_address(text)
        if is_within(address, self.deny):
            return f"{address} is denied by --probe-deny-cidr"
        if is_within(address, self.allow):
            return ""
        special = _special(address)
        if special:
            return f"{address} is {special}, which is not asked unless {ALLOW_FLAG} allows it"
        if origin in (Origin.OTHER, Origin.HOST_NETWORK_POD):
            return f"{address} is {origin.value}, which is not asked unless {ALLOW_FLAG} allows it"
        return ""


def _special(address: IPv4Address | IPv6Address) -> str:
    if address.is_loopback:
        return "a loopback address"
    if is_within(address, METADATA):
        return "a metadata service"
    if address.is_link_local:
        return "a link-local address"
    if address.is_unspecified:
        return "the unspecified address"
    if address.is_multicast:
        return "a multicast address"
    if address.is_reserved and not _holds_ipv4(address):
        return "a reserved address"
    return "an IPv4 address within IPv6" if _holds_ipv4(address) else ""


def _holds_ipv4(address: IPv4Address | IPv6Address) -> bool:
    return isinstance(address, IPv6Address) and is_within(address, EMBEDDED_IPV4)


def rules_of(allow: Iterable[str], deny: Iterable[str]) -> AddressRules:
    """The rules that settings name. Raises ValueError for what is no network."""
    return AddressRules(tuple(parse_network(text) for text in allow), tuple(parse_network(text) for text in deny))
