"""Networks: ranges of IP addresses, as settings name them.

In: text such as 10.0.0.0/8 or 192.0.2.7. Out: networks, and whether an address is within some.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def parse_network(text: str) -> Network:
    """A range, or one address. Raises ValueError with what to write instead."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f'"{text}" is no range of IP addresses ({error}); write one as in 10.0.0.0/8') from None


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """Whether one of the networks has the address."""
    return any(address.version == network.version and address in network for network in networks)
