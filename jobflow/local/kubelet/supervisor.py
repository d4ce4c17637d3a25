"""Supervisor: the one parent of all container processes of a kubelet, in a process of its own.

In, on stdin, a JSON object a line: {"op": "start", "id", "argv", "env", "cwd", "log"} and {"op": "signal",
"id", "signal"}. Out, on stdout: {"event": "started", "id", "pid", "at"}, {"event": "refused", "id", "kind",
"message"}, {"event": "exited", "id", "code", "signal", "at"}; times are nanoseconds of the wall clock. What
containers print goes to their log files in the CRI format. The end of stdin means that the kubelet is gone,
however it went: every process is killed, and the supervisor ends. It is run by path, with the standard
library alone, so that it is small and starts in a few milliseconds; it must not import jobflow.

On Linux it is a child subreaper: daemons that containers leave behind become its children, are known by a
variable in their environment, and die with their container. Elsewhere only the process group of a container
can be killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

MARK = "JOBFLOW_CONTAINER"  # which container a process belongs to; how orphans are told apart
LOG_CHUNK_BYTES = 16 * 1024  # longest line in one record; longer ones are split and tagged P, as CRI does
READ_BYTES = 64 * 1024
LAST_OUTPUT_SECONDS = 1.0  # what is still in the pipe of a dead container is read for so long
LAST_GRACE_SECONDS = 1.0  # between SIGTERM and SIGKILL once the kubelet is gone: nobody waits for us any more
LOOK_SECONDS = 0.01
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
PR_SET_CHILD_SUBREAPER = 36
LINUX = sys.platform.startswith("linux")
_prctl: Callable[..., int] | None = ctypes.CDLL(None).prctl if LINUX else None


class LogWriter:
    """Writes what a container prints as CRI records: `<RFC 3339 time> stdout F|P <line>`."""

    def __init__(self, path: str) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = open(path, "ab", buffering=0)  # noqa: SIM115 (closed when the pipe ends)
        self._rest = b""

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
        with contextlib.suppress(OSError):  # a full disk costs output, not the containers
            self._file.write(records)


def _timestamp() -> bytes:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{nanoseconds:09d}Z".encode()


def _records(now: bytes, line: bytes) -> list[bytes]:
    chunks = [line[at : at + LOG_CHUNK_BYTES] for at in range(0, len(line), LOG_CHUNK_BYTES)] or [b""]
    return [*(_record(now, b"P", chunk) for chunk in chunks[:-1]), _record(now, b"F", chunks[-1])]


def _record(now: bytes, tag: bytes, chunk: bytes) -> bytes:
    return b"%b stdout %b %b\n" % (now, tag, chunk)


class Container:
    """One running process group, and the pipe its output comes through."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: LogWriter) -> None:
        assert process.stdout is not None
        self.name = name
        self.process = process
        self.log = log
        self.pipe: IO[bytes] | None = process.stdout
        self.exited: dict[str, Any] | None = None  # the event to send once the output is read
        self.patience = 0.0  # monotonic time after which the rest of the output is given up


class Supervisor:
    """Reads commands, reaps children, copies output: one thread, one selector."""

    def __init__(self, commands: int, answers: IO[bytes]) -> None:
        self._commands = commands
        self._answers = answers
        self._partial = b""
        self._containers: dict[str, Container] = {}
        self._selector = selectors.DefaultSelector()
        self._ended = False
        self._supervisor = os.getpid()

    def run(self) -> None:
        """Until stdin ends or SIGTERM comes; then kill everything."""
        wake_read, wake_write = os.pipe()
        for end in (wake_read, wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, lambda number, frame: self._end())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's: the kubelet decides
        if _prctl is not None:
            _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._selector.register(self._commands, selectors.EVENT_READ, self._read_commands)
        self._selector.register(wake_read, selectors.EVENT_READ, lambda: _drain(wake_read))
        try:
            self._loop()
        finally:
            self._kill_everything()

    def _loop(self) -> None:
        while not self._ended:
            for key, _ in self._selector.select(self._timeout()):
                key.data()
            self._reap()
            self._report()

    def _timeout(self) -> float | None:
        waiting = [container.patience for container in self._containers.values() if container.exited]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def _end(self) -> None:
        self._ended = True

    def _read_commands(self) -> None:
        data = os.read(self._commands, READ_BYTES)
        if not data:
            self._end()
            return
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if command["op"] == "start":
                self._start(command)
            elif container := self._containers.get(command["id"]):
                _signal_group(container.process.pid, command["signal"])

    def _start(self, command: dict[str, Any]) -> None:
        name = command["id"]
        log = None
        try:
            log = LogWriter(command["log"])
            process = subprocess.Popen(
                command["argv"],
                env={**command["env"], MARK: name},
                cwd=command["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=self._die_with_me,  # safe: one thread, nothing to deadlock with
                bufsize=0,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            if log is not None:
                log.close()
            self._send({"event": "refused", "id": name, **_refusal(error, command["cwd"])})
            return
        container = Container(name, process, log)
        assert container.pipe is not None
        os.set_blocking(container.pipe.fileno(), False)
        self._containers[name] = container
        self._selector.register(container.pipe, selectors.EVENT_READ, lambda: self._copy(container))
        self._send({"event": "started", "id": name, "pid": process.pid, "at": time.time_ns()})

    def _die_with_me(self) -> None:
        """Runs in the child before exec: the kernel kills it should the supervisor itself be killed."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # an ignored signal would stay ignored across exec
        if _prctl is not None:
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != self._supervisor:
                os._exit(1)  # it was killed between fork and prctl

    def _copy(self, container: Container) -> None:
        if container.pipe is None:
            return
        try:
            data = os.read(container.pipe.fileno(), READ_BYTES)
        except BlockingIOError:
            return
        if data:
            container.log.write(data)
        else:
            self._close(container)

    def _close(self, container: Container) -> None:
        if container.pipe is not None:
            self._selector.unregister(container.pipe)
            container.pipe.close()
            container.pipe = None
            container.log.close()

    def _reap(self) -> None:
        """Collect the dead: containers, and orphans that they left to us."""
        by_pid = {container.process.pid: container for container in self._containers.values()}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if container := by_pid.get(pid):
                self._exited(container, status)

    def _exited(self, container: Container, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        container.process.returncode = code  # it is reaped: Popen must not wait for it
        signal_number = -code if code < 0 else 0
        container.exited = {
            "event": "exited",
            "id": container.name,
            "code": 128 + signal_number if signal_number else code,
            "signal": signal_number,
            "at": time.time_ns(),
        }
        container.patience = time.monotonic() + LAST_OUTPUT_SECONDS
        _signal_group(container.process.pid, signal.SIGKILL)  # a container ends with its first process
        self._kill_orphans(container.name)

    def _report(self) -> None:
        """Send the end of containers whose output is read to its end, or whose time for that is over."""
        now = time.monotonic()
        for container in [each for each in self._containers.values() if each.exited]:
            if container.pipe is None or container.patience <= now:
                self._close(container)
                del self._containers[container.name]
                assert container.exited is not None
                self._send(container.exited)

    def _kill_orphans(self, name: str) -> None:
        """Kill what a container left behind outside its group; its children come to us in turn."""
        mark = f"{MARK}={name}".encode()
        while True:
            orphans = [pid for pid in _children() if mark in _environment(pid)]
            if not orphans:
                return
            for pid in orphans:
                _kill(pid)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _kill_everything(self) -> None:
        self._ask_to_end()
        for container in self._containers.values():
            _signal_group(container.process.pid, signal.SIGKILL)
        while children := _children():  # each round brings us the children of those that died
            for pid in children:
                _kill(pid)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)
        for container in list(self._containers.values()):
            self._close(container)

    def _ask_to_end(self) -> None:
        """SIGTERM to the containers, and a moment for them to go."""
        for container in self._containers.values():
            if container.exited is None:
                _signal_group(container.process.pid, signal.SIGTERM)
        until = time.monotonic() + LAST_GRACE_SECONDS
        while time.monotonic() < until and any(each.exited is None for each in self._containers.values()):
            self._reap()
            time.sleep(LOOK_SECONDS)

    def _send(self, answer: dict[str, Any]) -> None:
        try:
            self._answers.write(json.dumps(answer).encode() + b"\n")
            self._answers.flush()
        except OSError:
            self._end()  # nobody listens any more


def _refusal(error: Exception, cwd: str) -> dict[str, str]:
    """Why a process could not be started; `kind` says what the user has to look at."""
    if isinstance(error, OSError) and error.filename == cwd:
        return {"kind": "cwd", "message": f"{error.strerror}: {cwd}"}
    if isinstance(error, FileNotFoundError):
        return {"kind": "command", "message": "no such file or directory"}
    if isinstance(error, OSError):
        return {"kind": "other", "message": error.strerror or str(error)}
    return {"kind": "other", "message": str(error)}


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _children() -> list[int]:
    """Our children now, zombies included; empty where the system does not tell."""
    try:
        return [int(pid) for pid in Path("/proc/thread-self/children").read_text().split()]
    except OSError:
        return _children_by_parent()


def _children_by_parent() -> list[int]:
    """The same where the kernel lacks the `children` file: by the parent that each process names."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid():
                found.append(int(status.parent.name))
    return found


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _drain(descriptor: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(descriptor, 4096):
            pass


def main() -> None:
    """Speak over stdin and stdout, and keep both from the containers."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    Supervisor(sys.stdin.fileno(), answers).run()


if __name__ == "__main__":
    main()
