"""Logs: what containers print, as CRI records.

In: bytes as they come out of a pipe. Out: records `<RFC 3339 time> stdout F|P <line>` in a file. P marks text whose
line goes on in the next record.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO

LOG_CHUNK_BYTES = 16 * 1024  # longest line in one record; longer ones are split and tagged P, as CRI does


class LogWriter:
    """The log file of one run of a container."""

    def __init__(self, path: str) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = open(path, "ab", buffering=0)  # noqa: SIM115 (closed when the pipe ends)
        self._rest = b""
        self.lost = 0  # bytes that the disk had no room for

    def write(self, data: bytes) -> None:
        """Write whole lines; keep what has no newline yet."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        now = _timestamp()
        records = [record for line in lines for record in _records(now, line)]
        while len(self._rest) >= LOG_CHUNK_BYTES:
            records.append(_record(now, b"P", self._rest[:LOG_CHUNK_BYTES]))
            self._rest = self._rest[LOG_CHUNK_BYTES:]
        self._append(b"".join(records))

    def close(self) -> None:
        """Write the last line even where it has no newline; tag P says so."""
        if self._rest:
            self._append(_record(_timestamp(), b"P", self._rest))
        self._file.close()

    def _append(self, records: bytes) -> None:
        try:
            self.lost += len(records) - (self._file.write(records) or 0)
        except OSError:  # a full disk costs output, not the containers
            self.lost += len(records)


def _timestamp() -> bytes:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{nanoseconds:09d}Z".encode()


def _records(now: bytes, line: bytes) -> list[bytes]:
    chunks = [line[at : at + LOG_CHUNK_BYTES] for at in range(0, len(line), LOG_CHUNK_BYTES)] or [b""]
    return [*(_record(now, b"P", chunk) for chunk in chunks[:-1]), _record(now, b"F", chunks[-1])]


def _record(now: bytes, tag: bytes, chunk: bytes) -> bytes:
    return b"%b stdout %b %b\n" % (now, tag, chunk)
