"""OpenAPI v3 documents, by what kubectl looks for in them."""

import json

import pytest

from jobflow.local.apiserver.builtin.kinds import BUILTIN_TYPES, REVIEW_TYPES
from jobflow.local.apiserver.documents import openapi
from jobflow.local.apiserver.types import types_of_crd

STEP = {"type": "object", "properties": {"name": {"type": "string", "description": "Name of the step."}}}
SPEC = {"type": "object", "properties": {"flows": {"type": "array", "items": STEP}}}
FLOW_CRD = {
    "spec": {
        "group": "flow.volcano.sh",
        "scope": "Namespaced",
        "names": {"plural": "jobflows", "kind": "JobFlow"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC}}},
                "subresources": {"status": {}},
            }
        ],
    }
}
TYPES = BUILTIN_TYPES + REVIEW_TYPES + types_of_crd(FLOW_CRD)
FLOW_KIND = {"group": "flow.volcano.sh", "version": "v1alpha1", "kind": "JobFlow"}
FLOWS = "/apis/flow.volcano.sh/v1alpha1/namespaces/{namespace}/jobflows"


def test_the_index_names_a_document_for_each_group_and_version():
    paths = openapi.index(TYPES)["paths"]
    assert paths["api/v1"]["serverRelativeURL"].startswith("/openapi/v3/api/v1?hash=")
    assert paths["apis/flow.volcano.sh/v1alpha1"]["serverRelativeURL"].startswith(
        "/openapi/v3/apis/flow.volcano.sh/v1alpha1?hash="
    )


def test_the_address_of_a_document_changes_with_it():
    changed = json.loads(json.dumps(FLOW_CRD))
    changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "Another."
    before, after = openapi.index(TYPES)["paths"], openapi.index(BUILTIN_TYPES + types_of_crd(changed))["paths"]
    assert before["api/v1"] == after["api/v1"]
    assert before["apis/flow.volcano.sh/v1alpha1"] != after["apis/flow.volcano.sh/v1alpha1"]


def test_a_document_that_is_not_there():
    assert openapi.document("flow.volcano.sh/v9", TYPES) is None


def test_the_patch_tells_kubectl_that_the_server_validates():
    patch = openapi.document("flow.volcano.sh/v1alpha1", TYPES)["paths"][f"{FLOWS}/{{name}}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == FLOW_KIND
    assert {"name": "fieldValidation", "in": "query"}.items() <= next(
        one for one in patch["parameters"] if one["name"] == "fieldValidation"
    ).items()


@pytest.mark.parametrize(
    ("group_version", "path", "strategic"),
    [
        ("flow.volcano.sh/v1alpha1", f"{FLOWS}/{{name}}", False),
        ("v1", "/api/v1/namespaces/{namespace}/pods/{name}", True),
    ],
)
def test_strategic_merge_patches_are_for_built_in_kinds(group_version, path, strategic):
    content = openapi.document(group_version, TYPES)["paths"][path]["patch"]["requestBody"]["content"]
    assert ("application/strategic-merge-patch+json" in content) is strategic
    assert "application/apply-patch+yaml" in content


@pytest.mark.parametrize(
    ("path", "verbs"),
    [
        (FLOWS, {"get", "post", "delete"}),
        (f"{FLOWS}/{{name}}", {"get", "put", "patch", "delete"}),
        (f"{FLOWS}/{{name}}/status", {"get", "put", "patch"}),
        ("/apis/flow.volcano.sh/v1alpha1/jobflows", {"get"}),
    ],
)
def test_paths_have_an_operation_for_each_verb(path, verbs):
    assert set(openapi.document("flow.volcano.sh/v1alpha1", TYPES)["paths"][path]) - {"parameters"} == verbs


def test_the_schema_of_a_crd_is_there_as_written_with_the_fields_of_every_object():
    schemas = openapi.document("flow.volcano.sh/v1alpha1", TYPES)["components"]["schemas"]
    flow = schemas["sh.volcano.flow.v1alpha1.JobFlow"]
    assert flow["x-kubernetes-group-version-kind"] == [FLOW_KIND]
    assert flow["properties"]["spec"] == SPEC
    assert {"apiVersion", "kind", "metadata"} <= set(flow["properties"])


@pytest.mark.parametrize("group_version", sorted({served.resource.api_version for served in TYPES}))
def test_every_reference_leads_somewhere_and_operations_have_names_of_their_own(group_version):
    document = openapi.document(group_version, TYPES)
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    for part in text.split('"$ref": "#/components/schemas/')[1:]:
        assert part.split('"')[0] in schemas
    names = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
    ]
    assert len(names) == len(set(names))


def test_merge_keys_of_containers_are_told():
    spec = openapi.document("v1", TYPES)["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]
    containers = spec["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"
