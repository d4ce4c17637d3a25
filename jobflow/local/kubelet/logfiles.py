"""Reading container logs: the CRI records that the supervisor wrote, as `kubectl logs` wants them.

In: a log file that may still grow, and LogOptions. Out: bytes in the order written: from the last
`tail_lines` or from `since_seconds` ago, with or without times, no more than `limit_bytes`, on and on while
`follow` and the container runs. A record is `<RFC 3339 time> <stream> F|P <text>`; P marks text whose line
goes on in the next record. All file access is in threads.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from jobflow.clock import Clock
from jobflow.local.apiserver.reads.logs import LogOptions

READ_BYTES = 256 * 1024
FOLLOW_SECONDS = 0.1  # how soon a follower sees a new line
_LINE = re.compile(rb"(?:^|(?<=\n))\S+ \S+ F [^\n]*\n")  # a record that ends its line


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log to read: where it is once there is one, and whether anything more will come."""

    path: Callable[[], Path | None]
    ended: Callable[[], bool]
    what: str
    waits: Callable[[], str] = lambda: "ContainerCreating"  # why it has not started


async def read(log: LogFile, options: LogOptions, clock: Clock) -> AsyncIterator[bytes]:
    """The text of the log. Raises LookupError where there is none and none is waited for."""
    path = await _existing(log, options, clock)
    if path is None:
        return
    start = await asyncio.to_thread(_start, path, options.tail_lines)
    text = _Text(_since(options, clock), timestamps=options.timestamps)
    left = options.limit_bytes
    async for records in _records(path, start, log, options, clock):
        out = text.of(records)
        if left is not None:
            out, left = out[:left], left - len(out[:left])
        if out:
            yield out
        if left == 0:
            return


async def _existing(log: LogFile, options: LogOptions, clock: Clock) -> Path | None:
    while True:
        ended = log.ended()  # asked first: the file of a run is there before its end is known
        path = await asyncio.to_thread(log.path)
        if path is not None and await asyncio.to_thread(path.exists):
            return path
        if options.previous:
            raise LookupError(f"previous terminated {log.what} not found")
        if ended or not options.follow:
            if ended:
                return None  # it never ran: nothing was printed
            raise LookupError(f"{log.what} is waiting to start: {log.waits()}")
        await clock.sleep(FOLLOW_SECONDS)


async def _records(
    path: Path, start: int, log: LogFile, options: LogOptions, clock: Clock
) -> AsyncIterator[list[bytes]]:
    """Complete records from `start` on, some at a time."""
    rest, at = b"", start
    while True:
        ended = log.ended() or not options.follow
        newer = None if options.previous else await asyncio.to_thread(log.path)
        data = await asyncio.to_thread(_read_at, path, at)
        at += len(data)
        *records, rest = (rest + data).split(b"\n")
        if records:
            yield records
        if data:
            continue
        if options.follow and newer is not None and newer != path:
            path, at, rest = newer, 0, b""  # the container was restarted: its next run has another file
        elif ended:
            return
        else:
            await clock.sleep(FOLLOW_SECONDS)


def _read_at(path: Path, at: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(READ_BYTES)


def _start(path: Path, tail_lines: int | None) -> int:
    """Where the last `tail_lines` lines begin; read from the end, no more than is needed."""
    if tail_lines is None:
        return 0
    with path.open("rb") as file:
        at = file.seek(0, 2)
        data, ends, lines = b"", [at], 0
        while at > 0 and lines <= tail_lines:
            size = min(READ_BYTES, at)
            at -= size
            file.seek(at)
            data = file.read(size) + data
            whole = data.find(b"\n") + 1 if at else 0  # the first record may begin in the block before
            ends = [whole, *(found.end() for found in _LINE.finditer(data, whole))]
            lines = len(ends) - 1 + (ends[-1] != len(data))  # a last line may not have ended yet
    return at + ends[max(lines - tail_lines, 0)] if lines else 0


def _since(options: LogOptions, clock: Clock) -> bytes:
    if options.since_seconds is None:
        return b""
    moment = clock.now() - timedelta(seconds=options.since_seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}000Z".encode()


class _Text:
    """Turns records into what was printed."""

    def __init__(self, since: bytes, *, timestamps: bool) -> None:
        self._since = since
        self._timestamps = timestamps
        self._within_line = False

    def of(self, records: list[bytes]) -> bytes:
        """The text of these records; the tag says where a line ends."""
        return b"".join(self._one(record) for record in records if record)

    def _one(self, record: bytes) -> bytes:
        time, _, rest = record.partition(b" ")
        if time < self._since:
            return b""
        _, tag, text = rest.split(b" ", 2)
        prefix = time + b" " if self._timestamps and not self._within_line else b""
        self._within_line = tag == b"P"
        return prefix + text + (b"" if self._within_line else b"\n")
