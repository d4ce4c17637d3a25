"""Real processes: `jobflow up` in a directory of its own, and kubectl pointed at it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

START_SECONDS = 30.0
STOP_SECONDS = 30.0
EXAMPLES = Path(__file__).parents[2] / "examples"


def program(name: str) -> str:
    """A program installed beside the interpreter that runs the tests, else the one on PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed; `make test` installs it"
    return found


def wait_until(condition: Callable[[], bool], seconds: float, told: Callable[[], str]) -> None:
    """Look until it holds; a bound, not a measurement."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


@dataclass
class Server:
    """A running `jobflow up`."""

    process: subprocess.Popen[bytes]
    directory: Path

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    def kubectl(self, *words: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run kubectl as a user would, with KUBECONFIG set as `jobflow up` says."""
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.directory)}
        done = subprocess.run(
            [program("kubectl"), *words], input=stdin, env=environment, capture_output=True, text=True, timeout=90
        )
        assert not check or done.returncode == 0, f"kubectl {' '.join(words)}: {done.stdout}{done.stderr}"
        return done

    def stop(self) -> int:
        """End it as Ctrl-C does; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_SECONDS)


Up = Callable[..., Server]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Starts `jobflow up` with the options given, and ends whatever is left of it."""
    servers: list[Server] = []

    def start(*options: str) -> Server:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.unlink(missing_ok=True)
        log = (tmp_path / f"up-{len(servers)}.log").open("wb")
        command = [program("jobflow"), "up", "--port", "0", "--kubeconfig", str(kubeconfig), "--allow-root", *options]
        server = Server(subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path), tmp_path)
        servers.append(server)
        log.close()

        def told() -> str:
            return f"jobflow up did not start: {(tmp_path / f'up-{len(servers) - 1}.log').read_text()}"

        def ready() -> bool:
            assert server.process.poll() is None, told()
            return kubeconfig.exists() and server.kubectl("get", "--raw", "/readyz", check=False).returncode == 0

        wait_until(ready, START_SECONDS, told)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def examples() -> Path:
    return EXAMPLES


@pytest.fixture
def jobflow() -> str:
    """The command as users type it."""
    return program("jobflow")
