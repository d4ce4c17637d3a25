"""What a client accepts decides what it gets."""

from __future__ import annotations

import pytest

from jobflow.local.apiserver.reads.representations import Form, negotiate
from jobflow.local.apiserver.statuses import StatusError

TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
PARTIAL = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PROTOBUF = "application/vnd.kubernetes.protobuf"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Form.OBJECT),
        ("*/*", Form.OBJECT),
        ("application/json", Form.OBJECT),
        ("application/json, */*", Form.OBJECT),
        (TABLE, Form.TABLE),
        (f"{TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Form.TABLE),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Form.OBJECT),
        (PARTIAL, Form.PARTIAL),
        (f"{PROTOBUF},application/json", Form.OBJECT),
        (f"{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1,{PARTIAL}", Form.PARTIAL),
    ],
)
def test_the_first_form_that_is_served_wins(accept, expected):
    assert negotiate(accept) is expected


@pytest.mark.parametrize("accept", [PROTOBUF, "application/xml", "application/json;as=Chart;g=meta.k8s.io;v=v1"])
def test_none_that_is_served_is_not_acceptable(accept):
    with pytest.raises(StatusError) as refused:
        negotiate(accept)
    assert refused.value.code == 406


async def test_a_list_as_a_table_has_columns_rows_and_metadata(api, widgets, widget):
    await api.create(widgets, widget("a", size=4))
    told = await api.list(widgets, accept=TABLE)
    assert told.body["kind"] == "Table"
    assert [column["name"] for column in told.body["columnDefinitions"]][:2] == ["Name", "Size"]
    [row] = told.body["rows"]
    assert row["cells"][:2] == ["a", 4]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert told.body["metadata"]["resourceVersion"] == str(api.server.revision)


@pytest.mark.parametrize(
    ("include", "expected"), [("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "Widget")]
)
async def test_rows_include_what_is_asked_for(api, widgets, widget, include, expected):
    await api.create(widgets, widget("a"))
    [row] = (await api.list(widgets, accept=TABLE, includeObject=include)).body["rows"]
    assert (row.get("object") or {}).get("kind") == expected


async def test_one_object_as_a_table(api, widgets, widget):
    await api.create(widgets, widget("a"))
    told = await api.get(widgets, "a", accept=TABLE)
    assert [row["cells"][0] for row in told.body["rows"]] == ["a"]


async def test_metadata_alone(api, widgets, widget):
    await api.create(widgets, widget("a", labels={"x": "y"}))
    listed = await api.list(widgets, accept=PARTIAL)
    assert listed.body["kind"] == "PartialObjectMetadataList"
    [item] = listed.body["items"]
    assert item["metadata"]["labels"] == {"x": "y"}
    assert "spec" not in item
    one = await api.get(widgets, "a", accept="application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1")
    assert one.body["kind"] == "PartialObjectMetadata"


async def test_an_error_is_a_status_whatever_was_accepted(api, widgets):
    told = await api.get(widgets, "none", accept=TABLE)
    assert (told.status, told.body["kind"]) == (404, "Status")
