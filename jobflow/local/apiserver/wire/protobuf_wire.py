"""The wire format of protobuf. In: the bytes of one message. Out: its fields as (number, value), in the order sent.

A value is a whole number or bytes; what they mean, and whether bytes are a message themselves, only the
reader knows.
"""

from __future__ import annotations

from collections.abc import Iterator

Wire = int | bytes

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_VARINT_BYTES = 10  # 64 bits, seven in each byte
SIGN = 1 << 63


def fields(data: bytes) -> Iterator[tuple[int, Wire]]:
    """The fields of a message. Raises ValueError where it ends too early or is no message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value: Wire
            value, at = _varint(data, at)
        elif kind in (BYTES, FIXED32, FIXED64):
            length = {FIXED32: 4, FIXED64: 8}.get(kind)
            if length is None:
                length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("a field is longer than its message")
            value, at = data[at : at + length], at + length
        else:
            raise ValueError(f"unknown wire type {kind}")
        yield tag >> 3, value


def signed(value: int) -> int:
    """A 64-bit number as Go has it: negative ones travel as their complement."""
    return value - 2 * SIGN if value & SIGN else value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(MAX_VARINT_BYTES):
        if at + index >= len(data):
            raise ValueError("a number is cut off")
        byte = data[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("a number is longer than 64 bits")
