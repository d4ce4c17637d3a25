"""Upstream's CRDs, made of ours: without what we add, and with the fields that only upstream has."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from jobflow.api.crd import job_flow_crd, job_template_crd
from jobflow.api.fields import ITEM, VALUE, Path, outermost
from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE
from jobflow.api.upstream import added

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
UPSTREAM_STATUS = {
    "pendingJobs",
    "runningJobs",
    "failedJobs",
    "completedJobs",
    "terminatedJobs",
    "unKnowJobs",
    "jobStatusList",
    "conditions",
    "state",
}


def upstream_crds() -> list[Schema]:
    """JobFlow's and JobTemplate's, as an upstream chart installs them."""
    flows, templates = copy.deepcopy(job_flow_crd()), copy.deepcopy(job_template_crd())
    for crd, kind in ((flows, JOB_FLOW), (templates, JOB_TEMPLATE)):
        crd["spec"]["names"].pop("categories")
        crd["spec"]["versions"][0].pop("additionalPrinterColumns", None)
        take_out(schema_of(crd), outermost(added(kind)))
    steps = schema_of(flows)["properties"]["spec"]["properties"]["flows"]
    for key in [key for key in steps if key.startswith("x-kubernetes-")]:
        del steps[key]
    step = steps["items"]["properties"]
    step["dependsOn"]["properties"]["probe"] = _probe()
    step["patch"] = _object(jobSpec=_job_spec())
    return [flows, templates]


def schema_of(crd: Schema) -> Schema:
    """The schema of a CRD's one version."""
    schema: Schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def take_out(schema: Schema, gone: Iterable[Path]) -> None:
    """Remove fields from a schema, in place."""
    for path in gone:
        at = schema
        for part in path[:-1]:
            at = _below(at, part)
        del at["properties"][path[-1]]


def put_in(schema: Schema, path: Path, field: Schema) -> None:
    """Add a field to a schema, in place."""
    at = schema
    for part in path[:-1]:
        at = _below(at, part)
    at["properties"][path[-1]] = field


def _below(schema: Schema, part: str) -> Schema:
    if part == ITEM:
        return schema["items"]
    return schema["additionalProperties"] if part == VALUE else schema["properties"][part]


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


def _job_spec() -> Schema:
    """Of a patch: upstream's is that of a whole Job, with its defaults."""
    defaults = _object(maxRetry={"type": "integer", "default": 3}, queue={"type": "string", "default": "default"})
    return {**defaults, "x-kubernetes-preserve-unknown-fields": True}


def _probe() -> Schema:
    port = {"type": "integer"}
    header = _object(name=TEXT, value=TEXT)
    return _object(
        httpGetList={"type": "array", "items": _object(taskName=TEXT, path=TEXT, port=port, httpHeader=header)},
        tcpSocketList={"type": "array", "items": _object(taskName=TEXT, port=port)},
        taskStatusList={"type": "array", "items": _object(taskName=TEXT, phase=TEXT)},
    )
