"""Tables of custom kinds: columns, cells of each type, and what a row refers to."""

from datetime import UTC, datetime

import pytest

from jobflow.api.resources import Resource
from jobflow.local.apiserver.reads.table import partial_list, table
from jobflow.local.apiserver.types import AGE, Column, ServedType

NOW = datetime(2024, 5, 4, 12, tzinfo=UTC)
FLOW = {
    "apiVersion": "flow.volcano.sh/v1alpha1",
    "kind": "JobFlow",
    "metadata": {"name": "a", "namespace": "ns", "creationTimestamp": "2024-05-01T12:00:00Z"},
    "spec": {"replicas": 3, "ratio": 0.5, "on": True, "words": ["x", "y"], "sum": 4.0, "none": None},
    "status": {"conditions": [{"type": "Ready", "status": "True"}], "endTime": "2024-05-04T11:59:00Z"},
}


def kind(*columns):
    return ServedType(
        resource=Resource("flow.volcano.sh", "v1alpha1", "jobflows", "JobFlow"),
        singular="jobflow",
        short_names=("jf",),
        categories=(),
        schema=None,
        openapi={},
        columns=columns,
        has_status=True,
    )


def cell(type_, path):
    rows = table(kind(Column("X", type_, path)), [FLOW], {}, NOW)["rows"]
    assert rows[0]["cells"][0] == "a"
    return rows[0]["cells"][1]


@pytest.mark.parametrize(
    ("type_", "path", "shown"),
    [
        ("string", ".metadata.namespace", "ns"),
        ("string", '.status.conditions[?(@.type=="Ready")].status', "True"),
        ("string", ".spec.replicas", "3"),
        ("string", ".spec.on", "true"),
        ("string", ".spec.words", '["x","y"]'),
        ("string", ".spec.words[*]", "x"),
        ("string", ".spec.absent", None),
        ("string", ".spec.none", None),
        ("integer", ".spec.replicas", 3),
        ("integer", ".spec.sum", 4),
        ("integer", ".metadata.name", None),
        ("number", ".spec.ratio", 0.5),
        ("boolean", ".spec.on", True),
        ("boolean", ".spec.replicas", None),
        ("date", ".metadata.creationTimestamp", "3d"),
        ("date", ".status.endTime", "60s"),
        ("date", ".status.absent", None),
        ("date", ".metadata.name", "<invalid>"),
        ("string", lambda obj, now: f"{obj['metadata']['name']} at {now:%H}", "a at 12"),
    ],
)
def test_cell(type_, path, shown):
    assert cell(type_, path) == shown


def test_a_table_says_what_its_columns_are():
    wide = Column("Retries", "integer", ".spec.retries", "How often.", priority=1)
    told = table(kind(wide, AGE), [], {"resourceVersion": "7"}, NOW)
    assert (told["kind"], told["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert told["metadata"] == {"resourceVersion": "7"}
    assert [(one["name"], one["type"], one["format"], one["priority"]) for one in told["columnDefinitions"]] == [
        ("Name", "string", "name", 0),
        ("Retries", "integer", "", 1),
        ("Age", "date", "", 0),
    ]
    assert told["rows"] == []


@pytest.mark.parametrize(
    ("include", "refers_to"),
    [
        ("None", None),
        ("Metadata", {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": FLOW["metadata"]}),
        ("Object", FLOW),
    ],
)
def test_a_row_refers_to_its_object(include, refers_to):
    assert table(kind(), [FLOW], {}, NOW, include)["rows"][0].get("object") == refers_to


def test_another_way_to_refer_is_refused():
    with pytest.raises(ValueError, match="includeObject: Unsupported value"):
        table(kind(), [FLOW], {}, NOW, "Everything")


def test_partial_list():
    told = partial_list([FLOW], {"resourceVersion": "7"})
    assert told["kind"] == "PartialObjectMetadataList"
    assert told["items"][0]["metadata"]["name"] == "a"
    assert "spec" not in told["items"][0]
