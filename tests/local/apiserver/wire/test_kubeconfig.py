"""The kubeconfig that clients find the server by."""

from __future__ import annotations

import base64

import yaml

from jobflow.local.apiserver.wire.kubeconfig import new_token, write_kubeconfig


def test_it_is_private_and_complete(tmp_path):
    path = tmp_path / "made" / "kubeconfig"
    write_kubeconfig(path, "https://127.0.0.1:6443", b"the ca", "the token")
    assert path.stat().st_mode & 0o777 == 0o600
    document = yaml.safe_load(path.read_text())
    [cluster], [user], [context] = document["clusters"], document["users"], document["contexts"]
    assert cluster["cluster"]["server"] == "https://127.0.0.1:6443"
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]) == b"the ca"
    assert user["user"]["token"] == "the token"
    assert document["current-context"] == context["name"]
    assert context["context"] == {"cluster": cluster["name"], "user": user["name"], "namespace": "default"}


def test_it_replaces_an_older_one_whose_mode_was_open(tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text("old")
    path.chmod(0o644)
    write_kubeconfig(path, "https://127.0.0.1:1", b"ca", "token")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["kubeconfig"]


def test_tokens_differ_and_are_long():
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 40
