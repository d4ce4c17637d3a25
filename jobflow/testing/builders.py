"""Builders: objects of tests, written as sentences that end in the object.

    flow("etl").step("load").step("join", after="load").policy("delete").view()
    child("load", of="etl").completed().view()
    template("load").task("main", replicas=2).ttl(60).body()

In: what matters to the test; all else has a plain default. Out: bodies as an API server stores them (`body`), views as
the cache keeps them (`view`), and snapshots as reconcile sees them. Views are decoded from the bodies by the code that
decodes real objects, so that a builder cannot say what a cluster could not. Each verb gives a new builder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import structs

from jobflow.api import names
from jobflow.api.children import ChildView
from jobflow.api.objects import FlowObject, FlowView, TemplateObject, TemplateView, flow_view, template_view
from jobflow.api.probes import Answer, PodPhase, PodView, Question
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB
from jobflow.api.status import FlowStatus, JobFlowStatus, StepPhase
from jobflow.kinds import vcjob
from jobflow.reconcile.deadlines import beginnings, passed
from jobflow.reconcile.graph import compile_flow
from jobflow.reconcile.snapshot import Flow, Refusal, Snapshot
from jobflow.testing.clock import EPOCH

NAMESPACE = "default"
Body = dict[str, Any]


def flow(name: str, namespace: str = NAMESPACE) -> FlowBuilder:
    """A JobFlow without steps."""
    return FlowBuilder(name, namespace)


def child(step: str, of: str, namespace: str = NAMESPACE) -> ChildBuilder:
    """The Job of a step of the flow called `of`, created by us and not looked at by Volcano yet."""
    return ChildBuilder(step, of, namespace)


def template(name: str, namespace: str = NAMESPACE) -> TemplateBuilder:
    """A JobTemplate without tasks."""
    return TemplateBuilder(name, namespace)


def cluster_template(name: str) -> TemplateBuilder:
    """A ClusterJobTemplate without tasks."""
    return TemplateBuilder(name, "")


@dataclass(frozen=True)
class FlowBuilder:
    """A JobFlow in the making."""

    name: str
    namespace: str = NAMESPACE
    uid: str = ""
    steps: tuple[Body, ...] = ()
    retain: str | None = None
    version: str = "100"
    generation: int = 1
    going: bool = False
    committed: JobFlowStatus = field(default_factory=JobFlowStatus)
    declared: tuple[Body, ...] = ()
    control: Body = field(default_factory=dict)

    @property
    def own_uid(self) -> str:
        """The UID given, or one made from the name."""
        return self.uid or f"flow-{self.name}"

    def step(self, name: str, after: str | Iterable[str] = (), **depends_on: Any) -> FlowBuilder:
        """One more step, which waits for the steps `after`; `depends_on` are other fields of its dependsOn."""
        targets = [after] if isinstance(after, str) else list(after)
        waits: Body = ({"targets": targets} if targets else {}) | depends_on
        step: Body = {"name": name} | ({"dependsOn": waits} if waits else {})
        return replace(self, steps=(*self.steps, step))

    def having(self, **fields: Any) -> FlowBuilder:
        """With these fields in its last step."""
        return replace(self, steps=(*self.steps[:-1], self.steps[-1] | fields))

    def parameter(self, name: str, value: Any = None, **fields: Any) -> FlowBuilder:
        """One more parameter."""
        parameter = {"name": name} | ({} if value is None else {"value": value}) | fields
        return replace(self, declared=(*self.declared, parameter))

    def policy(self, retain: str) -> FlowBuilder:
        """`jobRetainPolicy`."""
        return replace(self, retain=retain)

    def setting(self, **fields: Any) -> FlowBuilder:
        """With these fields of its spec beside the steps."""
        return replace(self, control=self.control | fields)

    def incarnation(self, uid: str) -> FlowBuilder:
        """The same name, another object."""
        return replace(self, uid=uid)

    def at(self, version: str, generation: int | None = None) -> FlowBuilder:
        """At a resourceVersion, and at a generation where the spec was edited."""
        return replace(self, version=version, generation=generation or self.generation)

    def deleting(self) -> FlowBuilder:
        """Being deleted in the foreground."""
        return replace(self, going=True)

    def status(self, committed: JobFlowStatus) -> FlowBuilder:
        """With this status committed."""
        return replace(self, committed=committed)

    def recorded(self, *records: FlowStatus, **fields: Any) -> FlowBuilder:
        """With these step records (and other fields of its status) committed."""
        told = {**structs.asdict(self.committed), "flowStatuses": records, "observedGeneration": self.generation}
        return replace(self, committed=JobFlowStatus(**(told | fields)))

    def body(self) -> Body:
        """As an API server stores it."""
        spec: Body = {"flows": list(self.steps), **self.control}
        if self.retain:
            spec["jobRetainPolicy"] = self.retain
        if self.declared:
            spec["parameters"] = list(self.declared)
        meta: Body = {
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.own_uid,
            "resourceVersion": self.version,
            "generation": self.generation,
            "creationTimestamp": EPOCH,
        }
        if self.going:
            meta["deletionTimestamp"] = EPOCH
        kind = {"apiVersion": JOB_FLOW.api_version, "kind": JOB_FLOW.kind}
        return _plain({**kind, "metadata": meta, "spec": spec, "status": self.committed})

    def view(self) -> FlowView:
        """As the cache keeps it."""
        return flow_view(msgspec.json.decode(msgspec.json.encode(self.body()), type=FlowObject))

    def frozen(self) -> Flow:
        """As reconcile sees it."""
        view = self.view()
        return Flow(
            namespace=view.namespace,
            name=view.name,
            uid=view.uid,
            resource_version=view.resource_version,
            generation=view.generation,
            deleting=view.deleting,
            compiled=compile_flow(view.name, view.spec),
            committed=view.status,
        )

    def snapshot(
        self,
        *children: ChildView,
        now: datetime = EPOCH,
        templates: Iterable[TemplateView] | None = None,
        vanished: Iterable[ChildView] = (),
        refusals: Mapping[str, Refusal] | None = None,
        answers: Mapping[Question, Answer] | None = None,
        pods: Iterable[PodView] = (),
    ) -> Snapshot:
        """With these children in the cluster; each step has its template where `templates` does not say otherwise."""
        by_job: dict[str, tuple[PodView, ...]] = {}
        for pod in pods:
            by_job[pod.job_uid] = (*by_job.get(pod.job_uid, ()), pod)
        if templates is None:
            steps = (*self.steps, *self.control.get("onExit", ()))
            templates = [template(step["name"], self.namespace).task("main").view() for step in steps]
        templates = list(templates)
        frozen = self.frozen()
        return Snapshot(
            flow=frozen,
            now=now,
            elapsed={since: passed(at, now) for since, at in beginnings(frozen, children, now).items()},
            templates={found.name: found for found in templates if found.namespace},
            cluster_templates={found.name: found for found in templates if not found.namespace},
            children=children,
            vanished=tuple(vanished),
            refusals=refusals or {},
            answers=answers or {},
            pods=by_job,
        )


@dataclass(frozen=True)
class ChildBuilder:
    """A child Job in the making."""

    of_step: str
    flow: str
    namespace: str = NAMESPACE
    own_name: str = ""
    own_uid: str = ""
    owner_uid: str = ""
    attempt: int = 0
    version: str = "1"
    created: datetime = EPOCH
    going: bool = False
    owned_ttl: int | None = None
    upstream: bool = False
    replicas: int = 1
    told: Body = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name given, or `<flow>-<step>`."""
        return self.own_name or names.child_name(self.flow, self.of_step, None, self.attempt)

    @property
    def uid(self) -> str:
        """The UID given, or one made from the name."""
        return self.own_uid or f"job-{self.name}"

    def tried(self, attempt: int) -> ChildBuilder:
        """Another attempt than the first, which is 0."""
        return replace(self, attempt=attempt)

    def named(self, name: str) -> ChildBuilder:
        """With another name than `<flow>-<step>`."""
        return replace(self, own_name=name)

    def incarnation(self, uid: str) -> ChildBuilder:
        """The same name, another object."""
        return replace(self, own_uid=uid)

    def owned_by(self, flow_uid: str) -> ChildBuilder:
        """Owned by another incarnation of the flow."""
        return replace(self, owner_uid=flow_uid)

    def by_upstream(self) -> ChildBuilder:
        """Made by upstream's controller: no annotation names the step."""
        return replace(self, upstream=True)

    def at(self, version: str) -> ChildBuilder:
        """At a resourceVersion."""
        return replace(self, version=version)

    def created_after(self, seconds: float) -> ChildBuilder:
        """Created so long after the epoch."""
        return replace(self, created=EPOCH + timedelta(seconds=seconds))

    def deleting(self) -> ChildBuilder:
        """Being deleted."""
        return replace(self, going=True)

    def ttl(self, seconds: int) -> ChildBuilder:
        """To be deleted by us so long after its end."""
        return replace(self, owned_ttl=seconds)

    def pods(self, replicas: int, failed: int = 0, **counts: int) -> ChildBuilder:
        """Of so many pods in its task `main`; `counts` by pod phase."""
        told: Body = {"failed": failed} | ({"taskStatusCount": {"main": {"phase": counts}}} if counts else {})
        return replace(self, replicas=replicas, told=self.told | told)

    def state(self, phase: str, after: float = 1.0, took: str = "") -> ChildBuilder:
        """In a phase of Volcano's, since `after` seconds past the epoch; `took` is its runningDuration."""
        since = EPOCH + timedelta(seconds=after)
        told: Body = {"state": {"phase": phase, "lastTransitionTime": since}} | (
            {"runningDuration": took} if took else {}
        )
        return replace(self, told=self.told | told)

    def pending(self) -> ChildBuilder:
        """Waiting for its pods."""
        return self.state("Pending")

    def running(self, after: float = 1.0) -> ChildBuilder:
        """Running."""
        return self.state("Running", after)

    def completed(self, after: float = 60.0, took: str = "") -> ChildBuilder:
        """Ended well."""
        return self.state("Completed", after, took)

    def failed(self, after: float = 60.0) -> ChildBuilder:
        """Ended badly."""
        return self.state("Failed", after)

    def body(self) -> Body:
        """As an API server stores it."""
        owners = (names.owner_text(self.namespace, self.flow), names.owner_text(self.namespace, self.of_step))
        created_by = dict(zip((names.CREATED_BY_JOB_FLOW, names.CREATED_BY_JOB_TEMPLATE), owners, strict=True))
        annotations = dict(created_by)
        if not self.upstream:
            annotations |= {names.STEP_NAME: self.of_step, names.ATTEMPT: str(self.attempt)}
        if self.owned_ttl is not None:
            annotations[names.OWNED_TTL] = str(self.owned_ttl)
        owner = {"apiVersion": JOB_FLOW.api_version, "kind": JOB_FLOW.kind, "name": self.flow}
        owner_uid = self.owner_uid or f"flow-{self.flow}"
        meta: Body = {
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "resourceVersion": self.version,
            "creationTimestamp": self.created,
            "labels": {key: names.label_value(value) for key, value in created_by.items()},
            "annotations": annotations,
            "ownerReferences": [{**owner, "uid": owner_uid, "controller": True, "blockOwnerDeletion": True}],
        }
        if self.going:
            meta["deletionTimestamp"] = self.created
        kind = {"apiVersion": VOLCANO_JOB.api_version, "kind": VOLCANO_JOB.kind}
        spec = {"tasks": [{"name": "main", "replicas": self.replicas}]}
        return _plain({**kind, "metadata": meta, "spec": spec, "status": self.told})

    def pod(self, index: int = 0, phase: PodPhase = PodPhase.RUNNING, **fields: Any) -> PodView:
        """A pod of its task `main`, as the cache keeps it."""
        plain = PodView(
            namespace=self.namespace,
            name=f"{self.name}-main-{index}",
            uid=f"pod-{self.name}-main-{index}",
            resource_version="1",
            job=self.name,
            job_uid=self.uid,
            task="main",
            phase=phase,
            ip=f"10.0.0.{index + 1}",
        )
        return replace(plain, **fields)

    def view(self) -> ChildView:
        """As the cache keeps it."""
        return vcjob.view(msgspec.json.decode(msgspec.json.encode(self.body()), type=vcjob.Job))

    def record(self, phase: StepPhase, recreations: int = 0) -> FlowStatus:
        """What the flow's status says of its step, while this child stands for it."""
        view = self.view()
        return FlowStatus(
            name=self.of_step,
            phase=phase,
            attempt=self.attempt,
            recreations=recreations,
            jobName=view.name,
            jobUID=view.uid,
            startTime=view.created,
            completionTime=view.changed if phase.settled else None,
        )


@dataclass(frozen=True)
class TemplateBuilder:
    """A JobTemplate in the making; a ClusterJobTemplate where the namespace is empty."""

    name: str
    namespace: str = NAMESPACE
    spec: Body = field(default_factory=dict)
    version: str = "10"
    generation: int = 1

    def task(self, name: str, replicas: int = 1, command: Iterable[str] = ("true",)) -> TemplateBuilder:
        """One more task, of one container."""
        container = {"name": "main", "image": "busybox", "command": list(command)}
        pod = {"spec": {"containers": [container], "restartPolicy": "Never"}}
        task = {"name": name, "replicas": replicas, "template": pod}
        return self.having(tasks=[*self.spec.get("tasks", ()), task])

    def ttl(self, seconds: int) -> TemplateBuilder:
        """`ttlSecondsAfterFinished`."""
        return self.having(ttlSecondsAfterFinished=seconds)

    def having(self, **fields: Any) -> TemplateBuilder:
        """With these fields of the Job's spec."""
        return replace(self, spec=self.spec | fields)

    def at(self, version: str, generation: int | None = None) -> TemplateBuilder:
        """At a resourceVersion, and at a generation where it was edited."""
        return replace(self, version=version, generation=generation or self.generation)

    def body(self) -> Body:
        """As an API server stores it."""
        meta = {
            "name": self.name,
            **({"namespace": self.namespace} if self.namespace else {}),
            "uid": f"template-{self.name}" if self.namespace else f"cluster-template-{self.name}",
            "resourceVersion": self.version,
            "generation": self.generation,
        }
        resource = JOB_TEMPLATE if self.namespace else CLUSTER_JOB_TEMPLATE
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        return _plain({**kind, "metadata": meta, "spec": self.spec})

    def view(self) -> TemplateView:
        """As the cache keeps it."""
        return template_view(msgspec.json.decode(msgspec.json.encode(self.body()), type=TemplateObject))


def _plain(body: Body) -> Body:
    """The body as JSON has it: no Structs, no datetimes."""
    plain: Body = msgspec.json.decode(msgspec.json.encode(body))
    return plain
