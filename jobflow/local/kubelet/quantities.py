"""Quantities: amounts of CPU and memory as Kubernetes writes them: `500m`, `2`, `1.5Gi`, `1e3`.

In: text or numbers from a pod's resources. Out: exact numbers, in the unit they count (CPUs, bytes), and text for
people.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from jobflow.local.kubelet.spec import Quantity

_SUFFIXES = {
    "": Fraction(1),
    **{suffix: Fraction(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{suffix: Fraction(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{suffix: Fraction(1, 1000**power) for power, suffix in enumerate(("m", "u", "n"), 1)},
}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([A-Za-z]*))")


def parse_quantity(quantity: Quantity) -> Fraction:
    """The number. Raises ValueError, naming the text, where it is none."""
    found = _QUANTITY.fullmatch(str(quantity).strip())
    if found is None or (found[3] or "") not in _SUFFIXES:
        raise ValueError(f'"{quantity}" is not a quantity: write it like 500m, 2, 1.5Gi or 1e3')
    exponent = Fraction(10) ** int(found[2]) if found[2] else Fraction(1)
    return Fraction(found[1]) * exponent * _SUFFIXES[found[3] or ""]


def in_units(amount: Fraction, divisor: Quantity) -> int:
    """How many divisors it is, rounded up: what resourceFieldRef gives."""
    unit = parse_quantity(divisor) or Fraction(1)
    return math.ceil(amount / unit)


def cpu_text(amount: Fraction) -> str:
    """CPUs for people and for statuses: `2`, `1500m`."""
    thousandths = math.ceil(amount * 1000)
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def bytes_text(amount: Fraction) -> str:
    """Bytes for people: `512Mi`, `23.5Gi`."""
    for suffix in ("Gi", "Mi", "Ki"):
        count = amount / _SUFFIXES[suffix]
        if count >= 1:
            return f"{float(count):.4g}{suffix}"
    return str(math.ceil(amount))
