"""Names and paths of a pod: what kube-apiserver refuses, in its words."""

from __future__ import annotations

import pytest

from jobflow.api.resources import POD
from jobflow.local.apiserver.builtin.pod_checks import pod_causes

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SCRATCH = {"name": "v", "emptyDir": {}}


def spec(*containers, **more):
    return {"containers": [{"name": "c", "image": "i"}, *containers], **more}


def mounting(volume="v", **mount):
    return spec({"name": "d", "volumeMounts": [{"name": volume, "mountPath": "/v", **mount}]}, volumes=[SCRATCH])


def volume(**source):
    return spec(volumes=[{"name": "v", **source}])


@pytest.mark.parametrize(
    "good",
    [
        pytest.param(spec(), id="one container"),
        pytest.param(mounting(subPath="a/b..c"), id="dots inside a name"),
        pytest.param(spec({"name": "d", "env": [{"name": "a b.c-d", "value": "x"}]}), id="a variable of any letters"),
        pytest.param(volume(hostPath={"path": "/etc"}), id="a hostPath"),
        pytest.param(volume(configMap={"name": "m", "items": [{"key": "k", "path": "a/..b"}]}), id="dots in a file"),
    ],
)
def test_what_is_good(good) -> None:
    assert pod_causes(good) == []


@pytest.mark.parametrize(
    ("bad", "field", "message"),
    [
        ({"containers": []}, "spec.containers", "Required value"),
        (spec({}), "spec.containers[1].name", "Required value"),
        (spec({"name": "../x"}), "spec.containers[1].name", f'Invalid value: "../x": {LABEL}'),
        (spec({"name": "a" * 64}), "spec.containers[1].name", f'Invalid value: "{"a" * 64}": must be no more than 63'),
        (spec({"name": "c"}), "spec.containers[1].name", 'Duplicate value: "c"'),
        (spec(initContainers=[{"name": "c"}]), "spec.initContainers[0].name", 'Duplicate value: "c"'),
        (spec(initContainers=[{"name": "."}]), "spec.initContainers[0].name", f'Invalid value: ".": {LABEL}'),
        (spec(volumes=[{"name": "../../etc"}]), "spec.volumes[0].name", f'Invalid value: "../../etc": {LABEL}'),
        (spec(volumes=[SCRATCH, SCRATCH]), "spec.volumes[1].name", 'Duplicate value: "v"'),
        (mounting("w"), "spec.containers[1].volumeMounts[0].name", 'Not found: "w"'),
        (mounting(mountPath=""), "spec.containers[1].volumeMounts[0].mountPath", "Required value"),
        (
            mounting(subPath="../up"),
            "spec.containers[1].volumeMounts.subPath",
            "Invalid value: \"../up\": must not contain '..'",
        ),
        (
            mounting(subPathExpr="/up"),
            "spec.containers[1].volumeMounts.subPathExpr",
            'Invalid value: "/up": must be a relative path',
        ),
        (
            volume(configMap={"name": "m", "items": [{"key": "k", "path": "../k"}]}),
            "spec.volumes[0].configMap.items[0].path",
            "Invalid value: \"../k\": must not contain '..'",
        ),
        (
            volume(secret={"secretName": "s", "items": [{"key": "k", "path": "..data"}]}),
            "spec.volumes[0].secret.items[0].path",
            "Invalid value: \"..data\": must not start with '..'",
        ),
        (
            volume(downwardAPI={"items": [{"path": "/etc/x", "fieldRef": {"fieldPath": "metadata.name"}}]}),
            "spec.volumes[0].downwardAPI.path",
            'Invalid value: "/etc/x": must be a relative path',
        ),
        (
            volume(projected={"sources": [{"configMap": {"name": "m", "items": [{"key": "k", "path": "a/../../b"}]}}]}),
            "spec.volumes[0].projected.sources[0].configMap.items[0].path",
            "Invalid value: \"a/../../b\": must not contain '..'",
        ),
        (
            volume(projected={"sources": [{"serviceAccountToken": {"path": "../t"}}]}),
            "spec.volumes[0].projected.path",
            "Invalid value: \"../t\": must not contain '..'",
        ),
        (volume(hostPath={"path": "/a/../b"}), "spec.volumes[0].hostPath.path", "must not contain '..'"),
        (spec({"name": "d", "env": [{"name": "A=B"}]}), "spec.containers[1].env[0].name", "other than '='"),
        (spec({"name": "d", "env": [{"value": "x"}]}), "spec.containers[1].env[0].name", "Required value"),
        (
            spec({"name": "d", "ports": [{"containerPort": 70000}]}),
            "spec.containers[1].ports[0].containerPort",
            "Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        (spec(hostname="../h"), "spec.hostname", f'Invalid value: "../h": {LABEL}'),
        (spec(nodeName="../n"), "spec.nodeName", 'Invalid value: "../n": a lowercase RFC 1123 subdomain'),
        (spec(serviceAccountName="../s"), "spec.serviceAccountName", 'Invalid value: "../s": a lowercase RFC 1123'),
    ],
)
def test_what_is_refused(bad, field, message) -> None:
    found = {cause.field: cause.message for cause in pod_causes(bad)}
    assert list(found) == [field]
    assert message in found[field]


async def test_it_is_422_and_nothing_is_stored(api) -> None:
    told = await api.create(POD, {"metadata": {"name": "p"}, "spec": spec({"name": "../x", "image": "i"})})
    assert (told.status, told.body["reason"]) == (422, "Invalid")
    assert told.body["message"] == f'Pod "p" is invalid: spec.containers[1].name: Invalid value: "../x": {LABEL}'
    assert (await api.get(POD, "p")).status == 404
