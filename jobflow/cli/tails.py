"""Tails: the last lines that a container printed.

In: a log file as the kubelet keeps it, records of `<RFC 3339 time> <stream> F|P <text>`. Out: the last lines of text,
without control characters. Only the end of the file is read: a training run prints gigabytes.
"""

from __future__ import annotations

from pathlib import Path

READ_BYTES = 128 * 1024
MAX_LINE_CHARACTERS = 500  # a progress bar without newlines is one line of megabytes


def tail(path: Path, lines: int) -> list[str]:
    """At most `lines` lines; none where the file is not there."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - READ_BYTES))
            records = file.read().split(b"\n")
    except OSError:
        return []
    if size > READ_BYTES:
        records = records[1:]  # it began before what was read
    return [_readable(text) for text in _texts(records)[-lines:]]


def _texts(records: list[bytes]) -> list[bytes]:
    """Whole lines; a record tagged P goes on in the next one."""
    texts: list[bytes] = []
    within_line = False
    for record in records:
        parts = record.split(b" ", 3)
        if len(parts) != 4:
            continue
        if within_line and texts:
            texts[-1] += parts[3]
        else:
            texts.append(parts[3])
        within_line = parts[2] == b"P"
    return texts


def _readable(text: bytes) -> str:
    decoded = text.decode(errors="replace").rstrip("\r").rpartition("\r")[2].expandtabs(4)
    shown = "".join(char if char.isprintable() else "?" for char in decoded)
    return shown if len(shown) <= MAX_LINE_CHARACTERS else shown[:MAX_LINE_CHARACTERS] + "..."
