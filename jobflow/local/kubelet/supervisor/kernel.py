"""Kernel: what the supervisor asks Linux about processes, and what it asks it to do with them.

In: process ids. Out: children, environments, start times; signals sent. On systems without /proc the answers are empty:
then only the process group of a container can be known.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

MARK = "JOBFLOW_CONTAINER"  # which container a process belongs to; how orphans are told apart
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
PR_SET_CHILD_SUBREAPER = 36
LINUX = sys.platform.startswith("linux")
_START_TIME = 19  # place of field 22 of /proc/PID/stat after the command's closing parenthesis
_PARENT = 1

_prctl: Callable[..., int] | None = ctypes.CDLL(None).prctl if LINUX else None


def become_subreaper() -> None:
    """Daemons that containers leave behind become our children from now on."""
    if _prctl is not None:
        _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with(parent: int) -> None:
    """The kernel kills this process when `parent`, which started it, ends. A change of rights would undo it."""
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # it ended between fork and prctl


def signal_group(group: int, number: int) -> None:
    """Send a signal to a process group, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def kill(pid: int) -> None:
    """SIGKILL to one process, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def children() -> list[int]:
    """Our children now, zombies included; empty where the system does not tell."""
    try:
        return [int(pid) for pid in Path("/proc/thread-self/children").read_text().split()]
    except OSError:
        return [pid for pid in processes() if _stat(pid, _PARENT) == os.getpid()]


def processes() -> list[int]:
    """All processes of this machine that can be seen."""
    return [int(each.name) for each in Path("/proc").glob("[0-9]*")]


def environment(pid: int) -> list[bytes]:
    """`NAME=value` of each variable the process was started with; empty where that may not be known."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def start_time(pid: int) -> int | None:
    """When it started, in ticks since boot: with the pid it names a process for good. None where there is none."""
    return _stat(pid, _START_TIME)


def _stat(pid: int, place: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[place])
    except (OSError, IndexError, ValueError):
        return None
