"""Launch: one command becomes one process, leader of a session and a process group of its own.

In: arguments, environment, working directory, mounts. Out: a pid, the pipe of its output, and a pipe that tells whether
the command itself runs: it ends without a word when it does, else it brings a Refusal. The child forks, enters its
mounts and execs; it dies with the supervisor.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobflow.local.kubelet.supervisor import kernel, mounts
from jobflow.local.kubelet.supervisor.mounts import Mount, MountFailed

NOT_EXECUTED = 126  # seen by nobody: the refusal says more
RESET_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)


@dataclass(frozen=True)
class Order:
    """What to start. `staging` is an empty directory, needed where there are mounts."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    mounts: Sequence[Mount] = ()
    staging: str = ""
    hostname: str = ""


@dataclass(frozen=True)
class Launched:
    """A process that is on its way to be the command. The descriptors are the caller's to close."""

    pid: int
    output: int
    refusal: int


class _Failed(Exception):
    """`kind` says what the user has to look at: command, cwd, mount or other."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def launch(order: Order) -> Launched:
    """Fork. Raises OSError where the machine has no process or descriptor left."""
    supervisor = os.getpid()
    output, printing = os.pipe()
    refusal, refusing = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        for descriptor in (output, printing, refusal, refusing):
            os.close(descriptor)
        raise
    if pid == 0:
        _become(order, supervisor, printing, refusing)
    os.close(printing)
    os.close(refusing)
    os.set_blocking(output, False)
    return Launched(pid, output, refusal)


def read_refusal(descriptor: int) -> dict[str, Any] | None:
    """What the child said before it gave up; None where the command runs. To be called once there is something."""
    with os.fdopen(descriptor, "rb") as pipe:
        told = pipe.read()
    return dict(json.loads(told)) if told else None


def _become(order: Order, supervisor: int, printing: int, refusing: int) -> None:
    """In the child: never returns. All other descriptors of ours close with the exec."""
    try:
        _prepare(order, supervisor, printing)
        os.execvpe(order.argv[0], list(order.argv), dict(order.env))
    except _Failed as failed:
        told = {"kind": failed.kind, "message": str(failed)}
    except FileNotFoundError:
        told = {"kind": "command", "message": "no such file or directory"}
    except (OSError, ValueError) as error:
        told = {"kind": "other", "message": getattr(error, "strerror", None) or str(error)}
    except BaseException as error:
        told = {"kind": "other", "message": f"{type(error).__name__}: {error}"}
    os.write(refusing, json.dumps(told).encode())
    os._exit(NOT_EXECUTED)


def _prepare(order: Order, supervisor: int, printing: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in RESET_SIGNALS:
        signal.signal(number, signal.SIG_DFL)  # an ignored signal would stay ignored across exec
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, place in ((nothing, 0), (printing, 1), (printing, 2)):
        os.dup2(descriptor, place)
    if order.mounts:
        try:
            mounts.enter(order.mounts, order.staging, order.hostname)
        except MountFailed as failed:
            raise _Failed("mount", str(failed)) from failed
    kernel.die_with(supervisor)
    try:
        os.chdir(order.cwd)
    except OSError as error:
        raise _Failed("cwd", f"{error.strerror}: {order.cwd}") from error
