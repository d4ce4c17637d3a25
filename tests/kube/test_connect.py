"""Where `connect` finds an API server, and what it says where it finds none."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from jobflow.kube.http import KubeconfigError, connect
from jobflow.kube.kubeconfig import load
from jobflow.kube.transport import Request
from jobflow.local.apiserver.wire.certificates import Certificate


async def test_namespace_and_server_are_those_of_the_context(kubeconfig):
    transport = await connect(kubeconfig(1, context={"namespace": "batch"}))
    assert (transport.namespace, transport.server) == ("batch", "http://127.0.0.1:1")
    await transport.close()
    transport = await connect(kubeconfig(1), context="here")
    assert transport.namespace == "default"
    await transport.close()


async def test_the_environment_names_a_kubeconfig(kubeconfig, monkeypatch):
    path = kubeconfig(7)
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(["/does/not/exist", path]))
    transport = await connect(None)
    assert transport.server == "http://127.0.0.1:7"
    await transport.close()


@pytest.mark.parametrize(
    ("what", "changes", "context", "message"),
    [
        ("an unknown context", {}, "elsewhere", r"context 'elsewhere'.*kubectl config get-contexts"),
        ("an unknown cluster", {"context": {"cluster": "gone"}}, None, "name gone"),
        ("no server", {"cluster": {"server": ""}}, None, "names no server"),
        ("a missing CA file", {"cluster": {"server": "https://x", "certificate-authority": "no.crt"}}, None, "no.crt"),
        ("a plugin that is not there", {"user": {"exec": {"command": "/no", "apiVersion": "v1"}}}, None, "/no"),
    ],
)
async def test_a_kubeconfig_that_leads_nowhere_is_told(what, changes, context, message, kubeconfig):
    path = kubeconfig(1, **changes)
    with pytest.raises(KubeconfigError, match=message) as told:
        await connect(path, context)
    assert path in str(told.value)


@pytest.mark.parametrize("text", ["", "[1", "just text", "{}", "[]"])
async def test_a_file_that_is_no_kubeconfig_is_told(text, tmp_path):
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeconfigError, match=str(path)):
        await connect(str(path))


async def test_a_kubeconfig_that_does_not_exist_is_told(tmp_path, monkeypatch):
    missing = str(tmp_path / "none")
    with pytest.raises(KubeconfigError, match=r"none \(from --kubeconfig\) does not exist"):
        await connect(missing)
    monkeypatch.setenv("KUBECONFIG", missing)
    with pytest.raises(KubeconfigError, match=r"none \(from \$KUBECONFIG\) does not exist"):
        await connect(None)


async def test_without_any_configuration_the_ways_out_are_told(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(KubeconfigError, match=r"no cluster to talk to.*jobflow run"):
        await connect(None)


async def test_a_pod_without_a_service_account_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    with pytest.raises(KubeconfigError, match="automountServiceAccountToken"):
        await connect(None)


POD = """
import sys
from pathlib import Path
from jobflow.kube.kubeconfig import load
access = load(None, None, Path(sys.argv[1]))
print(access.server, access.namespace, access.authorization, access.in_pod, access.tls.get_ca_certs() != [])
print([name for name in sys.modules if name.startswith("kubernetes_asyncio")])
"""


@pytest.mark.parametrize(
    ("host", "server"), [("10.0.0.1", "https://10.0.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_a_pod_reads_its_service_account_and_imports_no_client_for_it(host, server, tmp_path):
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "namespace").write_text("jobs")
    (tmp_path / "ca.crt").write_bytes(Certificate.create().ca_pem)
    environment = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}
    run = subprocess.run([sys.executable, "-c", POD, tmp_path], env=environment, capture_output=True, check=True)
    assert run.stdout.decode().splitlines() == [f"{server} jobs Bearer secret True True", "[]"]


@pytest.mark.parametrize(
    ("missing", "changed"),
    [("token", {}), ("namespace", {}), ("ca.crt", {}), ("", {"token": ""}), ("", {"ca.crt": "no PEM"})],
)
def test_a_service_account_that_is_not_whole_is_told(missing, changed, tmp_path, monkeypatch):
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    files = {"token": "t", "namespace": "jobs", "ca.crt": Certificate.create().ca_pem.decode()} | changed
    for name in files.keys() - {missing}:
        (tmp_path / name).write_text(files[name])
    with pytest.raises(KubeconfigError, match=r"service account does not lead.*automountServiceAccountToken"):
        load(None, None, tmp_path)


PLUGIN = """
import json, pathlib, sys
calls = pathlib.Path(__file__).with_suffix(".calls")
calls.write_text(calls.read_text() + "x" if calls.exists() else "x")
status = {"token": f"token-{len(calls.read_text())}", "expirationTimestamp": sys.argv[1]}
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}))
"""


@pytest.mark.parametrize(
    ("what", "expires", "sent"),
    [
        ("a token that lasts is used", "2999-01-01T00:00:00Z", ["token-1", "token-1"]),
        ("one that expires is renewed, not at each request", "2001-01-01T00:00:00Z", ["token-2", "token-2"]),
    ],
)
async def test_credential_plugins(what, expires, sent, server, tmp_path, kubeconfig):
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(plugin), expires]}
    transport = await connect(kubeconfig(server.port, user={"exec": run}))

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text="{}")

    server.handler = handler
    for _ in range(2):
        await transport.request(Request("GET", "/x"), 5)
    assert [seen.headers["Authorization"] for seen in server.requests] == [f"Bearer {token}" for token in sent]
    await transport.close()


async def test_while_credentials_cannot_be_renewed_the_old_ones_are_used(server, tmp_path, kubeconfig):
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable}
    run["args"] = [str(plugin), "2001-01-01T00:00:00Z"]
    transport = await connect(kubeconfig(server.port, user={"exec": run}))
    plugin.write_text("raise SystemExit('logged out')")

    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=401)

    server.handler = handler
    with capture_logs() as logs:
        assert (await transport.request(Request("POST", "/x", (), b"{}"), 5)).status == 401
    assert server.requests[0].headers["Authorization"] == "Bearer token-1"
    (entry,) = logs
    assert "logged out" in entry["error"]
    await transport.close()
