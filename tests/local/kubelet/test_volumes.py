"""Volumes: real mounts, of objects of a real API server, in processes of this machine."""

import base64
import json
from pathlib import Path

import pytest

from jobflow.api.resources import CONFIG_MAP, POD, SECRET
from jobflow.kube.errors import NotFound
from jobflow.local.kubelet.claims import CLAIM

pytestmark = pytest.mark.e2e


def mounted(path, volume="v", **more):
    return [{"name": volume, "mountPath": path, **more}]


async def printed(cluster, processes, shell, volumes, mounts, **more):
    """What a container with these volumes prints, and how its pod ended."""
    async with processes():
        pod = await cluster.run(shell, volumes=volumes, container={"volumeMounts": mounts}, **more)
        _, text = await cluster.log()
    return text, pod["status"]


async def test_keys_of_a_config_map_are_files_and_cannot_be_written(cluster, processes):
    await cluster.make(CONFIG_MAP, "c", data={"a.txt": "one", "b.txt": "two"}, binaryData={"c.bin": "AAE="})
    shell = "cd /etc/no-such/settings; ls; cat a.txt; wc -c < c.bin; echo x > a.txt"
    volumes = [{"name": "v", "configMap": {"name": "c"}}]
    text, status = await printed(cluster, processes, shell, volumes, mounted("/etc/no-such/settings"))
    assert text.startswith("a.txt\nb.txt\nc.bin\none2\n")
    assert "Read-only file system" in text
    assert status["phase"] == "Failed"
    assert not Path("/etc/no-such").exists(), "nothing is made on this machine"


async def test_keys_of_a_secret_with_paths_and_modes(cluster, processes):
    key = base64.b64encode(b"private").decode()
    await cluster.make(SECRET, "s", data={"id": key, "other": key})
    source = {"secretName": "s", "defaultMode": 0o440, "items": [{"key": "id", "path": "keys/id_rsa", "mode": 0o600}]}
    shell = "cd /keys; ls; stat -L -c %a keys/id_rsa; cat keys/id_rsa"
    text, _ = await printed(cluster, processes, shell, [{"name": "v", "secret": source}], mounted("/keys"))
    assert text == "keys\n600\nprivate"


async def test_a_volume_shows_what_its_config_map_has_now(cluster, processes):
    await cluster.make(CONFIG_MAP, "c", data={"word": "old"})
    volumes = [{"name": "v", "configMap": {"name": "c"}}]
    shell = "cat /v/word; until grep -q new /v/word; do sleep 0.05; done; cat /v/word; ls /v"
    async with processes():
        mounts = mounted("/v")
        await cluster.create(
            containers=[{"name": "main", "image": "i", "command": ["sh", "-c", shell], "volumeMounts": mounts}],
            volumes=volumes,
        )
        await cluster.until("Running")
        await cluster.client.patch(CONFIG_MAP, "default", "c", {"data": {"word": "new", "more": "x"}})
        await cluster.until("Succeeded")
        assert await cluster.log() == (200, "oldnewmore\nword\n")


@pytest.mark.parametrize(
    ("volume", "resource"),
    [({"configMap": {"name": "late"}}, CONFIG_MAP), ({"secret": {"secretName": "late"}}, SECRET)],
    ids=["configMap", "secret"],
)
async def test_a_pod_waits_for_what_its_volume_shows(cluster, processes, volume, resource):
    async with processes():
        mounts = mounted("/v")
        await cluster.create(
            containers=[{"name": "main", "image": "i", "command": ["cat", "/v/k"], "volumeMounts": mounts}],
            volumes=[{"name": "v", **volume}],
        )
        pod = await cluster.when(lambda pod: pod["status"].get("containerStatuses"))
        waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
        assert (pod["status"]["phase"], waiting["reason"]) == ("Pending", "CreateContainerConfigError")
        assert '"late" not found' in waiting["message"]
        assert ("FailedMount", waiting["message"]) in await cluster.events()
        await cluster.make(resource, "late", data={"k": base64.b64encode(b"here").decode()})
        await cluster.until("Succeeded")


async def test_what_is_optional_may_be_missing(cluster, processes):
    volumes = [{"name": "v", "configMap": {"name": "none", "optional": True}}]
    text, status = await printed(cluster, processes, "ls -a /v | wc -l", volumes, mounted("/v"))
    assert status["phase"] == "Succeeded", text


async def test_an_empty_directory_is_shared_by_the_containers_of_a_pod_and_goes_with_it(
    cluster, processes, shell, tmp_path
):
    volumes = [{"name": "v", "emptyDir": {}}]
    first = shell("echo hello > /data/f", name="first", volumeMounts=mounted("/data"))
    async with processes():
        await cluster.create(
            initContainers=[first],
            containers=[shell("cat /elsewhere/f", volumeMounts=mounted("/elsewhere"))],
            volumes=volumes,
        )
        pod = await cluster.ended()
        assert await cluster.log() == (200, "hello\n")
        directory = tmp_path / "run" / "pods" / pod["metadata"]["uid"]
        assert (directory / "volumes" / "v" / "f").exists()
        await cluster.client.delete(POD, "default", "p")
        await cluster.until_gone()
        for _ in range(500):
            if not directory.exists():
                break
            await cluster.clock.sleep(0.02)
        assert not directory.exists()


async def test_a_sub_path_is_mounted_alone(cluster, processes):
    await cluster.make(CONFIG_MAP, "c", data={"a": "one", "b": "two"})
    volumes = [{"name": "v", "configMap": {"name": "c"}}, {"name": "e", "emptyDir": {}}]
    mounts = mounted("/only/a", subPath="a") + mounted("/desk", "e", subPathExpr="$(WHO)/deep") + mounted("/all", "e")
    spec = {"volumeMounts": mounts, "env": [{"name": "WHO", "value": "main"}]}
    async with processes():
        await cluster.run("ls /only; cat /only/a; touch /desk/x; ls /all/main/deep", volumes=volumes, container=spec)
        assert await cluster.log() == (200, "a\nonex\n")


async def test_fields_of_the_pod_and_several_sources_in_one_directory(cluster, processes):
    await cluster.make(CONFIG_MAP, "c", data={"k": "from the map"})
    sources = [
        {"configMap": {"name": "c", "items": [{"key": "k", "path": "deep/k"}]}},
        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
    ]
    text, _ = await printed(
        cluster, processes, "cd /v; cat deep/k name", [{"name": "v", "projected": {"sources": sources}}], mounted("/v")
    )
    assert text == "from the mapp"


CLAIMED = ({"name": "v", "persistentVolumeClaim": {"claimName": "c"}},)


class TestClaims:
    async def claim(self, cluster, name="c"):
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        await cluster.make(CLAIM, name, spec=spec)

    async def test_a_claim_is_bound_and_its_files_outlive_the_pods(self, cluster, processes):
        await self.claim(cluster)
        async with processes():
            mounts = {"volumeMounts": mounted("/data")}
            await cluster.run("echo kept > /data/f", "one", volumes=CLAIMED, container=mounts)
            await cluster.run("cat /data/f", "two", volumes=CLAIMED, container=mounts)
            assert await cluster.log("two") == (200, "kept\n")
            claim = json.loads(await cluster.client.get(CLAIM, "default", "c"))
            assert claim["status"]["phase"] == "Bound"
            assert claim["status"]["capacity"] == {"storage": "1Gi"}

    async def test_its_files_go_with_it(self, cluster, processes, tmp_path):
        await self.claim(cluster)
        async with processes():
            await cluster.run("touch /data/f", volumes=CLAIMED, container={"volumeMounts": mounted("/data")})
            [directory] = (tmp_path / "volumes" / "default").iterdir()
            await cluster.client.delete(POD, "default", "p")
            await cluster.until_gone()
            await cluster.client.delete(CLAIM, "default", "c")
            for _ in range(500):
                if not directory.exists():
                    break
                await cluster.clock.sleep(0.02)
            assert not directory.exists()

    async def test_its_files_stay_while_a_pod_uses_them(self, cluster, processes, shell, tmp_path):
        await self.claim(cluster)
        go = tmp_path / "go"
        late = f"touch /data/f; until test -e {go}; do sleep 0.05; done; ls /data"
        async with processes():
            await cluster.create(containers=[shell(late, volumeMounts=mounted("/data"))], volumes=CLAIMED)
            await cluster.until("Running")
            await cluster.client.delete(CLAIM, "default", "c")
            await cluster.clock.sleep(0.3)
            go.touch()
            await cluster.until("Succeeded")
            assert await cluster.log() == (200, "f\n")
            await cluster.client.delete(POD, "default", "p")
            await cluster.until_gone()
            for _ in range(500):
                if not list((tmp_path / "volumes" / "default").iterdir()):
                    break
                await cluster.clock.sleep(0.02)
            assert not list((tmp_path / "volumes" / "default").iterdir())

    async def test_a_pod_waits_for_a_claim(self, cluster, processes):
        async with processes():
            command = ["touch", "/data/f"]
            container = {"name": "main", "image": "i", "command": command, "volumeMounts": mounted("/data")}
            await cluster.create(containers=[container], volumes=CLAIMED)
            pod = await cluster.when(lambda pod: pod["status"].get("containerStatuses"))
            waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
            assert waiting["message"] == 'persistentvolumeclaim "c" not found'
            await self.claim(cluster)
            await cluster.until("Succeeded")


class TestHostPaths:
    async def test_a_path_of_this_machine_only_where_that_is_allowed(self, cluster, processes, tmp_path):
        (tmp_path / "f").write_text("of the machine\n")
        volumes = [{"name": "v", "hostPath": {"path": str(tmp_path)}}]
        mounts = {"volumeMounts": mounted("/host")}
        async with processes():
            pod = await cluster.run("cat /host/f", volumes=volumes, container=mounts)
            assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "CreateContainerConfigError")
            assert "--allow-host-path" in pod["status"]["message"]
            await cluster.client.delete(POD, "default", "p")
            await cluster.until_gone()
        async with processes(host_paths=True):
            await cluster.run("cat /host/f", "q", volumes=volumes, container=mounts)
            assert await cluster.log("q") == (200, "of the machine\n")


@pytest.mark.parametrize(
    ("volumes", "mounts", "told"),
    [
        ([{"name": "v", "nfs": {"server": "s", "path": "/"}}], mounted("/v"), "volume v: its kind is not available"),
        (
            [{"name": "v", "emptyDir": {}}],
            mounted("/"),
            "container main: mountPath / must be absolute, and not / itself",
        ),
        ([{"name": "v", "hostPath": {"path": "/no/such"}}], mounted("/v"), "hostPath /no/such does not exist"),
        ([{"name": "v", "hostPath": {"path": "/etc", "type": "File"}}], mounted("/v"), "hostPath /etc is not a File"),
    ],
)
async def test_what_cannot_be_mounted_is_named(cluster, processes, volumes, mounts, told):
    async with processes(host_paths=True):
        pod = await cluster.run("true", volumes=volumes, container={"volumeMounts": mounts})
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "CreateContainerConfigError")
    assert told in pod["status"]["message"]


async def test_where_nothing_can_be_mounted_a_variable_has_the_place_and_it_is_told(cluster, processes):
    await cluster.make(CONFIG_MAP, "c", data={"k": "here\n"})
    volumes = [{"name": "my-volume", "configMap": {"name": "c"}}]
    shell = "cat $JOBFLOW_VOLUME_MY_VOLUME/k; echo bye > $JOBFLOW_TERMINATION_LOG"
    async with processes(mounts=False):
        pod = await cluster.run(shell, volumes=volumes, container={"volumeMounts": mounted("/v", "my-volume")})
        assert await cluster.log() == (200, "here\n")
        assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"] == "bye\n"
        [(reason, message)] = await cluster.events()
    assert reason == "VolumesNotMounted"
    assert "JOBFLOW_VOLUME_<NAME>" in message


def waits(pod):
    """What its container waits for."""
    for status in pod["status"].get("containerStatuses", ()):
        return status["state"].get("waiting", {}).get("message", "")
    return ""


async def test_environment_from_objects_that_come_late(cluster, processes, shell):
    env = [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "late", "key": "p"}}}]
    async with processes():
        await cluster.create(containers=[shell("echo $P $LEVEL", env=env, envFrom=[{"configMapRef": {"name": "c"}}])])
        pod = await cluster.when(waits)
        assert waits(pod) == 'configmap "c" not found in namespace default'
        await cluster.make(CONFIG_MAP, "c", data={"LEVEL": "debug"})
        pod = await cluster.when(lambda pod: "secret" in waits(pod))
        assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "CreateContainerConfigError"
        await cluster.make(SECRET, "late", data={"p": base64.b64encode(b"s3cret").decode()})
        await cluster.until("Succeeded")
        assert await cluster.log() == (200, "s3cret debug\n")


async def test_a_pod_that_waits_for_an_object_can_be_deleted(cluster, processes, shell):
    async with processes():
        await cluster.create(containers=[shell("true", envFrom=[{"configMapRef": {"name": "never"}}])])
        await cluster.when(lambda pod: pod["status"].get("containerStatuses"))
        await cluster.client.delete(POD, "default", "p")
        await cluster.until_gone()
        with pytest.raises(NotFound):
            await cluster.pod()
