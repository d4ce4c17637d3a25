"""Processes of a test: replicas of the controller, and the player of Volcano's part.

In: an account of the cluster, or its administrator's kubeconfig. Out: a process that can be killed, frozen, thawed and
stopped by its id, with its log and, for a replica, its metrics and health. Each is told by the kernel to end when the
tests do, however that comes about.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.installed import LOOK_SECONDS, Account, wait_until
from envtest.control_plane import Program, start_program

from jobflow.deploy.names import NAMESPACE as SYSTEM

PLAYER = Path(__file__).with_name("player.py")
START_SECONDS = 120.0
STOP_SECONDS = 40.0  # it drains for 20 at most, sends events for 2, gives the Lease back in 2
ASK_SECONDS = 5.0


def run(name: str, log: Path, *command: str) -> Program:
    """Start a program; its output goes to the log."""
    return start_program(name, list(command), log)


@dataclass
class Running:
    """A process that may be frozen."""

    program: Program
    frozen: bool = False
    to_end: bool = False  # a test has ended it, or is about to

    @property
    def alive(self) -> bool:
        """It has not ended."""
        return self.program.process.poll() is None

    def kill(self) -> None:
        """kill -9."""
        self.to_end = True
        self.program.process.kill()
        self.program.process.wait()

    def freeze(self) -> None:
        """SIGSTOP: its sockets stay open, its clocks go on, it does nothing."""
        self.program.process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        self.program.process.send_signal(signal.SIGCONT)
        self.frozen = False

    def stop(self) -> int:
        """SIGTERM, and wait; returns the exit code."""
        self.to_end = True
        self.program.process.terminate()
        return self.program.process.wait(STOP_SECONDS)

    def end(self) -> None:
        """Whatever is left of it."""
        if self.alive:
            self.kill()


@dataclass
class Replica(Running):
    """`jobflow controller` with an account of its own."""

    user: str = ""

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it logged."""
        text = self.program.log.read_text(errors="replace")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]

    def said(self, event: str) -> int:
        """How often it logged this."""
        return self.program.log.read_text(errors="replace").count(f'"event": {json.dumps(event)}')

    @property
    def leads(self) -> bool:
        """By the last thing that it said of it."""
        told = [line["event"] for line in self.lines if line["event"] in ELECTION]
        return bool(told) and told[-1] == "leading"

    @property
    def address(self) -> str:
        """Where it serves metrics and health."""
        return next(str(line["address"]) for line in self.lines if line["event"] == "serving metrics and health")

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of /metrics, /healthz or /readyz."""
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=ASK_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, series: str) -> float:
        """The value of one series, such as `jobflow_leading`."""
        found = re.search(rf"^{re.escape(series)} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        assert found, f"{series} is not among the metrics"
        return float(found[1])


ELECTION = ("leading", "standing by", "leadership lost: the work is being stopped", "lease released")


@dataclass
class Player(Running):
    """Plays Volcano's Job controller."""

    starts: Path = Path()

    @property
    def ran(self) -> Counter[str]:
        """How many Jobs ran under each `namespace/name`."""
        return Counter(line.split()[1] for line in self.starts.read_text().splitlines())


@dataclass
class Processes:
    """Starts processes, and ends what is left of them."""

    directory: Path
    started: list[Running] = field(default_factory=list)

    def replica(self, account: Account, *options: str) -> Replica:
        """A controller; returns once its cache is filled."""
        log = self.directory / f"replica-{len(self.started)}.log"
        command = (sys.executable, "-m", "jobflow", "controller", "--kubeconfig", account.kubeconfig)
        common = ("--log-format", "json", "--metrics-address", "127.0.0.1:0", "--lease-namespace", SYSTEM)
        replica = Replica(run(account.user, log, *command, *common, *options), user=account.user)
        self.started.append(replica)
        replica.program.wait_for(lambda: bool(replica.said("cache filled")), START_SECONDS)
        return replica

    def player(self, kubeconfig: Path, *options: str) -> Player:
        """A player of all namespaces. `options` are those of player.py."""
        starts = self.directory / f"starts-{len(self.started)}"
        starts.touch()
        log = self.directory / f"player-{len(self.started)}.log"
        command = (sys.executable, str(PLAYER), "--kubeconfig", str(kubeconfig), "--starts", str(starts))
        player = Player(run("player", log, *command, *options), starts=starts)
        self.started.append(player)
        return player

    def wait_until(self, condition: Any, seconds: float, told: Any = str, every: float = LOOK_SECONDS) -> float:
        """Look until it holds; fails when a process has ended by itself. How long that took."""

        def holds() -> bool:
            for one in self.started:
                assert one.alive or one.to_end, f"ended by itself: {one.program.told()}"
            return bool(condition())

        return wait_until(holds, seconds, told, every)

    def end(self) -> None:
        """End them all."""
        for one in self.started:
            one.end()
