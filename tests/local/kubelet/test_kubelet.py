"""The kubelet against the embedded API server: binding, status, deletion, a life after a crash."""

import json

import pytest

from jobflow.api.resources import POD
from jobflow.local.kubelet.process_runtime import ProcessRuntime
from jobflow.local.kubelet.simulated import SimulatedRuntime

PREFIX = "simulate.jobflow.volcano.sh/"


@pytest.mark.looptime
class TestSimulated:
    async def test_a_pod_is_bound_runs_and_succeeds(self, cluster):
        async with cluster.kubelet(SimulatedRuntime(cluster.clock)):
            await cluster.create(annotations={"duration": "10s"})
            running = await cluster.until("Running")
            assert running["spec"]["nodeName"] == "local"
            assert running["status"]["podIP"].startswith("127.1.")
            ready = {each["type"]: each["status"] for each in running["status"]["conditions"]}
            assert (ready["PodScheduled"], ready["Ready"]) == ("True", "True")
            [container] = running["status"]["containerStatuses"]
            assert (container["name"], container["ready"], container["restartCount"]) == ("main", True, 0)
            assert "running" in container["state"]
            ended = await cluster.until("Succeeded")
            [container] = ended["status"]["containerStatuses"]
            assert container["state"]["terminated"]["exitCode"] == 0
            assert "running" not in container["state"]

    async def test_a_pod_costs_three_writes_and_one_that_is_bound_two(self, cluster):
        async with cluster.kubelet(SimulatedRuntime(cluster.clock)):
            for writes, spec in ((3, {}), (2, {"nodeName": "local"})):
                await cluster.create("p", {"duration": "10s"}, **spec)
                before = cluster.server.writes
                await cluster.until("Succeeded")
                await cluster.clock.sleep(60)
                assert cluster.server.writes - before == writes
                await cluster.client.delete(POD, "default", "p")
                await cluster.until_gone()

    async def test_a_pod_that_is_deleted_goes_at_once(self, cluster):
        async with cluster.kubelet(SimulatedRuntime(cluster.clock)):
            await cluster.create(annotations={"duration": "100h"})
            await cluster.until("Running")
            began = cluster.clock.monotonic()
            await cluster.client.delete(POD, "default", "p")
            await cluster.until_gone()
            assert cluster.clock.monotonic() - began < 1

    async def test_pods_of_other_nodes_are_left_alone(self, cluster):
        async with cluster.kubelet(SimulatedRuntime(cluster.clock)):
            await cluster.create(nodeName="elsewhere")
            await cluster.clock.sleep(60)
            assert (await cluster.pod())["status"].get("phase") in (None, "Pending")

    async def test_a_pod_made_anew_under_its_name_runs_anew(self, cluster):
        async with cluster.kubelet(SimulatedRuntime(cluster.clock)):
            for code, phase in (("0", "Succeeded"), ("1", "Failed")):
                await cluster.create(annotations={"exit-code": code})
                await cluster.until(phase)
                await cluster.client.delete(POD, "default", "p")
                await cluster.until_gone()

    async def test_what_ran_when_the_last_kubelet_ended_has_failed(self, cluster):
        async with cluster.kubelet(SimulatedRuntime(cluster.clock)):
            await cluster.create(annotations={"duration": "100h"})
            await cluster.until("Running")
        async with cluster.kubelet(SimulatedRuntime(cluster.clock)):
            pod = await cluster.until("Failed")
        assert pod["status"]["reason"] == "SupervisorStopped"
        end = pod["status"]["containerStatuses"][0]["state"]["terminated"]
        assert (end["exitCode"], end["reason"]) == (137, "SupervisorStopped")

    async def test_what_had_ended_before_stays_as_it_was(self, cluster):
        async with cluster.kubelet(SimulatedRuntime(cluster.clock)):
            await cluster.create()
            before = await cluster.until("Succeeded")
        async with cluster.kubelet(SimulatedRuntime(cluster.clock)):
            await cluster.clock.sleep(60)
        assert await cluster.pod() == before

    async def test_a_bad_annotation_is_named_with_its_value(self, cluster):
        async with cluster.kubelet(SimulatedRuntime(cluster.clock)):
            await cluster.create(annotations={"duration": "soon"})
            pod = await cluster.until("Failed")
        assert pod["status"]["reason"] == "BadAnnotation"
        assert pod["status"]["message"] == (f'annotation {PREFIX}duration: "soon" is not a Go duration such as 1m30s')

    @pytest.mark.blocking  # a thousand pods at once keep a small machine busy for a moment
    async def test_thousands_of_pods_run_side_by_side(self, cluster):
        async with cluster.kubelet(SimulatedRuntime(cluster.clock)):
            for number in range(1000):
                await cluster.create(f"p{number}", {"duration": "1h"}, nodeName="local")
            await cluster.clock.sleep(3605 + cluster.clock.monotonic())
            found = 0
            async for page in cluster.client.list(POD, "default", field_selector="status.phase=Succeeded"):
                found += len(json.loads(page)["items"])
            assert found == 1000


@pytest.mark.e2e
class TestProcesses:
    async def test_a_pod_runs_its_command_and_its_log_is_served(self, cluster, tmp_path):
        async with cluster.kubelet(ProcessRuntime(tmp_path, cluster.clock)) as kubelet:
            command = ["sh", "-c", "echo one; echo two"]
            await cluster.create(containers=[{"name": "main", "image": "busybox", "command": command}])
            await cluster.until("Succeeded")
            assert await cluster.log() == (200, "one\ntwo\n")
            assert await cluster.log("p", ("tailLines", "1")) == (200, "two\n")
            assert (await kubelet.log_path("default", "p", "main")).is_file()

    async def test_a_deleted_pod_is_stopped_before_it_is_gone(self, cluster, tmp_path):
        asked = tmp_path / "asked"
        shell = f"trap 'touch {asked}; exit 0' TERM; while :; do sleep 0.01; done"
        async with cluster.kubelet(ProcessRuntime(tmp_path / "r", cluster.clock)):
            await cluster.create(containers=[{"name": "main", "image": "i", "command": ["sh", "-c", shell]}])
            await cluster.until("Running")
            await cluster.clock.sleep(0.3)  # the shell sets its trap a moment after it is started
            await cluster.client.delete(POD, "default", "p")
            await cluster.until_gone()
        assert asked.exists()

    async def test_there_is_no_log_of_a_previous_run_and_it_is_said(self, cluster, tmp_path):
        async with cluster.kubelet(ProcessRuntime(tmp_path, cluster.clock)):
            await cluster.create(containers=[{"name": "main", "image": "i", "command": ["true"]}])
            await cluster.until("Succeeded")
            status, body = await cluster.log("p", ("previous", "true"))
            assert (status, json.loads(body)["message"]) == (
                400,
                'previous terminated container "main" in pod "p" not found',
            )
