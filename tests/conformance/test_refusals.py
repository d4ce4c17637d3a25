"""What is refused, and in which words: clients decide by status and reason, people by the message."""

from __future__ import annotations

import pytest
from conformance.kinds import CONFIG_MAP, CORE, FLOWS, JOB, JOB_FLOW, JOB_TEMPLATE, NAMESPACED, POD
from envtest.plugin import EMBEDDED, REAL

from jobflow.kube.transport import APPLY_PATCH, JSON, MERGE_PATCH

pytestmark = [pytest.mark.real, pytest.mark.plane(EMBEDDED, REAL), pytest.mark.asyncio(loop_scope="session")]

kinds = pytest.mark.parametrize("kind", NAMESPACED, ids=str)


def flow(**spec):
    return {**JOB_FLOW.named("a"), "spec": spec}


def job(**spec):
    return {**JOB.named("a"), "spec": {**JOB.fields["spec"], **spec}}


@kinds
async def test_what_is_not_there_and_what_is_already(both, kind):
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", {}), ("PUT", kind.named("a"))):
        await both.send(method, kind.at("a"), body, MERGE_PATCH if method == "PATCH" else JSON)
    await both.send("POST", kind.collection, kind.named("a"))
    await both.send("POST", kind.collection, kind.named("a"))


@kinds
async def test_names_that_do_not_fit(both, kind):
    await both.send("POST", kind.collection, kind.named("Not A Name"))
    await both.send("POST", kind.collection, kind.named(""))
    await both.send("POST", kind.collection, kind.named("x" * 254))
    await both.send("POST", kind.collection, kind.named("a", namespace="elsewhere"))
    await both.send("POST", kind.collection.replace("NS", "nowhere"), kind.named("a"))
    await both.send("POST", kind.collection, {**kind.named("a"), "kind": "Other"})
    await both.send("POST", kind.collection, {**kind.named("a"), "apiVersion": "v9"})
    await both.send("PUT", kind.at("b"), kind.named("a"))


@kinds
async def test_metadata_that_does_not_fit(both, kind):
    await both.send("POST", kind.collection, kind.named("a", labels={"a b": "c"}))
    await both.send("POST", kind.collection, kind.named("a", labels={"a": "not a value"}))
    await both.send("POST", kind.collection, kind.named("a", labels={"a": "x" * 64}))
    await both.send("POST", kind.collection, kind.named("a", annotations={"a b": "c"}))
    await both.send("POST", kind.collection, kind.named("a", finalizers=["nodomain"]))
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o"}
    await both.send("POST", kind.collection, kind.named("a", ownerReferences=[owner]))
    owner |= {"uid": "u", "controller": True}
    await both.send("POST", kind.collection, kind.named("a", ownerReferences=[owner, {**owner, "uid": "v"}]))
    await both.send("POST", kind.collection, kind.named("a", labels={"a": 1}))
    await both.send("POST", kind.collection, kind.named("a", labels="x"))


@kinds
async def test_bodies_that_are_none(both, kind):
    await both.send("POST", kind.collection, "{not json")
    await both.send("POST", kind.collection, "[1]")
    await both.send("POST", kind.collection, "")
    await both.send("POST", kind.collection, kind.named("a"), "text/strange")
    await both.send("POST", kind.collection, kind.named("a"))
    await both.send("PATCH", kind.at("a"), "{not json", MERGE_PATCH)
    await both.send("PATCH", kind.at("a"), {}, JSON)
    await both.send("PATCH", kind.at("a"), {"apiVersion": kind.api_version}, APPLY_PATCH, fieldManager="me")


async def test_paths_verbs_and_kinds_that_are_none(both):
    await both.send("GET", "/nothing")
    await both.send("GET", "/apis/flow.volcano.sh/v9/jobflows")
    await both.send("GET", "/apis/nothing.example.com/v1/things")
    await both.send("GET", f"{FLOWS}/nothings")
    await both.send("GET", f"{FLOWS}/nothings/a")
    await both.send("GET", f"{CORE}/nothings/a")
    await both.send("POST", JOB_FLOW.at("a"), JOB_FLOW.named("a"))
    await both.send("PUT", JOB_FLOW.collection, JOB_FLOW.named("a"))
    await both.send("GET", JOB_FLOW.at("a") + "/nothing")
    await both.send("GET", JOB_FLOW.at("a") + "/scale")
    await both.send("GET", JOB_FLOW.collection, accept="text/strange")
    await both.send("GET", CONFIG_MAP.collection, accept="application/yaml;as=Table;g=meta.k8s.io;v=v1")


UNKNOWN = [
    ("flow", JOB_FLOW, flow(flowz=[], flows=[{"name": "a", "nane": "b"}])),
    ("job", JOB, job(queu="q")),
    ("status", JOB_FLOW, {**JOB_FLOW.named("a"), "statuz": {}}),
    ("metadata", JOB_FLOW, JOB_FLOW.named("a", labls={})),
    ("config map", CONFIG_MAP, {**CONFIG_MAP.named("a"), "dat": {}}),
    ("pod", POD, {**POD.named("a"), "spec": {**POD.fields["spec"], "contaners": []}}),
]


@pytest.mark.parametrize("validation", ["Strict", "Warn", "Ignore", None, "Loud"])
@pytest.mark.parametrize(("kind", "body"), [row[1:] for row in UNKNOWN], ids=[row[0] for row in UNKNOWN])
async def test_unknown_fields(both, kind, body, validation):
    await both.send("POST", kind.collection, body, fieldValidation=validation)
    patch = {key: value for key, value in body.items() if key not in ("apiVersion", "kind")}
    await both.send("POST", kind.collection, kind.named("a"))
    await both.send("PATCH", kind.at("a"), patch, MERGE_PATCH, fieldValidation=validation)


@pytest.mark.parametrize("validation", ["Strict", "Warn", "Ignore"])
@pytest.mark.parametrize("kind", [JOB_FLOW, CONFIG_MAP], ids=str)
async def test_a_field_that_is_there_twice(both, kind, validation):
    head = f'"apiVersion":"{kind.api_version}","kind":"{kind.kind}"'
    body = f'{{{head},"metadata":{{"name":"a"}},"metadata":{{"name":"b"}}}}'
    await both.send("POST", kind.collection, body, fieldValidation=validation)


MAIN = {"name": "main", "image": "busybox"}
VOLUME = {"name": "v", "emptyDir": {}}


def files(**source):
    return {"containers": [MAIN], "volumes": [{"name": "v", **source}]}


def mounting(**mount):
    container = {**MAIN, "volumeMounts": [{"name": "v", "mountPath": "/v", **mount}]}
    return {"containers": [container], "volumes": [VOLUME]}


POD_SPECS = {
    "a container's name leads out": {"containers": [{**MAIN, "name": "../x"}]},
    "a container's name is too long": {"containers": [{**MAIN, "name": "x" * 64}]},
    "two containers of a name": {"containers": [MAIN, MAIN]},
    "an init container of the name": {"containers": [MAIN], "initContainers": [MAIN]},
    "a volume's name leads out": {"containers": [MAIN], "volumes": [{"name": "../../v", "emptyDir": {}}]},
    "two volumes of a name": {"containers": [MAIN], "volumes": [VOLUME, VOLUME]},
    "a mount of no volume": mounting(name="w"),
    "a mount nowhere": mounting(mountPath=""),
    "a subPath that leads out": mounting(subPath="a/../../b"),
    "an absolute subPath": mounting(subPath="/b"),
    "a file that leads out": files(configMap={"name": "m", "items": [{"key": "k", "path": "../k"}]}),
    "a file with a reserved name": files(secret={"secretName": "s", "items": [{"key": "k", "path": "..data"}]}),
    "a fact that leads out": files(downwardAPI={"items": [{"path": "/k", "fieldRef": {"fieldPath": "metadata.name"}}]}),
    "a hostPath with steps back": files(hostPath={"path": "/a/../b"}),
    "a variable without a name": {"containers": [{**MAIN, "env": [{"name": "", "value": "x"}]}]},
    "a variable with an equals sign": {"containers": [{**MAIN, "env": [{"name": "A=B", "value": "x"}]}]},
    "a port beyond the last": {"containers": [{**MAIN, "ports": [{"containerPort": 70000}]}]},
    "a host name that is none": {"containers": [MAIN], "hostname": "a.b"},
    "a node's name that is none": {"containers": [MAIN], "nodeName": "../n"},
}
INVALID = {
    "wrong type": (JOB_FLOW, flow(flows="x")),
    "wrong type in a list": (JOB_FLOW, flow(flows=["x"])),
    "string for integer": (JOB, job(minAvailable="1")),
    "float for integer": (JOB, job(minAvailable=1.5)),
    "null for object": (JOB, job(plugins=None)),
    "null in a list": (JOB_FLOW, flow(flows=[None])),
    "number for string": (JOB, job(queue=7)),
    "not in the enum": (JOB_FLOW, flow(jobRetainPolicy="perhaps", flows=[{"name": "a"}])),
    "required is missing": (JOB_FLOW, flow(flows=[{}])),
    "too small": (JOB, job(minAvailable=-1)),
    "too big for its format": (JOB, job(minAvailable=2**40)),
    "does not match": (JOB, job(tasks=[{**JOB.fields["spec"]["tasks"][0], "name": "Not A Name"}])),
    "several": (JOB, job(minAvailable=-1, maxRetry="x", tasks=[{"replicas": -1}])),
    "spec is a list": (JOB_FLOW, {**JOB_FLOW.named("a"), "spec": []}),
    "no spec": (JOB_FLOW, {key: value for key, value in JOB_FLOW.named("a").items() if key != "spec"}),
    "no spec of a template": (
        JOB_TEMPLATE,
        {"apiVersion": "flow.volcano.sh/v1alpha1", "kind": "JobTemplate", "metadata": {"name": "a"}},
    ),
    "too short": (JOB, job(volumes=[{"mountPath": ""}])),
    "step twice": (JOB_FLOW, flow(flows=[{"name": "a"}, {"name": "a"}])),
    "pod without containers": (POD, {**POD.named("a"), "spec": {"containers": []}}),
    "container without image": (POD, {**POD.named("a"), "spec": {"containers": [{"name": "x"}]}}),
    "pod of the wrong type": (POD, {**POD.named("a"), "spec": {"containers": "x"}}),
    **{f"pod: {what}": (POD, {**POD.named("a"), "spec": spec}) for what, spec in POD_SPECS.items()},
    "config map with a number": (CONFIG_MAP, {**CONFIG_MAP.named("a"), "data": {"a": 1}}),
    "config map with a bad key": (CONFIG_MAP, {**CONFIG_MAP.named("a"), "data": {"a b": "1"}}),
}


@pytest.mark.parametrize(("kind", "body"), INVALID.values(), ids=INVALID)
async def test_values_that_the_schema_does_not_take(both, kind, body):
    await both.send("POST", kind.collection, body)
    if kind is JOB_FLOW:
        await both.send("POST", kind.collection, kind.named("b"))
        await both.send("PATCH", kind.at("b"), {"spec": body.get("spec")}, MERGE_PATCH)


async def test_a_status_that_the_schema_does_not_take(both):
    await both.send("POST", JOB_FLOW.collection, JOB_FLOW.named("a"))
    for status in ({"state": "x"}, {"runningJobs": "x"}, {"state": {"phase": "Odd"}}, {"startTime": "yesterday"}):
        await both.send("PATCH", JOB_FLOW.at("a") + "/status", {"status": status}, MERGE_PATCH)


async def test_steps_are_frozen(both):
    await both.send("POST", JOB_FLOW.collection, JOB_FLOW.named("a"))
    await both.send("PATCH", JOB_FLOW.at("a"), {"spec": {"flows": [{"name": "other"}]}}, MERGE_PATCH)
