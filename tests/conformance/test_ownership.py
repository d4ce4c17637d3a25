"""Field ownership: who owns what after which write, and whom an apply would take something from."""

from __future__ import annotations

import pytest
import yaml
from conformance.kinds import CONFIG_MAP, CORE, JOB, JOB_FLOW, NAMESPACED, POD
from conformance.test_kubectl import needs_kubectl
from envtest.plugin import EMBEDDED, REAL

from jobflow.kube.transport import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH

pytestmark = [pytest.mark.real, pytest.mark.plane(EMBEDDED, REAL), pytest.mark.asyncio(loop_scope="session")]

kinds = pytest.mark.parametrize("kind", NAMESPACED, ids=str)
SERVICE = f"{CORE}/services"


async def apply(both, kind, body, manager, /, name="a", subresource="", **query):
    """Apply a whole configuration as a manager."""
    full = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
    full["metadata"] = {"name": name, **(body.get("metadata") or {})}
    return await both.send("PATCH", kind.at(name) + subresource, full, APPLY_PATCH, fieldManager=manager, **query)


@kinds
async def test_every_writer_owns_what_it_writes(both, kind):
    await both.send("POST", kind.collection, kind.named("a", labels={"x": "1"}), fieldManager="maker")
    await both.send("PATCH", kind.at("a"), kind.change, MERGE_PATCH, fieldManager="patcher")
    await both.send("PATCH", kind.at("a"), {"metadata": {"labels": {"x": "2"}}}, MERGE_PATCH, fieldManager="labeller")
    await both.send("PATCH", kind.at("a"), {"metadata": {"labels": {"x": None}}}, MERGE_PATCH, fieldManager="cleaner")
    add = [{"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}}]
    await both.send("PATCH", kind.at("a"), add, JSON_PATCH, fieldManager="noter")
    if kind.status:
        await both.send("PATCH", kind.at("a") + "/status", kind.status, MERGE_PATCH, fieldManager="teller")
        await both.send("PATCH", kind.at("a") + "/status", {"status": None}, MERGE_PATCH, fieldManager="eraser")
    await both.send("PUT", kind.at("a"), lambda seen: labelled(seen["a"], y="1"), fieldManager="replacer")
    await both.send("GET", kind.at("a"))


def labelled(obj, **labels):
    return {**obj, "metadata": {**obj["metadata"], "labels": {**(obj["metadata"].get("labels") or {}), **labels}}}


@kinds
async def test_an_apply_that_would_take_a_field_is_a_conflict_unless_forced(both, kind):
    await both.send("POST", kind.collection, kind.named("a", labels={"x": "1", "y": "1"}), fieldManager="maker")
    await apply(both, kind, {"metadata": {"labels": {"x": "2"}}}, "me")
    await apply(both, kind, {"metadata": {"labels": {"x": "2", "y": "2"}}}, "me")
    await apply(both, kind, {"metadata": {"labels": {"x": "1", "z": "1"}}}, "me")
    await apply(both, kind, {"metadata": {"labels": {"x": "2"}}}, "me", force="true")
    await apply(both, kind, {"metadata": {"labels": {"x": "3"}}}, "other")
    await apply(both, kind, {"metadata": {"labels": {"x": "3"}}}, "other", force="true")
    await apply(both, kind, {"metadata": {"labels": {"x": "4"}}}, "me")
    await apply(both, kind, {"metadata": {"labels": {"x": "4"}}}, "me", dryRun="All", force="true")
    await both.send("GET", kind.at("a"))


@kinds
async def test_what_is_applied_no_more_goes(both, kind):
    await apply(both, kind, {**kind.fields, "metadata": {"labels": {"x": "1", "y": "1"}}}, "me")
    await apply(both, kind, {"metadata": {"labels": {"y": "1", "z": "1"}}}, "other")
    await apply(both, kind, {**kind.fields, "metadata": {"labels": {}}}, "me")
    await apply(both, kind, {"metadata": {}}, "other")
    await both.send("GET", kind.at("a"))


FLOWS = [
    {"flows": [{"name": "a"}, {"name": "b"}]},
    {"flows": [{"name": "b"}, {"name": "a"}]},
    {"flows": [{"name": "b"}]},
    {"flows": []},
    {"flows": [{"name": "a"}, {"name": "a"}]},
    {"flows": [{"dependsOn": {}}]},
    {"jobRetainPolicy": "delete", "flows": None},
    {"flowz": []},
    {"flows": [{"name": "a", "nane": "b"}]},
]


async def test_lists_that_are_maps_sets_and_neither(both):
    name = "things.lists.example.com"
    text = {"type": "string"}
    item = {"type": "object", "required": ["name"], "properties": {"name": text, "port": {"type": "integer"}}}
    by_name = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    fields = {
        "plain": {"type": "array", "items": text},
        "tags": {"type": "array", "items": text, "x-kubernetes-list-type": "set"},
        "numbers": {"type": "array", "items": {"type": "integer"}, "x-kubernetes-list-type": "set"},
        "named": {"type": "array", "items": item, **by_name},
        "whole": {"type": "object", "additionalProperties": text, "x-kubernetes-map-type": "atomic"},
        "parts": {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": text, "b": text}}},
        "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "defaulted": {"type": "string", "default": "so"},
    }
    spec = {"type": "object", "properties": fields}
    schema = {"type": "object", "properties": {"spec": spec}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {
            "group": "lists.example.com",
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await both.send("POST", crds, crd)
    things = "/apis/lists.example.com/v1/namespaces/NS/things"
    await both.agree(things, lambda status, _: status == 200)
    head = {"apiVersion": "lists.example.com/v1", "kind": "Thing", "metadata": {"name": "a"}}
    whole = {
        "plain": ["a", "b"],
        "tags": ["a", "b"],
        "numbers": [1, 2],
        "named": [{"name": "a", "port": 1}, {"name": "b"}],
        "whole": {"a": "1", "b": "2"},
        "parts": {"x": {"a": "1"}, "y": {}},
        "any": {"a": {"b": [1, {"c": 2}]}, "d": []},
    }
    other = {
        "tags": ["c", "b"],
        "numbers": [3],
        "named": [{"name": "c"}, {"name": "a"}],
        "parts": {"x": {"b": "2"}, "z": {"a": "3"}},
        "any": {"a": {"e": 1}},
    }
    smaller = {"tags": ["b"], "named": [{"name": "b", "port": 3}], "whole": {"a": "1"}, "parts": {}, "any": {}}

    async def applied(spec, manager, **query):
        body = {**head, "spec": spec}
        await both.send("PATCH", f"{things}/a", body, APPLY_PATCH, fieldManager=manager, **query)

    await applied(whole, "me")
    await applied(other, "other")
    await applied({"plain": ["c"], "whole": {"c": "3"}}, "other")
    await applied(smaller, "me")
    await applied({}, "other")
    await applied({}, "me")
    await both.send("POST", things, {**head, "metadata": {"name": "b"}, "spec": whole}, fieldManager="maker")
    await both.send("PATCH", f"{things}/b", {"spec": smaller}, MERGE_PATCH, fieldManager="patcher")
    change = {"spec": {"tags": ["x", "x"], "named": [{"name": "a"}], "any": None}}
    await both.send("PATCH", f"{things}/b", change, MERGE_PATCH, fieldManager="patcher")
    await both.send("GET", f"{things}/b")


@pytest.mark.parametrize("spec", FLOWS, ids=str)
async def test_a_flow_of_several_appliers(both, spec):
    await apply(both, JOB_FLOW, {"spec": {"flows": [{"name": "a"}, {"name": "c"}]}}, "me")
    await apply(both, JOB_FLOW, {"spec": spec}, "me")
    await both.send("GET", JOB_FLOW.at("a"))


async def test_containers_ports_and_environment_of_a_pod(both):
    port = {"containerPort": 80, "name": "web"}
    main = {"name": "main", "image": "a", "ports": [port], "env": [{"name": "A", "value": "1"}], "args": ["x"]}
    volume = {"name": "v", "emptyDir": {}}
    spec = {"containers": [main], "volumes": [volume], "nodeSelector": {"a": "b"}}
    await apply(both, POD, {"spec": spec}, "me")
    side = {"name": "side", "image": "b"}
    await apply(both, POD, {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [side]}}, "other")
    await apply(both, POD, {"spec": {"containers": [{"name": "main", "image": "c"}]}}, "other")
    await apply(both, POD, {"spec": {"containers": [{"name": "main", "image": "c"}]}}, "other", force="true")
    await both.send("GET", POD.at("a"))


async def test_built_in_kinds(both):
    ports = [{"port": 80, "name": "a", "targetPort": 8080}, {"port": 81, "name": "b", "protocol": "UDP"}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    service["spec"] = {"ports": ports, "selector": {"a": "b"}, "clusterIP": "None"}
    await both.send("POST", SERVICE, service, fieldManager="maker")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}
    await both.send("POST", f"{CORE}/secrets", secret, fieldManager="maker")
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "s"}}
    await both.send("POST", f"{CORE}/serviceaccounts", account, fieldManager="maker")
    roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/NS"
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"}, "rules": rules}
    await both.send("POST", f"{roles}/roles", role, fieldManager="maker")
    subjects = [{"kind": "ServiceAccount", "name": "s", "namespace": "default"}]
    binding = {**role, "kind": "RoleBinding", "subjects": subjects}
    del binding["rules"]
    binding["roleRef"] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    await both.send("POST", f"{roles}/rolebindings", binding, fieldManager="maker")
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}}
    lease["spec"] = {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}
    await both.send("POST", "/apis/coordination.k8s.io/v1/namespaces/NS/leases", lease, fieldManager="maker")
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "reason": "R", "message": "m"}
    event |= {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "NS"}, "type": "Normal", "count": 1}
    event["involvedObject"]["namespace"] = both.namespace
    await both.send("POST", f"{CORE}/events", event, fieldManager="maker")


async def test_a_status_is_owned_apart(both):
    await both.send("POST", JOB.collection, JOB.named("a"), fieldManager="maker")
    status = {"status": {"state": {"phase": "Running"}}}
    await apply(both, JOB, status, "me", subresource="/status")
    other = {"status": {"state": {"phase": "Completed"}}}
    await apply(both, JOB, other, "other", subresource="/status")
    await apply(both, JOB, other, "other", subresource="/status", force="true")
    await both.send("PATCH", JOB.at("a") + "/status", status, MERGE_PATCH, fieldManager="other")
    await apply(both, JOB, {"status": {"running": 7}}, "me")
    await both.send("GET", JOB.at("a"))


async def test_entries_can_be_written_and_forgotten(both):
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a"), fieldManager="maker")
    await both.send("PATCH", CONFIG_MAP.at("a"), {"metadata": {"managedFields": []}}, MERGE_PATCH)
    await both.send("PATCH", CONFIG_MAP.at("a"), {"data": {"x": "y"}}, MERGE_PATCH, fieldManager="later")
    await both.send("PATCH", CONFIG_MAP.at("a"), {"metadata": {"managedFields": [{}]}}, MERGE_PATCH)
    fields = {"fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}}}, "apiVersion": "v1"}
    entry = {"manager": "made-up", "operation": "Apply", **fields}
    body = {"metadata": {"managedFields": [entry]}}
    await both.send("PATCH", CONFIG_MAP.at("a"), body, MERGE_PATCH, fieldManager="later")
    wrong = {"metadata": {"managedFields": [{**entry, "operation": "Guess"}]}}
    await both.send("PATCH", CONFIG_MAP.at("a"), wrong, MERGE_PATCH, fieldManager="later")
    await both.send("PATCH", CONFIG_MAP.at("a"), {"metadata": {"managedFields": "x"}}, MERGE_PATCH)
    await apply(both, CONFIG_MAP, body, "me")
    await apply(both, CONFIG_MAP, {"data": {"a": "z"}}, "me")


async def test_many_updaters_become_one(both):
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a"), fieldManager="maker")
    for number in range(13):
        body = {"data": {f"key-{number}": "x"}}
        await both.send("PATCH", CONFIG_MAP.at("a"), body, MERGE_PATCH, fieldManager=f"manager-{number:02}")


async def test_options_of_writes(both):
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("b"), fieldManager="x" * 129)
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a"), fieldManager="a\tb")
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a"))
    await both.send("PATCH", CONFIG_MAP.at("a"), CONFIG_MAP.change, MERGE_PATCH, force="true")
    await both.send("PATCH", CONFIG_MAP.at("a"), CONFIG_MAP.change, STRATEGIC_MERGE_PATCH, fieldManager="strategist")
    await apply(both, CONFIG_MAP, {"apiVersion": "v2"}, "me")
    await apply(both, CONFIG_MAP, {"kind": "Secret"}, "me")


async def test_versions_are_preconditions_of_an_apply(both):
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("a"), fieldManager="maker")
    stale = {"metadata": {"name": "a", "resourceVersion": "1"}, "apiVersion": "v1", "kind": "ConfigMap"}
    await both.send("PATCH", CONFIG_MAP.at("a"), stale, APPLY_PATCH, fieldManager="me")
    await both.send(
        "PATCH",
        CONFIG_MAP.at("none"),
        {**stale, "metadata": {"name": "none", "uid": "x"}},
        APPLY_PATCH,
        fieldManager="me",
    )


ONE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "1", "b": "1"}}


@needs_kubectl
async def test_kubectl_apply(both):
    first, second = yaml.safe_dump(ONE), yaml.safe_dump({**ONE, "data": {"a": "2"}})
    await both.kubectl("apply", "--server-side", "-f", "-", stdin=first)
    await both.kubectl("apply", "--server-side", "-f", "-", stdin=second)
    await both.kubectl("get", "cm", "a", "-o", "yaml", "--show-managed-fields")
    await both.kubectl("apply", "--server-side", "--field-manager", "other", "-f", "-", stdin=first)
    await both.kubectl(
        "apply", "--server-side", "--field-manager", "other", "--force-conflicts", "-f", "-", stdin=first
    )
    await both.kubectl("get", "cm", "a", "-o", "yaml", "--show-managed-fields")
    await both.kubectl("get", "cm", "-o", "wide")


@needs_kubectl
async def test_kubectl_goes_from_client_side_to_server_side_apply(both):
    first, second = yaml.safe_dump(ONE), yaml.safe_dump({**ONE, "data": {"a": "2"}})
    await both.kubectl("apply", "-f", "-", stdin=first)
    await both.kubectl("get", "cm", "a", "-o", "yaml", "--show-managed-fields")
    await both.kubectl("apply", "--server-side", "-f", "-", stdin=second)
    await both.kubectl("get", "cm", "a", "-o", "yaml", "--show-managed-fields")
    await both.kubectl("apply", "-f", "-", stdin=first)
    await both.kubectl("label", "cm", "a", "x=y")
    await both.kubectl("get", "cm", "a", "-o", "yaml", "--show-managed-fields")
