"""The CRDs: structural, described to the last field, and with upstream's names, limits and defaults."""

import json

import pytest

from jobflow.api.crd import (
    cluster_job_template_crd,
    command_crd,
    cron_job_crd,
    job_flow_crd,
    job_template_crd,
    pod_group_crd,
    product_crds,
    queue_crd,
    volcano_crds,
    volcano_job_crd,
)
from jobflow.local.apiserver.types import types_of_crd

CRDS = {crd["metadata"]["name"]: crd for crd in [*product_crds(), *volcano_crds()]}
JSON_TYPES = {"object", "array", "string", "integer", "number", "boolean"}
PRESERVE = "x-kubernetes-preserve-unknown-fields"  # alone: any value, of any type
STRUCTURAL_WORDS = {
    "description", "type", "format", "enum", "default", "required", "properties", "items", "additionalProperties",
    "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "nullable",
}  # fmt: skip
MAX_LAST_APPLIED_BYTES = 256 * 1024


def schema_of(crd):
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def walk(schema, path=""):
    """(path, schema) of a schema and of everything inside it."""
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from walk(below, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from walk(schema[key], f"{path}[]")


def at(crd, path):
    """The schema of one field: `spec.flows[].name`."""
    schemas = dict(walk(schema_of(crd)))
    return schemas[f".{path}"]


def not_structural(schema):
    """What keeps a schema from being structural, by the rules that Kubernetes gives; empty for a good one."""
    for path, here in walk(schema):
        if here.get("x-kubernetes-int-or-string"):
            if here.get("anyOf") != [{"type": "integer"}, {"type": "string"}] or "type" in here:
                yield f"{path}: an integer or a string is written as Kubernetes wants it"
            continue
        any_value = set(here) <= {"description", PRESERVE} and here.get(PRESERVE)
        if here.get("type") not in JSON_TYPES and not any_value:
            yield f"{path}: has no type"
        for word in here:
            if word not in STRUCTURAL_WORDS and not word.startswith("x-kubernetes-"):
                yield f"{path}: {word} is not for a structural schema"
        if "properties" in here and "additionalProperties" in here:
            yield f"{path}: has named properties and a map's"
        if (here.get("type") == "array") != ("items" in here):
            yield f"{path}: a list and its items go together"
        if not set(here.get("required", ())) <= here.get("properties", {}).keys():
            yield f"{path}: requires what it does not have"
        for key in here.get("x-kubernetes-list-map-keys", ()):
            if key not in here["items"]["required"]:
                yield f"{path}: the map key {key} may be absent"


@pytest.mark.parametrize("name", CRDS)
def test_the_schema_is_structural(name):
    assert list(not_structural(schema_of(CRDS[name]))) == []


@pytest.mark.parametrize("name", CRDS)
def test_the_embedded_api_server_serves_it(name):
    (served,) = types_of_crd(CRDS[name])
    assert f"{served.resource.plural}.{served.resource.group}" == name


@pytest.mark.parametrize("name", CRDS)
def test_every_field_is_described_in_a_sentence(name):
    poor = [
        path
        for path, schema in walk(schema_of(CRDS[name]))
        if not path.endswith("[]") and path != ".metadata" and not schema.get("description", "").endswith(".")
    ]
    assert poor == []


@pytest.mark.parametrize("name", CRDS)
def test_metadata_is_left_to_kubernetes_which_refuses_a_crd_that_describes_it(name):
    assert schema_of(CRDS[name])["properties"]["metadata"] == {"type": "object"}


@pytest.mark.parametrize("name", CRDS)
def test_it_fits_into_what_kubectl_apply_can_remember(name):
    assert len(json.dumps(CRDS[name])) < MAX_LAST_APPLIED_BYTES


@pytest.mark.parametrize("name", CRDS)
def test_it_is_the_same_json_each_time(name):
    again = {crd["metadata"]["name"]: crd for crd in [*product_crds(), *volcano_crds()]}
    assert json.dumps(CRDS[name]) == json.dumps(again[name])
    assert json.loads(json.dumps(CRDS[name])) == CRDS[name]


def test_only_defaults_that_upstream_has_are_written_into_objects():
    defaults = {
        f"{name.partition('.')[0]}{path}": schema["default"]
        for name, crd in CRDS.items()
        for path, schema in walk(schema_of(crd))
        if "default" in schema
    }
    spec = {
        ".spec.maxRetry": 3,
        ".spec.queue": "default",
        ".spec.networkTopology.mode": "hard",
        ".spec.tasks[].partitionPolicy.minPartitions": 0,
        ".spec.tasks[].partitionPolicy.networkTopology.mode": "hard",
    }
    expected = {f"{plural}{path}": value for plural in ("jobtemplates", "jobs") for path, value in spec.items()}
    expected |= {f"cronjobs.spec.jobTemplate{path}": value for path, value in spec.items()}
    cron_job = {
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }
    expected |= {f"cronjobs.spec.{field}": value for field, value in cron_job.items()}
    assert defaults == expected | {"podgroups.spec.networkTopology.mode": "hard"}


@pytest.mark.parametrize(
    ("crd", "kind", "scope", "short_names", "status"),
    [
        (job_flow_crd(), "JobFlow", "Namespaced", ["jf"], True),
        (job_template_crd(), "JobTemplate", "Namespaced", ["jt"], True),
        (volcano_job_crd(), "Job", "Namespaced", ["vcjob", "vj"], True),
        (cron_job_crd(), "CronJob", "Namespaced", ["cronvcjob", "cronvj"], True),
        (queue_crd(), "Queue", "Cluster", ["q", "queue-v1beta1"], True),
        (pod_group_crd(), "PodGroup", "Namespaced", ["pg", "podgroup-v1beta1"], True),
        (command_crd(), "Command", "Namespaced", None, False),
        (cluster_job_template_crd(), "ClusterJobTemplate", "Cluster", ["cjt"], True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_scope_and_status(crd, kind, scope, short_names, status):
    names = crd["spec"]["names"]
    assert (names["kind"], names["listKind"], names["singular"]) == (kind, f"{kind}List", kind.lower())
    assert names.get("shortNames") == short_names
    assert names["categories"] == ["volcano"]
    assert crd["spec"]["scope"] == scope
    assert ("status" in crd["spec"]["versions"][0].get("subresources", {})) == status


@pytest.mark.parametrize(
    "crd", [*product_crds(), cluster_job_template_crd()], ids=["jobflows", "jobtemplates", "clusterjobtemplates"]
)
def test_helm_keeps_them_when_a_chart_is_uninstalled(crd):
    assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


@pytest.mark.parametrize(
    ("crd", "shown", "wide"),
    [
        (job_flow_crd(), ["Status", "Age", "Progress"], ["Reason", "Started", "Finished", "Message"]),
        (job_template_crd(), ["Jobs", "Age"], []),
        (cluster_job_template_crd(), ["Jobs", "Age"], []),
        (volcano_job_crd(), ["STATUS", "minAvailable", "RUNNINGS", "AGE"], ["QUEUE"]),
        (pod_group_crd(), ["STATUS", "minMember", "RUNNINGS", "AGE"], ["QUEUE"]),
        (cron_job_crd(), ["SCHEDULE", "SUSPEND", "LAST SCHEDULE", "AGE"], ["TIMEZONE"]),
        (queue_crd(), [], []),
    ],
    ids=["jobflows", "jobtemplates", "clusterjobtemplates", "jobs", "podgroups", "cronjobs", "queues"],
)
def test_columns(crd, shown, wide):
    columns = crd["spec"]["versions"][0].get("additionalPrinterColumns", [])
    assert [column["name"] for column in columns if not column.get("priority")] == shown
    assert [column["name"] for column in columns if column.get("priority")] == wide
    schemas = dict(walk(schema_of(crd)))
    for column in columns:
        assert column["jsonPath"] in schemas or column["jsonPath"] == ".metadata.creationTimestamp"


def test_a_template_of_the_cluster_has_a_job_templates_spec_and_tells_only_how_many_jobs_there_are():
    theirs, ours = (schema_of(crd)["properties"] for crd in (cluster_job_template_crd(), job_template_crd()))
    assert theirs["spec"] == ours["spec"]
    assert list(theirs["status"]["properties"]) == ["jobDependsOnTotal"]


def test_a_step_names_the_kind_of_its_template():
    schema = at(job_flow_crd(), "spec.flows[].templateRef.kind")
    assert schema["enum"] == ["JobTemplate", "ClusterJobTemplate"]
    assert "default" not in schema, "it would be written into every flow"


INT32 = {"type": "integer", "format": "int32"}
SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
EVENTS = [
    "*", "PodPending", "PodRunning", "PodFailed", "PodEvicted", "Unknown", "TaskCompleted", "OutOfSync",
    "CommandIssued", "JobUpdated", "TaskFailed",
]  # fmt: skip
JOB_LIMITS = {
    "spec.schedulerName": {"type": "string", "maxLength": 63},
    "spec.minAvailable": INT32 | {"minimum": 0},
    "spec.minSuccess": INT32 | {"minimum": 1},
    "spec.maxRetry": INT32 | {"minimum": 0, "default": 3},
    "spec.queue": {"type": "string", "maxLength": 253, "pattern": SUBDOMAIN, "default": "default"},
    "spec.priorityClassName": {"type": "string", "maxLength": 253, "pattern": SUBDOMAIN},
    "spec.ttlSecondsAfterFinished": INT32 | {"minimum": 0},
    "spec.tasks[].name": {"type": "string", "maxLength": 63, "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
    "spec.tasks[].replicas": INT32 | {"minimum": 0},
    "spec.tasks[].minAvailable": INT32 | {"minimum": 0},
    "spec.tasks[].maxRetry": INT32 | {"minimum": 0},
    "spec.tasks[].topologyPolicy": {
        "type": "string",
        "enum": ["none", "best-effort", "restricted", "single-numa-node"],
    },
    "spec.tasks[].partitionPolicy.totalPartitions": INT32 | {"minimum": 1},
    "spec.tasks[].partitionPolicy.partitionSize": INT32 | {"minimum": 1},
    "spec.tasks[].partitionPolicy.minPartitions": INT32 | {"minimum": 0, "default": 0},
    "spec.policies[].exitCode": INT32,
    "spec.policies[].action": {"type": "string"},
    "spec.volumes[].mountPath": {"type": "string", "minLength": 1, "pattern": "^[^:]+$"},
    "spec.volumes[].volumeClaimName": {"type": "string", "maxLength": 253},
    "spec.networkTopology.mode": {"type": "string", "enum": ["hard", "soft"], "default": "hard"},
    "spec.networkTopology.highestTierName": {"type": "string", "maxLength": 253},
}


@pytest.mark.parametrize("field", JOB_LIMITS)
@pytest.mark.parametrize("crd", [job_template_crd(), volcano_job_crd()], ids=["jobtemplates", "jobs"])
def test_limits_of_a_job_are_upstreams(crd, field):
    schema = {key: value for key, value in at(crd, field).items() if key != "description"}
    assert schema == JOB_LIMITS[field]


@pytest.mark.parametrize("field", ["spec.policies[].event", "spec.tasks[].policies[].events[]"])
def test_events_are_volcanos_and_a_template_may_also_say_job_unknown(field):
    assert at(volcano_job_crd(), field)["enum"] == EVENTS
    assert at(job_template_crd(), field)["enum"] == [*EVENTS, "JobUnknown"]


def test_a_jobs_tasks_and_partitions_require_what_upstream_requires():
    crd = job_template_crd()
    assert at(crd, "spec.tasks")["minItems"] == 1
    assert at(crd, "spec.tasks[].partitionPolicy")["required"] == ["totalPartitions", "partitionSize"]
    assert at(crd, "spec.volumes[]")["required"] == ["mountPath"]
    assert at(crd, "spec.tasks[].template.spec")["required"] == ["containers"]
    for path in ("spec", "spec.tasks[]", "spec.tasks[].template"):
        assert "required" not in at(crd, path)


def test_a_pod_template_is_kept_as_it_is_but_for_its_metadata():
    crd = job_template_crd()
    kept = at(crd, "spec.tasks[].template.metadata")
    assert sorted(kept["properties"]) == ["annotations", "finalizers", "labels", "name", "namespace"]
    assert "x-kubernetes-preserve-unknown-fields" not in kept
    for path in ("spec", "spec.containers[]", "spec.initContainers[]", "spec.containers[].env[]", "spec.volumes[]"):
        assert at(crd, f"spec.tasks[].template.{path}")["x-kubernetes-preserve-unknown-fields"] is True


@pytest.mark.parametrize("path", ["containers", "initContainers", "volumes", "containers[].env"])
def test_lists_of_a_pod_merge_by_name(path):
    schema = at(job_template_crd(), f"spec.tasks[].template.spec.{path}")
    assert (schema["x-kubernetes-list-type"], schema["x-kubernetes-list-map-keys"]) == ("map", ["name"])


def test_a_flows_limits_are_upstreams():
    crd = job_flow_crd()
    assert at(crd, "spec.flows[]")["required"] == ["name"]
    assert at(crd, "spec.flows[].name")["minLength"] == 1
    assert at(crd, "spec.jobRetainPolicy")["enum"] == ["retain", "delete", "delete-on-success", "delete-always"]
    assert at(crd, "spec.flows[].dependsOn.targets[]") == {"type": "string"}
    assert sorted(at(crd, "status.state.phase")["enum"]) == ["Failed", "Pending", "Running", "Succeed", "Terminating"]
    assert at(crd, "status.jobStatusList[].restartCount")["minimum"] == 0
    assert "enum" not in at(crd, "status.jobStatusList[].state")
    assert "enum" not in at(crd, "status.conditions[].phase")
    assert "required" not in schema_of(crd)
    assert "required" not in at(crd, "spec")


def test_switches_are_frozen():
    (rule,) = at(job_flow_crd(), "spec.switch")["x-kubernetes-validations"]
    assert (rule["rule"], "switches of a flow are frozen" in rule["message"]) == ("self == oldSelf", True)


@pytest.mark.parametrize("path", ["spec.flows", "spec.onExit"])
def test_steps_are_keyed_by_name_and_frozen(path):
    flows = at(job_flow_crd(), path)
    assert (flows["x-kubernetes-list-type"], flows["x-kubernetes-list-map-keys"]) == ("map", ["name"])
    (rule,) = flows["x-kubernetes-validations"]
    assert rule["rule"] == "self == oldSelf"
    assert "frozen" in rule["message"]


@pytest.mark.parametrize(
    "path",
    [
        "status.startTime",
        "status.completionTime",
        "status.jobStatusList[].startTimestamp",
        "status.jobStatusList[].runningHistories[].endTimestamp",
        "status.conditions[].createTime",
        "status.flowStatuses[].completionTime",
    ],
)
def test_times_of_a_status_are_date_times(path):
    schema = at(job_flow_crd(), path)
    assert (schema["type"], schema["format"]) == ("string", "date-time")
    assert "nullable" not in schema
