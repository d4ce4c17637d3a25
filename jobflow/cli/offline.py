"""Offline: the Job that a step would create, as far as files can tell.

In: a flow, a step, its template, and the ConfigMaps of the files. Out: the Job, and what only a cluster or the run
itself can tell: those placeholders stay where they are, and a notice says of each what it waits for. Nothing is
guessed. `jobflow render` shows the Jobs, lint tells what keeps them from being made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from jobflow.api import names
from jobflow.api.children import Node
from jobflow.api.config_keys import ConfigFound, ConfigKeys, question, reference
from jobflow.api.names import NameTooLong
from jobflow.api.objects import FlowObject, TemplateObject, TemplateView, flow_view, template_view
from jobflow.api.placeholders import CONTEXT, EXIT_NAMES, STEPS, Reference, Value
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, CONFIG_MAP
from jobflow.cli.documents import Document
from jobflow.reconcile.arguments import CannotFill, Prepared, Unread, context_of, parameter_value, prepared, unknown
from jobflow.reconcile.child import Draft, child_body, child_name, child_spec
from jobflow.reconcile.graph import Step, compile_flow
from jobflow.reconcile.patch import PatchProblem
from jobflow.reconcile.scope import Scope
from jobflow.reconcile.snapshot import Flow

ConfigMaps = Mapping[tuple[str, str], Mapping[str, str]]  # data by namespace and name


class CannotMake(Exception):
    """A step's Job cannot be made of these files; the message says why, `of_patch` whether its patch is at fault."""

    def __init__(self, message: str, *, of_patch: bool = False) -> None:
        super().__init__(message)
        self.of_patch = of_patch


@dataclass(frozen=True, slots=True)
class Made:
    """A Job without an owner, and what in it is not known yet."""

    job: dict[str, Any]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Scope(Scope):
    """A flow's scope in which what only the run can tell stays a placeholder."""

    missing: Mapping[str, str] = field(default_factory=dict)  # parameters that cannot be read here: why
    notices: dict[str, str] = field(default_factory=dict)  # by placeholder, in the order they were met

    def resolve(self, reference: Reference) -> Value:
        """Its value, or the placeholder itself."""
        said = self._unknown(reference)
        if not said:
            return super().resolve(reference)
        self.notices.setdefault(reference.text, f"{reference.text} is {said}")
        return unknown(reference.text, from_job=reference.root == STEPS)

    def _unknown(self, reference: Reference) -> str:
        if reference.root == STEPS:
            return f"known when step {reference.name} has ended"
        if reference.root == CONTEXT and reference.name == "uid":
            return "known when the JobFlow is in a cluster"
        if reference.root == CONTEXT and reference.name in EXIT_NAMES:
            return "known when the flow has ended"
        return self.missing.get(reference.name, "") if reference.root == "params" else ""


def frozen_flow(data: Mapping[str, Any], namespace: str) -> Flow:
    """A JobFlow of the files as reconcile sees it, without a UID."""
    body = {"metadata": _metadata(data, namespace), "spec": data["spec"]}
    view = flow_view(msgspec.json.decode(msgspec.json.encode(body), type=FlowObject))
    return Flow(
        namespace=view.namespace,
        name=view.name,
        uid="",
        resource_version="",
        generation=1,
        deleting=False,
        compiled=compile_flow(view.name, view.spec),
        committed=view.status,
    )


def template_of(data: Mapping[str, Any], namespace: str) -> TemplateView:
    """A JobTemplate or a ClusterJobTemplate of the files as reconcile sees it."""
    of_cluster = data["kind"] == CLUSTER_JOB_TEMPLATE.kind
    body = {"metadata": _metadata(data, "" if of_cluster else namespace, of_cluster), "spec": data["spec"]}
    return template_view(msgspec.json.decode(msgspec.json.encode(body), type=TemplateObject))


def _metadata(data: Mapping[str, Any], namespace: str, of_cluster: bool = False) -> dict[str, Any]:
    """As much of it as shows in a Job; the rest may be written in any way."""
    written = data["metadata"]
    kept = {name: written[name] for name in ("name", "generation") if name in written}
    return kept | {"namespace": "" if of_cluster else written.get("namespace") or namespace}


def config_maps(documents: Iterable[Document], namespace: str) -> ConfigMaps:
    """The data of the files' ConfigMaps."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for document in documents:
        metadata = document.data.get("metadata")
        if document.data.get("kind") == CONFIG_MAP.kind and isinstance(metadata, Mapping):
            data = document.data.get("data")
            place = str(metadata.get("namespace") or namespace), str(metadata.get("name"))
            found[place] = data if isinstance(data, Mapping) else {}
    return found


def made(flow: Flow, step: Step, template: TemplateView, maps: ConfigMaps) -> Made:
    """The Job that the step would create. Raises CannotMake."""
    node = Node(step.name)
    try:
        scope = _scope(flow, step, node, maps)
        brought = prepared(step, scope) if step.arguments or step.placeholders else Prepared(step)
        spec = child_spec(flow, brought.step, node, template, brought.arguments)
        draft = Draft(node, child_name(flow, node, spec), spec)
    except CannotFill as problem:
        raise CannotMake(str(problem)) from problem
    except PatchProblem as problem:
        raise CannotMake(str(problem), of_patch=True) from problem
    except NameTooLong as problem:
        said = f"no name for the Job leaves room for its pods within {names.MAX_LABEL_CHARACTERS} characters"
        raise CannotMake(f"{said}: shorten the task names of {template}") from problem
    body = child_body(flow, brought.step, draft, template)
    del body["metadata"]["ownerReferences"]
    return Made(msgspec.json.decode(msgspec.json.encode(body, enc_hook=str)), tuple(scope.notices.values()))


def _scope(flow: Flow, step: Step, node: Node, maps: ConfigMaps) -> _Scope:
    """Raises CannotFill."""
    params: dict[str, Value] = {}
    missing: dict[str, str] = {}
    for name in sorted(step.parameters):
        parameter = flow.compiled.parameters[name]
        answers: dict[ConfigKeys, ConfigFound] = {}
        if ref := reference(parameter):
            asks = question(flow.namespace, flow.uid, ref.name, flow.compiled.parameters.values())
            data = maps.get((flow.namespace, ref.name))
            if data is not None:
                answers[asks] = ConfigFound(
                    tuple((key, data[key]) for key in asks.keys if isinstance(data.get(key), str))
                )
        try:
            params[name] = parameter_value(flow, parameter, answers)
        except Unread:
            missing[name] = (
                f"read from ConfigMap {ref.name}, key {ref.key}, which these files do not have" if ref else ""
            )
    return _Scope(params=params, context=context_of(flow, node), missing=missing)
