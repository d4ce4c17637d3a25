"""Strategic merge patches, as kubectl sends them for built-in kinds."""

import copy

import pytest

from jobflow.local.apiserver.builtin.kinds import BUILTIN_TYPES
from jobflow.local.apiserver.writes.patches import PatchError, strategic_merge

POD = next(served.schema for served in BUILTIN_TYPES if served.resource.kind == "Pod")


def spec(**fields):
    return {"spec": fields}


def containers(*names, **more):
    return {"containers": [{"name": name, "image": f"{name}:1"} for name in names], **more}


@pytest.mark.parametrize(
    ("what", "target", "patch", "result"),
    [
        (
            "an item with a known key is merged",
            spec(**containers("a", "b")),
            spec(containers=[{"name": "b", "image": "b:2"}]),
            spec(containers=[{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:2"}]),
        ),
        (
            "an item with a new key is added",
            spec(**containers("a")),
            spec(containers=[{"name": "b", "image": "b:1"}]),
            spec(**containers("a", "b")),
        ),
        (
            "$patch: delete takes an item away",
            spec(**containers("a", "b")),
            spec(containers=[{"name": "a", "$patch": "delete"}]),
            spec(**containers("b")),
        ),
        (
            "$patch: replace in a list replaces the list",
            spec(**containers("a", "b")),
            spec(containers=[{"name": "c", "image": "c:1"}, {"$patch": "replace"}]),
            spec(**containers("c")),
        ),
        (
            "$patch: replace in an object replaces the object",
            spec(nodeSelector={"a": "b"}, hostname="h"),
            spec(nodeSelector={"$patch": "replace", "c": "d"}),
            spec(nodeSelector={"c": "d"}, hostname="h"),
        ),
        (
            "$patch: delete in an object empties it",
            spec(affinity={"nodeAffinity": {}}),
            spec(affinity={"$patch": "delete"}),
            spec(affinity={}),
        ),
        ("null removes a field", spec(hostname="h", subdomain="s"), spec(hostname=None), spec(subdomain="s")),
        (
            "lists without merge key are replaced",
            spec(tolerations=[{"key": "a"}]),
            spec(tolerations=[{"key": "b"}]),
            spec(tolerations=[{"key": "b"}]),
        ),
        (
            "$setElementOrder orders the merged list",
            spec(**containers("a", "b")),
            {
                "spec": {
                    "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
                    "containers": [{"name": "c", "image": "c:1"}],
                }
            },
            spec(**containers("c", "b", "a")),
        ),
        (
            "the server's own items keep their place",
            spec(**containers("own", "a", "b")),
            {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}},
            spec(**containers("own", "b", "a")),
        ),
        (
            "$retainKeys drops the other keys",
            spec(volumes=[{"name": "v", "emptyDir": {}}]),
            spec(volumes=[{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]),
            spec(volumes=[{"name": "v", "hostPath": {"path": "/x"}}]),
        ),
        (
            "$deleteFromPrimitiveList takes values away, the rest is united",
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["b", "c"]}},
            {"metadata": {"finalizers": ["b", "c"]}},
        ),
        (
            "owners merge by UID",
            {"metadata": {"ownerReferences": [{"uid": "1", "name": "a"}]}},
            {"metadata": {"ownerReferences": [{"uid": "1", "controller": True}, {"uid": "2"}]}},
            {"metadata": {"ownerReferences": [{"uid": "1", "name": "a", "controller": True}, {"uid": "2"}]}},
        ),
        (
            "conditions merge by type",
            {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
            {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
            {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        ),
        (
            "nothing of a directive is stored in new values",
            spec(),
            spec(containers=[{"name": "a", "$setElementOrder/env": [], "env": [{"name": "x", "value": None}]}]),
            spec(containers=[{"name": "a", "env": [{"name": "x"}]}]),
        ),
    ],
)
def test_strategic_merge(what, target, patch, result):
    before = copy.deepcopy((target, patch))
    assert strategic_merge(target, patch, POD) == result
    assert (target, patch) == before


def test_without_schema_objects_merge_and_lists_are_replaced():
    assert strategic_merge({"a": [{"name": "x"}], "b": {"c": 1}}, {"a": [{"name": "y"}], "b": {"d": 2}}, None) == {
        "a": [{"name": "y"}],
        "b": {"c": 1, "d": 2},
    }


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        (spec(containers=[{"image": "x"}]), "spec.containers[0]: map does not contain declared merge key: name"),
        (spec(containers=["x"]), "spec.containers[0]: must be an object"),
        (spec(affinity={"$patch": "invent"}), "spec.affinity: unknown $patch 'invent'"),
        (spec(volumes=[{"name": "v", "$retainKeys": ["name"], "emptyDir": {}}]), "emptyDir is set but is not in"),
        ({"metadata": {"finalizers": [{"a": 1}]}}, "metadata.finalizers: only plain values"),
        (
            {"spec": {"$setElementOrder/containers": "x", "containers": []}},
            "$setElementOrder/containers: must be a list",
        ),
        ([], "must be an object"),
    ],
)
def test_patch_that_does_not_fit_is_refused(patch, told):
    with pytest.raises(PatchError) as refused:
        strategic_merge({}, patch, POD)
    assert told in str(refused.value)
