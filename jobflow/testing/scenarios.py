"""Scenarios: which flows and templates a simulated world starts with, how their Jobs go, and how flows must end.

In: bodies as users write them, from builders or from YAML. Out: frozen Scenarios. STANDARD has one for each way
a flow can go; `Scenario.from_yaml` makes one of your own documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE
from jobflow.api.status import Outcome
from jobflow.testing.builders import FlowBuilder, TemplateBuilder, flow, template
from jobflow.testing.volcano import ABORTS, COMPLETES, FAILS, IS_COMPLETED, RESTARTS, SERVES, TERMINATES, TRICKLES, Walk

Body = Mapping[str, Any]

TTL_SECONDS = 20  # shorter than the flow: the first Job goes while the last one runs
SLOWLY = 3.0  # a Job that takes so many times longer than its siblings


@dataclass(frozen=True)
class Scenario:
    """A world before anything goes wrong.

    `walks` by Job name or step name; Jobs without one complete. `expected` by flow name, Succeeded where it does not
    say. Raises ValueError where there is no flow, or a walk or an outcome is of nobody.
    """

    name: str
    flows: tuple[Body, ...]
    templates: tuple[Body, ...]
    walks: Mapping[str, Walk] = field(default_factory=dict)
    expected: Mapping[str, Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.flows:
            raise ValueError(f"scenario {self.name} has no JobFlow")
        flows = {str(body["metadata"]["name"]) for body in self.flows}
        steps = {step for body in self.flows for step in _steps(body)}
        steps |= {f"{body['metadata']['name']}-{step}" for body in self.flows for step in _steps(body)}
        for what, named, known in (("walks", set(self.walks), steps), ("expected", set(self.expected), flows)):
            if strangers := sorted(named - known):
                raise ValueError(
                    f"scenario {self.name}: {what} names {', '.join(strangers)}; known are {', '.join(sorted(known))}"
                )
        object.__setattr__(self, "expected", dict.fromkeys(sorted(flows), Outcome.SUCCEEDED) | dict(self.expected))

    @classmethod
    def from_yaml(
        cls,
        name: str,
        documents: str,
        walks: Mapping[str, Walk] | None = None,
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
        """Names of the Jobs that its flows come to, as far as names are not cut."""
        return [f"{body['metadata']['name']}-{step}" for body in self.flows for step in _steps(body)]

    @property
    def longest_ttl(self) -> float:
        """The longest ttlSecondsAfterFinished of its templates."""
        return max((float(body["spec"].get("ttlSecondsAfterFinished") or 0) for body in self.templates), default=0.0)


def written(body: Body) -> Body:
    """An object as its user writes it: without what the server adds."""
    meta = {key: body["metadata"][key] for key in ("name", "namespace")}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": meta, "spec": body["spec"]}


def scenario(
    name: str, flows: Iterable[FlowBuilder], templates: Iterable[TemplateBuilder] | None = None, **more: Any
) -> Scenario:
    """A scenario of builders; where no templates are given each step has a plain one."""
    flows = tuple(flows)
    if templates is None:
        used = sorted({(one.namespace, step["name"]) for one in flows for step in one.steps})
        templates = [template(step, namespace).task("main", replicas=2) for namespace, step in used]
    bodies = tuple(written(one.body()) for one in templates)
    return Scenario(name, tuple(written(one.body()) for one in flows), bodies, **more)


def _steps(body: Body) -> list[str]:
    return [str(step["name"]) for step in body["spec"].get("flows") or ()]


def _chain(name: str, namespace: str = "default") -> FlowBuilder:
    return flow(name, namespace).step("a").step("b", after="a").step("c", after="b")


def _diamond(name: str) -> FlowBuilder:
    sides = flow(name).step("a").step("b", after="a").step("c", after="a").step("d", after="a")
    return sides.step("e", after=("b", "c", "d"))


def _two(name: str) -> FlowBuilder:
    return flow(name).step("a").step("b", after="a")


_CHAIN = scenario("chain", [_chain("chain")])
_DIAMOND = scenario("diamond", [_diamond("diamond")], walks={"c": COMPLETES.slower(SLOWLY), "d": TRICKLES})
_RETAIN = scenario("retain", [_two("retain").policy("retain")], walks={"a": RESTARTS, "b": IS_COMPLETED})
_DELETE = scenario("delete", [_two("delete").step("c", after="a").policy("delete")])
_FAILING = scenario(
    "failing",
    [
        flow("failing")
        .step("a")
        .step("b", after="a")
        .step("c", after="a")
        .step("d", after=("b", "c"))
        .step("e", after="c")
    ],
    walks={"b": FAILS, "c": COMPLETES.slower(SLOWLY)},
    expected={"failing": Outcome.FAILED},
)
_TTL = scenario(
    "ttl",
    [_chain("ttl")],
    [template(step).task("main").ttl(TTL_SECONDS) for step in ("a", "b", "c")],
    walks={"c": COMPLETES.slower(SLOWLY)},
)
_STOPPED = scenario(
    "stopped",
    [_two("aborted"), _two("terminated")],
    walks={"aborted-a": ABORTS, "terminated-a": TERMINATES},
    expected={"aborted": Outcome.FAILED, "terminated": Outcome.FAILED},
)
_PROBED = scenario(
    "probed",
    [
        flow("probed")
        .step("server")
        .step("client")
        .having(
            dependsOn={
                "targets": ["server"],
                "waitFor": "Running",
                "probe": {"taskStatusCount": {"taskName": "main", "count": 2, "status": "Running"}},
            }
        )
    ],
    walks={"server": SERVES},
)
_NEIGHBOURS = scenario("neighbours", [_chain("here", "team-a"), _chain("there", "team-b")])

# The first six are the standard flows; then two for what needs more than one flow, and one whose step starts beside
# its target.
STANDARD: Mapping[str, Scenario] = {
    one.name: one for one in (_CHAIN, _DIAMOND, _RETAIN, _DELETE, _FAILING, _TTL, _STOPPED, _NEIGHBOURS, _PROBED)
}
