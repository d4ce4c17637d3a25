"""A full disk: what cannot be kept is told, and the rest goes on."""

import json
import shutil
import subprocess
import sys

import pytest

from jobflow.local.kubelet.supervisor.mounts import LINUX

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not LINUX, reason="needs a small file system of its own")]

# Runs two pods in a directory with 128 KiB: one prints more than fits, the other starts when nothing is left.
PROGRAM = """
import asyncio, json, sys
from pathlib import Path
import msgspec
from jobflow.clock import SystemClock
from jobflow.local.kubelet.containers import PodObject, pod_view
from jobflow.local.kubelet.process_runtime import ProcessRuntime

class Told:
    def __init__(self):
        self.ends, self.warnings = asyncio.Queue(), []
    def state(self, pod, state):
        if state.phase.finished:
            self.ends.put_nowait([str(state.phase), state.reason, state.message])
    def warn(self, pod, reason, message):
        self.warnings.append([pod.name, reason, message])

def pod(name, shell):
    main = {"name": "main", "command": ["sh", "-c", shell]}
    spec = {"restartPolicy": "Never", "containers": [main]}
    body = {"metadata": {"name": name, "namespace": "ns", "uid": name}, "spec": spec}
    return pod_view(msgspec.convert(body, PodObject))

async def main(directory):
    told, runtime = Told(), ProcessRuntime(directory, SystemClock())
    work = asyncio.create_task(runtime.run(told))
    runtime.start(pod("talker", "head -c 300000 /dev/zero | tr '\\\\0' x; exit 0"), "127.9.9.9")
    ends = [await asyncio.wait_for(told.ends.get(), 30)]
    with (directory / "rest").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 512)
        except OSError:
            pass
    runtime.start(pod("late", "true"), "127.9.9.8")
    ends.append(await asyncio.wait_for(told.ends.get(), 30))
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    print(json.dumps([ends, told.warnings]))

asyncio.run(main(Path(sys.argv[1])))
"""


def test_output_is_lost_with_a_warning_and_a_new_pod_fails_with_the_reason(tmp_path):
    if not shutil.which("unshare"):
        pytest.skip("unshare of util-linux is not here")
    mounting = 'mount -t tmpfs -o size=128k none "$0" && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounting, str(tmp_path)]
    done = subprocess.run(
        [*command, sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=90
    )
    if "mount" in done.stderr or "unshare" in done.stderr.splitlines()[:1]:
        pytest.skip(f"this machine lets nobody mount: {done.stderr}")
    [[talker, late], warnings] = json.loads(done.stdout.splitlines()[-1])
    assert talker[0] == "Succeeded"
    [[name, reason, message]] = warnings
    assert (name, reason) == ("talker", "LogsLost")
    assert "bytes of what container main printed are lost: the disk is full" in message
    assert late[:2] == ["Failed", "CreateContainerError"]
    assert "No space left on device" in late[2]
    assert str(tmp_path) in late[2]
