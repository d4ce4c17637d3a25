"""Nothing of a runtime is left for the next one, even when runtime and supervisor were killed together."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobflow.clock import SystemClock
from jobflow.local.kubelet.leftovers import end_leftovers, owner_of
from jobflow.local.kubelet.process_runtime import ProcessRuntime
from jobflow.local.kubelet.supervisor import kernel
from jobflow.local.kubelet.supervisor.main import RECORD

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.blocking,  # a test looks into /proc
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes can be told apart on Linux only"),
]

PATIENCE_SECONDS = 20


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def eventually(holds):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.02)


async def test_a_daemon_that_outlived_its_supervisor_is_ended_by_the_next_runtime(
    running_node, pod, container, tmp_path
):
    shell = f"setsid sh -c 'echo $$$$ > {tmp_path}/daemon; exec sleep 600' & exec sleep 600"
    directory = tmp_path / "run"
    async with running_node(ProcessRuntime(directory, SystemClock())) as node:
        node.start(pod(container(shell=shell)))
        await eventually(lambda: (tmp_path / "daemon").exists() and (tmp_path / "daemon").read_text().endswith("\n"))
        daemon = int((tmp_path / "daemon").read_text())
        os.kill(node.runtime.processes.supervisor_pid, signal.SIGKILL)  # it cannot end what it ran
        await eventually(lambda: not alive(daemon))  # its successor on the same directory does


def test_a_process_that_cleared_its_environment_is_known_by_its_pid_and_start(tmp_path):
    process = subprocess.Popen(["env", "-i", shutil.which("sleep"), "600"], start_new_session=True)
    try:
        (tmp_path / RECORD).write_text(f"{process.pid} {kernel.start_time(process.pid)}\n1 nonsense\nnonsense\n")
        assert end_leftovers(tmp_path) == 1
        assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL
        assert end_leftovers(tmp_path) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
            process.wait()


def test_another_process_with_the_pid_of_an_old_one_is_left_alone(tmp_path):
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        (tmp_path / RECORD).write_text(f"{process.pid} {kernel.start_time(process.pid) - 1}\n")
        assert end_leftovers(tmp_path) == 0
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_runtimes_in_other_directories_are_told_apart(tmp_path):
    assert owner_of(tmp_path / "a") != owner_of(tmp_path / "b")
    assert owner_of(tmp_path / "a") == owner_of(tmp_path / "a")
