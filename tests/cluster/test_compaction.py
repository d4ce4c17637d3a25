"""History is gone when a controller comes back: 410 from a real API server, and nothing is lost or done twice.

The controller is frozen with its watches open. The API server is killed and started again, so that what happens after
that is in no watch: Jobs end, flows come and go. Then etcd forgets its history. Thawed, the controller resumes its
watches at versions that nobody knows any more: the API server says so from its watch cache, which is new, or, where it
has none, etcd does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from cluster.diamonds import STEPS, Diamonds
from cluster.installed import Cluster
from cluster.processes import Processes, Replica

from jobflow.api.resources import VOLCANO_JOB
from jobflow.kube.transport import MERGE_PATCH

pytestmark = [pytest.mark.real, pytest.mark.blocking]

FIRST, MEANWHILE, DELETED = 20, 10, (3, 4)
BEGUN = 25  # children: some flows are at their second steps
REST_SECONDS = 2.0
WAIT_SECONDS = 120.0  # against hanging
KINDS = ("jobs.batch.volcano.sh", "jobflows.flow.volcano.sh")


NO_CACHE = "--watch-cache=false"


@pytest.fixture
def flags(cluster: Cluster) -> Iterator[list[str]]:
    """More flags of the API server, from its next start to the end of the test."""
    before, more = cluster.plane.extra_flags, list[str]()
    yield more
    cluster.plane.extra_flags = before
    if more:
        cluster.restart_api_server()


@pytest.mark.parametrize(
    ("from_etcd", "confined"),
    [pytest.param(False, False, id="new-watch-cache-cluster-wide"), pytest.param(True, True, id="etcd-confined")],
)
def test_a_controller_whose_versions_are_forgotten_lists_anew(
    cluster: Cluster,
    processes: Processes,
    figure: Callable[[str], None],
    flags: list[str],
    from_etcd: bool,
    confined: bool,
) -> None:
    namespaces = tuple(cluster.namespace("compaction") for _ in range(2))
    diamonds = Diamonds(cluster, processes.player(cluster.plane.kubeconfig), namespaces)
    diamonds.prepare()
    options = [word for one in namespaces for word in ("--namespace", one)] if confined else []
    replica = processes.replica(cluster.account("replica", *(namespaces if confined else ())), *options)
    diamonds.submit(FIRST)
    processes.wait_until(lambda: replica.said("child created") >= BEGUN, WAIT_SECONDS)

    replica.freeze()
    cluster.kill_api_server()
    flags += [NO_CACHE] if from_etcd else []
    cluster.plane.extra_flags += tuple(flags)
    cluster.start_api_server()
    diamonds.submit(MEANWHILE)
    for number in DELETED:
        diamonds.delete(number)
    processes.wait_until(lambda: all_ended(diamonds), WAIT_SECONDS)
    for job in [diamonds.cluster.jobs(namespace)[0]["metadata"] for namespace in namespaces]:
        touched = {"metadata": {"annotations": {"example.com/touched": "while the controller was away"}}}
        cluster.ask("PATCH", VOLCANO_JOB.path(job["namespace"], job["name"]), touched, MERGE_PATCH)
    cluster.plane.compact()
    if not from_etcd:
        cluster.restart_api_server()
    replica.thaw()

    took = diamonds.succeed(processes)
    diamonds.each_step_ran_once()
    for kind in KINDS:
        assert any("version expired" in problem for problem in problems(replica, kind)), problems(replica, kind)
    kept = diamonds.count - len(DELETED)
    assert replica.metric('jobflow_flows{phase="Succeed"}') == kept, "flows that were deleted meanwhile are forgotten"
    assert sum(replica.metric(f'jobflow_flows{{phase="{phase}"}}') for phase in ("Running", "Pending", "None")) == 0
    diamonds.nothing_is_written_at_rest(REST_SECONDS, replica.user)
    figure(f"thawed with all versions forgotten: {kept} flows ended after {took:.1f} s")


def all_ended(diamonds: Diamonds) -> bool:
    """Every Job there is has run to its end: changes of each kind were missed."""
    jobs = [job for namespace in diamonds.namespaces for job in diamonds.cluster.jobs(namespace)]
    phases = [job.get("status", {}).get("state", {}).get("phase") for job in jobs]
    return len(jobs) >= len(STEPS) and set(phases) == {"Completed"}


def problems(replica: Replica, kind: str) -> list[str]:
    """What it said of its watches of a kind."""
    return [str(line["problem"]) for line in replica.lines if line.get("kind") == kind and "problem" in line]
