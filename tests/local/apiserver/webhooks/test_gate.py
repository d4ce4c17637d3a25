"""The gate at work in the server: services by a table, and writes that others overtake while a hook thinks."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from jobflow.api.resources import CONFIG_MAP
from jobflow.local.apiserver.wire.certificates import Certificate

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]}


class Listening:
    """A hook: what it answers, and what it was asked."""

    def __init__(self):
        self.asked = []
        self.url = self.ca = ""
        self.answer = self.allow

    async def allow(self, request):
        return {"allowed": True}

    async def handle(self, incoming):
        request = (await incoming.json())["request"]
        self.asked.append((incoming.path, request["operation"], request["name"]))
        response = {"uid": request["uid"], **await self.answer(request)}
        return web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})


@pytest.fixture
async def hook():
    async with listening() as made:
        yield made


@asynccontextmanager
async def listening():
    certificate = await asyncio.to_thread(Certificate.create)
    made = Listening()
    made.ca = base64.b64encode(certificate.ca_pem).decode()
    application = web.Application()
    application.router.add_post("/{path:.*}", made.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(
            runner, "127.0.0.1", 0, ssl_context=await asyncio.to_thread(certificate.server_context)
        ).start()
        made.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        yield made
    finally:
        await runner.cleanup()


async def register(api, kind, client, **more):
    one = {"name": "a.example.com", "clientConfig": client, "rules": [RULE], "sideEffects": "None"}
    one |= {"admissionReviewVersions": ["v1"], **more}
    body = {"metadata": {"name": "a"}, "webhooks": [one]}
    told = await api.call("POST", f"{CONFIGURATIONS}/{kind}webhookconfigurations", body)
    assert told.status == 201, told.body


def named(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_a_service_is_where_the_table_says(api, hook):
    service = {"name": "kubernetes", "namespace": "default", "path": "/judge"}
    await register(api, "validating", {"service": service, "caBundle": hook.ca})
    refused = await api.create(CONFIG_MAP, named("a"))
    assert refused.status == 500
    assert 'service "kubernetes" not found' in refused.body["message"]
    api.server.services["default", "kubernetes"] = hook.url
    assert (await api.create(CONFIG_MAP, named("a"))).status == 201
    assert hook.asked == [("/judge", "CREATE", "a")]


async def test_a_patch_that_is_overtaken_begins_anew(api, hook):
    await api.create(CONFIG_MAP, named("a", x="1"))
    first = True

    async def think(request):
        nonlocal first
        if first:
            first = False
            await api.patch(CONFIG_MAP, "a", {"data": {"y": "2"}})
        return {"allowed": True}

    hook.answer = think
    await register(api, "validating", {"url": hook.url, "caBundle": hook.ca})
    told = await api.patch(CONFIG_MAP, "a", {"data": {"x": "3"}})
    assert (told.status, told.body["data"]) == (200, {"x": "3", "y": "2"})


async def test_a_replacement_that_is_overtaken_is_a_conflict(api, hook):
    made = await api.create(CONFIG_MAP, named("a", x="1"))
    first = True

    async def think(request):
        nonlocal first
        if first:
            first = False
            await api.patch(CONFIG_MAP, "a", {"data": {"y": "2"}})
        return {"allowed": True}

    hook.answer = think
    await register(api, "validating", {"url": hook.url, "caBundle": hook.ca})
    told = await api.replace(CONFIG_MAP, made.body)
    assert (told.status, told.body["reason"]) == (409, "Conflict")


async def test_a_name_that_is_taken_meanwhile_is_taken(api, hook):
    first = True

    async def think(request):
        nonlocal first
        if first:
            first = False
            await api.create(CONFIG_MAP, named("a", by="other"))
        return {"allowed": True}

    hook.answer = think
    await register(api, "validating", {"url": hook.url, "caBundle": hook.ca})
    told = await api.create(CONFIG_MAP, named("a"))
    assert (told.status, told.body["reason"]) == (409, "AlreadyExists")


async def test_a_mutating_hook_is_asked_again_about_what_a_later_one_made(api, hook):
    async def mark(request):
        count = int((request["object"].get("data") or {}).get("count", "0")) + 1
        patch = [{"op": "add", "path": "/data/count", "value": str(count)}]
        return {
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
        }

    hook.answer = mark
    client = {"url": hook.url, "caBundle": hook.ca}
    one = {"clientConfig": client, "rules": [RULE], "sideEffects": "None", "admissionReviewVersions": ["v1"]}
    hooks = [
        {**one, "name": "first.example.com", "reinvocationPolicy": "IfNeeded"},
        {**one, "name": "second.example.com"},
    ]
    body = {"metadata": {"name": "a"}, "webhooks": hooks}
    await api.call("POST", f"{CONFIGURATIONS}/mutatingwebhookconfigurations", body)
    told = await api.create(CONFIG_MAP, named("a", x="y"))
    assert told.body["data"]["count"] == "3"


async def test_hooks_are_not_asked_about_hooks(api, hook):
    async def never(request):
        return {"allowed": False}

    hook.answer = never
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"]}
    await register(api, "validating", {"url": hook.url, "caBundle": hook.ca}, rules=[everything])
    assert (await api.create(CONFIG_MAP, named("a"))).status == 400
    path = f"{CONFIGURATIONS}/validatingwebhookconfigurations/a"
    assert (await api.call("DELETE", path)).status == 200
    assert (await api.create(CONFIG_MAP, named("a"))).status == 201
