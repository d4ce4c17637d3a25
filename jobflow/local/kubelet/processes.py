"""Processes: the asyncio side of the supervisor.

In: a Launch (arguments, environment, directory, mounts, log file). Out: a Process that can be signalled and waited
for, or Refused. The supervisor (`supervisor/`) is started at once and again should it die; what it ran is then killed
here by process group, and whoever waits gets SupervisorGone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import structlog

from jobflow.local.kubelet.leftovers import end_leftovers, owner_of
from jobflow.local.kubelet.supervisor.mounts import Mount

SOURCES = Path(__file__).parents[3]  # the directory that has the package jobflow
INTERPRETER_FLAGS = ("-I", "-S", "-B")  # isolated, no site-packages, no .pyc: starts in milliseconds
PROGRAM = "import sys; sys.path.append(sys.argv.pop()); from jobflow.local.kubelet.supervisor.main import main; main()"
CLOSING_SECONDS = 5.0  # it needs milliseconds to kill everything; longer means a process the kernel cannot end
NANOSECONDS = 1_000_000_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run, and the file its output goes to."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    mounts: tuple[Mount, ...] = ()
    hostname: str = ""  # of its own, where it has mounts; else the machine's


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended; killed by signal n, its code is 128 + n."""

    code: int
    signal: int
    at: datetime
    lost: int = 0  # bytes of its log that the disk had no room for


class Refused(Exception):
    """The process could not be started. `kind` is command, cwd, mount or other."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class SupervisorGone(Exception):
    """The supervisor died, and with it all it ran."""


class _Answer(msgspec.Struct, frozen=True):
    event: str
    id: str
    pid: int = 0
    at: int = 0
    code: int = 0
    signal: int = 0
    kind: str = ""
    message: str = ""
    lost: int = 0

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.at / NANOSECONDS, UTC)


class Process:
    """A running process group."""

    def __init__(self, owner: Processes, name: str, started: _Answer, ended: asyncio.Future[Exit]) -> None:
        self._owner = owner
        self._name = name
        self._ended = ended
        self.pid = started.pid
        self.started_at = started.time

    async def wait(self) -> Exit:
        """Its end. Raises SupervisorGone."""
        return await asyncio.shield(self._ended)

    async def ended(self) -> None:
        """Until it has ended, however it did."""
        await asyncio.wait({self._ended})

    @property
    def has_ended(self) -> bool:
        """It is not there any more."""
        return self._ended.done()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; nothing happens where it has ended."""
        self._owner.send({"op": "signal", "id": self._name, "signal": int(number)})


class Processes:
    """Starts processes through one supervisor, which `run` keeps alive. `directory` is of this runtime alone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._owner = owner_of(directory)
        self._pipe: asyncio.StreamWriter | None = None
        self._up = asyncio.Event()
        self._names: Iterator[int] = count(1)
        self._starting: dict[str, asyncio.Future[_Answer]] = {}
        self._ended: dict[str, asyncio.Future[Exit]] = {}
        self._groups: dict[str, int] = {}
        self._mount_trouble = ""
        self.supervisor_pid: int | None = None

    async def mount_trouble(self) -> str:
        """Why processes cannot have mounts on this machine; empty where they can."""
        await self._up.wait()
        return self._mount_trouble

    async def run(self) -> None:
        """Keep a supervisor until cancelled; then it kills what is left, and ends."""
        await asyncio.to_thread(self._clear)
        while True:
            supervisor = await asyncio.create_subprocess_exec(
                sys.executable,
                *INTERPRETER_FLAGS,
                "-c",
                PROGRAM,
                str(self._directory),
                str(SOURCES),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,  # the terminal's Ctrl-C is for us to handle
            )
            try:
                await self._listen(supervisor)
            finally:
                self._pipe, self.supervisor_pid = None, None
                self._up.clear()
                await _close(supervisor)
                self._abandon()
            log.error("the process supervisor ended unexpectedly; starting another", code=supervisor.returncode)
            await asyncio.to_thread(self._clear)  # what it noted, and children that cleared their environment

    def _clear(self) -> None:
        """End what earlier supervisors on this directory left."""
        self._directory.mkdir(parents=True, exist_ok=True)
        if ended := end_leftovers(self._directory):
            log.warning("ended processes that an earlier run had left", processes=ended)

    async def start(self, launch: Launch) -> Process:
        """Start a process. Raises Refused, or SupervisorGone."""
        await self._up.wait()
        loop = asyncio.get_running_loop()
        name = f"{self._owner}.{os.getpid()}-{next(self._names)}"
        answer = self._starting[name] = loop.create_future()
        ended = self._ended[name] = loop.create_future()
        self.send(
            {
                "op": "start",
                "id": name,
                "argv": launch.argv,
                "env": dict(launch.env),
                "cwd": str(launch.cwd),
                "log": str(launch.log),
                "mounts": launch.mounts,
                "hostname": launch.hostname,
            }
        )
        try:
            return Process(self, name, await asyncio.shield(answer), ended)
        except Refused:
            self._ended.pop(name, None)
            raise
        except asyncio.CancelledError:
            self.send({"op": "signal", "id": name, "signal": int(signal.SIGKILL)})
            raise

    def send(self, command: Mapping[str, object]) -> None:
        """Give the supervisor a command; without one there is nothing to command."""
        if self._pipe is not None and not self._pipe.is_closing():
            self._pipe.write(msgspec.json.encode(command) + b"\n")

    async def _listen(self, supervisor: asyncio.subprocess.Process) -> None:
        assert supervisor.stdin is not None
        assert supervisor.stdout is not None
        self._pipe, self.supervisor_pid = supervisor.stdin, supervisor.pid
        decoder = msgspec.json.Decoder(_Answer)
        while line := await supervisor.stdout.readline():
            self._hear(decoder.decode(line))

    def _hear(self, answer: _Answer) -> None:
        match answer.event:
            case "ready":
                self._mount_trouble = answer.message
                self._up.set()
            case "started":
                self._groups[answer.id] = answer.pid
                if (starting := self._starting.pop(answer.id, None)) and not starting.done():
                    starting.set_result(answer)
            case "refused":
                if (starting := self._starting.pop(answer.id, None)) and not starting.done():
                    starting.set_exception(Refused(answer.kind, answer.message))
            case "exited":
                self._groups.pop(answer.id, None)
                if (ended := self._ended.pop(answer.id, None)) and not ended.done():
                    ended.set_result(Exit(answer.code, answer.signal, answer.time, answer.lost))

    def _abandon(self) -> None:
        """The supervisor is gone: the kernel killed its children, but not what those had started."""
        for group in self._groups.values():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        waiting: list[asyncio.Future[Any]] = [*self._starting.values(), *self._ended.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(SupervisorGone("the process supervisor ended, and all containers with it"))
                future.exception()  # looked at: nobody may be waiting for it
        self._groups.clear()
        self._starting.clear()
        self._ended.clear()


async def _close(supervisor: asyncio.subprocess.Process) -> None:
    """Close its stdin, which ends it and all it runs; wait for that."""
    assert supervisor.stdin is not None
    supervisor.stdin.close()
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            await supervisor.wait()
    except TimeoutError:
        supervisor.kill()
        await supervisor.wait()
