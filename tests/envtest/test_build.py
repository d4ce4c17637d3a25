"""Where the programs of the real control plane come from, and what is said where there are none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from envtest import build


def test_kubebuilder_assets_come_first(tmp_path, monkeypatch):
    for name in ("etcd", "kube-apiserver"):
        (tmp_path / name).touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert build.program("etcd") == tmp_path / "etcd"
    assert build.program("kube-apiserver") == tmp_path / "kube-apiserver"


def test_assets_that_are_not_there_are_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(build.ProgramMissing, match="there is no kube-apiserver: correct it or unset it") as told:
        build.program("kube-apiserver")
    assert "\n" not in str(told.value)


def test_without_go_it_says_how_to_get_the_programs(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.ProgramMissing, match=r"install Go .* or set KUBEBUILDER_ASSETS") as told:
        build.program("kube-apiserver")
    assert "\n" not in str(told.value)


def test_what_is_built_is_kept_outside_the_repository_by_its_version(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert build.cache().parent == tmp_path / "jobflow" / "envtest"
    assert build.cache().name.startswith(build.version() + "-")


def test_a_build_that_is_stopped_leaves_nothing_half_built(tmp_path):
    """Ctrl-C in the middle: the compiler ends too, and the next one begins anew."""
    go = tmp_path / "go"
    go.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = list ]; then echo one; exit; fi\n'
        'while [ "$1" != -o ]; do shift; done\n'
        'echo half > "$2"; echo $$ > "$0.pid"; echo one >&2; exec sleep 600\n'
    )
    go.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("KUBEBUILDER_ASSETS", None)
    words = [sys.executable, str(build.MODULE / "build.py")]
    with subprocess.Popen(
        words, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as building:
        pid = tmp_path / "go.pid"
        while not pid.exists() or not pid.read_text():
            assert building.poll() is None, building.communicate()
            time.sleep(0.02)
        building.send_signal(signal.SIGINT)
        _, told = building.communicate(timeout=30)
    assert building.returncode == build.INTERRUPTED, told
    assert "nothing half built is kept" in told
    assert "Traceback" not in told
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()
    kept = [path.name for path in (tmp_path / "jobflow").rglob("*") if path.is_file()]
    assert kept == [".lock"]
