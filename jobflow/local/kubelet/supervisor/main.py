"""The loop of the supervisor: commands in, processes and what becomes of them out.

In, on stdin, a JSON object a line: {"op": "start", "id", "argv", "env", "cwd", "log", "mounts", "hostname"} and
{"op": "signal", "id", "signal"}. Out, on stdout: first {"event": "ready", "message"}, whose message says why mounts
are not possible here, empty where they are; then {"event": "started", "id", "pid", "at"}, {"event": "refused", "id",
"kind", "message"}, {"event": "exited", "id", "code", "signal", "at", "lost"}; times are nanoseconds of the wall
clock. The end of stdin means that the kubelet is gone, however it went: every process is killed, and the supervisor
ends.

On Linux it is a child subreaper: daemons that containers leave behind become its children, are known by a variable in
their environment, and die with their container. Elsewhere only the process group of a container can be killed. Each
process is noted in a file, for whoever comes after a supervisor that was killed itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import IO, Any

from jobflow.local.kubelet.supervisor import kernel, mounts
from jobflow.local.kubelet.supervisor.launch import Launched, Order, launch, read_refusal
from jobflow.local.kubelet.supervisor.logs import LogWriter

READ_BYTES = 64 * 1024
LAST_OUTPUT_SECONDS = 1.0  # what is still in the pipe of a dead container is read for so long
LAST_GRACE_SECONDS = 1.0  # between SIGTERM and SIGKILL once the kubelet is gone: nobody waits for us any more
LOOK_SECONDS = 0.01
RECORD = "processes"  # file of `<pid> <start time>` lines, one a container
STAGING = "root"  # directory that stays empty: where roots of containers are put together


class Container:
    """One process group, and the pipe its output comes through."""

    def __init__(self, name: str, launched: Launched, log: LogWriter) -> None:
        self.name = name
        self.pid = launched.pid
        self.log = log
        self.output: int | None = launched.output
        self.refusal: int | None = launched.refusal  # open while the command is not known to run
        self.refused = False
        self.exited: dict[str, Any] | None = None  # the event to send once the output is read
        self.patience = 0.0  # monotonic time after which the rest of the output is given up


class Supervisor:
    """Reads commands, reaps children, copies output: one thread, one selector."""

    def __init__(self, commands: int, answers: IO[bytes], directory: Path) -> None:
        self._commands = commands
        self._answers = answers
        self._staging = directory / STAGING
        self._record: IO[str] = (directory / RECORD).open("a", buffering=1)
        self._partial = b""
        self._containers: dict[str, Container] = {}
        self._selector = selectors.DefaultSelector()
        self._ended = False

    def run(self) -> None:
        """Until stdin ends or SIGTERM comes; then kill everything."""
        wake_read, wake_write = os.pipe()
        for end in (wake_read, wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, lambda number, frame: self._end())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's: the kubelet decides
        kernel.become_subreaper()
        self._staging.mkdir(exist_ok=True)
        self._send({"event": "ready", "id": "", "message": mounts.trouble(str(self._staging))})
        self._selector.register(self._commands, selectors.EVENT_READ, self._read_commands)
        self._selector.register(wake_read, selectors.EVENT_READ, lambda: _drain(wake_read))
        try:
            self._loop()
        finally:
            self._kill_everything()
            self._record.truncate(0)
            self._record.close()

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
                kernel.signal_group(container.pid, command["signal"])

    def _start(self, command: dict[str, Any]) -> None:
        name = command["id"]
        order = Order(
            argv=command["argv"],
            env={**command["env"], kernel.MARK: name},
            cwd=command["cwd"],
            mounts=[mounts.Mount(*mount) for mount in command["mounts"]],
            staging=str(self._staging),
            hostname=command["hostname"],
        )
        log = None
        try:
            log = LogWriter(command["log"])
            launched = launch(order)
        except OSError as error:
            if log is not None:
                log.close()
            message = f"{error.strerror}: {error.filename or ''}".rstrip(": ")
            self._send({"event": "refused", "id": name, "kind": "other", "message": message})
            return
        self._note(launched.pid)
        container = self._containers[name] = Container(name, launched, log)
        self._selector.register(launched.output, selectors.EVENT_READ, lambda: self._copy(container))
        self._selector.register(launched.refusal, selectors.EVENT_READ, lambda: self._decide(container))

    def _note(self, pid: int) -> None:
        with contextlib.suppress(OSError):  # a full disk costs the note, not the container
            self._record.write(f"{pid} {kernel.start_time(pid)}\n")

    def _decide(self, container: Container) -> None:
        """The child has either become the command or given up."""
        if container.refusal is None:
            return
        self._selector.unregister(container.refusal)
        refusal, container.refusal = read_refusal(container.refusal), None
        if refusal is None:
            self._send({"event": "started", "id": container.name, "pid": container.pid, "at": time.time_ns()})
        else:
            container.refused = True
            self._send({"event": "refused", "id": container.name, **refusal})

    def _copy(self, container: Container) -> None:
        if container.output is None:
            return
        try:
            data = os.read(container.output, READ_BYTES)
        except BlockingIOError:
            return
        if data:
            container.log.write(data)
        else:
            self._close(container)

    def _close(self, container: Container) -> None:
        if container.output is not None:
            self._selector.unregister(container.output)
            os.close(container.output)
            container.output = None
            container.log.close()

    def _reap(self) -> None:
        """Collect the dead: containers, and orphans that they left to us."""
        by_pid = {container.pid: container for container in self._containers.values() if container.exited is None}
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
        signal_number = -code if code < 0 else 0
        container.exited = {
            "event": "exited",
            "id": container.name,
            "code": 128 + signal_number if signal_number else code,
            "signal": signal_number,
            "at": time.time_ns(),
        }
        container.patience = time.monotonic() + LAST_OUTPUT_SECONDS
        kernel.signal_group(container.pid, signal.SIGKILL)  # a container ends with its first process
        self._kill_orphans(container.name)

    def _report(self) -> None:
        """Send the end of containers whose output is read to its end, or whose time for that is over."""
        now = time.monotonic()
        for container in [each for each in self._containers.values() if each.exited]:
            self._decide(container)
            if container.output is None or container.patience <= now:
                self._close(container)
                del self._containers[container.name]
                assert container.exited is not None
                if not container.refused:
                    self._send({**container.exited, "lost": container.log.lost})

    def _kill_orphans(self, name: str) -> None:
        """Kill what a container left behind outside its group; its children come to us in turn."""
        mark = f"{kernel.MARK}={name}".encode()
        while orphans := [pid for pid in kernel.children() if mark in kernel.environment(pid)]:
            _kill_and_reap(orphans)

    def _kill_everything(self) -> None:
        self._ask_to_end()
        for container in self._containers.values():
            kernel.signal_group(container.pid, signal.SIGKILL)
        while left := kernel.children():  # each round brings us the children of those that died
            _kill_and_reap(left)
        for container in list(self._containers.values()):
            self._close(container)

    def _ask_to_end(self) -> None:
        """SIGTERM to the containers, and a moment for them to go."""
        for container in self._containers.values():
            if container.exited is None:
                kernel.signal_group(container.pid, signal.SIGTERM)
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


def _kill_and_reap(pids: list[int]) -> None:
    for pid in pids:
        kernel.kill(pid)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _drain(descriptor: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(descriptor, 4096):
            pass


def main() -> None:
    """Speak over stdin and stdout, and keep both from the containers."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    Supervisor(sys.stdin.fileno(), answers, Path(sys.argv[1])).run()
