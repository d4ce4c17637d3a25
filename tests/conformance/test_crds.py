"""CustomResourceDefinitions: installed, established, explained, changed, refused and gone."""

from __future__ import annotations

import asyncio
import copy
import itertools

import pytest
import pytest_asyncio
import yaml
from conformance.kinds import CRDS
from conformance.sides import SETTLE_SECONDS
from envtest.plugin import EMBEDDED, REAL

from jobflow.api.crd import product_crds, volcano_crds
from jobflow.kube.transport import APPLY_PATCH, MERGE_PATCH, Request

pytestmark = [pytest.mark.real, pytest.mark.plane(EMBEDDED, REAL), pytest.mark.asyncio(loop_scope="session")]

GVK = "x-kubernetes-group-version-kind"
_groups = (f"group{number}.example.com" for number in itertools.count(1))
OURS = {crd["metadata"]["name"]: crd for crd in (*product_crds(), *volcano_crds())}
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 0, "maximum": 9, "default": 3},
                "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5, "minLength": 2},
                "when": {"type": "string", "format": "date-time"},
                "any": {"x-kubernetes-int-or-string": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "none": {"type": "string", "nullable": True},
                "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set", "maxItems": 3},
                "map": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["k"],
                    "items": {
                        "type": "object",
                        "required": ["k"],
                        "properties": {"k": {"type": "string"}, "v": {"type": "string"}},
                    },
                },
                "more": {"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 2},
                "one": {"type": "string", "enum": ["a", "b"]},
                "half": {"type": "number", "multipleOf": 0.5, "exclusiveMinimum": True, "minimum": 0},
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}, "size": {"type": "integer"}}},
    },
}
COLUMNS = [
    {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "description": "How big."},
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase", "priority": 1},
    {"name": "When", "type": "date", "jsonPath": ".spec.when"},
    {"name": "Any", "type": "string", "jsonPath": ".spec.any"},
    {"name": "First", "type": "string", "jsonPath": ".spec.set[0]"},
]


def definition(group, **version):
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": [f"w{group[5:7].strip('.')}"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": copy.deepcopy(SCHEMA)},
                    "subresources": {
                        "status": {},
                        "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"},
                    },
                    "additionalPrinterColumns": COLUMNS,
                    **version,
                }
            ],
        },
    }


def established(_, crd):
    conditions = crd.get("status", {}).get("conditions") or []
    return {"Established", "NamesAccepted"} == {one["type"] for one in conditions if one["status"] == "True"}


async def install(both, body):
    name = body["metadata"]["name"]
    await both.send("POST", CRDS, body)
    await both.agree(f"{CRDS}/{name}", established)
    collection = f"/apis/{body['spec']['group']}/v1/namespaces/NS/widgets"
    await both.agree(collection, lambda status, _: status == 200)
    return collection


@pytest_asyncio.fixture(loop_scope="session")
async def widgets(both):
    """The collection of a kind of the test's own."""
    return await install(both, definition(next(_groups)))


def widget(collection, name="a", **spec):
    return {
        "apiVersion": f"{collection.split('/')[2]}/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 1, **spec},
    }


@pytest.mark.parametrize("name", OURS)
async def test_our_own_are_taken_and_established(both, name):
    await both.send("GET", f"{CRDS}/{name}")
    body = OURS[name]
    for side in both.sides:
        side.seen["before"] = side.seen[name]["metadata"]["resourceVersion"]
    query = {"fieldManager": "jobflow", "force": "true"}
    await both.send("PATCH", f"{CRDS}/{name}", yaml.safe_dump(body), APPLY_PATCH, **query)
    both.same(lambda seen: seen[name]["metadata"]["resourceVersion"] == seen["before"])


@pytest.mark.parametrize("name", OURS)
async def test_our_own_are_described_in_openapi(both, name):
    crd = OURS[name]
    group, version = crd["spec"]["group"], crd["spec"]["versions"][0]["name"]
    for side in both.sides:
        side.seen["crd"] = crd
    found = [await _schema(side, group, version, crd["spec"]["names"]["kind"]) for side in both.sides]
    both.compare(f"openapi {name}", *found)


async def _schema(side, group, version, kind):
    """The kind's own schema, once it is there, without metadata, which comes from a common definition."""
    async with asyncio.timeout(SETTLE_SECONDS):
        while True:
            _, document, _ = await side.ask(Request("GET", f"/openapi/v3/apis/{group}/{version}"))
            for schema in (
                (document.get("components") or {}).get("schemas", {}).values() if isinstance(document, dict) else ()
            ):
                if {"group": group, "version": version, "kind": kind} in schema.get(GVK, []):
                    properties = {key: schema["properties"].get(key) for key in ("spec", "status")}
                    return {"properties": properties} | {key: schema.get(key) for key in ("description", "type")}
            await asyncio.sleep(0.1)  # documents are made a moment after a kind is served


async def test_defaults_pruning_and_formats(both, widgets):
    body = widget(widgets)
    del body["spec"]["size"]
    await both.send("POST", widgets, body)
    await both.send("POST", widgets, {**body, "metadata": {"name": "b"}, "spec": {"free": {"x": [1, None]}, "odd": 1}})
    await both.send("POST", widgets, widget(widgets, "c", none=None, any=5, when="2026-01-01T00:00:00Z", half=2.5))
    await both.send("POST", widgets, widget(widgets, "d", size=None))
    await both.send("GET", widgets, accept="application/json;as=Table;v=v1;g=meta.k8s.io")


WRONG = {
    "below": {"size": -1},
    "above": {"size": 10},
    "pattern": {"name": "AB"},
    "long": {"name": "abcdefg"},
    "short": {"name": "a"},
    "format": {"when": "soon"},
    "int or string": {"any": True},
    "set": {"set": ["a", "a"]},
    "many": {"set": ["a", "b", "c", "d"]},
    "map": {"map": [{"k": "a"}, {"k": "a", "v": "b"}]},
    "map key": {"map": [{"v": "b"}]},
    "additional": {"more": {"a": "x"}},
    "additional many": {"more": {"a": 1, "b": 2, "c": 3}},
    "enum": {"one": "c"},
    "multiple": {"half": 0.3},
    "exclusive": {"half": 0},
    "types": {"name": 1, "set": {}, "map": "x", "free": [], "half": "x", "none": 2, "size": "1"},
    "null": {"name": None, "set": None},
}


@pytest.mark.parametrize("spec", WRONG.values(), ids=WRONG)
async def test_words_of_the_schema(both, one_kind, spec):
    await both.send("POST", one_kind, widget(one_kind, **spec))


_kept: list[str] = []


@pytest_asyncio.fixture(loop_scope="session")
async def one_kind(both):
    """A kind for all tests that only try to create."""
    if not _kept:
        _kept.append(await install(both, definition(next(_groups))))
    return _kept[0]


async def test_applied_lists_are_merged_by_their_type(both, widgets):
    query = {"fieldManager": "me"}
    path = f"{widgets}/a"
    await both.send("PATCH", path, widget(widgets, set=["a"], map=[{"k": "x", "v": "1"}]), APPLY_PATCH, **query)
    other = widget(widgets, set=["b"], map=[{"k": "y", "v": "2"}])
    del other["spec"]["size"]
    await both.send("PATCH", path, other, APPLY_PATCH, fieldManager="other")


async def test_scale(both, widgets):
    await both.send("POST", widgets, widget(widgets))
    await both.send("GET", f"{widgets}/a/scale")
    await both.send("PATCH", f"{widgets}/a/scale", {"spec": {"replicas": 7}}, MERGE_PATCH)
    await both.send("PATCH", f"{widgets}/a/scale", {"spec": {"replicas": 70}}, MERGE_PATCH)
    await both.send("GET", f"{widgets}/a")


def broken(change):
    body = definition(next(_groups))
    change(body)
    return body


def _version(crd):
    return crd["spec"]["versions"][0]


def _schema_of(crd):
    return _version(crd)["schema"]["openAPIV3Schema"]


ODD_COLUMN = {"name": "x", "type": "odd", "jsonPath": "x"}
BROKEN = {
    "no schema": lambda crd: _version(crd).pop("schema"),
    "no type": lambda crd: _schema_of(crd).pop("type"),
    "name": lambda crd: crd["metadata"].update(name="gadgets.example.com"),
    "no storage": lambda crd: _version(crd).update(storage=False),
    "scope": lambda crd: crd["spec"].update(scope="Everywhere"),
    "no kind": lambda crd: crd["spec"]["names"].pop("kind"),
    "no versions": lambda crd: crd["spec"].update(versions=[]),
    "column": lambda crd: _version(crd).update(additionalPrinterColumns=[ODD_COLUMN]),
    "version name": lambda crd: _version(crd).update(name="V 1"),
    "unknown type": lambda crd: _schema_of(crd)["properties"]["spec"].update(type="thing"),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
async def test_definitions_that_are_refused(both, change):
    await both.send("POST", CRDS, broken(change))


async def test_a_definition_goes_and_its_objects_with_it(both, widgets):
    name = f"widgets.{widgets.split('/')[2]}"
    await both.send("POST", widgets, widget(widgets))
    await both.send("DELETE", f"{CRDS}/{name}")
    await both.agree(f"{CRDS}/{name}", lambda status, _: status == 404)
    await both.agree(widgets, lambda status, _: status == 404)
    await both.send("GET", widgets)


async def test_scope_and_kind_are_frozen(both, widgets):
    name = f"widgets.{widgets.split('/')[2]}"
    await both.send("PATCH", f"{CRDS}/{name}", {"spec": {"scope": "Cluster"}}, MERGE_PATCH)
    await both.send("PATCH", f"{CRDS}/{name}", {"spec": {"group": "other.example.com"}}, MERGE_PATCH)


async def test_discovery(both):
    await both.send("GET", "/apis/flow.volcano.sh")
    await both.send("GET", "/apis/flow.volcano.sh/v1alpha1")
    await both.send("GET", "/apis/batch.volcano.sh/v1alpha1")
    await both.send("GET", "/readyz")
    await both.send("GET", "/healthz")
