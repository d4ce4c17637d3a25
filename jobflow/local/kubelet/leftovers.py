"""Leftovers: processes of containers that outlived both their kubelet and its supervisor.

In: the directory of a runtime that nobody uses any more, but we. Out: no process of an earlier runtime on it is left.
They are known by the mark in their environment, which children inherit, and by the pid and start time that the
supervisor noted, should a process have cleared its environment. Linux only: elsewhere processes cannot be told apart.
"""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path

from jobflow.local.kubelet.supervisor import kernel
from jobflow.local.kubelet.supervisor.main import RECORD

DIGEST_BYTES = 6


def owner_of(directory: Path) -> str:
    """What marks the processes of the runtime in this directory; the same after a restart."""
    return hashlib.blake2b(os.fsencode(directory), digest_size=DIGEST_BYTES).hexdigest()


def end_leftovers(directory: Path) -> int:
    """Kill what an earlier runtime left; how many processes that were. Blocks."""
    ended = _end_noted(directory / RECORD)
    mark = f"{kernel.MARK}={owner_of(directory)}.".encode()
    killed: set[int] = set()
    while marked := [pid for pid in kernel.processes() if pid not in killed and _is_marked(pid, mark)]:
        for pid in marked:  # what they start meanwhile is found in the next round
            kernel.kill(pid)
        killed.update(marked)
    return ended + len(killed)


def _is_marked(pid: int, mark: bytes) -> bool:
    return any(variable.startswith(mark) for variable in kernel.environment(pid))


def _end_noted(record: Path) -> int:
    try:
        lines = record.read_text().splitlines()
    except OSError:
        return 0
    ended = 0
    for line in lines:
        pid, _, started = line.partition(" ")
        if pid.isdigit() and started.isdigit() and kernel.start_time(int(pid)) == int(started):
            kernel.signal_group(int(pid), signal.SIGKILL)
            ended += 1
    record.unlink(missing_ok=True)
    return ended
