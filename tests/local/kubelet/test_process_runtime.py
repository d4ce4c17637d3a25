"""Pods as processes: real ones, started, watched, restarted, stopped."""

import asyncio
import os
import signal

import pytest

from jobflow.clock import SystemClock
from jobflow.local.kubelet.containers import PodPhase, Running, Terminated, Waiting
from jobflow.local.kubelet.process_runtime import ProcessRuntime

pytestmark = pytest.mark.e2e

PATIENCE_SECONDS = 20


def all_running(state):
    return all(isinstance(each.now, Running) for each in state.containers)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def gone(pid):
    """Wait until a process is gone."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if not alive(pid):
                return
            await asyncio.sleep(0.01)


class TestHowPodsEnd:
    async def test_a_command_that_succeeds(self, node, pod, container):
        state = await node.run(pod(container(shell="echo hello")))
        assert state.phase is PodPhase.SUCCEEDED
        end = state.containers[0].now
        assert (end.exit_code, end.reason) == (0, "Completed")
        assert end.started_at <= end.finished_at

    async def test_a_command_that_fails(self, node, pod, container):
        state = await node.run(pod(container(shell="exit 3")))
        assert state.phase is PodPhase.FAILED
        end = state.containers[0].now
        assert (end.exit_code, end.reason) == (3, "Error")

    async def test_a_command_killed_by_a_signal_ends_with_128_and_its_number(self, node, pod, container):
        state = await node.run(pod(container(shell="kill -9 $$$$")))
        end = state.containers[0].now
        assert (end.exit_code, end.signal) == (137, 9)

    async def test_a_short_pod_is_told_twice_at_most(self, node, pod, container):
        p = pod(container(shell="true"))
        await node.run(p)
        assert len(node.told["p"]) <= 2

    async def test_containers_run_side_by_side_and_one_failure_fails_the_pod(self, node, pod, container, tmp_path):
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        one, other = container("a", shell=f"echo x > {fifo}"), container("b", shell=f"cat {fifo}; exit 2")
        state = await node.run(pod(one, other))
        assert state.phase is PodPhase.FAILED
        assert [each.now.exit_code for each in state.containers] == [0, 2]

    async def test_init_containers_run_before_one_after_the_other(self, node, pod, container):
        inits = [container("one", shell="echo 1 >> f"), container("two", shell="echo 2 >> f")]
        p = pod(container(shell="cat f"), init=inits)
        assert (await node.run(p)).phase is PodPhase.SUCCEEDED
        assert await node.log(p) == "1\n2\n"

    async def test_a_failed_init_container_fails_the_pod_and_nothing_else_starts(self, node, pod, container):
        state = await node.run(pod(container(shell="true"), init=[container("prepare", shell="exit 4")]))
        assert state.phase is PodPhase.FAILED
        assert state.containers[0].now.exit_code == 4
        assert state.containers[1].now == Waiting()

    async def test_what_a_container_leaves_behind_dies_with_it(self, node, pod, container, tmp_path):
        left = tmp_path / "left"
        shell = f"sleep 600 & setsid sh -c 'echo $$$$ > {left}; exec sleep 600' & while ! test -s {left}; do :; done"
        state = await node.run(pod(container(shell=shell)))
        assert state.phase is PodPhase.SUCCEEDED
        await gone(int(left.read_text()))


class TestWhatCannotBeStarted:
    async def test_a_command_that_is_not_there_is_named_with_the_path(self, node, pod, container):
        spec = container(command=["no-such-tool"], env=[{"name": "PATH", "value": "/nowhere"}])
        state = await node.run(pod(spec))
        end = state.containers[0].now
        assert (state.phase, end.exit_code, end.reason) == (PodPhase.FAILED, 127, "StartError")
        assert '"no-such-tool"' in end.message
        assert "/nowhere" in end.message
        assert state.message == end.message

    @pytest.mark.parametrize("spec", [{}, {"args": ["--help"]}])
    async def test_an_image_gives_no_command(self, node, pod, container, spec):
        state = await node.run(pod(container(**spec)))
        assert (state.phase, state.reason) == (PodPhase.FAILED, "ImageCommandUnknown")
        assert state.message == (
            "image busybox gives no command here: images are not pulled; add `command:` or use `--runtime simulate`"
        )

    async def test_a_working_directory_that_is_not_there_is_named(self, node, pod, container):
        state = await node.run(pod(container(shell="true", workingDir="/no/such/place")))
        assert state.containers[0].now.exit_code == 128
        assert "workingDir of container main: No such file or directory: /no/such/place" in state.message

    @pytest.mark.parametrize(
        ("spec", "told"),
        [
            ({"name": "../up"}, "container '../up': not a name for a container"),
            ({"terminationMessagePath": "said"}, "terminationMessagePath said must be absolute"),
            ({"env": [{"name": "A=B", "value": "x"}]}, "illegal environment variable name"),
            ({"command": ["/etc"]}, 'command "/etc" cannot be run: Permission denied'),
            ({"command": ["tr\0ue"]}, "embedded null"),
        ],
    )
    async def test_what_makes_no_sense_is_named(self, node, pod, container, spec, told):
        state = await node.run(pod(container(**{"command": ["true"], **spec})))
        assert state.phase is PodPhase.FAILED
        assert told in state.message


class TestWhatContainersSee:
    async def test_four_variables_of_this_machine_the_host_name_and_their_own(self, node, pod, container, monkeypatch):
        spec = container(command=["env"], env=[{"name": "MINE", "value": "1"}])
        p = pod(spec)
        await node.run(p)
        names = {line.partition("=")[0] for line in (await node.log(p)).splitlines()}
        assert names - {"JOBFLOW_CONTAINER"} == {"PATH", "HOME", "LANG", "TMPDIR", "HOSTNAME", "MINE"}

    async def test_a_directory_of_their_own_that_goes_with_the_pod_while_logs_stay(self, node, pod, container):
        p = pod(container(shell="pwd; test -d $TMPDIR; touch here"))
        assert (await node.run(p)).phase is PodPhase.SUCCEEDED
        home = node.runtime.layout.of(p.namespace, p.name, p.uid).home
        assert await node.log(p) == f"{home}\n"
        node.runtime.forget(p)
        await asyncio.gather(*node.runtime.unfinished)
        assert not home.exists()
        path = await asyncio.to_thread(node.runtime.log_path, "ns", "p", "main")
        assert path.read_text().endswith(f"{home}\n")

    async def test_no_input(self, node, pod, container):
        assert (await node.run(pod(container(command=["cat"])))).phase is PodPhase.SUCCEEDED


class TestRestarts:
    async def test_a_failed_container_is_started_again_after_a_back_off(self, node, pod, container):
        p = pod(container(shell="test -e again && exit 0; touch again; exit 1"), restart="OnFailure")
        state = await node.run(p)
        assert state.phase is PodPhase.SUCCEEDED
        assert state.containers[0].restarts == 1
        assert state.containers[0].before.exit_code == 1
        back_offs = [s.containers[0].now for s in node.told["p"] if isinstance(s.containers[0].now, Waiting)]
        assert [back_off.reason for back_off in back_offs] == ["CrashLoopBackOff"]

    async def test_each_run_has_a_log_of_its_own(self, node, pod, container):
        p = pod(container(shell="test -e again && exec echo two; touch again; echo one; exit 1"), restart="OnFailure")
        await node.run(p)
        assert await node.log(p) == "two\n"
        assert await node.log(p, previous=True) == "one\n"

    async def test_a_pod_that_waits_for_its_restart_can_be_stopped(self, node, pod, container):
        p = pod(container(shell="exit 1"), restart="Always")
        node.start(p)
        await node.until(p, lambda state: isinstance(state.containers[0].now, Waiting))
        node.runtime.stop(p, 30)
        assert (await node.end(p)).phase is PodPhase.FAILED


class TestStopping:
    async def test_a_process_is_asked_first(self, node, pod, container):
        p = pod(container(shell="trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.01; done"))
        node.start(p)
        await node.until(p, all_running)
        await node.logged(p, "up\n")
        node.runtime.stop(p, 30)
        await node.end(p)
        assert (await node.log(p)).endswith("asked\n")  # the shell may tell of its child before

    async def test_one_that_will_not_go_is_killed_after_the_grace(self, node, pod, container):
        p = pod(container(shell="trap '' TERM; echo up; while :; do sleep 0.01; done"))
        node.start(p)
        await node.until(p, all_running)
        await node.logged(p, "up\n")
        node.runtime.stop(p, 0.2)
        state = await node.end(p)
        assert isinstance(state.containers[0].now, Terminated)
        assert state.containers[0].now.signal == signal.SIGKILL

    async def test_nothing_is_left_when_the_runtime_ends(self, running_node, pod, container, tmp_path):
        async with running_node(ProcessRuntime(tmp_path / "r", SystemClock())) as node:
            p = pod(container(shell="trap '' TERM; sleep 600 & echo $!; wait; wait"))
            node.start(p)
            await node.until(p, all_running)
            text = await node.logged(p)
        await gone(int(text))


class TestTheSupervisorDies:
    async def test_its_pods_fail_and_the_next_pod_gets_a_new_one(self, node, pod, container):
        p = pod(container(shell="sleep 600 & echo $!; wait"))
        node.start(p)
        await node.until(p, all_running)
        text = await node.logged(p)
        os.kill(node.runtime.processes.supervisor_pid, signal.SIGKILL)
        state = await node.end(p)
        assert (state.phase, state.reason) == (PodPhase.FAILED, "SupervisorStopped")
        assert state.containers[0].now.exit_code == 137
        await gone(int(text))
        assert (await node.run(pod(container(shell="true"), name="next"))).phase is PodPhase.SUCCEEDED
