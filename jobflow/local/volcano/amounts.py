"""Amounts of resources: what pods ask for and nodes have, as numbers that can be added and compared.

In: quantities as Kubernetes writes them (`500m`, `1Gi`, `2e3`). Out: whole thousandths of the unit (of a CPU, of a
byte), so that sums are exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal

from msgspec import Struct

Amounts = dict[str, int]

THOUSANDTHS = 1000
PODS = "pods"  # the resource that each pod takes one of

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,3})|([KMGTPE]i|[numkMGTPE])?)")
_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}


class Resources(Struct, frozen=True, gc=False):
    """What a container asks for, and what it may take."""

    requests: dict[str, str | int | float] | None = None
    limits: dict[str, str | int | float] | None = None


class Container(Struct, frozen=True, gc=False):
    """A container, as far as it takes room on a node."""

    resources: Resources = Resources()


def parse_quantity(text: str | int | float) -> int:
    """A quantity in thousandths, rounded up. Raises ValueError where it is none."""
    found = _QUANTITY.fullmatch(str(text))
    if found is None:
        raise ValueError(f'"{text}" is not a quantity such as 500m, 2 or 1Gi')
    number, exponent, suffix = found.groups()
    value = Decimal(number).scaleb(int(exponent)) if exponent else Decimal(number) * _SUFFIXES.get(suffix or "", 1)
    return int((value * THOUSANDTHS).to_integral_value(ROUND_CEILING))


def requests_of(containers: Iterable[Container]) -> Amounts:
    """What a pod with these containers asks for; a limit without a request is one. Quantities that are none are 0."""
    total: Amounts = {}
    for container in containers:
        resources = container.resources
        for name, quantity in {**(resources.limits or {}), **(resources.requests or {})}.items():
            try:
                total[name] = total.get(name, 0) + parse_quantity(quantity)
            except ValueError:
                continue  # the API server and lint tell of it
    return total


def add(first: Mapping[str, int], second: Mapping[str, int]) -> Amounts:
    """The sum of two."""
    return {name: first.get(name, 0) + second.get(name, 0) for name in {**first, **second}}


def missing(wanted: Mapping[str, int], available: Mapping[str, int]) -> list[str]:
    """The resources of which there is too little, by name. One that no node tells of is not limited."""
    return sorted(name for name, amount in wanted.items() if name in available and amount > available[name])


def format_amount(name: str, amount: int) -> str:
    """An amount as a person reads it: `500m` of a CPU, `1Gi`, `3`."""
    if amount % THOUSANDTHS:
        return f"{amount}m"
    whole = amount // THOUSANDTHS
    for power, letter in zip(range(6, 0, -1), "EPTGMK", strict=True):
        if name != "cpu" and whole and whole % 1024**power == 0:
            return f"{whole // 1024**power}{letter}i"
    return str(whole)
