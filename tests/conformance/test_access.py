"""Access: tokens of ServiceAccounts, and what roles let them do."""

from __future__ import annotations

import asyncio
import json

import pytest
from conformance.kinds import CONFIG_MAP, CORE, JOB_FLOW, POD
from conformance.test_kubectl import needs_kubectl
from envtest.plugin import EMBEDDED, REAL

from jobflow.kube.transport import MERGE_PATCH, Request

pytestmark = [pytest.mark.real, pytest.mark.plane(EMBEDDED, REAL), pytest.mark.asyncio(loop_scope="session")]

RBAC = "rbac.authorization.k8s.io"
ROLES = f"/apis/{RBAC}/v1/namespaces/NS"
CLUSTER = f"/apis/{RBAC}/v1"
ACCOUNTS = f"{CORE}/serviceaccounts"
MADE = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "worker"}}
READ_MAPS = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}
ONE_MAP = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mine"], "verbs": ["patch", "delete"]}
STATUS = {"apiGroups": ["flow.volcano.sh"], "resources": ["jobflows/status"], "verbs": ["patch"]}


def request(**spec):
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}


def role(name, *rules, kind="Role"):
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": {"name": name}, "rules": list(rules)}


def binding(both, name, role_kind, role_name, kind="RoleBinding"):
    subject = {"kind": "ServiceAccount", "name": "worker", "namespace": both.namespace}
    reference = {"apiGroup": RBAC, "kind": role_kind, "name": role_name}
    head = {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": {"name": name}}
    return {**head, "roleRef": reference, "subjects": [subject]}


async def tokens(both, **spec):
    """A token of the account `worker` from each server; their text differs, of course."""
    found = []
    for side in both.sides:
        path = f"/api/v1/namespaces/{both.namespace}/serviceaccounts"
        await side.ask(Request("POST", path, (), json.dumps(MADE).encode()))
        status, told, _ = await side.ask(
            Request("POST", f"{path}/worker/token", (), json.dumps(request(**spec)).encode())
        )
        assert status == 201, told
        found.append(told["status"]["token"])
    return found


async def allowed(both, worker):
    """Both servers know the rights that were just written: kube-apiserver learns of them from a watch."""
    for side in worker.sides:
        await both.until(side, "GET", CONFIG_MAP.collection, None, lambda status, _: status == 200)


async def test_a_token_of_an_account(both):
    await both.send("POST", ACCOUNTS, MADE)
    made = await both.send("POST", f"{ACCOUNTS}/worker/token", request())
    assert all(one["status"]["token"].count(".") == 2 for one in made)
    await both.send("POST", f"{ACCOUNTS}/worker/token", request(expirationSeconds=60))
    await both.send("POST", f"{ACCOUNTS}/worker/token", request(expirationSeconds=2**33))
    await both.send("POST", f"{ACCOUNTS}/worker/token", request(expirationSeconds=900, audiences=["somebody"]))
    await both.send("POST", f"{ACCOUNTS}/nobody/token", request())
    await both.send("GET", f"{ACCOUNTS}/worker/token")
    pod = {"kind": "Pod", "apiVersion": "v1", "name": "none"}
    await both.send("POST", f"{ACCOUNTS}/worker/token", request(boundObjectRef=pod))
    await both.send("POST", POD.collection, POD.named("p"))
    await both.send("POST", f"{ACCOUNTS}/worker/token", request(boundObjectRef={**pod, "name": "p"}))
    await both.send("POST", f"{ACCOUNTS}/worker/token", request(boundObjectRef={**pod, "name": "p", "uid": "x"}))


async def test_whom_a_token_stands_for(both):
    async with both.as_user(await tokens(both)) as worker:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        await worker.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    async with both.as_user(["nonsense", "nonsense"]) as nobody:
        await nobody.send("GET", CONFIG_MAP.collection)
    async with both.as_user(await tokens(both, audiences=["somebody"])) as other:
        await other.send("GET", CONFIG_MAP.collection)


async def test_an_account_without_rights(both):
    async with both.as_user(await tokens(both)) as worker:
        await worker.send("GET", CONFIG_MAP.collection)
        await worker.send("GET", CONFIG_MAP.at("a"))
        await worker.send("GET", "/api/v1/configmaps")
        await worker.send("GET", "/api/v1/namespaces")
        await worker.send("GET", "/api/v1/namespaces/NS")
        await worker.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a"))
        await worker.send("PUT", CONFIG_MAP.at("a"), CONFIG_MAP.named("a"))
        await worker.send("PATCH", CONFIG_MAP.at("a"), CONFIG_MAP.change, MERGE_PATCH)
        await worker.send("DELETE", CONFIG_MAP.at("a"))
        await worker.send("DELETE", CONFIG_MAP.collection)
        await worker.watch(CONFIG_MAP.collection, 1)
        await worker.watch(CONFIG_MAP.collection, 1, fieldSelector="metadata.name=a")
        await worker.send("GET", JOB_FLOW.collection)
        await worker.send("PATCH", JOB_FLOW.at("a") + "/status", JOB_FLOW.status, MERGE_PATCH)
        await worker.send("GET", POD.at("a") + "/log")
        await worker.send("GET", "/apis/nothing.example.com/v1/things")
        await worker.send("GET", "/nothing")


async def test_what_a_role_gives(both):
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("mine"))
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("other"))
    await both.send("POST", JOB_FLOW.collection, JOB_FLOW.named("f"))
    worker_tokens = await tokens(both)
    await both.send("POST", f"{ROLES}/roles", role("reader", READ_MAPS, ONE_MAP, STATUS))
    await both.send("POST", f"{ROLES}/rolebindings", binding(both, "reader", "Role", "reader"))
    async with both.as_user(worker_tokens) as worker:
        await allowed(both, worker)
        await worker.send("GET", CONFIG_MAP.at("mine"))
        await worker.send("PATCH", CONFIG_MAP.at("mine"), CONFIG_MAP.change, MERGE_PATCH)
        await worker.send("PATCH", CONFIG_MAP.at("other"), CONFIG_MAP.change, MERGE_PATCH)
        await worker.send("PATCH", JOB_FLOW.at("f") + "/status", JOB_FLOW.status, MERGE_PATCH)
        await worker.send("PATCH", JOB_FLOW.at("f"), JOB_FLOW.change, MERGE_PATCH)
        await worker.watch(CONFIG_MAP.collection, 1, resourceVersion="0", fieldSelector="metadata.name=mine")
        await worker.send("GET", "/api/v1/configmaps")
        await worker.send("GET", "/api/v1/namespaces/default/configmaps")


async def test_what_a_cluster_role_gives(both):
    cluster = role(f"reader-{both.namespace}", READ_MAPS, kind="ClusterRole")
    name = cluster["metadata"]["name"]
    await both.send("POST", f"{CLUSTER}/clusterroles", cluster)
    given = binding(both, name, "ClusterRole", name, kind="ClusterRoleBinding")
    await both.send("POST", f"{CLUSTER}/clusterrolebindings", given)
    async with both.as_user(await tokens(both)) as worker:
        await allowed(both, worker)
        await worker.send("GET", "/api/v1/namespaces/default/configmaps/none")
        await worker.send("GET", "/api/v1/configmaps", limit=1, fieldSelector="metadata.name=none")
        await worker.send("GET", "/api/v1/namespaces/default/secrets")


async def test_a_binding_to_a_role_that_is_not_there(both):
    worker_tokens = await tokens(both)
    await both.send("POST", f"{ROLES}/rolebindings", binding(both, "lost", "Role", "nowhere"))
    await both.send("POST", f"{ROLES}/roles", role("reader", READ_MAPS))
    await both.send("POST", f"{ROLES}/rolebindings", binding(both, "reader", "Role", "reader"))
    async with both.as_user(worker_tokens) as worker:
        await allowed(both, worker)
        await worker.send("GET", f"{CORE}/secrets")


async def test_reviews(both):
    await both.send("POST", f"{ROLES}/roles", role("reader", READ_MAPS))
    await both.send("POST", f"{ROLES}/rolebindings", binding(both, "reader", "Role", "reader"))
    reviews = "/apis/authorization.k8s.io/v1"

    def asked(kind, **spec):
        return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}

    inside = {"namespace": both.namespace, "resource": "configmaps"}
    async with both.as_user(await tokens(both)) as worker:
        await allowed(both, worker)
        for verb in ("get", "create"):
            body = asked("SelfSubjectAccessReview", resourceAttributes={**inside, "verb": verb})
            await worker.send("POST", f"{reviews}/selfsubjectaccessreviews", body)
        body = asked("SelfSubjectAccessReview", nonResourceAttributes={"path": "/apis/x", "verb": "get"})
        await worker.send("POST", f"{reviews}/selfsubjectaccessreviews", body)
        await worker.send("POST", f"{reviews}/selfsubjectaccessreviews", asked("SelfSubjectAccessReview"))
        await worker.send("POST", f"{reviews}/selfsubjectrulesreviews", asked("SelfSubjectRulesReview"))
        await worker.send("POST", f"{reviews}/subjectaccessreviews", asked("SubjectAccessReview", user="x"))
    user = f"system:serviceaccount:{both.namespace}:worker"
    for verb in ("list", "delete"):
        body = asked("SubjectAccessReview", user=user, resourceAttributes={**inside, "verb": verb})
        await both.send("POST", f"{reviews}/subjectaccessreviews", body)
    await both.send("POST", f"{reviews}/subjectaccessreviews", asked("SubjectAccessReview"))


async def test_a_token_ends_with_its_account(both):
    worker_tokens = await tokens(both)
    async with both.as_user(worker_tokens) as worker:
        await worker.send("GET", CONFIG_MAP.collection)
        await both.send("DELETE", f"{ACCOUNTS}/worker")
        for side in worker.sides:  # kube-apiserver believes a token that it has just seen for some seconds
            await both.until(side, "GET", CONFIG_MAP.collection, None, lambda status, _: status == 401)


@needs_kubectl
async def test_kubectl_as_somebody_else(both):
    await both.kubectl("create", "rolebinding", "me", "--clusterrole=cluster-admin", "--user=me")
    for side in both.sides:  # kube-apiserver learns of rights from a watch
        while (await both.run(side, ("auth", "can-i", "get", "cm", "--as=me"), "", {}))[0] != 0:
            await asyncio.sleep(0.1)
    await both.kubectl("get", "cm", "none", "--as=me")
    await both.kubectl("get", "cm", "none", "--as=you")
    await both.kubectl("get", "cm", "none", "--as=you", "--as-group=system:masters")
    await both.kubectl("auth", "whoami", "--as=me", "--as-group=us")
    account = f"system:serviceaccount:{both.namespace}:worker"
    await both.kubectl("auth", "whoami", f"--as={account}")
    async with both.as_user(await tokens(both)) as worker:
        maps = f"/api/v1/namespaces/{both.namespace}/configmaps"
        await worker.kubectl("get", "--raw", maps, "--as=me")
        await worker.kubectl("get", "--raw", maps, f"--as=system:serviceaccount:{both.namespace}:default")


@needs_kubectl
async def test_kubectl_as_an_account(both):
    await both.kubectl("create", "serviceaccount", "worker")
    await both.kubectl("create", "role", "reader", "--verb=get,list,watch", "--resource=configmaps")
    words = ("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={both.namespace}:worker")
    await both.kubectl(*words)
    printed = [await both.run(side, ("create", "token", "worker"), "", {}) for side in both.sides]
    assert [code for code, _, _ in printed] == [0, 0], printed
    async with both.as_user([out.strip() for _, out, _ in printed]) as worker:
        await allowed(both, worker)
        await worker.kubectl("get", "cm", "none")
        await worker.kubectl("get", "secrets")
        await worker.kubectl("auth", "can-i", "list", "configmaps")
        await worker.kubectl("auth", "can-i", "create", "configmaps")
        await worker.kubectl("create", "configmap", "c", "--from-literal=a=b")
        await worker.kubectl("auth", "whoami")
