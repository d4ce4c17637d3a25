"""Names and paths that lead out of a pod's directory: refused where pods are made, and harmless where they run."""

from __future__ import annotations

import pytest

from jobflow.kube.errors import Invalid
from jobflow.local.kubelet.containers import PodPhase

VOLUME = {"name": "v", "emptyDir": {}}
HOSTILE = ("../up", "..", "../../../../tmp/up", "/tmp/up", "a/../../up", "a\nb", "")


def mounting(**mount):
    return {"volumeMounts": [{"name": "v", "mountPath": "/v", **mount}]}


def configured(path):
    return {"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": path}]}}


@pytest.mark.e2e
class TestPastAdmission:
    """As if an API server had let them through: an older one's data, a bug."""

    @pytest.mark.parametrize("name", HOSTILE)
    async def test_a_container_of_such_a_name_is_not_started_and_leaves_no_file(self, node, pod, container, name):
        before = set(node.runtime.layout.directory.rglob("*"))
        state = await node.run(pod(container(name, shell="echo started")))
        assert state.phase is PodPhase.FAILED
        assert "not a name for a container" in state.message
        assert set(node.runtime.layout.directory.rglob("*")) == before

    @pytest.mark.parametrize("name", HOSTILE)
    async def test_nor_is_one_that_came_with_such_a_volume(self, node, pod, container, name):
        volumes = [{"name": name, "emptyDir": {}}]
        state = await node.run(pod(container(shell="echo started"), volumes=volumes))
        assert state.phase is PodPhase.FAILED
        assert "not a name for a volume" in state.message

    @pytest.mark.parametrize("path", ["../up", "/tmp/up", "a/../../up"])
    async def test_a_sub_path_stays_in_its_volume(self, node, pod, container, path):
        state = await node.run(pod(container(shell="true", **mounting(subPath=path)), volumes=[VOLUME]))
        assert state.phase is PodPhase.FAILED
        assert f'path "{path}" must be relative and without ".."' in state.message

    async def test_a_link_inside_a_volume_leads_no_sub_path_out_of_it(self, node, pod, container, tmp_path):
        target = tmp_path / "outside"
        target.mkdir()
        first = container("a", shell=f"ln -s {target} /v/link", **mounting())
        second = container("b", shell="touch /v/file", **mounting(subPath="link"))
        state = await node.run(pod(second, init=[first], volumes=[VOLUME]))
        assert state.phase is PodPhase.FAILED
        assert "leads out of the volume" in state.message
        assert list(target.iterdir()) == []


class TestAtAdmission:
    @pytest.mark.parametrize("name", HOSTILE)
    async def test_a_container_of_such_a_name_is_refused(self, cluster, name):
        with pytest.raises(Invalid, match=r"spec\.containers\[0\]\.name: (Invalid|Required) value"):
            await cluster.create(containers=[{"name": name, "image": "busybox"}])

    @pytest.mark.parametrize("name", HOSTILE)
    async def test_a_volume_of_such_a_name_is_refused(self, cluster, name):
        with pytest.raises(Invalid, match=r"spec\.volumes\[0\]\.name: (Invalid|Required) value"):
            await cluster.create(volumes=[{"name": name, "emptyDir": {}}])

    @pytest.mark.parametrize("path", ["../up", "..data", "/tmp/up", "a/../../up", ""])
    async def test_a_file_of_such_a_path_is_refused(self, cluster, path):
        with pytest.raises(Invalid, match=r"spec\.volumes\[0\]\.configMap\.items\[0\]\.path"):
            await cluster.create(volumes=[configured(path)])

    @pytest.mark.parametrize("path", ["../up", "/tmp/up", "a/../../up"])
    async def test_a_sub_path_that_leads_out_is_refused(self, cluster, path):
        container = {"name": "main", "image": "busybox", **mounting(subPath=path)}
        with pytest.raises(Invalid, match=r"volumeMounts\.subPath: Invalid value"):
            await cluster.create(containers=[container], volumes=[VOLUME])
