"""JSONPath as CRDs use it."""

import pytest

from jobflow.local.apiserver.reads.jsonpath import parse

OBJ = {
    "metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "web"}},
    "spec": {"flows": [{"name": "x", "n": 1}, {"name": "y", "n": 2}, {"name": "z"}], "on": True},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "Done", "status": "False", "reason": "Later"},
        ]
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".metadata.name", ["a"]),
        ("metadata.name", ["a"]),
        ("{.metadata.name}", ["a"]),
        ("$.metadata.name", ["a"]),
        (r".metadata.labels.app\.kubernetes\.io/name", ["web"]),
        (".metadata.labels['app.kubernetes.io/name']", ["web"]),
        ('.metadata.labels["app.kubernetes.io/name"]', ["web"]),
        (".spec.flows[0].name", ["x"]),
        (".spec.flows[-1].name", ["z"]),
        (".spec.flows[9].name", []),
        (".spec.flows[0:2].name", ["x", "y"]),
        (".spec.flows[1:].name", ["y", "z"]),
        (".spec.flows[*].name", ["x", "y", "z"]),
        (".spec.on", [True]),
        (".spec.absent.deep", []),
        (".metadata.name.deep", []),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type == 'Done')].status", ["False"]),
        ('.status.conditions[?(@.type!="Ready")].type', ["Done"]),
        (".status.conditions[?(@.reason)].type", ["Done"]),
        (".spec.flows[?(@.n>1)].name", ["y"]),
        (".spec.flows[?(@.n<=1)].name", ["x"]),
        ('.spec.flows[?(@.n>"a")].name', []),
        (".metadata.labels.*", ["web"]),
    ],
)
def test_path_leads_to(path, found):
    assert parse(path)(OBJ) == found


def test_the_empty_path_is_the_object_itself():
    assert parse(".")(OBJ) == [OBJ]


@pytest.mark.parametrize("path", [".a[", ".a[?(x)]", ".a..b", ".a[b]", ".a[?(@.b==c)]"])
def test_what_is_not_understood_is_refused(path):
    with pytest.raises(ValueError, match=r"JSONPath|filter"):
        parse(path)
