"""Admission webhooks: what they are asked, and what their answers come to."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from aiohttp import web
from conformance import hooks, normal
from conformance.hooks import allow, change, deny
from conformance.kinds import CONFIG_MAP, JOB_FLOW
from envtest.plugin import EMBEDDED, REAL

from jobflow.kube.transport import APPLY_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, Request

pytestmark = [pytest.mark.real, pytest.mark.plane(EMBEDDED, REAL), pytest.mark.asyncio(loop_scope="session")]

GROUP = "/apis/admissionregistration.k8s.io/v1"
MAPS = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]}
FLOWS = {"apiGroups": ["flow.volcano.sh"], "apiVersions": ["*"], "resources": ["jobflows"], "operations": ["CREATE"]}


@pytest_asyncio.fixture(loop_scope="session")
async def hook():
    async with hooks.hook() as listening:
        yield listening


@pytest_asyncio.fixture(loop_scope="session")
async def registered(both, hook):
    """Registers hooks for objects of the test's namespace alone, waits until both servers ask them, and takes them
    away at the end.
    """
    paths = []

    async def register(kind, path, rule, /, **more):
        name = f"{both.namespace}-{path}.example.com"
        selector = {"matchLabels": {"kubernetes.io/metadata.name": both.namespace}}
        one = {
            "name": name,
            "clientConfig": hook.client(path),
            "rules": [rule],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "namespaceSelector": selector,
            "timeoutSeconds": 5,
            **more,
        }
        body = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}}
        paths.append(f"{GROUP}/{kind.lower()}s/{name}")
        await both.send("POST", f"{GROUP}/{kind.lower()}s", {**body, "webhooks": [one]})
        await _reached(both, hook, path, rule)

    yield register
    for path in paths:
        for side in both.sides:
            await side.ask(Request("DELETE", path))


async def _reached(both, hook, path, rule):
    """kube-apiserver learns of hooks from a watch: wait until each server has asked this one about a probe."""
    meant = hook.answers.get(path)
    seen = asyncio.Event()
    hook.answers[path] = lambda request: (seen.set(), {"allowed": False, "status": {"message": "probe"}})[1]
    kind = JOB_FLOW if "jobflows" in rule["resources"] else CONFIG_MAP
    for side in both.sides:
        seen.clear()
        await both.until(side, "POST", kind.collection, kind.named("probe"), lambda *_: seen.is_set(), dryRun="All")
    hook.asked.clear()
    hook.answers[path] = meant


VALIDATING, MUTATING = "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"


async def test_what_a_hook_is_asked(both, hook, registered):
    hook.answers["look"] = allow()
    await registered(VALIDATING, "look", MAPS)
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a", labels={"x": "y"}), fieldManager="maker")
    await both.send("PATCH", CONFIG_MAP.at("a"), CONFIG_MAP.change, MERGE_PATCH, fieldManager="patcher")
    await both.send("PUT", CONFIG_MAP.at("a"), CONFIG_MAP.named("a"), dryRun="All")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"s": "t"}}
    await both.send("PATCH", CONFIG_MAP.at("a"), body, APPLY_PATCH, fieldManager="me", force="true")
    await both.send("DELETE", CONFIG_MAP.at("a"))
    _both_asked_the_same(both, hook)


def _both_asked_the_same(both, hook):
    """Each request was put to the hook by one server and then by the other."""
    asked = [normal.body({key: one for key, one in request.items() if key != "userInfo"}) for request in hook.asked]
    pairs = list(zip(asked[::2], asked[1::2], strict=True))
    for index, (embedded, real) in enumerate(pairs):
        both.compare(f"hook, request {index}", {"request": embedded}, {"request": real})
    assert pairs


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"message": "not today"},
        {"reason": "Tired"},
        {"message": "no", "reason": "Forbidden", "code": 403},
        {"message": "odd", "code": 200},
        {"message": "with details", "details": {"name": "x", "causes": [{"field": "data.a", "message": "bad"}]}},
    ],
    ids=str,
)
async def test_a_hook_that_says_no(both, hook, registered, status):
    hook.answers["no"] = deny(**status)
    await registered(VALIDATING, "no", MAPS)
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a"))
    await both.send("GET", CONFIG_MAP.at("a"))


async def test_a_hook_that_warns(both, hook, registered):
    hook.answers["warn"] = allow(warnings=["mind the gap"])
    await registered(VALIDATING, "warn", MAPS)
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a"))
    await both.send("DELETE", CONFIG_MAP.at("a"))


async def test_a_hook_that_changes_the_object(both, hook, registered):
    labels = {"op": "add", "path": "/metadata/labels", "value": {"m": "1"}}
    hook.answers["mend"] = change({"op": "add", "path": "/data/added", "value": "x"}, labels)
    await registered(MUTATING, "mend", MAPS)
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a"), fieldManager="maker")
    await both.send("PATCH", CONFIG_MAP.at("a"), CONFIG_MAP.change, MERGE_PATCH, fieldManager="patcher")
    await both.send("GET", CONFIG_MAP.at("a"))


async def test_what_a_hook_makes_is_judged(both, hook, registered):
    hook.answers["spoil"] = change({"op": "replace", "path": "/spec/jobRetainPolicy", "value": "odd"})
    await registered(MUTATING, "spoil", FLOWS)
    await both.send("POST", JOB_FLOW.collection, JOB_FLOW.named("a"))
    hook.answers["spoil"] = change({"op": "remove", "path": "/spec/nothing"})
    await both.send("POST", JOB_FLOW.collection, JOB_FLOW.named("a"))
    hook.answers["spoil"] = change({"op": "add", "path": "/spec/unknown", "value": 1})
    await both.send("POST", JOB_FLOW.collection, JOB_FLOW.named("a"))


async def test_other_operations_kinds_and_labels_pass_by(both, hook, registered):
    hook.answers["no"] = deny()
    selector = {"matchExpressions": [{"key": "off", "operator": "DoesNotExist"}]}
    await registered(VALIDATING, "no", FLOWS, objectSelector=selector)
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a"))
    await both.send("POST", JOB_FLOW.collection, JOB_FLOW.named("a"))
    await both.send("POST", JOB_FLOW.collection, JOB_FLOW.named("b", labels={"off": ""}))
    await both.send("PATCH", JOB_FLOW.at("b"), {"metadata": {"labels": {"off": None}}}, MERGE_PATCH)
    await both.send("DELETE", JOB_FLOW.at("b"))


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
async def test_a_hook_that_gives_no_answer(both, hook, registered, policy):
    hook.answers["broken"] = lambda request: web.json_response({"kind": "AdmissionReview"})
    await registered(VALIDATING, "broken", MAPS, failurePolicy=policy)
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a"))
    hook.answers["broken"] = lambda request: web.Response(status=503, text="busy")
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("b"))
    hook.answers["broken"] = lambda request: {"uid": "another", "allowed": True}
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("c"))
    hook.answers["broken"] = lambda request: {"allowed": True, "patch": "W10=", "patchType": "Guess"}
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("d"))


async def test_a_hook_that_takes_too_long(both, hook, registered):
    async def slow(request):
        await asyncio.sleep(3)
        return {"allowed": True}

    hook.answers["slow"] = allow()
    await registered(VALIDATING, "slow", MAPS, timeoutSeconds=1)
    hook.answers["slow"] = slow
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a"))


async def test_a_hook_with_side_effects_is_not_asked_about_a_dry_run(both, hook, registered):
    hook.answers["fine"] = allow()
    await registered(VALIDATING, "fine", MAPS)
    body = {"webhooks": [{"name": f"{both.namespace}-fine.example.com", "sideEffects": "Some"}]}
    path = f"{GROUP}/validatingwebhookconfigurations/{both.namespace}-fine.example.com"
    await both.send("PATCH", path, body, STRATEGIC_MERGE_PATCH)


async def test_a_certificate_that_nobody_vouches_for(both, hook, registered):
    hook.answers["strange"] = allow()
    await registered(VALIDATING, "strange", MAPS)
    name = f"{both.namespace}-strange.example.com"
    async with hooks.hook() as other:
        client = {"url": hook.client("strange")["url"], "caBundle": other.ca}
        change = {"webhooks": [{"name": name, "clientConfig": client}]}
        path = f"{GROUP}/validatingwebhookconfigurations/{name}"
        await both.send("PATCH", path, change, STRATEGIC_MERGE_PATCH)
        for side in both.sides:
            probe = CONFIG_MAP.named("probe")
            await both.until(side, "POST", CONFIG_MAP.collection, probe, lambda code, _: code == 500, dryRun="All")
        await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a"))


async def test_configurations_are_kept_with_their_defaults(both):
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": MUTATING,
        "metadata": {"name": both.namespace},
        "webhooks": [
            {
                "name": "a.example.com",
                "clientConfig": {"service": {"name": "s", "namespace": "n"}},
                "rules": [],
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }
    await both.send("POST", f"{GROUP}/mutatingwebhookconfigurations", body)
    await both.send("DELETE", f"{GROUP}/mutatingwebhookconfigurations/{both.namespace}")
