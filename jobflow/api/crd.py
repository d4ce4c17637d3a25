"""CustomResourceDefinitions, generated from the models.

In: the spec models and the status Structs. Out: the CRDs that `manifests/` ships (JobFlow, JobTemplate) and
those by which the embedded API server stands in for a cluster with Volcano (Job, CronJob, Queue, PodGroup, Command). A
field is in a CRD when it works; until then the API server refuses it. Names, limits and defaults that
upstream's CRDs have are kept, so that an object stored under either is valid under the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobflow.api import resources
from jobflow.api.cron_job import CronJobSpec, CronJobStatus
from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.policies import EVENT_ALIASES
from jobflow.api.resources import Resource
from jobflow.api.status import JobFlowStatus, JobTemplateStatus
from jobflow.api.structural import of_model, of_struct, partial
from jobflow.api.volcano import JobSpec, JobTemplateSpec
from jobflow.api.volcano_objects import (
    CommandFields,
    JobStatus,
    PodGroupSpec,
    PodGroupStatus,
    QueueSpec,
    QueueStatus,
)

Schema = dict[str, Any]

KEPT_BY_HELM = {"helm.sh/resource-policy": "keep"}  # uninstalling a chart must not delete every flow of the cluster
CATEGORY = "volcano"
WIDE = 1  # priority of a column that only `kubectl get -o wide` shows
FROZEN_FLOWS = {
    "rule": "self == oldSelf",
    "message": "the steps of a flow are frozen from its creation; delete the JobFlow and create it again",
}
FROZEN_SWITCHES = {
    "rule": "self == oldSelf",
    "message": "the switches of a flow are frozen from its creation; delete the JobFlow and create it again",
}
FROZEN_PARAMETERS = {
    "rule": "self == oldSelf",
    "message": "the parameters of a flow are frozen from its creation; delete the JobFlow and create it again",
}


@dataclass(frozen=True)
class Column:
    """A column of `kubectl get`."""

    name: str
    type: str
    path: str
    priority: int = 0
    description: str = ""

    def entry(self) -> Schema:
        """The column as a CRD has it."""
        entry: Schema = {"name": self.name, "type": self.type, "jsonPath": self.path}
        if self.description:
            entry["description"] = self.description
        if self.priority:
            entry["priority"] = self.priority
        return entry


AGE = Column("Age", "date", ".metadata.creationTimestamp")
JOB_FLOW_COLUMNS = (
    Column("Status", "string", ".status.state.phase"),
    AGE,
    Column("Progress", "string", ".status.progress", description="Steps done / steps."),
    Column("Reason", "string", ".status.state.reason", WIDE, "Why the flow is in this phase."),
    Column("Started", "date", ".status.startTime", WIDE, "Since the first child was created."),
    Column("Finished", "date", ".status.completionTime", WIDE, "Since the flow ended."),
    Column("Message", "string", ".status.state.message", WIDE, "The reason as a sentence."),
)
JOB_TEMPLATE_COLUMNS = (
    Column(
        "Jobs",
        "integer",
        ".status.jobDependsOnTotal",
        description="Jobs that were made from it and still exist.",
    ),
    AGE,
)
VOLCANO_AGE = Column("AGE", "date", ".metadata.creationTimestamp")
QUEUE_COLUMN = Column("QUEUE", "string", ".spec.queue", WIDE)
JOB_COLUMNS = (
    Column("STATUS", "string", ".status.state.phase"),
    Column("minAvailable", "integer", ".status.minAvailable"),
    Column("RUNNINGS", "integer", ".status.running"),
    VOLCANO_AGE,
    QUEUE_COLUMN,
)
CRON_JOB_COLUMNS = (
    Column("SCHEDULE", "string", ".spec.schedule"),
    Column("SUSPEND", "boolean", ".spec.suspend"),
    Column("LAST SCHEDULE", "date", ".status.lastScheduleTime"),
    VOLCANO_AGE,
    Column("TIMEZONE", "string", ".spec.timeZone", WIDE),
)
POD_GROUP_COLUMNS = (
    Column("STATUS", "string", ".status.phase"),
    Column("minMember", "integer", ".spec.minMember"),
    Column("RUNNINGS", "integer", ".status.running"),
    VOLCANO_AGE,
    QUEUE_COLUMN,
)


def job_flow_crd() -> Schema:
    """The CRD of JobFlow."""
    spec = of_model(JobFlowSpec)
    flows = spec["properties"]["flows"]
    flows["x-kubernetes-validations"] = [FROZEN_FLOWS]
    spec["properties"]["onExit"]["x-kubernetes-validations"] = [FROZEN_FLOWS]
    spec["properties"]["parameters"]["x-kubernetes-validations"] = [FROZEN_PARAMETERS]
    spec["properties"]["switch"]["x-kubernetes-validations"] = [FROZEN_SWITCHES]
    patch = flows["items"]["properties"]["patch"]["properties"]
    patch["jobSpec"] = {"description": patch["jobSpec"]["description"], **partial(of_model(JobSpec))}
    described = "A JobFlow runs a directed acyclic graph of Volcano Jobs, one for each step."
    schema = _object(described, spec=spec, status=of_struct(JobFlowStatus))
    return _crd(resources.JOB_FLOW, ("jf",), schema, JOB_FLOW_COLUMNS, annotations=KEPT_BY_HELM)


def job_template_crd() -> Schema:
    """The CRD of JobTemplate."""
    described = "A JobTemplate holds the spec of a Volcano Job, which steps of JobFlows run by its name."
    schema = _object(described, spec=of_model(JobTemplateSpec), status=of_struct(JobTemplateStatus))
    return _crd(resources.JOB_TEMPLATE, ("jt",), schema, JOB_TEMPLATE_COLUMNS, annotations=KEPT_BY_HELM)


def cluster_job_template_crd() -> Schema:
    """The CRD of ClusterJobTemplate: a JobTemplate's spec; of its Jobs only their number, since many may read it."""
    described = (
        "A ClusterJobTemplate holds the spec of a Volcano Job, which steps of JobFlows in all namespaces run: "
        "templateRef {name, kind: ClusterJobTemplate}."
    )
    status = of_struct(JobTemplateStatus)
    del status["properties"]["jobDependsOnList"]
    namespaced: Schema = job_template_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    schema = _object(described, spec=namespaced["spec"], status=status)
    return _crd(resources.CLUSTER_JOB_TEMPLATE, ("cjt",), schema, JOB_TEMPLATE_COLUMNS, annotations=KEPT_BY_HELM)


def volcano_job_crd() -> Schema:
    """The CRD of Volcano's Job. It knows no aliases of events, as Volcano's own does not."""
    schema = _object(
        "A Volcano Job: tasks of pods that are placed together.",
        spec=_without_aliases(of_model(JobSpec)),
        status=of_model(JobStatus),
    )
    return _crd(resources.VOLCANO_JOB, ("vcjob", "vj"), schema, JOB_COLUMNS)


def cron_job_crd() -> Schema:
    """The CRD of Volcano's CronJob."""
    schema = _object(
        "A CronJob makes a Volcano Job at each time of a schedule.",
        spec=_without_aliases(of_model(CronJobSpec)),
        status=of_model(CronJobStatus),
    )
    return _crd(resources.CRON_JOB, ("cronvcjob", "cronvj"), schema, CRON_JOB_COLUMNS)


def queue_crd() -> Schema:
    """The CRD of Volcano's Queue."""
    schema = _object(
        "A queue that jobs wait in for their share of the cluster.",
        spec=of_model(QueueSpec),
        status=of_model(QueueStatus),
    )
    return _crd(resources.QUEUE, ("q", "queue-v1beta1"), schema)


def pod_group_crd() -> Schema:
    """The CRD of Volcano's PodGroup."""
    schema = _object(
        "Pods that are placed together or not at all.",
        spec=of_model(PodGroupSpec),
        status=of_model(PodGroupStatus),
    )
    return _crd(resources.POD_GROUP, ("pg", "podgroup-v1beta1"), schema, POD_GROUP_COLUMNS)


def command_crd() -> Schema:
    """The CRD of Volcano's Command, which has neither spec nor status."""
    schema = _object("Something to be done once to a Job, such as AbortJob.", **of_model(CommandFields)["properties"])
    return _crd(resources.COMMAND, (), schema)


def product_crds() -> list[Schema]:
    """The CRDs that jobflow brings to every cluster; ClusterJobTemplate's comes where it is switched on."""
    return [job_flow_crd(), job_template_crd()]


def volcano_crds() -> list[Schema]:
    """The CRDs that Volcano brings to a cluster, for the embedded API server."""
    return [volcano_job_crd(), cron_job_crd(), queue_crd(), pod_group_crd(), command_crd()]


def _object(description: str, **fields: Schema) -> Schema:
    """The schema of a whole object: what every object has, and the fields of this kind."""
    return {
        "description": description,
        "type": "object",
        "properties": {
            "apiVersion": {"description": "Group and version of the kind.", "type": "string"},
            "kind": {"description": "The kind of the object.", "type": "string"},
            "metadata": {"type": "object"},  # kube-apiserver refuses a CRD that says more, and describes it itself
            **fields,
        },
    }


def _crd(
    resource: Resource,
    short_names: tuple[str, ...],
    schema: Schema,
    columns: tuple[Column, ...] = (),
    annotations: dict[str, str] | None = None,
) -> Schema:
    metadata: Schema = {"name": f"{resource.plural}.{resource.group}"}
    if annotations:
        metadata["annotations"] = dict(annotations)
    names: Schema = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
    }
    if short_names:
        names["shortNames"] = list(short_names)
    names["categories"] = [CATEGORY]
    version: Schema = {"name": resource.version, "served": True, "storage": True}
    if "status" in schema["properties"]:
        version["subresources"] = {"status": {}}
    if columns:
        version["additionalPrinterColumns"] = [column.entry() for column in columns]
    version["schema"] = {"openAPIV3Schema": schema}
    return {
        "apiVersion": resources.CUSTOM_RESOURCE_DEFINITION.api_version,
        "kind": resources.CUSTOM_RESOURCE_DEFINITION.kind,
        "metadata": metadata,
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [version],
        },
    }


def _without_aliases(schema: Schema) -> Schema:
    """The schema with aliases of events taken out of its enums."""
    result: Schema = {}
    for key, value in schema.items():
        if key == "enum":
            result[key] = [word for word in value if word not in EVENT_ALIASES]
        else:
            result[key] = _without_aliases(value) if isinstance(value, dict) else value
    return result
