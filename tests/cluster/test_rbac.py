"""The installed rights on a real API server: they are enough, and each of them is needed.

manifests/ is applied with kubectl, the controller runs as its ServiceAccount with a token from TokenRequest and nothing
else. Who plays Volcano's Job controller is the administrator.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster.installed import Account, Cluster
from cluster.processes import Player, Processes
from cluster.rights import (
    EFFECTIVE_SECONDS,
    MANIFESTS,
    USER,
    Exercise,
    Right,
    allowed,
    deployed,
    kubectl,
    rights,
    rights_to_cluster_templates,
    without,
)
from envtest.build import ProgramMissing
from envtest.control_plane import ControlPlane

from jobflow.api.crd import volcano_crds
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, CUSTOM_RESOURCE_DEFINITION, EVENT, JOB_FLOW
from jobflow.deploy import rbac
from jobflow.deploy.files import install
from jobflow.deploy.names import LEASE_NAME, NAME, NAMESPACE
from jobflow.testing.builders import cluster_template, flow

pytestmark = [pytest.mark.real, pytest.mark.blocking]

INSTALL = str(MANIFESTS / "install.yaml")
FLAGS = (
    "--audit-log-maxsize=1000",
    "--enable-admission-plugins=OwnerReferencesPermissionEnforcement",  # some clusters have it: jobflows/finalizers
)
SECONDS = 150.0  # a bound against hanging
RIGHTS = rights()
TO_CLUSTER_TEMPLATES = rights_to_cluster_templates()
SWITCH = "--enable-cluster-templates"
STANDBY_ONLY = next(right for right in RIGHTS if (right.verb, right.resource) == ("watch", "leases"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane of this module's own, whose rights are taken and given; jobflow is installed with kubectl."""
    plane = ControlPlane(tmp_path_factory.mktemp("rights"), audit=True, extra_flags=FLAGS)
    cluster = Cluster(plane)
    try:
        plane.start()
        plane.start_collectors("clusterrole-aggregation-controller")
        for crd in volcano_crds():
            cluster.ask("POST", CUSTOM_RESOURCE_DEFINITION.path(), crd)
        kubectl(cluster, "apply", "--server-side", "-k", str(MANIFESTS / "base"))
        kubectl(cluster, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        yield cluster
    except ProgramMissing as missing:
        pytest.skip(f"no real control plane: {missing}")
    finally:
        cluster.disconnect()
        plane.stop()


@pytest.fixture(scope="module")
def account(cluster: Cluster) -> Account:
    """The controller's own, with a token from TokenRequest."""
    return Account(USER, str(cluster.plane.account_kubeconfig(NAMESPACE, NAME)))


@pytest.fixture(scope="module")
def player(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    """One for all tests of this module."""
    processes = Processes(tmp_path_factory.mktemp("player"))
    yield processes.player(cluster.plane.kubeconfig)
    processes.end()


@pytest.fixture
def exercise(cluster: Cluster, player: Player, account: Account) -> Iterator[Exercise]:
    """Flows that need every right, in a namespace of the test's own."""
    exercise = Exercise(cluster, cluster.namespace("exercise"), player)
    exercise.begin()
    yield exercise
    exercise.clear()


def the_count_of(cluster: Cluster, namespace: str, reason: str, name: str) -> int:
    events = cluster.all(EVENT, namespace)
    found = [one for one in events if (one["reason"], one["involvedObject"]["name"]) == (reason, name)]
    return sum(one["count"] for one in found)


def test_the_installed_rights_suffice_and_all_of_them_are_used(cluster, processes, account, exercise):
    replica = deployed(processes, account)
    processes.wait_until(exercise.finished, SECONDS, lambda: exercise.told() + replica.program.told())
    renewed = cluster.lease(LEASE_NAME)["renewTime"]
    processes.wait_until(lambda: cluster.lease(LEASE_NAME)["renewTime"] > renewed, SECONDS)
    processes.wait_until(lambda: the_count_of(cluster, exercise.namespace, "Created", "robbed") == 2, SECONDS)
    processes.wait_until(exercise.templates_are_told, SECONDS)
    kept = {"kept-a", "kept-b", "kept-c", "kept-d", "robbed-a", "shorn-a", "taken-a", "told-a"}

    def left() -> set[str]:
        return {job["metadata"]["name"] for job in cluster.jobs(exercise.namespace)}

    processes.wait_until(lambda: left() == kept, SECONDS, lambda: f"cleaned ones go, and brief's: {left()}")
    assert replica.get("/readyz") == (200, "ok\n")
    assert replica.metric("jobflow_leading") == 1
    assert replica.metric('jobflow_flows{phase="Succeed"}') == len(exercise.FLOWS)
    assert 'code="403"' not in replica.get("/metrics")[1]
    assert [row for row in cluster.audit.rows(USER) if row.code in (401, 403)] == []

    standby = deployed(processes, account)
    processes.wait_until(lambda: standby.said("standing by"), SECONDS, standby.program.told)
    assert replica.stop() == 0
    processes.wait_until(lambda: standby.leads, SECONDS, standby.program.told)
    assert standby.stop() == 0
    assert not cluster.lease(LEASE_NAME).get("holderIdentity"), "given back"
    assert [row for row in cluster.audit.rows(USER) if row.code in (401, 403)] == []
    used = {
        (row.verb, f"{row.resource}/{row.subresource}" if row.subresource else row.resource)
        for row in cluster.audit.rows(USER)
        if row.resource  # /version and /openapi are everybody's
    }
    named = {(right.verb, right.resource) for right in RIGHTS}
    checked_by_admission = {("update", "jobflows/finalizers")}
    assert used == named - checked_by_admission, "a right that no call needs is not installed"


@pytest.mark.parametrize("right", RIGHTS, ids=str)
def test_a_right_that_is_missing_is_named(cluster, processes, account, exercise, right: Right):
    """One verb on one kind at a time, which is what a rule that is forgotten is made of."""
    with without(cluster, right):
        replicas = [deployed(processes, account)]
        if right == STANDBY_ONLY:
            replicas.append(deployed(processes, account))

        def named() -> bool:
            exercise.meddle()
            lines = [line for replica in replicas for line in replica.lines]
            return any(right.words in str(value) for line in lines for value in line.values())

        processes.wait_until(named, SECONDS, lambda: f"nobody said {right.words!r}: {exercise.told()}")
        if right.resource == "leases" and right != STANDBY_ONLY:
            processes.wait_until(lambda: right.words in replicas[0].get("/readyz")[1], SECONDS)
        for replica in replicas:
            replica.kill()


class TestNamespaced:
    def test_a_role_in_a_namespace_is_enough_for_it(self, cluster, processes, account, exercise):
        kubectl(cluster, "delete", "clusterrolebinding", NAME)
        for obj in rbac.flow_roles(exercise.namespace):
            place = f"/apis/{rbac.API_VERSION}/namespaces/{exercise.namespace}/{obj['kind'].lower()}s"
            cluster.ask("POST", place, obj)
        listing = next(right for right in RIGHTS if (right.verb, right.resource) == ("list", "jobflows"))
        processes.wait_until(lambda: allowed(cluster, listing, namespace=exercise.namespace), EFFECTIVE_SECONDS)
        assert not allowed(cluster, listing, namespace="default")
        elsewhere = cluster.namespace("elsewhere")
        cluster.submit(elsewhere, Exercise.FLOWS)
        began = len(cluster.audit.rows(USER))

        replica = deployed(processes, account, "--namespace", exercise.namespace)
        processes.wait_until(exercise.finished, SECONDS, lambda: exercise.told() + replica.program.told())
        assert replica.get("/readyz") == (200, "ok\n")
        assert [row for row in cluster.audit.rows(USER)[began:] if row.code in (401, 403)] == []
        assert cluster.phases(elsewhere) == {"": len(Exercise.FLOWS)}
        replica.kill()
        kubectl(cluster, "apply", "--server-side", "-k", str(MANIFESTS / "base"))


@pytest.fixture(scope="class")
def switched_on(cluster: Cluster) -> Iterator[None]:
    """The overlay of ClusterJobTemplates in place of the base."""
    kubectl(cluster, "apply", "--server-side", "-k", str(MANIFESTS / "overlays/cluster-templates"))
    kubectl(cluster, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    yield
    kubectl(cluster, "delete", "--ignore-not-found", "-f", str(MANIFESTS / "components/cluster-templates/crd.yaml"))
    kubectl(cluster, "apply", "--server-side", "-k", str(MANIFESTS / "base"))


@pytest.mark.usefixtures("switched_on")
class TestClusterTemplates:
    """The rights that `overlays/cluster-templates` brings, and the base does not have."""

    FLOW = flow("shared").step("a").having(templateRef={"name": "shared", "kind": CLUSTER_JOB_TEMPLATE.kind})

    @pytest.fixture
    def place(self, cluster: Cluster, player: Player) -> Iterator[str]:
        """A namespace with a flow that runs a template of the cluster, of which nobody has told anything yet."""
        namespace = cluster.namespace("shared")
        cluster.create(CLUSTER_JOB_TEMPLATE, "", cluster_template("shared").task("main").body())
        cluster.submit(namespace, [self.FLOW])
        yield namespace
        Exercise(cluster, namespace, player).clear()
        cluster.ask("DELETE", CLUSTER_JOB_TEMPLATE.path(None, "shared"))

    def counted(self, cluster: Cluster) -> bool:
        (found,) = cluster.all(CLUSTER_JOB_TEMPLATE, "")
        return found.get("status", {}).get("jobDependsOnTotal") == 1

    def test_they_suffice_and_all_of_them_are_used(self, cluster, processes, account, place):
        container = json.loads(kubectl(cluster, "get", "deployment", NAME, "-n", NAMESPACE, "-o", "json"))
        assert SWITCH in container["spec"]["template"]["spec"]["containers"][0]["args"]
        began = len(cluster.audit.rows(USER))
        replica = deployed(processes, account, SWITCH)
        processes.wait_until(lambda: cluster.all_in("Succeed", 1, place), SECONDS, replica.program.told)
        processes.wait_until(lambda: self.counted(cluster), SECONDS, replica.program.told)
        assert replica.get("/readyz") == (200, "ok\n")
        assert replica.stop() == 0
        rows = cluster.audit.rows(USER)[began:]
        assert [row for row in rows if row.code in (401, 403)] == []
        used = {
            (row.verb, f"{row.resource}/{row.subresource}" if row.subresource else row.resource)
            for row in rows
            if row.resource == CLUSTER_JOB_TEMPLATE.plural
        }
        assert used == {(right.verb, right.resource) for right in TO_CLUSTER_TEMPLATES}

    @pytest.mark.parametrize("right", TO_CLUSTER_TEMPLATES, ids=str)
    def test_one_that_is_missing_is_named(self, cluster, processes, account, place, right: Right):
        with without(cluster, right):
            replica = deployed(processes, account, SWITCH)

            def named() -> bool:
                return any(right.words in str(value) for line in replica.lines for value in line.values())

            processes.wait_until(named, SECONDS, lambda: f"nobody said {right.words!r}: {replica.program.told()}")
            replica.kill()

    def test_without_the_flag_none_of_them_is_used(self, cluster, processes, account, place):
        began = len(cluster.audit.rows(USER))
        replica = deployed(processes, account)

        def told() -> str:
            status = cluster.ask("GET", JOB_FLOW.path(place, "shared")).get("status", {})
            return str(next((entry.get("message", "") for entry in status.get("flowStatuses", ())), ""))

        processes.wait_until(lambda: SWITCH in told(), SECONDS, replica.program.told)
        assert [row for row in cluster.audit.rows(USER)[began:] if row.resource == CLUSTER_JOB_TEMPLATE.plural] == []
        replica.kill()


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    """Where `viewer` may view and `editer` may edit, by Kubernetes' own roles."""
    name = cluster.namespace("people")
    for role in ("view", "edit"):
        kubectl(cluster, "create", "rolebinding", role, "-n", name, f"--clusterrole={role}", f"--user={role}er")
    return name


class TestPeople:
    """Rights that are aggregated into Kubernetes' own roles."""

    def may(self, cluster: Cluster, user: str, namespace: str, verb: str, resource: str) -> bool:
        return allowed(cluster, Right("", JOB_FLOW.group, resource, verb), user, namespace)

    def test_who_may_edit_may_create_but_not_write_status(self, cluster, processes, namespace):
        processes.wait_until(lambda: self.may(cluster, "editer", namespace, "create", "jobflows"), EFFECTIVE_SECONDS)
        body = '{"apiVersion": "flow.volcano.sh/v1alpha1", "kind": "JobFlow", "metadata": {"name": "f"}, "spec": {}}'
        as_editor = ("-n", namespace, "--as=editer")
        kubectl(cluster, "create", *as_editor, "-f", "-", stdin=body)
        patch = ("patch", "jobflow", "f", "--type=merge", '--patch={"status": {"state": {"phase": "Succeed"}}}')
        told = kubectl(cluster, *patch, "--subresource=status", *as_editor, check=False)
        assert "Forbidden" in told
        assert 'resource "jobflows/status"' in told
        kubectl(cluster, "delete", "jobflow", "f", *as_editor)
        writable = {"create", "delete", "deletecollection", "patch", "update"}
        for kind in ("jobflows", "jobtemplates"):
            for verb in writable:
                assert self.may(cluster, "editer", namespace, verb, kind)
                assert not self.may(cluster, "editer", namespace, verb, f"{kind}/status")

    def test_who_may_view_may_read_and_no_more(self, cluster, processes, namespace):
        processes.wait_until(lambda: self.may(cluster, "viewer", namespace, "list", "jobflows"), EFFECTIVE_SECONDS)
        as_viewer = ("-n", namespace, "--as=viewer")
        assert "No resources found" in kubectl(cluster, "get", "jobflows,jobtemplates", *as_viewer)
        told = kubectl(cluster, "delete", "jobflow", "f", *as_viewer, check=False)
        assert 'cannot delete resource "jobflows"' in told
        for kind in ("jobflows", "jobtemplates"):
            for verb in ("get", "list", "watch"):
                assert self.may(cluster, "viewer", namespace, verb, kind)
            for verb in ("create", "delete", "deletecollection", "patch", "update"):
                assert not self.may(cluster, "viewer", namespace, verb, kind)


class TestInstallYaml:
    """Last in this file: it takes everything away."""

    def test_is_applied_twice_taken_away_and_applied_again(self, cluster, tmp_path: Path):
        kubectl(cluster, "apply", "--server-side", "--force-conflicts", "-f", INSTALL)
        before = self.versions(cluster)
        assert len(before) == len(install())
        kubectl(cluster, "apply", "--server-side", "-f", INSTALL)
        assert self.versions(cluster) == before, "the second time changes nothing"

        kubectl(cluster, "delete", "-f", INSTALL, "--timeout=100s")
        assert self.versions(cluster) == []

        kubectl(cluster, "apply", "--server-side", "-f", INSTALL)
        assert len(self.versions(cluster)) == len(before)

    def versions(self, cluster: Cluster) -> list[str]:
        columns = "custom-columns=K:.kind,N:.metadata.name,V:.metadata.resourceVersion"
        told = kubectl(cluster, "get", "-f", INSTALL, "--ignore-not-found", "--no-headers", "-o", columns)
        return told.splitlines()
