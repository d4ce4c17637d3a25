"""What fields of a Job take, as placeholders need to know it, is what Kubernetes says of a pod's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cluster.installed import Cluster

from jobflow.api.places import Place, place_of

pytestmark = [pytest.mark.real, pytest.mark.blocking]

DOCUMENT = "/openapi/v3/api/v1"
POD = "io.k8s.api.core.v1.PodTemplateSpec"
CLAIM = "io.k8s.api.core.v1.PersistentVolumeClaimSpec"
ROOTS = (("tasks", 0, "template"), POD), (("volumes", 0, "volumeClaim"), CLAIM)
METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
KEPT = ("labels", "annotations", "name", "namespace", "finalizers")  # of a template's metadata, which has more fields
EITHER = {"IntOrString": Place.ANYTHING, "Quantity": Place.AMOUNT}
TYPES = {
    "string": Place.TEXT,
    "integer": Place.NUMBER,
    "number": Place.NUMBER,
    "boolean": Place.BOOLEAN,
    "array": Place.LIST,
    "object": Place.MAPPING,
}

Schemas = dict[str, Any]


@pytest.fixture(scope="module")
def schemas(cluster: Cluster) -> Schemas:
    found: Schemas = cluster.ask("GET", DOCUMENT)["components"]["schemas"]
    return found


def fields(schemas: Schemas, schema: Any, path: tuple[Any, ...], seen: tuple[str, ...] = ()) -> Iterator[Any]:
    """Every field below, with what it takes; what names itself within itself is walked once."""
    name = ""
    while "$ref" in schema or len(schema.get("allOf", ())) == 1:
        schema = schema["allOf"][0] if "allOf" in schema else schema
        name = schema["$ref"].rpartition("/")[2]
        schema = schemas[name]
    kind = next((place for end, place in EITHER.items() if name.endswith(end)), None)
    yield path, kind or TYPES[schema["type"]]
    if kind or name in seen:
        return
    within = (*seen, name) if name else seen
    for field, below in schema.get("properties", {}).items():
        if name != METADATA or field in KEPT:
            yield from fields(schemas, below, (*path, field), within)
    if "items" in schema:
        yield from fields(schemas, schema["items"], (*path, 0), within)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from fields(schemas, schema["additionalProperties"], (*path, "some-key"), within)


@pytest.mark.parametrize(("at", "root"), ROOTS, ids=["pod", "claim"])
def test_every_field_takes_what_kubernetes_says(schemas: Schemas, at: tuple[Any, ...], root: str) -> None:
    told = dict(fields(schemas, schemas[root], at))
    assert len(told) > 20
    wrong = {path: (place_of(path), place) for path, place in told.items() if place_of(path) is not place}
    assert wrong == {}
