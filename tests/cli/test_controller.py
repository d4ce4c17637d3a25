"""`jobflow controller`: one clear line where there is no cluster."""

from __future__ import annotations

import os
import subprocess
import sys


def controller(tmp_path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "jobflow", "controller", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_a_kubeconfig_that_is_not_there(tmp_path):
    done = controller(tmp_path, "--kubeconfig", str(tmp_path / "nope"))

    assert done.returncode == 2
    assert str(tmp_path / "nope") in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_no_cluster_at_all(tmp_path):
    done = controller(tmp_path)

    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
