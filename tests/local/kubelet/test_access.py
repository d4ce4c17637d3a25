"""What a pod has to reach the API server with: files, variables, a kubeconfig, for its ServiceAccount."""

import asyncio
import base64
import json

import pytest

from jobflow.api.resources import SERVICE_ACCOUNT
from jobflow.local.kubelet.access import ApiAccess, Server

pytestmark = pytest.mark.e2e

SERVER = Server("https://127.0.0.1:7443", b"-----BEGIN CERTIFICATE-----")
FILES = "/var/run/secrets/kubernetes.io/serviceaccount"


@pytest.fixture
async def access(cluster):
    return ApiAccess(cluster.transport, cluster.clock)


def claims(token):
    """What a token says of its holder."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@pytest.fixture
async def account(cluster):
    """The ServiceAccount `runner`."""
    await cluster.make(SERVICE_ACCOUNT, "runner")


async def test_a_pod_finds_the_server_and_its_token_where_clients_look_for_them(cluster, processes, access, account):
    access.announce(SERVER)
    address = "$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT"
    shell = f"cd {FILES}; cat namespace; echo; cat token; echo; cat ca.crt; echo; echo {address}"
    async with processes(access=access):
        await cluster.run(shell, serviceAccountName="runner")
        _, text = await cluster.log()
    namespace, token, trust, address = text.splitlines()
    assert (namespace, trust, address) == ("default", SERVER.ca_pem.decode(), "127.0.0.1:7443")
    assert claims(token)["sub"] == "system:serviceaccount:default:runner"
    assert claims(token)["kubernetes.io"]["pod"]["name"] == "p"


async def test_its_kubeconfig_names_server_user_and_namespace(cluster, processes, access, account):
    access.announce(SERVER)
    async with processes(access=access):
        await cluster.run("stat -c %a $KUBECONFIG; cat $KUBECONFIG", serviceAccountName="runner")
        _, text = await cluster.log()
    mode, _, document = text.partition("\n")
    config = json.loads(document)
    assert mode == "600"
    assert config["clusters"][0]["cluster"]["server"] == SERVER.url
    assert config["contexts"][0]["context"]["namespace"] == "default"
    assert config["users"][0]["user"]["tokenFile"].endswith("/serviceaccount/token")


async def test_a_pod_that_wants_no_token_has_none(cluster, processes, access, account):
    access.announce(SERVER)
    shell = f"test -e {FILES} || echo no files; echo ${{KUBECONFIG:-no kubeconfig}}; echo $KUBERNETES_SERVICE_HOST"
    async with processes(access=access):
        await cluster.run(shell, serviceAccountName="runner", automountServiceAccountToken=False)
        assert await cluster.log() == (200, "no files\nno kubeconfig\n127.0.0.1\n")


async def test_a_pod_without_an_account_runs_without_a_token(cluster, processes, access):
    access.announce(SERVER)
    async with processes(access=access):
        await cluster.run("echo ${KUBECONFIG:-no kubeconfig}", serviceAccountName="nobody-made-it")
        assert await cluster.log() == (200, "no kubeconfig\n")


async def test_pods_wait_until_it_is_known_where_the_server_listens(cluster, processes, access, shell):
    async with processes(access=access):
        await cluster.create(containers=[shell("echo $KUBERNETES_SERVICE_PORT")])
        await asyncio.sleep(0.3)
        assert (await cluster.pod())["status"]["phase"] == "Pending"
        access.announce(SERVER)
        await cluster.until("Succeeded")
        assert await cluster.log() == (200, "7443\n")


async def test_a_token_for_another_audience_in_a_projected_volume(cluster, processes, access, account):
    access.announce(SERVER)
    token = {"serviceAccountToken": {"path": "vault", "audience": "vault"}}
    volumes = [{"name": "v", "projected": {"sources": [token]}}]
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/tokens"}]}
    async with processes(access=access):
        await cluster.run("cat /tokens/vault", serviceAccountName="runner", volumes=volumes, container=mounts)
        _, text = await cluster.log()
    assert claims(text)["aud"] == ["vault"]
