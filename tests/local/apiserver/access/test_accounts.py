"""Accounts: the account of a namespace, tokens, and how long they are good for."""

from __future__ import annotations

import asyncio

import pytest

from jobflow.api.resources import NAMESPACE, POD, SERVICE_ACCOUNT
from jobflow.clock import SystemClock
from jobflow.kube.transport import Request
from jobflow.local.apiserver.access.tokens import Bound, Claims, Named, read, sign
from jobflow.local.apiserver.server import ApiServer
from jobflow.local.apiserver.statuses import StatusError

CLAIMS = Claims(
    aud=("a",), exp=200, iat=100, nbf=100, sub="s", jti="j", bound=Bound("ns", Named("worker", "u"), Named("p", "v"))
)
SECRET = b"s" * 32


async def eventually(look):
    async with asyncio.timeout(10):
        while (found := await look()).status != 200:
            await asyncio.sleep(0)
    return found


def test_a_token_says_what_was_signed():
    assert read(sign(CLAIMS, SECRET), SECRET, 150) == CLAIMS


@pytest.mark.parametrize(
    ("token", "now"),
    [
        (sign(CLAIMS, SECRET), 200),
        (sign(CLAIMS, SECRET), 99),
        (sign(CLAIMS, b"t" * 32), 150),
        (sign(CLAIMS, SECRET)[:-2] + "xx", 150),
        ("", 150),
        ("a.b.c", 150),
        ("é.é.é", 150),
    ],
    ids=["over", "not yet", "another's", "changed", "empty", "nonsense", "no ASCII"],
)
def test_a_token_that_is_not_good(token, now):
    assert read(token, SECRET, now) is None


async def test_every_namespace_has_an_account(api):
    await api.create(NAMESPACE, {"metadata": {"name": "n"}}, None)
    for namespace in ("default", "n"):
        await eventually(lambda namespace=namespace: api.get(SERVICE_ACCOUNT, "default", namespace))


async def test_an_account_that_is_deleted_comes_back(api):
    first = await eventually(lambda: api.get(SERVICE_ACCOUNT, "default"))
    await api.call("DELETE", SERVICE_ACCOUNT.path("default", "default"))
    second = await eventually(lambda: api.get(SERVICE_ACCOUNT, "default"))
    assert second.body["metadata"]["uid"] != first.body["metadata"]["uid"]


async def token(api, **spec):
    told = await api.call("POST", SERVICE_ACCOUNT.path("default", "default") + "/token", {"spec": spec})
    assert told.status == 201, told.body
    return told.body["status"]["token"]


async def test_a_token_stands_for_its_account(api):
    await eventually(lambda: api.get(SERVICE_ACCOUNT, "default"))
    caller = api.server.caller(await token(api), "kubectl/1.0 (x)")
    assert caller.name == "system:serviceaccount:default:default"
    assert "system:serviceaccounts:default" in caller.groups
    assert caller.program == "kubectl"
    assert not caller.is_admin


async def test_a_token_is_as_good_as_the_pod_it_is_bound_to(api):
    await eventually(lambda: api.get(SERVICE_ACCOUNT, "default"))
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await api.create(POD, pod)
    bound = await token(api, boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "p"})
    caller = api.server.caller(bound, "")
    assert caller.extra["authentication.kubernetes.io/pod-name"] == ["p"]
    await api.call("DELETE", POD.path("default", "p"))
    with pytest.raises(StatusError, match="Unauthorized"):
        api.server.caller(bound, "")


async def test_who_may_not_is_told_so_in_process_too(api):
    await eventually(lambda: api.get(SERVICE_ACCOUNT, "default"))
    caller = api.server.caller(await token(api), "")
    told = await api.server.handle(Request("GET", "/api/v1/namespaces/default/secrets"), caller)
    assert told.status == 403
    assert b'cannot list resource \\"secrets\\" in API group \\"\\" in the namespace \\"default\\"' in told.body
    async with api.server.open(Request("GET", "/api/v1/pods", (("watch", "1"),)), caller) as answer:
        assert answer.status == 403


async def test_a_token_outlives_a_restart_of_a_server_that_keeps_its_data(tmp_path, client):
    async with ApiServer(SystemClock(), data=tmp_path) as server:
        api = client(server, server.transport())
        await eventually(lambda: api.get(SERVICE_ACCOUNT, "default"))
        held = await token(api)
    async with ApiServer(SystemClock(), data=tmp_path) as server:
        assert server.caller(held, "").name == "system:serviceaccount:default:default"
    assert (tmp_path / "credentials" / "token-secret").stat().st_mode & 0o777 == 0o600
