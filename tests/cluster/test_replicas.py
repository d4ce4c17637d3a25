"""Two replicas as processes on a real cluster: leaders are killed, frozen, thawed and stopped while flows run.

Each replica has an account of its own, so that the API server's audit log says whose each write is. What is checked
comes from that log (one clock, the server's) and from the player, which writes a line for each Job that begins to run.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest
from cluster.diamonds import Diamonds
from cluster.installed import Cluster
from cluster.processes import Processes, Replica

from jobflow.kube.leadership import Timing

pytestmark = [pytest.mark.real, pytest.mark.blocking]

LEASE_SECONDS = 6  # the least there is: tests wait for its end several times
TAKEOVER_SECONDS = 120.0  # bounds against hanging
BEGUN = 15  # children created of a burst: the leader is in the middle of it
REST_SECONDS = 2.0
UNSENT = "was not sent: this replica does not hold the lease"

Figure = Callable[[str], None]
_leases = itertools.count(1)


class Replicas:
    """The replicas of one lease."""

    def __init__(self, cluster: Cluster, processes: Processes, *options: str, namespaces: tuple[str, ...] = ()) -> None:
        self.lease = f"replicas-{next(_leases)}"
        self._cluster = cluster
        self._processes = processes
        self._namespaces = namespaces
        confined = [word for one in namespaces for word in ("--namespace", one)]
        self._options = ("--leader-elect", "--lease-name", self.lease, *confined, *options)
        self.all: list[Replica] = []

    @property
    def users(self) -> list[str]:
        return [one.user for one in self.all]

    def add(self) -> Replica:
        account = self._cluster.account("replica", *self._namespaces)
        self.all.append(self._processes.replica(account, *self._options))
        return self.all[-1]

    def leader(self, *, but: Replica | None = None) -> Replica:
        """The one that leads, once there is one."""
        found: list[Replica] = []

        def leads() -> bool:
            found[:] = [one for one in self.all if one.alive and not one.frozen and one is not but and one.leads]
            return bool(found)

        self._processes.wait_until(leads, TAKEOVER_SECONDS, lambda: "\n".join(one.program.told() for one in self.all))
        return found[0]

    def killed(self, leader: Replica) -> str:
        """kill -9 it; another takes its place as the one that stands by."""
        since = time.time()
        leader.kill()
        told = f"kill -9, lease {LEASE_SECONDS} s: {self.gap(self.leader(but=leader), since)}"
        self.add()
        return told

    def frozen(self, leader: Replica) -> str:
        """SIGSTOP, and SIGCONT once another has written; it notices that it leads no more."""
        since = time.time()
        leader.freeze()
        after = self.leader(but=leader)
        gap = self.gap(after, since)
        leader.thaw()
        self._processes.wait_until(lambda: not leader.leads, TAKEOVER_SECONDS, leader.program.told)
        unsent = leader.program.log.read_text().count(UNSENT)
        return f"SIGSTOP, lease {LEASE_SECONDS} s: {gap}; thawed, it held back {unsent} writes"

    def gap(self, after: Replica, since: float) -> str:
        """How long nobody led, by the API server's log: until the lease was taken, and until the first write."""
        reigns = [one for one in self._cluster.audit.reigns(self.lease) if one.user == after.user]
        taken = next(one.began for one in reigns if one.began > since)
        writes = self._cluster.audit.writes
        self._processes.wait_until(lambda: writes(after.user, since=since), TAKEOVER_SECONDS, after.program.told)
        first = writes(after.user, since=since)[0].answered
        return f"another led after {taken - since:.2f} s, first write after {first - since:.2f} s"


@pytest.fixture
def diamonds(cluster: Cluster, processes: Processes, request: pytest.FixtureRequest) -> Diamonds:
    namespaces = tuple(cluster.namespace("diamonds") for _ in range(2))
    found = Diamonds(cluster, processes.player(cluster.plane.kubeconfig), namespaces)
    found.prepare()
    return found


def burst(count: int, replicas: Replicas, diamonds: Diamonds, processes: Processes) -> Replica:
    """So many more flows; the leader, in the middle of them."""

    def created() -> int:
        return sum(one.said("child created") for one in replicas.all)

    before = created()
    diamonds.submit(count)
    processes.wait_until(lambda: created() >= before + BEGUN, TAKEOVER_SECONDS)
    return replicas.leader()


def test_leaders_are_killed_and_frozen_in_turn_while_two_hundred_flows_run(
    cluster: Cluster, processes: Processes, diamonds: Diamonds, figure: Figure
) -> None:
    replicas = Replicas(cluster, processes, "--lease-seconds", str(LEASE_SECONDS), "--log-level", "debug")
    replicas.add()
    replicas.leader()
    replicas.add()
    for disturb in (replicas.killed, replicas.frozen, replicas.killed, replicas.frozen):
        figure(disturb(burst(50, replicas, diamonds, processes)))
    figure(f"200 flows ended {diamonds.succeed(processes):.1f} s after the last disturbance")

    diamonds.each_step_ran_once()
    diamonds.each_child_was_created_once()
    assert cluster.audit.out_of_turn(replicas.lease, *replicas.users) == []
    assert len(cluster.audit.reigns(replicas.lease)) >= 5
    figure(f"refused by the API server: {dict(cluster.audit.refusals(*replicas.users))}")
    diamonds.nothing_is_written_at_rest(REST_SECONDS, *replicas.users)


def test_a_leader_that_is_stopped_hands_over_at_once_and_one_that_is_killed_within_a_lease(
    cluster: Cluster, processes: Processes, diamonds: Diamonds, figure: Figure
) -> None:
    """Confined to two namespaces, with the lease that there is without options."""
    replicas = Replicas(cluster, processes, namespaces=diamonds.namespaces)
    replicas.add()
    replicas.leader()
    replicas.add()
    first = burst(20, replicas, diamonds, processes)
    since = time.time()
    assert first.stop() == 0
    second = replicas.leader(but=first)
    reign = next(one for one in reversed(cluster.audit.reigns(replicas.lease)) if one.user == first.user)
    given_back = reign.last_write - since
    figure(f"SIGTERM with work in hand: lease given back after {given_back:.2f} s, {replicas.gap(second, since)}")

    third = replicas.add()
    assert third.get("/readyz") == (200, "ok\n")
    assert third.metric("jobflow_leading") == 0
    assert burst(20, replicas, diamonds, processes) is second
    since = time.time()
    second.kill()
    assert replicas.leader(but=second) is third
    figure(f"kill -9 with a lease of {Timing().duration} s: {replicas.gap(third, since)}")
    assert third.metric("jobflow_leading") == 1

    diamonds.succeed(processes)
    diamonds.each_step_ran_once()
    diamonds.each_child_was_created_once()
    assert cluster.audit.out_of_turn(replicas.lease, *replicas.users) == []
