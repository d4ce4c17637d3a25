"""Scenario: which flows and templates a simulated world starts with, how their Jobs go, and how flows must end.

In: bodies as users write them, from builders or from YAML. Out: frozen Scenarios. Those that every sweep plays are in
`scenarios.py`; `Scenario.from_yaml` makes one of your own documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE
from jobflow.api.status import Outcome
from jobflow.testing.builders import FlowBuilder, TemplateBuilder, template
from jobflow.testing.volcano import Walks

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Scenario:
    """A world before anything goes wrong.

    `walks` by Job name or step name, one for all attempts or a tuple of one each; Jobs without one complete. `expected`
    by flow name, Succeeded where it does not say; `phases` by flow and step: where the steps must stand then, as far as
    it says. Without `commands` Volcano's Command kind is not served. Raises ValueError where there is no flow, or where
    a walk, an outcome or a phase is of nobody.
    """

    name: str
    flows: tuple[Body, ...]
    templates: tuple[Body, ...]
    walks: Mapping[str, Walks] = field(default_factory=dict)
    expected: Mapping[str, Outcome] = field(default_factory=dict)
    phases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    commands: bool = True

    def __post_init__(self) -> None:
        if not self.flows:
            raise ValueError(f"scenario {self.name} has no JobFlow")
        steps = {str(body["metadata"]["name"]): set(_steps(body)) for body in self.flows}
        every = {step for own in steps.values() for step in own} | set(self.children)
        told = {step for flow in steps.keys() & self.phases.keys() for step in self.phases[flow].keys() - steps[flow]}
        self._refuse("walks", self.walks.keys() - every, every)
        self._refuse("expected", self.expected.keys() - steps.keys(), steps.keys())
        self._refuse("phases", self.phases.keys() - steps.keys(), steps.keys())
        self._refuse("phases", told, every)
        object.__setattr__(self, "expected", dict.fromkeys(sorted(steps), Outcome.SUCCEEDED) | dict(self.expected))

    def _refuse(self, what: str, strangers: Iterable[str], known: Iterable[str]) -> None:
        if names := sorted(strangers):
            raise ValueError(
                f"scenario {self.name}: {what} names {', '.join(names)}; known are {', '.join(sorted(known))}"
            )

    @classmethod
    def from_yaml(
        cls,
        name: str,
        documents: str,
        walks: Mapping[str, Walks] | None = None,
        expected: Mapping[str, Outcome] | None = None,
    ) -> Scenario:
        """A scenario of one's own: JobFlows and JobTemplates as one would `kubectl apply` them."""
        bodies = [body for body in yaml.safe_load_all(documents) if body]
        kinds = {JOB_FLOW.kind, JOB_TEMPLATE.kind}
        if strangers := sorted({str(body.get("kind")) for body in bodies} - kinds):
            raise ValueError(
                f"scenario {name}: documents of kind {', '.join(strangers)}; {' and '.join(kinds)} are read"
            )
        placed = [body | {"metadata": {"namespace": "default"} | body["metadata"]} for body in bodies]
        return cls(
            name,
            flows=tuple(body for body in placed if body["kind"] == JOB_FLOW.kind),
            templates=tuple(body for body in placed if body["kind"] == JOB_TEMPLATE.kind),
            walks=walks or {},
            expected=expected or {},
        )

    @property
    def namespaces(self) -> list[str]:
        """Where its objects live."""
        return sorted({str(body["metadata"]["namespace"]) for body in (*self.flows, *self.templates)})

    @property
    def children(self) -> list[str]:
        """Names of the Jobs that its flows come to, as far as names are not cut, and first attempts only."""
        return [f"{body['metadata']['name']}-{step}" for body in self.flows for step in _steps(body)]

    @property
    def longest_ttl(self) -> float:
        """The longest ttlSecondsAfterFinished of its templates and flows."""
        bodies = (*self.flows, *self.templates)
        return max((float(body["spec"].get("ttlSecondsAfterFinished") or 0) for body in bodies), default=0.0)


def written(body: Body) -> Body:
    """An object as its user writes it: without what the server adds."""
    meta = {key: body["metadata"][key] for key in ("name", "namespace")}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": meta, "spec": body["spec"]}


def scenario(
    name: str, flows: Iterable[FlowBuilder], templates: Iterable[TemplateBuilder] | None = None, **more: Any
) -> Scenario:
    """A scenario of builders; where no templates are given each step has a plain one."""
    bodies = tuple(written(one.body()) for one in flows)
    if templates is None:
        used = sorted({(body["metadata"]["namespace"], step) for body in bodies for step in _steps(body)})
        templates = [template(step, namespace).task("main", replicas=2) for namespace, step in used]
    return Scenario(name, bodies, tuple(written(one.body()) for one in templates), **more)


def _steps(body: Body) -> list[str]:
    """Those of onExit, too."""
    spec = body["spec"]
    return [str(step["name"]) for step in (*(spec.get("flows") or ()), *(spec.get("onExit") or ()))]
