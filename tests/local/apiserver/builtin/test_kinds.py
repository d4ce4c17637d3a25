"""Built-in kinds: what is accepted, completed and refused."""

import copy

import pytest

from jobflow.local.apiserver.builtin.kinds import BUILTIN_TYPES, DEFINITIONS, REVIEW_TYPES
from jobflow.local.apiserver.schema.nodes import read
from jobflow.local.apiserver.schema.object_meta import OBJECT_META

TYPES = {str(served.resource): served for served in BUILTIN_TYPES}


def checked(plural, obj):
    """The object as it would be stored, its unknown fields, and what is wrong with it."""
    schema = TYPES[plural].schema
    obj = copy.deepcopy(obj)
    unknown = schema.prune(obj)
    schema.default(obj)
    return obj, unknown, [str(error) for error in schema.validate(obj)]


def pod(**spec):
    container = {"name": "main", "image": "busybox"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [container], **spec}}


def test_a_small_pod_is_completed_as_on_a_cluster():
    stored, unknown, wrong = checked("pods", pod())
    assert (unknown, wrong) == ([], [])
    assert stored["spec"]["restartPolicy"] == "Always"
    assert stored["spec"]["dnsPolicy"] == "ClusterFirst"
    assert stored["spec"]["terminationGracePeriodSeconds"] == 30
    assert stored["spec"]["containers"][0]["resources"] == {}


def test_a_pod_of_a_batch_user_is_accepted_whole():
    spec = {
        "restartPolicy": "Never",
        "initContainers": [{"name": "init", "image": "x", "restartPolicy": "Always"}],
        "volumes": [
            {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "conf", "configMap": {"name": "c", "items": [{"key": "a", "path": "b"}]}},
            {"name": "disk", "persistentVolumeClaim": {"claimName": "p"}},
            {"name": "nfs", "nfs": {"server": "s", "path": "/"}},
        ],
        "nodeSelector": {"gpu": "true"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}},
        "securityContext": {"runAsUser": 1000, "fsGroup": 1000},
        "imagePullSecrets": [{"name": "s"}],
        "schedulerName": "volcano",
        "containers": [
            {
                "name": "main",
                "image": "x",
                "command": ["sh", "-c"],
                "args": ["echo"],
                "env": [
                    {"name": "A", "value": "b"},
                    {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                ],
                "envFrom": [{"configMapRef": {"name": "c"}}],
                "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 80, "protocol": "UDP"}],
                "resources": {"requests": {"cpu": "500m", "nvidia.com/gpu": 1}, "limits": {"memory": "1Gi"}},
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                "readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 5},
                "lifecycle": {"preStop": {"exec": {"command": ["sync"]}}},
                "securityContext": {"privileged": False},
            }
        ],
    }
    _, unknown, wrong = checked("pods", pod(**spec))
    assert (unknown, wrong) == ([], [])


@pytest.mark.parametrize(
    ("spec", "unknown", "told"),
    [
        ({"contaners": []}, ["spec.contaners"], []),
        ({"containers": [{"image": "x"}]}, [], ["spec.containers[0].name: Required value"]),
        ({"containers": [{"name": "x"}]}, [], ["spec.containers[0].image: Required value"]),
        (
            {"restartPolicy": "Sometimes"},
            [],
            ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
        ),
        (
            {"hostNetwork": "yes"},
            [],
            ['spec.hostNetwork: Invalid value: "string": spec.hostNetwork in body must be of type boolean: "string"'],
        ),
        ({"volumes": [{"name": "v"}, {"name": "v"}]}, [], ['spec.volumes[1]: Duplicate value: {"name":"v"}']),
    ],
)
def test_what_is_wrong_with_a_pod_is_told(spec, unknown, told):
    _, found, wrong = checked("pods", pod(**spec))
    assert (found, wrong) == (unknown, told)


@pytest.mark.parametrize(
    ("plural", "obj"),
    [
        ("namespaces", {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}),
        ("nodes", {"spec": {"podCIDR": "10.0.0.0/24"}, "status": {"capacity": {"cpu": "2"}}}),
        ("configmaps", {"data": {"a": "b"}, "binaryData": {"c": "YWI="}}),
        ("secrets", {"type": "Opaque", "data": {"a": "YWI="}, "stringData": {"b": "c"}}),
        ("serviceaccounts", {"secrets": [{"name": "s"}]}),
        (
            "services",
            {"spec": {"clusterIP": "None", "selector": {"a": "b"}, "ports": [{"port": 80, "targetPort": "http"}]}},
        ),
        (
            "persistentvolumeclaims",
            {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
        ),
        ("events", {"involvedObject": {"kind": "Pod", "name": "a"}, "count": 1, "eventTime": None, "series": None}),
        (
            "events.events.k8s.io",
            {"regarding": {"kind": "Pod", "name": "a"}, "eventTime": "2024-01-01T00:00:00.000001Z"},
        ),
        ("leases.coordination.k8s.io", {"spec": {"holderIdentity": "me", "renewTime": "2024-01-01T00:00:00.000001Z"}}),
        ("roles.rbac.authorization.k8s.io", {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}),
        (
            "rolebindings.rbac.authorization.k8s.io",
            {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]},
        ),
    ],
)
def test_objects_of_each_kind_are_accepted(plural, obj):
    _, unknown, wrong = checked(plural, {"apiVersion": "x", "kind": "y", "metadata": {"name": "a"}, **obj})
    assert (unknown, wrong) == ([], [])


def test_a_service_port_is_tcp_unless_told_otherwise():
    stored, _, _ = checked("services", {"spec": {"ports": [{"port": 80}]}})
    assert stored["spec"]["ports"][0]["protocol"] == "TCP"
    assert stored["spec"]["type"] == "ClusterIP"


def test_a_secret_must_hold_base64():
    _, _, wrong = checked("secrets", {"data": {"a": "no base64!"}})
    assert wrong == ['data.a: Invalid value: "no base64!": data.a in body must be of type byte: "no base64!"']


def test_a_role_binding_needs_a_role():
    _, _, wrong = checked("rolebindings.rbac.authorization.k8s.io", {})
    assert wrong == ["roleRef: Required value"]


def undescribed(schema, path):
    """Fields that `kubectl explain` would have nothing to say about."""
    for name, one in (schema.get("properties") or {}).items():
        if not one.get("description"):
            yield f"{path}.{name}"
        yield from undescribed(one, f"{path}.{name}")
        yield from undescribed(one.get("items") or {}, f"{path}.{name}[]")


def test_every_field_is_described():
    roots = {str(served.resource): served.openapi for served in BUILTIN_TYPES + REVIEW_TYPES} | DEFINITIONS
    assert [field for name, schema in roots.items() for field in undescribed(schema, name)] == []


def test_reviews_can_only_be_created():
    assert {served.verbs for served in REVIEW_TYPES} == {("create",)}


def test_object_meta_is_structural_and_merges_owners_by_uid():
    meta = read(OBJECT_META)
    assert meta.properties["ownerReferences"].associative_keys == ("uid",)
    assert meta.properties["finalizers"].is_set
