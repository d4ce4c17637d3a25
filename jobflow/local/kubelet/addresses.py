"""Addresses: one of the loopback network for each pod, so that several can listen on the same port.

In: pods that start and go. Out: addresses of 127.0.0.0/8, each to one pod at a time, used again as late as possible.
Linux answers on all of them; other systems on 127.0.0.1 alone, which all pods then share.
"""

from __future__ import annotations

import sys
from ipaddress import IPv4Address

from jobflow.local.kubelet.node import NODE_ADDRESS

FIRST = int(IPv4Address("127.1.0.1"))
LAST = int(IPv4Address("127.254.255.254"))


class Addresses:
    """Who has which address, by pod UID."""

    def __init__(self, *, several: bool = sys.platform.startswith("linux")) -> None:
        self._several = several
        self._next = FIRST
        self._of: dict[str, str] = {}
        self._taken: set[int] = set()

    def take(self, uid: str) -> str:
        """The pod's address, the same each time."""
        if not self._several:
            return NODE_ADDRESS
        if uid not in self._of:
            self._of[uid] = str(IPv4Address(self._free()))
        return self._of[uid]

    def give_back(self, uid: str) -> None:
        """The pod is gone."""
        address = self._of.pop(uid, None)
        if address is not None:
            self._taken.discard(int(IPv4Address(address)))

    def _free(self) -> int:
        while self._next in self._taken or self._next % 256 in (0, 255):  # no network's own or broadcast address
            self._next = FIRST if self._next >= LAST else self._next + 1
        taken = self._next
        self._taken.add(taken)
        self._next = FIRST if taken >= LAST else taken + 1
        return taken
