"""Mounts in processes of their own, with the rights of root and without."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobflow.local.kubelet.supervisor.mounts import LINUX

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not LINUX, reason="only Linux has mount namespaces")]

# Enters the mounts given as JSON, then becomes the command.
PROGRAM = """
import json, os, sys
from jobflow.local.kubelet.supervisor.mounts import Mount, MountFailed, enter
try:
    enter([Mount(*each) for each in json.loads(sys.argv[1])], sys.argv[2], "inside")
except MountFailed as failed:
    sys.exit(f"failed: {failed}")
os.execvp("sh", ["sh", "-c", sys.argv[3]])
"""
WITHOUT_RIGHTS = ["setpriv", "--bounding-set", "-sys_admin"]


@pytest.fixture(params=["as we are", "without the right to mount"])
def inside(request, tmp_path):
    """Runs a shell command that sees these mounts."""
    before = []
    if request.param != "as we are":
        if not shutil.which("setpriv"):
            pytest.skip("setpriv of util-linux is not here")
        before = WITHOUT_RIGHTS
    staging = tmp_path / "staging"
    staging.mkdir()

    def run(mounts, shell):
        command = [*before, sys.executable, "-c", PROGRAM, json.dumps(mounts), str(staging), shell]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    probed = run([["/dev/null", "/no-such-place/at-all", False]], "true")
    if probed.returncode:
        pytest.skip(f"this machine lets nobody mount: {probed.stderr}")
    return run


def test_a_directory_is_seen_where_nothing_was_and_nothing_is_made_there(inside, tmp_path):
    (tmp_path / "f").write_text("found\n")
    done = inside(
        [[str(tmp_path), "/no-such/deep/place", False]], "cat /no-such/deep/place/f; touch /no-such/deep/place/g"
    )
    assert done.stdout == "found\n"
    assert (tmp_path / "g").exists()
    assert not Path("/no-such").exists()


def test_everything_else_is_where_it_was(inside, tmp_path):
    done = inside(
        [[str(tmp_path), "/etc/no-such/volume", False], [str(tmp_path), "/dev/no-such", False]],
        "ls -d /proc/self/fd /dev/null /dev/shm /etc/passwd /etc/no-such/volume /usr/bin; echo x > /dev/null; id -u",
    )
    assert done.stdout.split()[-1] == subprocess.run(["id", "-u"], capture_output=True, text=True).stdout.strip()
    assert done.stderr == ""


def test_one_inside_another(inside, tmp_path):
    for name in ("outer", "inner"):
        (tmp_path / name).mkdir()
    (tmp_path / "inner" / "f").write_text("inner\n")
    done = inside(
        [[str(tmp_path / "inner"), "/data/sub", False], [str(tmp_path / "outer"), "/data", False]], "cat /data/sub/f"
    )
    assert done.stdout == "inner\n"


def test_a_file_over_one_that_is_there(inside, tmp_path):
    (tmp_path / "hosts").write_text("of the pod\n")
    done = inside([[str(tmp_path / "hosts"), "/etc/hosts", False]], "cat /etc/hosts")
    assert done.stdout == "of the pod\n"
    assert Path("/etc/hosts").read_text() != "of the pod\n"


def test_what_may_only_be_read_cannot_be_written(inside, tmp_path):
    done = inside([[str(tmp_path), "/data", True]], "touch /data/f")
    assert "Read-only file system" in done.stderr
    assert not (tmp_path / "f").exists()


def test_the_machine_has_another_name(inside, tmp_path):
    assert inside([[str(tmp_path), "/data", False]], "hostname").stdout == "inside\n"


def test_a_source_that_is_not_there_is_named(inside):
    done = inside([["/no/such/source", "/data", False]], "true")
    assert done.returncode == 1
    assert done.stderr == "failed: /data: No such file or directory: /no/such/source\n"
