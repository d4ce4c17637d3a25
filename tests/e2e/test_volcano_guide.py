"""What the user guides of Volcano show, with kubectl and real processes: hosts, policies, stages, suspend, cron."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.e2e, pytest.mark.blocking]

WAITS = "trap 'exit 143' TERM; while :; do sleep 0.05; done"
SECONDS = 60

# Each replica throws its own darts, by its index.
DARTS = """
import os, random
throws = random.Random(int(os.environ["VC_TASK_INDEX"]))
hits = sum(throws.random() ** 2 + throws.random() ** 2 < 1 for _ in range(20000))
print(4 * hits / 20000)
"""

# Answers its index to whoever connects, at the address of its pod.
WORKER = """
import os, socket
server = socket.create_server((os.environ["POD_IP"], 8700))
while True:
    connection, _ = server.accept()
    connection.sendall(os.environ["VC_TASK_INDEX"].encode())
    connection.close()
"""

# Asks every worker that the host file names, and adds up.
MASTER = """
import socket, time
def ask(host):
    while True:
        try:
            with socket.create_connection((host, 8700)) as connection:
                return int(connection.recv(10))
        except OSError:
            time.sleep(0.1)
hosts = open("/etc/volcano/worker.host").read().split()
print(len(hosts), "workers, sum", sum(ask(host) for host in hosts))
"""


def container(*command: str, **more: object) -> dict[str, object]:
    return {"name": "main", "image": "busybox", "command": list(command), **more}


def sh(command: str, **more: object) -> dict[str, object]:
    return container("sh", "-c", command, **more)


def task(name: str, main: dict[str, object], replicas: int = 1, **more: object) -> dict[str, object]:
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 5, "containers": [main]}
    return {"name": name, "replicas": replicas, "template": {"spec": spec}, **more}


def job(name: str, *tasks: dict[str, object], **spec: object) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "batch.volcano.sh/v1alpha1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {"tasks": list(tasks), **spec},
        }
    )


class Guide:
    """A user at a terminal, with `jobflow up` behind."""

    def __init__(self, kubectl) -> None:
        self.kubectl = kubectl

    def apply(self, document: str) -> None:
        self.kubectl("apply", "-f", "-", stdin=document)

    def phase(self, name: str, phase: str) -> None:
        wanted = f"--for=jsonpath={{.status.state.phase}}={phase}"
        done = self.kubectl("wait", f"vcjob/{name}", wanted, f"--timeout={SECONDS}s", check=False)
        assert done.returncode == 0, f"{done.stderr}{self.kubectl('describe', f'vcjob/{name}').stdout}"

    def status(self, name: str) -> dict[str, object]:
        return json.loads(self.kubectl("get", "vcjob", name, "-o", "json").stdout)["status"]

    def running(self, pod: str) -> None:
        self.kubectl("wait", f"pod/{pod}", "--for=condition=Ready", f"--timeout={SECONDS}s")

    def command(self, name: str, action: str) -> None:
        """What `vcctl job suspend` and `resume` send."""
        uid = self.kubectl("get", "vcjob", name, "-o", "jsonpath={.metadata.uid}").stdout
        target = {
            "apiVersion": "batch.volcano.sh/v1alpha1",
            "kind": "Job",
            "name": name,
            "uid": uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
        body = {
            "apiVersion": "bus.volcano.sh/v1alpha1",
            "kind": "Command",
            "metadata": {"generateName": f"{name}-{action.lower()}-", "ownerReferences": [target]},
            "action": action,
            "target": target,
        }
        self.kubectl("create", "-f", "-", stdin=json.dumps(body))


@pytest.fixture
def guide(up) -> Guide:
    return Guide(up().kubectl)


def test_pi_by_three_replicas(guide: Guide) -> None:
    guide.apply(job("pi", task("dart", container(sys.executable, "-c", DARTS), 3), minAvailable=3, plugins={"env": []}))
    guide.phase("pi", "Completed")
    shares = [float(guide.kubectl("logs", f"pi-dart-{index}").stdout) for index in range(3)]
    assert abs(sum(shares) / 3 - math.pi) < 0.05
    assert len(set(shares)) == 3, "each replica knew its index"


def test_a_master_reads_the_host_file_and_its_end_completes_the_job(guide: Guide) -> None:
    address = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    workers = task("worker", container(sys.executable, "-c", WORKER, env=[address]), 2)
    completes = [{"event": "TaskCompleted", "action": "CompleteJob"}]
    master = task("master", container(sys.executable, "-c", MASTER), policies=completes)
    guide.apply(job("sum", master, workers, minAvailable=3, plugins={"env": [], "svc": []}))
    guide.phase("sum", "Completed")
    assert guide.kubectl("logs", "sum-master-0").stdout == "2 workers, sum 1\n"
    guide.kubectl("wait", "pod/sum-worker-0", "pod/sum-worker-1", "--for=delete", f"--timeout={SECONDS}s")


def test_three_stages_start_one_after_the_other(guide: Guide, tmp_path: Path) -> None:
    """A dependency counts as met once its pods are ready, which pods without a probe are as soon as they run."""
    story = tmp_path / "story"

    def told(word: str) -> dict[str, object]:
        """Says that it began, and is ready when it is done."""
        ready = {"exec": {"command": ["test", "-e", f"{story}.{word}"]}, "periodSeconds": 1, "failureThreshold": 60}
        return sh(f"echo {word} >> {story}; sleep 0.5; touch {story}.{word}; sleep 1.5", readinessProbe=ready)

    stages = [
        task("load", told("load")),
        task("train", told("train"), dependsOn={"name": ["load"]}),
        task("report", told("report"), dependsOn={"name": ["train"]}),
    ]
    guide.apply(job("stages", *stages, minAvailable=1))
    guide.phase("stages", "Completed")
    assert story.read_text().split() == ["load", "train", "report"]


@pytest.mark.parametrize(
    ("shell", "policy"),
    [
        ("exit 1", {"event": "PodFailed", "action": "RestartJob"}),
        ("kill -9 $$$$", {"exitCode": 137, "action": "RestartJob"}),
    ],
    ids=["PodFailed", "exitCode 137"],
)
def test_a_job_is_restarted_when_a_pod_fails(guide: Guide, tmp_path: Path, shell: str, policy) -> None:
    again = tmp_path / "again"
    first = f"test -e {again} && exit 0; touch {again}; {shell}"
    guide.apply(job("again", task("main", sh(first)), policies=[policy], maxRetry=3))
    guide.phase("again", "Completed")
    assert guide.status("again")["retryCount"] == 1


def test_a_pod_that_is_deleted_was_evicted(guide: Guide) -> None:
    policies = [{"event": "PodEvicted", "action": "RestartJob"}]
    guide.apply(job("evicted", task("main", sh(WAITS), 2), policies=policies, minAvailable=2))
    guide.phase("evicted", "Running")
    guide.running("evicted-main-1")
    guide.kubectl("delete", "pod", "evicted-main-1")
    guide.kubectl("wait", "vcjob/evicted", "--for=jsonpath={.status.retryCount}=1", f"--timeout={SECONDS}s")
    guide.phase("evicted", "Running")
    guide.running("evicted-main-0")


def test_suspend_and_resume(guide: Guide) -> None:
    guide.apply(job("pause", task("main", sh(WAITS)), minAvailable=1))
    guide.phase("pause", "Running")
    guide.command("pause", "AbortJob")
    guide.phase("pause", "Aborted")
    assert guide.kubectl("get", "pods", "-o", "name").stdout == ""
    guide.command("pause", "ResumeJob")
    guide.phase("pause", "Running")
    guide.running("pause-main-0")


RIGHTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: nightly}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: flows}
rules:
  - apiGroups: [flow.volcano.sh]
    resources: [jobflows, jobtemplates]
    verbs: [get, list, create, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: nightly-flows}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: flows}
subjects: [{kind: ServiceAccount, name: nightly, namespace: default}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: nightly}
data:
  flow.yaml: |
    apiVersion: flow.volcano.sh/v1alpha1
    kind: JobFlow
    metadata: {name: nightly}
    spec:
      flows: [{name: build}]
"""


def test_a_cron_job_applies_a_flow_as_its_service_account(guide: Guide, examples: Path) -> None:
    guide.kubectl("apply", "-f", str(examples / "shared-templates.yaml"))
    guide.apply(RIGHTS)
    main = sh("kubectl apply -f /flows/flow.yaml", volumeMounts=[{"name": "flows", "mountPath": "/flows"}])
    main["env"] = [{"name": "PATH", "value": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"}]
    applies = task("apply", main)
    spec = applies["template"]["spec"]  # type: ignore[index]
    spec |= {"serviceAccountName": "nightly", "volumes": [{"name": "flows", "configMap": {"name": "nightly"}}]}
    cron = {
        "apiVersion": "batch.volcano.sh/v1alpha1",
        "kind": "CronJob",
        "metadata": {"name": "nightly"},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"tasks": [applies], "minAvailable": 1}}},
    }
    guide.apply(yaml.safe_dump(cron))
    done = guide.kubectl("wait", "jf/nightly", "--for=create", "--timeout=80s", check=False)
    assert done.returncode == 0, guide.kubectl("get", "pods,vcjobs,events", check=False).stdout
    guide.kubectl("wait", "jf/nightly", "--for=jsonpath={.status.completionTime}", f"--timeout={SECONDS}s")
    assert guide.kubectl("get", "jf", "nightly", "-o", "jsonpath={.status.outcome}").stdout == "Succeeded"
