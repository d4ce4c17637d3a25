"""Where the programs of the real control plane come from, and what is said where there are none."""

from __future__ import annotations

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
