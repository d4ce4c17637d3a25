"""create, update and patch: what is stored, what is refused, and in which words."""

from __future__ import annotations

import msgspec
import pytest

from jobflow.api.resources import CONFIG_MAP, NAMESPACE, POD
from jobflow.kube.transport import APPLY_PATCH, JSON_PATCH, STRATEGIC_MERGE_PATCH


async def test_a_new_object_gets_identity_time_and_first_generation(api, widgets, widget):
    told = await api.create(widgets, widget("a", size=3))
    metadata = told.body["metadata"]
    assert told.status == 201
    assert len(metadata["uid"]) == 36
    assert metadata["creationTimestamp"].endswith("Z")
    assert "." not in metadata["creationTimestamp"]
    assert metadata["generation"] == 1
    assert metadata["namespace"] == "default"
    assert (await api.get(widgets, "a")).body == told.body


async def test_resource_versions_are_one_sequence_over_all_kinds(api, widgets, widget):
    first = await api.create(widgets, widget("a"))
    second = await api.create(CONFIG_MAP, {"metadata": {"name": "c"}})
    third = await api.create(widgets, widget("b"))
    versions = [int(told.body["metadata"]["resourceVersion"]) for told in (first, second, third)]
    assert versions == [versions[0], versions[0] + 1, versions[0] + 2]


async def test_what_the_client_claims_of_the_servers_fields_is_ignored_on_create(api, widgets, widget):
    obj = widget("a")
    obj["metadata"] |= {
        "uid": "mine",
        "generation": 7,
        "resourceVersion": "99",
        "deletionTimestamp": "2020-01-01T00:00:00Z",
    }
    told = await api.create(widgets, obj)
    assert told.body["metadata"]["uid"] != "mine"
    assert told.body["metadata"]["generation"] == 1
    assert "deletionTimestamp" not in told.body["metadata"]


async def test_generate_name_appends_five_characters(api, widgets):
    obj = {"metadata": {"generateName": "run-"}}
    names = {(await api.create(widgets, obj)).body["metadata"]["name"] for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("run-") and len(name) == 9 for name in names)


async def test_a_taken_name_is_already_exists(api, widgets, widget):
    await api.create(widgets, widget("a"))
    told = await api.create(widgets, widget("a"))
    assert told.status == 409
    assert told.body["reason"] == "AlreadyExists"
    assert told.body["message"] == 'widgets.example.com "a" already exists'
    assert told.body["details"] == {"name": "a", "group": "example.com", "kind": "widgets"}


async def test_an_absent_object_is_not_found_with_its_name(api, widgets):
    told = await api.get(widgets, "a")
    assert (told.status, told.body["reason"]) == (404, "NotFound")
    assert told.body["message"] == 'widgets.example.com "a" not found'
    assert told.body["details"]["name"] == "a"


async def test_a_missing_namespace_is_not_found(api, widgets, widget):
    told = await api.create(widgets, widget("a"), "nowhere")
    assert told.status == 404
    assert told.body["message"] == 'namespaces "nowhere" not found'
    assert told.body["details"] == {"name": "nowhere", "kind": "namespaces"}


async def test_a_kind_that_is_not_served_is_not_found_and_no_object_is_named(api):
    told = await api.call("GET", "/apis/example.com/v1/namespaces/default/gadgets")
    assert (told.status, told.body["reason"]) == (404, "NotFound")
    assert told.body["details"] == {}


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("A_b", "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"),
        ("-a", "a lowercase RFC 1123 subdomain"),
        ("a" * 254, "must be no more than 253 characters"),
    ],
)
async def test_a_bad_name_is_invalid_with_a_cause(api, widgets, widget, name, complaint):
    told = await api.create(widgets, widget(name))
    assert (told.status, told.body["reason"]) == (422, "Invalid")
    assert told.body["message"].startswith(
        f'Widget.example.com "{name}" is invalid: metadata.name: Invalid value: "{name}": '
    )
    [cause] = told.body["details"]["causes"]
    assert cause["field"] == "metadata.name"
    assert complaint in cause["message"]


async def test_neither_name_nor_generate_name_is_invalid(api, widgets):
    told = await api.create(widgets, {"metadata": {}})
    assert told.status == 422
    assert told.body["details"]["causes"][0]["reason"] == "FieldValueRequired"


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"labels": {"a": "x" * 64}}, "metadata.labels"),
        ({"labels": {"a b": "x"}}, "metadata.labels"),
        ({"annotations": {"/x": "y"}}, "metadata.annotations"),
        ({"finalizers": ["no good"]}, "metadata.finalizers"),
        ({"ownerReferences": [{"kind": "X", "name": "x", "apiVersion": "v1"}]}, "metadata.ownerReferences.uid"),
    ],
)
async def test_metadata_that_breaks_a_rule_is_invalid(api, widgets, metadata, field):
    told = await api.create(widgets, {"metadata": {"name": "a", **metadata}})
    assert told.status == 422
    assert [cause["field"] for cause in told.body["details"]["causes"]] == [field]


async def test_metadata_of_the_wrong_type_is_a_bad_request(api, widgets):
    told = await api.create(widgets, {"metadata": {"name": "a", "labels": ["x"]}})
    assert (told.status, told.body["reason"]) == (400, "BadRequest")
    assert told.body["message"].endswith(
        "cannot unmarshal array into Go struct field ObjectMeta.labels of type map[string]string"
    )


async def test_the_schema_defaults_prunes_and_validates(api, widgets, widget):
    assert (await api.create(widgets, widget("a"))).body["spec"] == {"size": 1}
    assert (await api.create(widgets, widget("b", shape="round"))).body["spec"] == {"size": 1}
    told = await api.create(widgets, widget("c", size=-1))
    assert (told.status, told.body["reason"]) == (422, "Invalid")
    assert [(cause["field"], cause["message"]) for cause in told.body["details"]["causes"]] == [
        (".spec.size", "Invalid value: -1: should be a non-negative integer"),  # at the path of its scale
        ("spec.size", "Invalid value: -1: spec.size in body should be greater than or equal to 0"),
    ]


@pytest.mark.parametrize(
    ("mode", "status", "warning"),
    [
        ("Strict", 400, None),
        ("Warn", 201, '299 - "unknown field \\"spec.shape\\""'),
        ("Ignore", 201, None),
    ],
)
async def test_field_validation_decides_about_unknown_fields(api, widgets, widget, mode, status, warning):
    told = await api.create(widgets, widget("a", shape="round"), fieldValidation=mode)
    assert told.status == status
    assert told.headers.get("warning") == warning
    if status == 400:
        assert 'strict decoding error: unknown field "spec.shape"' in told.body["message"]


async def test_warning_is_the_default_of_field_validation(api, widgets, widget):
    assert "warning" in (await api.create(widgets, widget("a", shape="round"))).headers


async def test_strict_validation_holds_for_patches_too(api, widgets, widget):
    await api.create(widgets, widget("a"))
    told = await api.patch(widgets, "a", {"spec": {"shape": "round"}}, fieldValidation="Strict")
    assert told.status == 422
    assert 'strict decoding error: unknown field "spec.shape"' in told.body["message"]


async def test_a_misspelt_field_of_metadata_is_refused_or_taken_off(api, widgets, widget):
    body = widget("a")
    body["metadata"]["labls"] = {}
    told = await api.create(widgets, body, fieldValidation="Strict")
    assert told.status == 400
    assert 'unknown field "metadata.labls"' in told.body["message"]
    told = await api.create(widgets, body)
    assert "labls" not in told.body["metadata"]
    assert 'unknown field \\"metadata.labls\\"' in told.headers["warning"]


async def test_a_name_that_is_being_deleted_is_still_taken(api, widgets, widget):
    body = widget("a")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    await api.create(widgets, body)
    await api.delete(widgets, "a")
    told = await api.create(widgets, widget("a"))
    assert (told.status, told.body["reason"]) == (409, "AlreadyExists")
    assert told.body["message"].startswith("object is being deleted: ")


async def test_a_stale_resource_version_conflicts_in_the_real_words(api, widgets, widget):
    old = (await api.create(widgets, widget("a"))).body
    await api.patch(widgets, "a", {"spec": {"size": 2}})
    told = await api.replace(widgets, old)
    assert (told.status, told.body["reason"]) == (409, "Conflict")
    assert told.body["message"] == (
        'Operation cannot be fulfilled on widgets.example.com "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


async def test_a_patch_may_carry_the_version_it_expects(api, widgets, widget):
    await api.create(widgets, widget("a"))
    told = await api.patch(widgets, "a", {"metadata": {"resourceVersion": "1"}, "spec": {"size": 2}})
    assert told.status == 409


async def test_another_objects_uid_conflicts_and_a_patch_cannot_set_it(api, widgets, widget):
    made = (await api.create(widgets, widget("a"))).body
    made["metadata"]["uid"] = "other"
    told = await api.call("PUT", widgets.path("default", "a"), made)
    assert told.status == 409
    assert "UID in precondition: other" in told.body["message"]
    told = await api.patch(widgets, "a", {"metadata": {"uid": "other"}})
    assert (told.status, told.body["details"]["causes"][0]["field"]) == (422, "metadata.uid")


async def test_replacing_a_custom_object_needs_its_version(api, widgets, widget):
    await api.create(widgets, widget("a"))
    told = await api.replace(widgets, widget("a", size=2))
    assert told.status == 422
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in told.body["message"]


async def test_replacing_a_config_map_does_not(api):
    await api.create(CONFIG_MAP, {"metadata": {"name": "c"}, "data": {"a": "1"}})
    told = await api.replace(CONFIG_MAP, {"metadata": {"name": "c"}, "data": {"a": "2"}})
    assert (told.status, told.body["data"]) == (200, {"a": "2"})


async def test_a_write_that_changes_nothing_makes_no_revision(api, widgets, widget):
    first = (await api.create(widgets, widget("a", size=2))).body
    again = [
        await api.patch(widgets, "a", {"spec": {"size": 2}}),
        await api.replace(widgets, first),
        await api.patch(widgets, "a", [{"op": "replace", "path": "/spec/size", "value": 2}], content_type=JSON_PATCH),
    ]
    assert [told.body for told in again] == [first] * 3
    assert str(api.server.revision) == first["metadata"]["resourceVersion"]


async def test_generation_counts_changes_of_the_spec_alone(api, widgets, widget):
    await api.create(widgets, widget("a"))
    steps = [
        ({"metadata": {"labels": {"x": "y"}}}, None, 1),
        ({"spec": {"size": 2}}, None, 2),
        ({"status": {"phase": "Busy"}}, "status", 2),
        ({"spec": {"size": 3}, "metadata": {"labels": {"x": "z"}}}, None, 3),
    ]
    for change, subresource, expected in steps:
        told = await api.patch(widgets, "a", change, subresource)
        assert told.body["metadata"]["generation"] == expected


async def test_status_is_written_only_through_its_subresource(api, widgets, widget):
    obj = widget("a", size=2)
    obj["status"] = {"phase": "Claimed"}
    created = (await api.create(widgets, obj)).body
    assert "status" not in created
    told = await api.patch(widgets, "a", {"status": {"phase": "Claimed"}})
    assert "status" not in told.body
    told = await api.replace(widgets, {**created, "status": {"phase": "Claimed"}})
    assert "status" not in told.body


async def test_a_write_to_status_changes_nothing_else_of_a_custom_object(api, widgets, widget):
    created = (await api.create(widgets, widget("a", size=2))).body
    change = {"spec": {"size": 9}, "metadata": {"labels": {"x": "y"}}, "status": {"phase": "Busy"}}
    told = await api.patch(widgets, "a", change, "status")
    assert told.body["spec"] == {"size": 2}
    assert "labels" not in told.body["metadata"]
    assert told.body["status"] == {"phase": "Busy"}
    stale = await api.replace(widgets, {**created, "status": {"phase": "Idle"}}, "status")
    assert stale.status == 409


async def test_a_write_to_a_pods_status_may_change_labels_but_not_spec(api):
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await api.create(POD, pod)
    change = {"metadata": {"labels": {"x": "y"}}, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}}
    told = await api.patch(POD, "p", change, "status")
    assert told.body["metadata"]["labels"] == {"x": "y"}
    assert "nodeName" not in told.body["spec"]
    assert told.body["status"]["phase"] == "Running"


async def test_without_a_status_subresource_status_is_a_field_like_others(api, crd):
    from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, Resource

    await api.create(CUSTOM_RESOURCE_DEFINITION, crd("gadgets", "Gadget", status=False), None)
    gadgets = Resource("example.com", "v1", "gadgets", "Gadget")
    told = await api.create(gadgets, {"metadata": {"name": "g"}, "status": {"phase": "Set"}})
    assert told.body["status"] == {"phase": "Set"}
    told = await api.patch(gadgets, "g", {"status": {"phase": "Changed"}})
    assert told.body["metadata"]["generation"] == 2
    assert (await api.patch(gadgets, "g", {"status": {}}, "status")).status == 404


@pytest.mark.parametrize("verb", ["create", "patch", "delete"])
async def test_a_dry_run_answers_and_changes_nothing(api, widgets, widget, verb):
    await api.create(widgets, widget("a", size=1))
    before = api.server.revision
    match verb:
        case "create":
            told = await api.create(widgets, widget("b", size=2), dryRun="All")
            assert (told.status, told.body["spec"]) == (201, {"size": 2})
        case "patch":
            told = await api.patch(widgets, "a", {"spec": {"size": 5}}, dryRun="All")
            assert (told.status, told.body["spec"]) == (200, {"size": 5})
        case "delete":
            assert (await api.delete(widgets, "a", dryRun="All")).status == 200
    assert api.server.revision == before
    assert (await api.get(widgets, "a")).body["spec"] == {"size": 1}
    assert (await api.get(widgets, "b")).status == 404


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"apiVersion": "example.com/v9"}, "does not match the expected API version"),
        ({"metadata": {"name": "other"}}, "does not match the name on the URL"),
        ({"metadata": {"name": "a", "namespace": "other"}}, "does not match the namespace sent on the request"),
    ],
)
async def test_a_body_of_another_object_is_a_bad_request(api, widgets, widget, change, complaint):
    await api.create(widgets, widget("a"))
    obj = {**widget("a"), **change}
    told = await api.call("PUT", widgets.path("default", "a"), obj)
    assert (told.status, told.body["reason"]) == (400, "BadRequest")
    assert complaint in told.body["message"]


async def test_a_body_of_another_kind_is_invalid(api, widgets, widget):
    told = await api.create(widgets, {**widget("a"), "kind": "Gadget"})
    assert (told.status, told.body["details"]["kind"]) == (422, "Gadget")
    assert told.body["message"] == 'Gadget.example.com "a" is invalid: kind: Invalid value: "Gadget": must be Widget'


async def test_a_body_that_is_not_json_is_a_bad_request(api, widgets):
    told = await api.call("POST", widgets.path("default"), b"{half")
    assert told.status == 400
    assert "couldn't read JSON" in told.body["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/default/pods",
        "/api/v1/namespaces",
        "/apis/example.com/v1/namespaces/default/widgets",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"metadata": None},
        {"metadata": "x"},
        {"metadata": {"name": 5}},
        {"metadata": {"name": "a", "ownerReferences": ["x"]}},
        {"metadata": {"name": "a", "ownerReferences": [{"uid": 5}]}},
        {"metadata": {"name": "a", "finalizers": [5]}},
        {"metadata": {"name": "a", "finalizers": {}}},
        {"metadata": {"name": "a", "annotations": {"x": None}}},
        {"metadata": {"name": "a"}, "spec": "text"},
        {"metadata": {"name": "a"}, "spec": []},
        {"metadata": {"name": "a"}, "spec": {"containers": "x", "versions": 5, "names": [], "size": {}}},
        {"metadata": {"name": "a"}, "spec": {"containers": [1], "versions": [1], "names": {"kind": 1}, "size": "x"}},
        [],
        "text",
        None,
        5,
    ],
    ids=str,
)
async def test_nonsense_is_refused_and_never_breaks_the_server(api, path, body):
    told = await api.call("POST", path, msgspec.json.encode(body))
    if path != "/api/v1/namespaces":  # whose spec is the server's
        assert told.status in (400, 422), told.body
    assert told.status < 500
    assert (await api.call("GET", path)).status == 200


async def test_a_yaml_body_is_read_and_its_dates_stay_text(api):
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n  annotations:\n    day: 2026-01-01\n"
    told = await api.call("POST", CONFIG_MAP.path("default"), body, content_type="application/yaml")
    assert told.status == 201
    assert told.body["metadata"]["annotations"] == {"day": "2026-01-01"}


async def test_a_protobuf_body_that_cannot_be_read_is_refused_with_what_to_do(api):
    told = await api.call("POST", NAMESPACE.path(), b"k8s\x00...", content_type="application/vnd.kubernetes.protobuf")
    assert (told.status, told.body["reason"]) == (415, "UnsupportedMediaType")
    assert "send JSON" in told.body["message"]


async def test_a_body_beyond_the_limit_is_too_large(api, widgets, widget):
    told = await api.create(widgets, widget("a", color="x" * (3 * 1024 * 1024)))
    assert (told.status, told.body["reason"]) == (413, "RequestEntityTooLarge")


async def test_an_object_beyond_what_etcd_takes_is_too_large(api, widgets, widget):
    told = await api.create(widgets, widget("a", color="x" * (1600 * 1024)))
    assert told.status == 413


async def test_json_patch_is_all_or_nothing(api, widgets, widget):
    await api.create(widgets, widget("a", size=1))
    change = [
        {"op": "replace", "path": "/spec/size", "value": 5},
        {"op": "test", "path": "/spec/size", "value": 6},
    ]
    told = await api.patch(widgets, "a", change, content_type=JSON_PATCH)
    assert told.status == 422
    assert (await api.get(widgets, "a")).body["spec"] == {"size": 1}


async def test_strategic_patches_merge_lists_of_built_in_kinds_by_key(api):
    pod = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]},
    }
    await api.create(POD, pod)
    change = {"spec": {"containers": [{"name": "b", "image": "2"}]}}
    told = await api.patch(POD, "p", change, content_type=STRATEGIC_MERGE_PATCH)
    images = {container["name"]: container["image"] for container in told.body["spec"]["containers"]}
    assert images == {"a": "1", "b": "2"}


async def test_strategic_patches_of_custom_kinds_are_an_unsupported_media_type(api, widgets, widget):
    await api.create(widgets, widget("a"))
    told = await api.patch(widgets, "a", {}, content_type=STRATEGIC_MERGE_PATCH)
    assert told.status == 415
    assert "application/merge-patch+json" in told.body["message"]


async def test_apply_creates_then_merges(api, widgets, widget):
    options = {"content_type": APPLY_PATCH, "force": "true"}
    first = await api.patch(widgets, "a", widget("a", size=2), **options, fieldManager="me")
    assert (first.status, first.body["spec"]) == (201, {"size": 2})
    second = await api.patch(widgets, "a", widget("a", color="red"), **options, fieldManager="other")
    assert (second.status, second.body["spec"]) == (200, {"size": 2, "color": "red"})


async def test_apply_reads_yaml_and_needs_a_field_manager(api, widgets):
    body = b"apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec: {size: 4}\n"
    refused = await api.patch(widgets, "a", body, content_type=APPLY_PATCH)
    assert refused.status == 422
    assert "fieldManager: Required value" in refused.body["message"]
    told = await api.patch(widgets, "a", body, content_type=APPLY_PATCH, fieldManager="me")
    assert told.body["spec"] == {"size": 4}


async def test_a_patch_of_an_absent_object_is_not_found(api, widgets):
    assert (await api.patch(widgets, "a", {"spec": {}})).status == 404


async def test_two_event_kinds_are_one_object_under_two_sets_of_names(api):
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "message": "told",
        "count": 2,
        "type": "Normal",
        "reason": "Because",
    }
    assert (await api.call("POST", "/api/v1/namespaces/default/events", event)).status == 201
    told = await api.call("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e")
    assert told.body["apiVersion"] == "events.k8s.io/v1"
    assert told.body["note"] == "told"
    assert told.body["regarding"]["name"] == "p"
    assert told.body["deprecatedCount"] == 2


async def test_numbers_keep_their_value(api):
    told = await api.create(CONFIG_MAP, {"metadata": {"name": "c"}, "data": {"big": str(2**53 + 1)}})
    assert msgspec.json.encode(told.body["data"]) == b'{"big":"9007199254740993"}'
