"""`jobflow up`: where the kubeconfig goes and what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobflow.cli.up import DEFAULT_PORT, Serving, default_kubeconfig, greeting
from jobflow.local.controlplane import LocalSettings


@pytest.mark.parametrize(
    ("data", "port", "expected"),
    [
        (Path("/d"), DEFAULT_PORT, Path("/d/kubeconfig")),
        (None, DEFAULT_PORT, Path("/home/me/.kube/jobflow")),
        (None, 7000, Path("/home/me/.kube/jobflow-7000")),
    ],
    ids=["with the data", "beside the user's own", "another port, another file"],
)
def test_default_kubeconfig(monkeypatch, data, port, expected):
    monkeypatch.setenv("HOME", "/home/me")

    assert default_kubeconfig(data, port) == expected


def test_the_greeting_can_be_pasted():
    serving = Serving(LocalSettings(scratch=Path("/s")), 6443, Path("/a b/kubeconfig"))

    text = greeting(serving, "https://127.0.0.1:6443")

    assert "  export KUBECONFIG='/a b/kubeconfig'\n" in text
    assert "in memory only" in text
    assert "No controller" not in text


def test_the_greeting_says_that_there_is_no_controller():
    serving = Serving(LocalSettings(scratch=Path("/s"), data=Path("/d"), controller=False), 6443, Path("/k"))

    assert "start one with `jobflow controller`" in greeting(serving, "u")
    assert "kept in /d" in greeting(serving, "u")
