"""Admission through real kubectl: `jobflow webhook` beside the embedded API server, and beside a real one."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from e2e.conftest import program, wait_until

from jobflow.api.crd import product_crds
from jobflow.deploy import admission
from jobflow.deploy.admission import configuration, flow_deletions
from jobflow.deploy.names import NAMESPACE
from jobflow.deploy.workload import namespace

pytestmark = [pytest.mark.e2e, pytest.mark.blocking]

NOT_DAG = "jobflow Flow is not DAG"
TASK = {"name": "t", "replicas": 1, "template": {"spec": {"containers": [{"name": "c", "image": "busybox"}]}}}


@dataclass
class Cluster:
    kubeconfig: Path

    def kubectl(self, *words, stdin=None, user=()):
        command = [program("kubectl"), "--kubeconfig", str(self.kubeconfig), *user, *words]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=90)

    def create(self, *objects, user=()):
        done = self.kubectl("create", "-f", "-", stdin="\n---\n".join(json.dumps(obj) for obj in objects), user=user)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(params=[pytest.param("embedded"), pytest.param("real", marks=pytest.mark.real)])
def cluster(request, tmp_path) -> Cluster:
    if request.param == "embedded":
        return Cluster(request.getfixturevalue("up")().kubeconfig)
    plane = request.getfixturevalue("collected_control_plane")
    found = Cluster(plane.kubeconfig)
    assert found.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(product_crds())).returncode == 0
    for crd in product_crds():
        found.kubectl("wait", f"crd/{crd['metadata']['name']}", "--for=condition=Established", "--timeout=30s")
    return found


@pytest.fixture
def admitted(cluster: Cluster, tmp_path: Path) -> Iterator[Cluster]:
    """The cluster with the webhook on, which protects flows that run."""
    log = tmp_path / "webhook.log"
    account = _account(cluster, tmp_path / "account")
    command = [program("jobflow"), "webhook", "--kubeconfig", str(account), "--log-format=json"]
    command += ["--listen-address=127.0.0.1:0", "--certificate-name=127.0.0.1"]
    with log.open("wb") as output:
        process = subprocess.Popen([*command, "--protect-running"], stdout=output, stderr=output, env=os.environ)
    try:
        wait_until(lambda: "answering reviews" in log.read_text(), 30, log.read_text)
        said = next(line for line in log.read_text().splitlines() if "answering reviews" in line)
        _register(cluster, json.loads(said)["address"])
        wait_until(lambda: NOT_DAG in _tried(cluster), 30, lambda: _tried(cluster) + log.read_text())
        yield cluster
    finally:
        cluster.kubectl("delete", "validatingwebhookconfiguration", "jobflow-webhook", "--ignore-not-found")
        process.terminate()
        assert process.wait(30) == 0, log.read_text()


def _account(cluster: Cluster, file: Path) -> Path:
    """A kubeconfig of the webhook's ServiceAccount, with exactly the rights that are installed."""
    made = [namespace(), admission.service_account(), *admission.cluster_roles(), *admission.own_roles()]
    done = cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(made))
    assert done.returncode == 0, done.stderr
    token = cluster.kubectl("create", "token", admission.NAME, "-n", NAMESPACE)
    assert token.returncode == 0, token.stderr
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token.stdout.strip()}
    file.write_text(yaml.safe_dump(config))
    return file


def _register(cluster: Cluster, address: str) -> None:
    body = configuration()
    body["webhooks"].append(flow_deletions())
    for hook in body["webhooks"]:
        hook["clientConfig"] = {"url": f"https://{address}{hook['clientConfig']['service']['path']}"}
    code, said = cluster.create(body)
    assert code == 0, said


def _tried(cluster: Cluster) -> str:
    return cluster.kubectl(
        "create", "--dry-run=server", "-f", "-", stdin=json.dumps(flow("try", step("a", "a")))
    ).stderr


def step(name, *targets):
    return {"name": name, **({"dependsOn": {"targets": list(targets)}} if targets else {})}


def flow(name, *steps, place="default"):
    body = {"metadata": {"name": name, "namespace": place}, "spec": {"flows": list(steps)}}
    return {"apiVersion": "flow.volcano.sh/v1alpha1", "kind": "JobFlow", **body}


def template(name, place="default", **spec):
    body = {"metadata": {"name": name, "namespace": place}, "spec": {"minAvailable": 1, "tasks": [TASK], **spec}}
    return {"apiVersion": "flow.volcano.sh/v1alpha1", "kind": "JobTemplate", **body}


DIAMOND = [step("a"), step("b", "a"), step("c", "a", "b"), step("d", "b"), step("e", "c", "d")]
ROOTS = [
    *(step("root1"), step("root2"), step("level1-a", "root1"), step("level1-b", "root2")),
    *(step("level2", "level1-a", "level1-b"), step("final", "level2")),
]
Cases = list[tuple[str, list[dict], tuple[str, ...]]]
CREATED: Cases = [
    ("case-39-diamond", DIAMOND, ()),
    ("case-44-chain", [step("start"), step("middle", "start"), step("end", "middle")], ()),
    ("case-45-two-roots", ROOTS, ()),
    ("case-46-empty", [], ()),
    ("case-47-one", [step("a")], ()),
]
REFUSED: Cases = [
    ("case-28-unknown-target", DIAMOND[1:], (f"{NOT_DAG}: vertex is not defined: a",)),
    ("case-29-cycle", [step("a", "b"), step("b", "a")], (NOT_DAG, "a -> b -> a")),
    ("case-41-unknown-target", [step("b", "a"), step("c", "a", "b")], (NOT_DAG, "vertex is not defined")),
    ("case-48-itself", [step("a", "a")], (NOT_DAG,)),
    ("case-78-three", [step("a", "c"), step("b", "a"), step("c", "b")], (NOT_DAG, "a -> c -> b -> a")),
    ("case-77-unknown-target", [step("a", "nowhere")], (f"{NOT_DAG}: vertex is not defined: nowhere",)),
    ("case-42-twice-refused-by-us", [step("a"), step("b", "a"), step("c", "a"), step("c", "b")], ('"c"',)),
    ("case-76-and-40-twice-refused-by-us", [step("a"), step("a")], ("spec.flows[1]", '"a"')),
]
TEMPLATES = [
    ("case-79-duplicated-task", {"tasks": [TASK, TASK]}, 'task "t" is already defined'),
    ("case-80-min-available", {"minAvailable": 9}, "minAvailable 9 is greater than the 1 replicas"),
    ("case-81-no-task", {"tasks": []}, "spec.tasks in body should have at least 1 items"),
    ("case-82-policy-action", {"policies": [{"event": "PodFailed", "action": "Explode"}]}, "spec.policies[0].action"),
    ("task-dependency", {"tasks": [{**TASK, "dependsOn": {"name": ["x"]}}]}, '"x" is not a task of this Job'),
]


def test_what_kubectl_is_told(admitted: Cluster) -> None:
    """One start of everything for all of it: a control plane takes seconds."""
    for scenario in (_cases, _templates, _updates, _rights, _deletions, _namespaces):
        scenario(admitted)


def _cases(cluster: Cluster) -> None:
    for name, steps, _ in CREATED:
        code, said = cluster.create(flow(name, *steps))
        assert code == 0, f"{name}: {said}"
    for name, steps, words in REFUSED:
        code, said = cluster.create(flow(name, *steps))
        assert code != 0, name
        for word in words:
            assert word in said, f"{name}: {said}"
    code, said = cluster.create(flow("warned", step("nowhere")))
    assert code == 0
    assert 'Warning: spec.flows[0].name: there is no JobTemplate "nowhere" yet' in said


def _templates(cluster: Cluster) -> None:
    for name, spec, words in TEMPLATES:
        code, said = cluster.create(template(name, **spec))
        assert code != 0, name
        assert words in said, f"{name}: {said}"
    code, said = cluster.create(template("good"))
    assert code == 0, said


def _updates(cluster: Cluster) -> None:
    label = cluster.kubectl("label", "jobflow", "case-47-one", "team=x")
    assert label.returncode == 0, label.stderr
    kept = cluster.kubectl(
        "patch", "jobflow", "case-47-one", "--type=merge", "-p", '{"spec":{"jobRetainPolicy":"retain"}}'
    )
    assert kept.returncode == 0, kept.stderr
    more = json.dumps({"spec": {"flows": [step("a"), step("c", "a")]}})
    changed = cluster.kubectl("patch", "jobflow", "case-47-one", "--type=merge", "-p", more)
    assert changed.returncode != 0, "case 43: refused by us"
    assert "frozen" in changed.stderr
    assert "spec.flows" in changed.stderr


RIGHTS = [
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "writes-flows"},
        "rules": [{"apiGroups": ["flow.volcano.sh"], "resources": ["jobflows"], "verbs": ["create", "get"]}],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "writes-flows"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "writes-flows"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "eve"}],
    },
]


def _rights(cluster: Cluster) -> None:
    code, said = cluster.create(*RIGHTS)
    assert code == 0, said

    def tried() -> str:
        return cluster.create(flow("eves", step("a")), user=("--as", "eve"))[1]

    told = 'user "eve" cannot create jobs.batch.volcano.sh in namespace default'
    wait_until(lambda: told in tried(), 30, tried)  # an API server hears of roles a moment later


def _deletions(cluster: Cluster) -> None:
    code, said = cluster.create(flow("runs", step("waits-for-ever"), step("good", "waits-for-ever")))
    assert code == 0, said
    _eventually(cluster, lambda: "still need this template" in _deleted(cluster, "jobtemplate", "good"))
    assert "protects flows that run" in _deleted(cluster, "jobflow", "runs")
    cluster.kubectl("annotate", "jobflow", "runs", "flow.volcano.sh/force-delete=true")
    assert "deleted" in _deleted(cluster, "jobflow", "runs")
    assert "deleted" in _deleted(cluster, "jobtemplate", "good")


def _namespaces(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "goes")
    code, said = cluster.create(template("t", "goes"), flow("f", step("never"), step("t", "never"), place="goes"))
    assert code == 0, said
    gone = cluster.kubectl("delete", "namespace", "goes", "--timeout=60s")
    assert gone.returncode == 0, gone.stderr


def _deleted(cluster: Cluster, kind: str, name: str) -> str:
    dry = ("--dry-run=server",) if kind == "jobtemplate" else ()  # tried until the webhook has seen the flow
    done = cluster.kubectl("delete", kind, name, *dry)
    return done.stdout + done.stderr


def _eventually(cluster: Cluster, holds: Callable[[], bool]) -> None:
    wait_until(holds, 30, lambda: cluster.kubectl("get", "jobflows", "-o", "yaml").stdout)
