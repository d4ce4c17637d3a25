"""Nothing outlives the process that runs pods, not even when it is killed with SIGKILL."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

PATIENCE_SECONDS = 20

PARENT = """
import asyncio, os, sys
from pathlib import Path
from jobflow.local.kubelet.processes import Launch, Processes

async def main(directory):
    processes = Processes(directory)
    work = asyncio.create_task(processes.run())
    script = (directory / "container.sh").read_text()
    launch = Launch(("sh", "-c", script), {"PATH": os.environ["PATH"]}, directory, directory / "log")
    await processes.start(launch)
    (directory / "supervisor").write_text(f"{processes.supervisor_pid}\\n")
    await work

asyncio.run(main(Path(sys.argv[1])))
"""

# A child in the container's group, a daemon in a session of its own, and one that ignores SIGTERM.
CONTAINER = """
trap '' TERM
echo $$ > first
sleep 600 & echo $! > child
setsid sh -c 'echo $$ > daemon; exec sleep 600' &
while :; do sleep 0.05; done
"""


def read_pid(path: Path) -> int:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        text = path.read_text() if path.exists() else ""
        if text.endswith("\n"):
            return int(text)
        time.sleep(0.01)
    raise AssertionError(f"{path} was not written")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # a zombie is dead, and waits for whoever inherited it


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="daemons can be found on Linux only")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_no_process_survives_its_parent(tmp_path, how):
    (tmp_path / "container.sh").write_text(CONTAINER)
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)])
    try:
        pids = {name: read_pid(tmp_path / name) for name in ("supervisor", "first", "child", "daemon")}
        assert all(alive(pid) for pid in pids.values())
    finally:
        os.kill(parent.pid, how)
        parent.wait()
    until = time.monotonic() + PATIENCE_SECONDS
    while left := {name: pid for name, pid in pids.items() if alive(pid)}:
        assert time.monotonic() < until, f"still there: {left}"
        time.sleep(0.01)
