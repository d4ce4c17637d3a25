"""Containers of a pod: in which order they run, what they say at their end, how they are ended."""

import asyncio
import os

import pytest

from jobflow.local.kubelet.containers import PodPhase, Running, Terminated

pytestmark = pytest.mark.e2e

WAITS = "trap 'exit 0' TERM; while :; do sleep 0.02; done"


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def names_of(pod, state):
    return dict(zip([container.name for container in pod.containers], state.containers, strict=True))


class TestSidecars:
    async def test_one_starts_before_those_after_it_and_ends_after_the_main_containers(
        self, node, pod, container, tmp_path
    ):
        story = tmp_path / "story"
        stays = f"echo up >> {story}; trap 'echo down >> {story}; exit 0' TERM; while :; do sleep 0.02; done"
        sidecar = container("side", shell=stays, restartPolicy="Always")
        p = pod(container(shell=f"sleep 0.2; echo main >> {story}"), init=[sidecar])
        state = await node.run(p)
        assert state.phase is PodPhase.SUCCEEDED
        assert story.read_text() == "up\nmain\ndown\n"

    async def test_one_that_ends_too_early_is_started_again(self, node, pod, container, tmp_path):
        runs = tmp_path / "runs"
        sidecar = container("side", shell=f"echo x >> {runs}; exit 1", restartPolicy="Always")
        main = container(shell=f"until test $(wc -l < {runs}) -ge 2; do sleep 0.02; done")
        p = pod(main, init=[sidecar])
        state = await node.run(p)
        assert state.phase is PodPhase.SUCCEEDED
        assert names_of(p, state)["side"].restarts >= 1

    async def test_those_after_it_wait_for_its_startup_probe(self, node, pod, container, tmp_path):
        gate = tmp_path / "gate"
        probe = {"exec": {"command": ["test", "-e", str(gate)]}, "periodSeconds": 1, "failureThreshold": 30}
        sidecar = container(
            "side", shell=f"sleep 0.3; touch {gate}; {WAITS}", restartPolicy="Always", startupProbe=probe
        )
        state = await node.run(pod(container(shell=f"test -e {gate}"), init=[sidecar]))
        assert state.phase is PodPhase.SUCCEEDED

    async def test_a_pod_whose_sidecar_never_starts_can_be_stopped(self, node, pod, container):
        probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 600}
        sidecar = container("side", shell="echo up; exec sleep 600", restartPolicy="Always", startupProbe=probe)
        p = pod(container(shell="true"), init=[sidecar])
        node.start(p)
        await node.logged_of(p, "side", "up\n")
        node.runtime.stop(p, 0)
        assert (await node.end(p)).phase is PodPhase.FAILED

    async def test_one_that_cannot_be_run_fails_the_pod_at_once_and_ends_the_others(
        self, node, pod, container, tmp_path
    ):
        field = {"name": "V", "valueFrom": {"fieldRef": {"fieldPath": "spec.no"}}}
        good = container("good", shell=f"echo $$$$ > {tmp_path}/pid; exec sleep 600", restartPolicy="Always")
        bad = container("bad", shell="true", restartPolicy="Always", env=[field])
        p = pod(container(shell=f"touch {tmp_path}/wrong"), init=[good, bad])
        state = await node.run(p)
        assert (state.phase, state.reason) == (PodPhase.FAILED, "CreateContainerConfigError")
        assert not (tmp_path / "wrong").exists()
        assert all(not isinstance(each.now, Running) for each in state.containers)
        async with asyncio.timeout(10):
            while (tmp_path / "pid").exists() and alive(int((tmp_path / "pid").read_text() or 0)):
                await asyncio.sleep(0.02)

    async def test_a_pod_whose_main_container_fails_fails_though_its_sidecar_is_well(self, node, pod, container):
        sidecar = container("side", shell=WAITS, restartPolicy="Always")
        state = await node.run(pod(container(shell="exit 2"), init=[sidecar]))
        assert state.phase is PodPhase.FAILED


class TestLastWords:
    async def message(self, node, pod, container, shell, **spec):
        state = await node.run(pod(container(shell=shell, **spec)))
        return state.containers[0].now.message

    async def test_what_is_written_to_the_termination_log(self, node, pod, container):
        assert await self.message(node, pod, container, "echo done > /dev/termination-log") == "done\n"

    async def test_a_path_of_its_own(self, node, pod, container):
        path = "/said/it"
        words = await self.message(node, pod, container, f"echo done > {path}", terminationMessagePath=path)
        assert words == "done\n"

    async def test_no_more_than_4096_bytes_of_it_the_last_ones(self, node, pod, container):
        shell = "head -c 5000 /dev/zero | tr '\\0' x > /dev/termination-log; printf end >> /dev/termination-log"
        words = await self.message(node, pod, container, shell)
        assert len(words) == 4096
        assert words.endswith("xend")

    @pytest.mark.parametrize(
        ("policy", "code", "words"),
        [("File", 1, ""), ("FallbackToLogsOnError", 1, "why it failed"), ("FallbackToLogsOnError", 0, "")],
    )
    async def test_the_end_of_the_log_where_it_failed_and_said_nothing_else(
        self, node, pod, container, policy, code, words
    ):
        shell = f"echo why it failed; exit {code}"
        assert await self.message(node, pod, container, shell, terminationMessagePolicy=policy) == words

    async def test_of_a_restarted_container_only_what_its_last_run_said(self, node, pod, container):
        shell = "test -e again && exit 0; touch again; echo first > /dev/termination-log; exit 1"
        state = await node.run(pod(container(shell=shell), restart="OnFailure"))
        assert (state.containers[0].now.message, state.containers[0].before.message) == ("", "first\n")


class TestEnding:
    async def test_a_pod_past_its_deadline_is_ended_and_says_so(self, node, pod, container):
        p = pod(container(shell=WAITS), active_deadline_seconds=1)
        state = await node.run(p)
        assert (state.phase, state.reason) == (PodPhase.FAILED, "DeadlineExceeded")
        assert "activeDeadlineSeconds, 1" in state.message
        assert isinstance(state.containers[0].now, Terminated)

    async def test_init_containers_count_towards_the_deadline(self, node, pod, container):
        p = pod(container(shell="true"), init=[container("first", shell=WAITS)], active_deadline_seconds=1)
        assert (await node.run(p)).reason == "DeadlineExceeded"

    async def test_a_second_stop_with_less_grace_is_in_a_hurry(self, node, pod, container):
        p = pod(container(shell="trap '' TERM; echo up; while :; do sleep 0.02; done"))
        node.start(p)
        await node.logged(p, "up\n")
        node.runtime.stop(p, 600)
        node.runtime.stop(p, 0)
        state = await node.end(p)
        assert state.containers[0].now.signal == 9

    async def test_the_whole_group_gets_the_signal(self, node, pod, container, tmp_path):
        asked = tmp_path / "asked"
        child = f"trap 'touch {asked}; exit 0' TERM; echo up; while :; do sleep 0.02; done"
        p = pod(container(command=["sh", "-c", 'trap : TERM; sh -c "$0" & wait; wait', child]))
        node.start(p)
        await node.logged(p, "up\n")
        node.runtime.stop(p, 10)
        await node.end(p)
        async with asyncio.timeout(10):
            while not asked.exists():
                await asyncio.sleep(0.02)

    async def test_a_stopped_pod_does_not_start_its_next_init_container(self, node, pod, container, tmp_path):
        wrong = tmp_path / "wrong"
        inits = [container("one", shell=f"echo up; {WAITS}"), container("two", shell=f"touch {wrong}")]
        p = pod(container(shell=f"touch {wrong}"), init=inits)
        node.start(p)
        await node.until(p, lambda state: isinstance(state.containers[0].now, Running))
        await node.logged_of(p, "one", "up\n")
        node.runtime.stop(p, 10)
        assert (await node.end(p)).phase is PodPhase.FAILED
        assert not wrong.exists()


async def test_one_container_that_cannot_be_run_ends_the_others(node, pod, container):
    bad = container("bad", shell="true", env=[{"name": "V", "valueFrom": {"fieldRef": {"fieldPath": "spec.no"}}}])
    state = await node.run(pod(container("good", shell=WAITS), bad))
    assert (state.phase, state.reason) == (PodPhase.FAILED, "CreateContainerConfigError")
    assert "env V: fieldPath spec.no" in state.message


async def test_hooks_are_not_run_and_it_is_told(node, pod, container):
    p = pod(container(shell="true", lifecycle={"preStop": {"exec": {"command": ["true"]}}}))
    assert (await node.run(p)).phase is PodPhase.SUCCEEDED
    assert node.warnings["p"] == [("HooksNotRun", "lifecycle hooks of main are not run: processes have none here")]


async def test_each_pod_finds_itself_at_its_own_name_and_address(node, pod, container):
    env = [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    shell = 'hostname; echo $IP; getent hosts $(hostname) | cut -d" " -f1; getent hosts alias | cut -d" " -f1'
    p = pod(container(shell=shell, env=env), host_aliases=[{"ip": "10.0.0.7", "hostnames": ["alias"]}])
    await node.run(p)
    assert await node.log(p) == "p\n127.9.9.9\n127.9.9.9\n10.0.0.7\n"
