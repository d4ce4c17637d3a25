"""Child: the Job that a step's template becomes.

In: a flow, a node of its graph, the step's template and its arguments. Out: the body to create. The template's spec is
taken with the arguments in place of its parameters, and the step's patch merged in; and otherwise as it is, save
`ttlSecondsAfterFinished`: Volcano would delete a finished Job before its result is committed, so the time is kept in an
annotation and we delete the Job ourselves (`retain.py`); and aliases, which become the words that Volcano's API has;
and one label on pods that a later step's probes ask. The template's own labels and annotations are not copied, as
upstream.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from jobflow.api import names
from jobflow.api.children import Node
from jobflow.api.objects import TemplateView
from jobflow.api.parameters import TEMPLATE_FIELD
from jobflow.api.placeholders import Value
from jobflow.api.policies import canonical_job_spec
from jobflow.api.resources import JOB_FLOW, VOLCANO_JOB
from jobflow.api.validate_template import task_name, whole
from jobflow.reconcile.arguments import NOTHING, context_of, filled, refuse_arguments, refuse_filled
from jobflow.reconcile.environment import tell
from jobflow.reconcile.graph import Step
from jobflow.reconcile.patch import patched
from jobflow.reconcile.snapshot import Flow


@dataclass(frozen=True, slots=True)
class Draft:
    """A child in the making: its place in the graph, its name and its spec."""

    node: Node
    name: str
    spec: dict[str, Any]


def child_basis(flow: Flow, template: TemplateView) -> str:
    """What a child's body is made from; while it is the same, so is the body."""
    return f"{template.uid}/{template.generation}/{flow.generation}"


def child_name(flow: Flow, node: Node, spec: dict[str, Any]) -> str:
    """The child's name, cut where its pods' names would not fit. Raises names.NameTooLong."""
    tasks = spec.get("tasks") or []
    suffix = names.pod_suffix_length(
        [task_name(task, index) for index, task in enumerate(tasks)],
        [whole(task.get("replicas"), 1) for task in tasks],
    )
    return names.child_name(flow.name, node.step, node.item, node.attempt, suffix)


def child_spec(
    flow: Flow, step: Step, node: Node, template: TemplateView, arguments: Mapping[str, Value] = NOTHING
) -> dict[str, Any]:
    """The spec of the step's Job, as a tree of its own. Raises PatchProblem, CannotFill.

    The step has no placeholders any more; `arguments` are its values for the parameters of the template.
    """
    spec = msgspec.json.decode(template.spec)
    parameters = spec.pop(TEMPLATE_FIELD, None)
    if parameters:
        spec = filled(spec | {TEMPLATE_FIELD: parameters}, arguments, context_of(flow, node), str(template))
    elif arguments:
        refuse_arguments(arguments, str(template))
    if step.patch is not None:
        spec = patched(spec, step.patch, private=bool(parameters) or step.placeholders)
    elif parameters:
        refuse_filled(spec, str(template))
    spec = canonical_job_spec(spec)
    if step.extended or parameters:
        tell(spec, flow.name, node)
    _label_probed(spec, step.probed_tasks)
    return spec


def child_body(flow: Flow, step: Step, child: Draft, template: TemplateView) -> dict[str, Any]:
    """The Job to create for a node of `step`."""
    node, name = child.node, child.name
    spec = dict(child.spec)
    ttl = spec.pop("ttlSecondsAfterFinished", None)
    more = step.patch.metadata if step.patch else None
    return {
        "apiVersion": VOLCANO_JOB.api_version,
        "kind": VOLCANO_JOB.kind,
        "metadata": {
            "name": name,
            "namespace": flow.namespace,
            "labels": ((more and more.labels) or {}) | _labels(flow, node, template),
            "annotations": ((more and more.annotations) or {}) | _annotations(flow, node, template, ttl),
            "ownerReferences": [
                {
                    "apiVersion": JOB_FLOW.api_version,
                    "kind": JOB_FLOW.kind,
                    "name": flow.name,
                    "uid": flow.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": spec,
    }


def _label_probed(spec: dict[str, Any], tasks: frozenset[str]) -> None:
    """A label on the pods that a later step asks over the network, so that one watch brings their addresses."""
    for index, task in enumerate(spec.get("tasks") or ()):
        if task_name(task, index) in tasks:
            pod = task.get("template") or {}
            metadata = pod.get("metadata") or {}
            labels = (metadata.get("labels") or {}) | {names.PROBED: "true"}
            task["template"] = pod | {"metadata": metadata | {"labels": labels}}


def _made_from(template: TemplateView) -> dict[str, str]:
    """A cluster's template has a key of its own: Volcano's means `<namespace>.<name>`, and its readers take it so."""
    if template.namespace:
        return {names.CREATED_BY_JOB_TEMPLATE: names.owner_text(template.namespace, template.name)}
    return {names.CLUSTER_TEMPLATE: template.name}


def _labels(flow: Flow, node: Node, template: TemplateView) -> dict[str, str]:
    whole = {
        names.CREATED_BY_JOB_FLOW: names.owner_text(flow.namespace, flow.name),
        **_made_from(template),
        names.FLOW_NAME: flow.name,
        names.STEP_NAME: node.step,
    }
    return {key: names.label_value(value) for key, value in whole.items()}


def _annotations(flow: Flow, node: Node, template: TemplateView, ttl: int | None) -> dict[str, str]:
    annotations = {
        names.CREATED_BY_JOB_FLOW: names.owner_text(flow.namespace, flow.name),
        **_made_from(template),
        names.STEP_NAME: node.step,
        names.ATTEMPT: str(node.attempt),
        names.TEMPLATE_GENERATION: str(template.generation),
    }
    if node.item is not None:
        annotations[names.ITEM] = str(node.item)
    if ttl is not None:
        annotations[names.OWNED_TTL] = str(ttl)
    return annotations
