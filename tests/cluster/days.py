"""Days: a controller as a process, flows, and how every bad day has to end.

In: a cluster and what starts processes. Out: a `Day`: kubeconfigs that lead through a proxy, controllers that are
started whether or not they come far, and `ends_well`: all flows Succeed, each step's Job was created once and ran
once, and then nothing is written any more.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cluster.diamonds import Diamonds
from cluster.installed import Account, Cluster
from cluster.processes import Player, Processes, Replica, run

ODD = Path(__file__).with_name("odd.py")
BOUND_SECONDS = 90.0  # against hanging
LOOK_SECONDS = 0.25  # between two looks whether it rests
REST_SECONDS = 4.0  # longer than anything that is still to be written once the flows have ended


@dataclass
class PlayerIn(Player):
    """A player of all namespaces, as far as one of them is concerned."""

    namespace: str = ""

    @property
    def ran(self) -> Counter[str]:
        """How many Jobs ran under each name there."""
        inside = f"{self.namespace}/"
        return Counter({name: times for name, times in super().ran.items() if name.startswith(inside)})


@dataclass
class Day:
    """One controller with an account of its own, one player, diamonds in one namespace."""

    cluster: Cluster
    processes: Processes
    diamonds: Diamonds
    account: Account
    _files: list[Path] = field(default_factory=list)

    @classmethod
    def begin(cls, cluster: Cluster, processes: Processes, name: str = "day") -> Day:
        """Nothing runs but the player, of which one plays for all days of a test."""
        playing = [one for one in processes.started if isinstance(one, Player)]
        player = playing[0] if playing else processes.player(cluster.plane.kubeconfig)
        namespace = cluster.namespace(name)
        here = PlayerIn(player.program, starts=player.starts, namespace=namespace)
        diamonds = Diamonds(cluster, here, (namespace,))
        diamonds.prepare()
        return cls(cluster, processes, diamonds, cluster.account(name))

    @property
    def namespace(self) -> str:
        """Where the flows are."""
        return self.diamonds.namespaces[0]

    def kubeconfig(self, server: str = "", user: dict[str, Any] | None = None, **cluster: Any) -> Path:
        """The account's, with another server, another user, other ways to trust; or fields left out, as None."""
        document = yaml.safe_load(Path(self.account.kubeconfig).read_text())
        told = document["clusters"][0]["cluster"]
        told |= ({"server": server} if server else {}) | cluster
        document["clusters"][0]["cluster"] = {key: value for key, value in told.items() if value is not None}
        if user is not None:
            document["users"][0]["user"] = user
        path = self.processes.directory / f"kubeconfig-{len(self._files)}"
        path.write_text(yaml.safe_dump(document))
        self._files.append(path)
        return path

    def controller(self, kubeconfig: Path | str | None = None, *options: str) -> Replica:
        """`jobflow controller`; returns at once."""
        common = ("--log-format=json", "--metrics-address=127.0.0.1:0")
        return self._start("-m", "jobflow", "controller", self._named(kubeconfig), *common, *options)

    def odd_controller(self, kubeconfig: Path | str | None = None, *options: str) -> Replica:
        """The same on an odd machine (odd.py)."""
        return self._start(str(ODD), self._named(kubeconfig), *options)

    def wait_until(self, holds: Callable[[], Any], replica: Replica, seconds: float = BOUND_SECONDS) -> None:
        """Until it holds; a failure shows the controller's log, and how the flows stand."""

        def told() -> str:
            return f"{replica.program.told()}\n{self.cluster.phases(self.namespace)}\n{_readiness(replica)}"

        self.processes.wait_until(holds, seconds, told)

    def filled(self, replica: Replica) -> None:
        """Until its cache is."""
        self.wait_until(lambda: replica.said("cache filled"), replica)

    def ready(self, replica: Replica) -> bool:
        """/readyz says so."""
        return replica.get("/readyz")[0] == 200

    def ends_well(self, replica: Replica) -> None:
        """The end of every bad day."""
        self.diamonds.succeed(self.processes)
        self.diamonds.each_step_ran_once()
        self.diamonds.each_child_was_created_once()
        self.rests(replica)
        self.wait_until(lambda: self.ready(replica), replica)  # a watch may be the last to look again

    def rests(self, replica: Replica) -> None:
        """Nothing is written, and nothing is thought about."""

        passes, since = _passes(replica), time.time()

        def quiet() -> bool:
            """For so long; where something happened, it is counted anew from there."""
            nonlocal passes, since
            time.sleep(LOOK_SECONDS)
            now, told = time.time(), _passes(replica)
            if told != passes or self.cluster.audit.writes(replica.user, since=since):
                passes, since = told, now
            return now - since >= REST_SECONDS

        self.wait_until(quiet, replica)

    def _named(self, kubeconfig: Path | str | None) -> str:
        return f"--kubeconfig={kubeconfig or self.account.kubeconfig}"

    def _start(self, *command: str) -> Replica:
        log = self.processes.directory / f"controller-{len(self.processes.started)}.log"
        replica = Replica(run(self.account.user, log, sys.executable, *command), user=self.account.user)
        self.processes.started.append(replica)
        return replica


def _passes(replica: Replica) -> float:
    """How often the loop has looked at anything."""
    lines = replica.get("/metrics")[1].splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("jobflow_reconcile_seconds_count"))


def _readiness(replica: Replica) -> str:
    try:
        return replica.get("/readyz")[1]
    except (OSError, StopIteration):
        return "it does not answer"
