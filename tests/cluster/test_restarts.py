"""The API server is killed and started again, several times, while flows run.

It keeps its port and its data in etcd. What it had committed and not answered is what is hard: the controller hears of
neither a create that was done nor of one that was not. The player's lines tell whether any step ran twice; what is
written at rest is looked for in etcd itself, and in the audit log.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest
from cluster.diamonds import Diamonds
from cluster.installed import Cluster
from cluster.processes import Processes, Replica

pytestmark = [pytest.mark.real, pytest.mark.blocking]

REST_SECONDS = 10.0
LEASE_SECONDS = 6  # less than a restart takes: the leadership is lost each time
BEGUN = 20  # children of a burst: its creates and status writes are under way
WAIT_SECONDS = 120.0  # against hanging

Figure = Callable[[str], None]
_leases = itertools.count(1)


@pytest.mark.parametrize(
    ("flows", "replicas", "restarts", "confined"),
    [
        pytest.param(200, 1, 5, False, id="one-replica-cluster-wide"),
        pytest.param(100, 2, 2, True, id="two-replicas-confined"),
    ],
)
def test_flows_end_right_although_the_api_server_is_killed(
    cluster: Cluster,
    processes: Processes,
    figure: Figure,
    flows: int,
    replicas: int,
    restarts: int,
    confined: bool,
) -> None:
    namespaces = tuple(cluster.namespace("restarts") for _ in range(2))
    diamonds = Diamonds(cluster, processes.player(cluster.plane.kubeconfig), namespaces)
    diamonds.prepare()
    started = start(cluster, processes, replicas, namespaces if confined else ())
    for _ in range(restarts):
        before = created(started)
        diamonds.submit(flows // restarts)
        processes.wait_until(lambda least=before + BEGUN: created(started) >= least, WAIT_SECONDS)
        cluster.kill_api_server()
        down = time.monotonic()
        cluster.start_api_server()
        figure(f"killed, and ready again after {time.monotonic() - down:.1f} s")
    figure(f"{flows} flows ended {diamonds.succeed(processes):.1f} s after the last restart")

    diamonds.each_step_ran_once()
    assert all(one.alive for one in started)
    assert sum(one.leads for one in started) == 1
    assert all(one.get("/readyz") == (200, "ok\n") for one in started)
    diamonds.nothing_is_written_at_rest(REST_SECONDS, *(one.user for one in started))


def start(cluster: Cluster, processes: Processes, count: int, namespaces: tuple[str, ...]) -> list[Replica]:
    """Replicas of one lease, each in sync."""
    lease = ("--leader-elect", "--lease-name", f"restarts-{next(_leases)}", "--lease-seconds", str(LEASE_SECONDS))
    confined = [word for one in namespaces for word in ("--namespace", one)]
    return [processes.replica(cluster.account("replica", *namespaces), *lease, *confined) for _ in range(count)]


def created(replicas: list[Replica]) -> int:
    """How many children they say they have created."""
    return sum(one.said("child created") for one in replicas)
