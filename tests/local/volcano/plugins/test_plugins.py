"""What each plugin adds to a pod and beside it."""

import base64
import json

import msgspec
import pytest

from jobflow.local.volcano.admission import defaulted
from jobflow.local.volcano.objects import JobObject, job_view
from jobflow.local.volcano.plugins import PLUGINS, plugins_of
from jobflow.local.volcano.pods import build


def job(plugins, *tasks):
    """A Job with its defaults: two tasks, `ps` with one pod and `worker` with two, unless others are given."""
    body = {
        "metadata": {"name": "train", "namespace": "ns", "uid": "u"},
        "spec": {"tasks": list(tasks) or [task("ps"), task("worker", 2)], "plugins": plugins},
    }
    view = job_view(msgspec.json.decode(msgspec.json.encode(body), type=JobObject))
    return msgspec.structs.replace(view, spec=defaulted(view.spec))


def task(name, replicas=1, container="main", **spec):
    containers = {"containers": [{"name": container, "image": "i"}], "initContainers": [{"name": "init", "image": "i"}]}
    return {"name": name, "replicas": replicas, "template": {"spec": {**containers, **spec}}}


def pod(of, name, index=0):
    return build(of, next(one for one in of.spec.tasks if one.name == name), index)


def env(pod, container=0, kind="containers"):
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in pod["spec"][kind][container].get("env", ())}


def objects(of, plugin):
    return {
        body["kind"]: body for name, one, flags in plugins_of(of) if name == plugin for body in one.objects(of, flags)
    }


class TestEnv:
    def test_every_container_learns_the_index(self):
        built = pod(job({"env": []}), "worker", 1)
        assert env(built) == env(built, kind="initContainers") == {"VK_TASK_INDEX": "1", "VC_TASK_INDEX": "1"}

    def test_nothing_without_the_plugin(self):
        assert env(pod(job({}), "worker")) == {}


HOST_FILES = {
    "ps.host": "train-ps-0.train",
    "VC_PS_HOSTS": "train-ps-0.train",
    "VC_PS_NUM": "1",
    "worker.host": "train-worker-0.train\ntrain-worker-1.train",
    "VC_WORKER_HOSTS": "train-worker-0.train,train-worker-1.train",
    "VC_WORKER_NUM": "2",
}


class TestSvc:
    def test_hosts_of_all_tasks_are_in_a_config_map(self):
        config = objects(job({"svc": []}), "svc")["ConfigMap"]
        assert config["metadata"]["name"] == "train-svc"
        assert config["metadata"]["ownerReferences"][0]["uid"] == "u"
        assert config["data"] == HOST_FILES

    def test_dashes_of_a_task_become_underscores(self):
        data = objects(job({"svc": []}, task("my-task")), "svc")["ConfigMap"]["data"]
        assert set(data) == {"my_task.host", "VC_MY_TASK_HOSTS", "VC_MY_TASK_NUM"}

    def test_a_host_that_the_template_names_stands_alone(self):
        data = objects(job({"svc": []}, task("w", 3, hostname="box", subdomain="here")), "svc")["ConfigMap"]["data"]
        assert (data["w.host"], data["VC_W_NUM"]) == ("box.here", "1")

    @pytest.mark.parametrize(("words", "early"), [([], False), (["--publish-not-ready-addresses=true"], True)])
    def test_a_headless_service_stands_for_the_pods(self, words, early):
        service = objects(job({"svc": words}), "svc")["Service"]
        assert service["metadata"]["name"] == "train"
        assert service["spec"] == {
            "clusterIP": "None",
            "selector": {"volcano.sh/job-name": "train", "volcano.sh/job-namespace": "ns"},
            "publishNotReadyAddresses": early,
        }

    def test_a_pod_has_a_name_in_it_the_list_and_the_variables(self):
        built = pod(job({"svc": []}), "worker", 1)
        spec = built["spec"]
        assert (spec["hostname"], spec["subdomain"]) == ("train-worker-1", "train")
        assert spec["volumes"] == [{"name": "train-svc", "configMap": {"name": "train-svc"}}]
        for kind in ("containers", "initContainers"):
            assert spec[kind][0]["volumeMounts"] == [{"name": "train-svc", "mountPath": "/etc/volcano"}]
            assert env(built, kind=kind) == {
                key: {"configMapKeyRef": {"name": "train-svc", "key": key}}
                for key in HOST_FILES
                if key.startswith("VC_")
            }

    def test_the_template_may_name_host_and_domain(self):
        spec = pod(job({"svc": []}, task("w", hostname="box", subdomain="here")), "w")["spec"]
        assert (spec["hostname"], spec["subdomain"]) == ("box", "here")

    def test_the_variables_may_be_left_out(self):
        assert env(pod(job({"svc": ["--inject-hosts-env=false"]}), "ps")) == {}


class TestSsh:
    def test_the_secret_has_a_key_pair_and_knows_the_hosts(self):
        secret = objects(job({"ssh": []}), "ssh")["Secret"]
        data = {name: base64.b64decode(text).decode() for name, text in secret["data"].items()}
        assert secret["metadata"]["name"] == "train-ssh"
        assert data["id_rsa"].startswith("-----BEGIN RSA PRIVATE KEY-----")
        assert data["id_rsa.pub"].startswith("ssh-rsa ")
        assert data["authorized_keys"] == data["id_rsa.pub"]
        assert data["config"].splitlines() == [
            "StrictHostKeyChecking no",
            "UserKnownHostsFile /dev/null",
            "Host train-ps-0",
            "  HostName train-ps-0.train",
            "Host train-worker-0",
            "  HostName train-worker-0.train",
            "Host train-worker-1",
            "  HostName train-worker-1.train",
        ]

    def test_each_job_has_a_key_of_its_own(self):
        first, second = (objects(job({"ssh": []}), "ssh")["Secret"]["data"]["id_rsa"] for _ in range(2))
        assert first != second

    def test_keys_and_port_may_be_given(self):
        words = ["--ssh-private-key=mine", "--ssh-public-key=yours", "--ssh-port=2222"]
        data = objects(job({"ssh": words}, task("w")), "ssh")["Secret"]["data"]
        texts = {name: base64.b64decode(text).decode() for name, text in data.items()}
        assert (texts["id_rsa"], texts["authorized_keys"]) == ("mine", "yours")
        assert "  Port 2222" in texts["config"].splitlines()

    @pytest.mark.parametrize(
        ("words", "path", "mode"),
        [([], "/root/.ssh", 0o600), (["--ssh-key-file-path=/home/me/.ssh"], "/home/me/.ssh", 0o644)],
    )
    def test_main_containers_have_it_where_ssh_looks(self, words, path, mode):
        spec = pod(job({"ssh": words}), "ps")["spec"]
        [volume] = spec["volumes"]
        assert volume["secret"]["defaultMode"] == mode
        assert [item["path"] for item in volume["secret"]["items"]] == [
            ".ssh/id_rsa",
            ".ssh/id_rsa.pub",
            ".ssh/authorized_keys",
            ".ssh/config",
        ]
        assert spec["containers"][0]["volumeMounts"] == [{"name": "train-ssh", "mountPath": path, "subPath": ".ssh"}]
        assert "volumeMounts" not in spec["initContainers"][0]


class TestPytorch:
    JOB = ({"pytorch": ["--master=ps", "--port=1234"]},)

    def test_ranks_and_the_masters_address(self):
        of = job(*self.JOB)
        shared = {"MASTER_ADDR": "train-ps-0.train", "MASTER_PORT": "1234", "WORLD_SIZE": "3"}
        for name, index, rank in (("ps", 0, "0"), ("worker", 0, "1"), ("worker", 1, "2")):
            got = env(pod(of, name, index))
            assert {key: got[key] for key in (*shared, "RANK")} == {**shared, "RANK": rank}

    def test_the_port_is_told(self):
        assert pod(job(*self.JOB), "ps")["spec"]["containers"][0]["ports"] == [
            {"name": "pytorchjob-port", "containerPort": 1234, "protocol": "TCP"}
        ]

    def test_another_task_has_no_rank(self):
        of = job({"pytorch": []}, task("master"), task("worker"), task("logger"))
        got = env(pod(of, "logger"))
        assert "RANK" not in got
        assert got["WORLD_SIZE"] == "2"

    def test_without_a_master_there_is_nothing(self):
        assert "MASTER_ADDR" not in env(pod(job({"pytorch": []}, task("worker")), "worker"))

    def test_svc_comes_with_it(self):
        assert "train-svc" in [volume["name"] for volume in pod(job(*self.JOB), "ps")["spec"]["volumes"]]


class TestTensorflow:
    def test_tf_config_tells_the_cluster_and_the_place_in_it(self):
        of = job({"tensorflow": ["--ps=ps"]}, task("ps"), task("worker", 2), task("chief"))
        assert json.loads(env(pod(of, "worker", 1))["TF_CONFIG"]) == {
            "cluster": {
                "ps": ["train-ps-0.train:2222"],
                "worker": ["train-worker-0.train:2222", "train-worker-1.train:2222"],
                "chief": ["train-chief-0.train:2222"],
            },
            "task": {"type": "worker", "index": 1},
        }

    def test_tasks_may_have_other_names(self):
        of = job({"tensorflow": ["--worker", "w", "--port=1"]}, task("w", 2))
        config = json.loads(env(pod(of, "w", 0))["TF_CONFIG"])
        assert config["task"] == {"type": "worker", "index": 0}
        assert config["cluster"]["worker"][0].endswith(":1")

    def test_a_single_pod_needs_none(self):
        assert "TF_CONFIG" not in env(pod(job({"tensorflow": []}, task("worker")), "worker"))


class TestMpi:
    def test_the_master_knows_the_workers(self):
        of = job({"mpi": ["--master=ps"]})
        assert env(pod(of, "ps"))["MPI_HOST"] == "train-worker-0.train,train-worker-1.train"
        assert "MPI_HOST" not in env(pod(of, "worker"))

    def test_svc_and_ssh_come_with_it_and_the_port_is_told(self):
        spec = pod(job({"mpi": ["--master=ps"]}), "worker")["spec"]
        assert {volume["name"] for volume in spec["volumes"]} == {"train-svc", "train-ssh"}
        assert spec["containers"][0]["ports"][0]["containerPort"] == 22


class TestRay:
    def test_head_and_workers_start_ray(self):
        of = job({"ray": []}, task("head", container="head"), task("worker", 2, container="worker"))
        head = pod(of, "head")["spec"]["containers"][0]
        assert head["command"][:2] == ["sh", "-c"]
        assert head["command"][2] == (
            "ray start --head --block --dashboard-host=0.0.0.0 --port=6379 --dashboard-port=8265 "
            "--ray-client-server-port=10001"
        )
        assert [port["name"] for port in head["ports"]] == ["gcs", "dashboard", "client-server"]
        worker = pod(of, "worker")["spec"]["containers"][0]
        assert worker["command"][2] == "ray start --block --address=train-head-0.train:6379"

    def test_the_head_has_a_service(self):
        service = objects(job({"ray": ["--port=1"]}, task("head")), "ray")["Service"]
        assert service["spec"]["selector"]["volcano.sh/task-spec"] == "head"
        assert service["spec"]["ports"][0] == {"name": "gcs", "port": 1, "targetPort": "gcs", "protocol": "TCP"}

    def test_another_container_keeps_its_command(self):
        of = job({"ray": []}, task("head", container="other"))
        assert "command" not in pod(of, "head")["spec"]["containers"][0]


class TestHcclRank:
    @pytest.mark.parametrize(("name", "index", "rank"), [("master", 0, "0"), ("worker", 0, "1"), ("worker", 1, "2")])
    def test_masters_come_first(self, name, index, rank):
        of = job({"hcclrank": []}, task("master"), task("worker", 2))
        assert pod(of, name, index)["metadata"]["annotations"]["hccl/rankIndex"] == rank

    def test_another_task_has_none(self):
        assert "hccl/rankIndex" not in pod(job({"hcclrank": []}), "ps")["metadata"]["annotations"]

    def test_the_rank_that_pytorch_gave_stands(self):
        of = job({"hcclrank": [], "pytorch": ["--master=ps"]})
        assert pod(of, "worker", 1)["metadata"]["annotations"]["hccl/rankIndex"] == "2"


def test_the_order_in_the_job_does_not_matter():
    names = list(PLUGINS)
    tasks = task("master"), task("worker", 2)
    forth, back = job({name: [] for name in names}, *tasks), job({name: [] for name in reversed(names)}, *tasks)
    assert pod(forth, "worker") == pod(back, "worker")
