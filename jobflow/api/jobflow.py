"""JobFlow and JobTemplate as users write them: pydantic models of `spec`.

In: parsed YAML or JSON. Out: validated specs, and the source of the CRD schemas and of `kubectl explain`.
Only fields that work are here: the API server refuses the rest under strict validation, so nothing is accepted
and ignored. Rules that span fields (cycles, unknown targets) are in `validate.py`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from jobflow.api.conditions import MAX_CONDITIONS, WhenSpec
from jobflow.api.deadlines import (
    Deadlines,
    FlowActiveDeadline,
    FlowTtl,
    StepActiveDeadline,
    StepPendingDeadline,
    deadlines_of,
)
from jobflow.api.dependencies import DependsOn
from jobflow.api.ends import FailurePolicy, RetainPolicy, SuccessPolicy
from jobflow.api.outputs import MAX_OUTPUTS, StepOutput
from jobflow.api.parameters import Argument, Parameter
from jobflow.api.probe_spec import probes_of
from jobflow.api.probes import Probes, WaitFor
from jobflow.api.retry import RetrySpec
from jobflow.api.switches import MAX_SWITCHES, Switch


class SpecModel(BaseModel):
    """Base of all spec models: frozen; unknown fields are kept out, and told by lint and the API server."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class TemplateKind(StrEnum):
    """The kinds of templates."""

    JOB_TEMPLATE = "JobTemplate"
    CLUSTER_JOB_TEMPLATE = "ClusterJobTemplate"


class TemplateRef(SpecModel):
    """The template that a step runs, where it is not the JobTemplate of the step's own name."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=253,
            description="Name of a JobTemplate in the flow's namespace, or of a ClusterJobTemplate.",
        ),
    ]
    kind: Annotated[
        TemplateKind | None,
        Field(
            description="JobTemplate, or ClusterJobTemplate: one for all namespaces, where the controller runs with "
            "--enable-cluster-templates. Default JobTemplate."
        ),
    ] = None


class PatchMetadata(SpecModel):
    """What the Job gets beside the labels and annotations that tell whose it is."""

    labels: Annotated[dict[str, str] | None, Field(description="More labels of the Job.")] = None
    annotations: Annotated[dict[str, str] | None, Field(description="More annotations of the Job.")] = None


PARTIAL_JOB_SPEC = {"x-kubernetes-preserve-unknown-fields": True}
INJECTED = {"maxRetry": 3, "queue": "default"}  # what Volcano's own CRD writes into every patch.jobSpec, always both


class Patch(SpecModel):
    """What is different in this step's Job from its template: a part of a Job's spec, which is merged into it."""

    spec: Annotated[
        dict[str, Any] | None,
        Field(
            description="A part of a Volcano Job's spec. Tasks, containers and variables merge by their names.",
            json_schema_extra=PARTIAL_JOB_SPEC,
        ),
    ] = None
    job_spec: Annotated[
        dict[str, Any] | None,
        Field(
            alias="jobSpec",
            description="The same in Volcano's spelling; of fixed types, so without $patch and null.",
            json_schema_extra=PARTIAL_JOB_SPEC,
        ),
    ] = None
    metadata: Annotated[PatchMetadata | None, Field(description="More labels and annotations of the Job.")] = None

    @property
    def partial(self) -> tuple[str, dict[str, Any]]:
        """The field that is used, and what it says."""
        return ("jobSpec", self.job_spec) if self.job_spec is not None else ("spec", self.spec or {})

    @property
    def injected(self) -> tuple[str, ...]:
        """Fields of jobSpec that count as unset: their values are those that an API server with Volcano's CRD puts in.

        It puts in both. So where one of them is missing the other was written by somebody, and counts. The object alone
        decides, and not the CRD that is installed now: what one CRD has put in is stored, and outlives it.
        """
        written = self.job_spec or {}
        if not INJECTED.keys() <= written.keys():
            return ()
        return tuple(name for name, value in INJECTED.items() if written[name] == value)

    @property
    def meant(self) -> Patch:
        """The patch without them."""
        gone = self.injected
        if not gone or self.job_spec is None:
            return self
        kept = {name: value for name, value in self.job_spec.items() if name not in gone}
        return self.model_copy(update={"job_spec": kept})


class FlowStep(SpecModel):
    """One step of a flow: the JobTemplate it runs, what is different in it, and what it waits for."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            description="Name of the step, unique in the flow, and of the JobTemplate in the same namespace that it "
            "runs, unless templateRef names another.",
        ),
    ]
    depends_on: Annotated[
        DependsOn | None,
        Field(alias="dependsOn", description="What this step waits for; without it the step starts at once."),
    ] = None

    template_ref: Annotated[
        TemplateRef | None,
        Field(alias="templateRef", description="The template to run, where it is not the JobTemplate of its name."),
    ] = None
    patch: Annotated[Patch | None, Field(description="What is different in this step's Job from its template.")] = None
    arguments: Annotated[
        list[Argument] | None,
        Field(
            description="What this step gives for the parameters of its template.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = None
    outputs: Annotated[
        list[StepOutput] | None,
        Field(
            max_length=MAX_OUTPUTS,
            description="What this step's Job leaves for later steps, read when it has ended.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = None
    when: Annotated[
        list[WhenSpec] | None,
        Field(
            max_length=MAX_CONDITIONS,
            description="Conditions that all have to hold when what the step waits for has come; the step is skipped "
            "where one does not.",
        ),
    ] = None
    continue_on_fail: Annotated[
        bool | None,
        Field(
            alias="continueOnFail",
            description="When this step fails the flow goes on as if it had succeeded: the steps that wait for it "
            "start, and its failure does not fail the flow. Default false.",
        ),
    ] = None
    retry: Annotated[
        RetrySpec | None,
        Field(description="Whether a failed attempt is followed by another. It replaces the flow's whole."),
    ] = None
    retry_policy: Annotated[
        RetrySpec | None,
        Field(alias="retryPolicy", description="The same as retry, in the spelling proposed for Volcano."),
    ] = None
    active_deadline: StepActiveDeadline = None
    pending_deadline: StepPendingDeadline = None

    @property
    def deadlines(self) -> Deadlines | None:
        """How long its Job may wait and run, where it says so."""
        return deadlines_of(self.active_deadline, self.pending_deadline)

    @property
    def template(self) -> str:
        """The name of the template it runs."""
        return self.template_ref.name if self.template_ref else self.name

    @property
    def cluster_template(self) -> bool:
        """The template it runs is a ClusterJobTemplate."""
        return self.template_ref is not None and self.template_ref.kind is TemplateKind.CLUSTER_JOB_TEMPLATE

    @property
    def extended(self) -> bool:
        """It uses more than Volcano's own controller knows, so that its pods may be told where they are."""
        uses_more = self.template_ref or self.patch or self.arguments or self.outputs or self.continue_on_fail
        decides = self.meant_retry or self.when or self.deadlines
        return bool(uses_more or decides or (self.depends_on and self.depends_on.says_more))

    @property
    def meant_retry(self) -> RetrySpec | None:
        """What it says of retries itself, in whichever spelling."""
        return self.retry or self.retry_policy

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps it waits for, each once, in the order written."""
        return tuple(dict.fromkeys(self.depends_on.targets)) if self.depends_on else ()

    @property
    def edges(self) -> tuple[str, ...]:
        """Every step that what it waits for names, each once."""
        return self.depends_on.edges if self.depends_on else ()

    @property
    def probes(self) -> Probes | None:
        """What has to answer before it starts."""
        return probes_of(self.depends_on.probe) if self.depends_on and self.depends_on.probe else None

    @property
    def waits_for(self) -> WaitFor:
        """Which state of its targets it waits for: as written, else as its probes need it."""
        if self.depends_on and self.depends_on.wait_for:
            return self.depends_on.wait_for
        probes = self.probes
        return WaitFor.RUNNING if probes and probes.while_it_runs and len(self.targets) == 1 else WaitFor.COMPLETED


class JobFlowSpec(SpecModel):
    """The steps of a flow, and what happens to their Jobs afterwards."""

    flows: Annotated[
        list[FlowStep],
        Field(
            description="The steps, in any order; together with their dependsOn they form a directed acyclic graph.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = []
    retain_policy: Annotated[
        RetainPolicy | None,
        Field(
            alias="jobRetainPolicy",
            description="What becomes of the child Jobs when the flow has ended: retain keeps them; delete and "
            "delete-on-success delete them after success, and keep those of a failed flow; delete-always deletes them "
            "after success and after failure. Default retain.",
        ),
    ] = None
    parameters: Annotated[
        list[Parameter] | None,
        Field(
            description="Values that the arguments and patches of the steps refer to as $(params.<name>).",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = None
    switch: Annotated[
        list[Switch] | None,
        Field(
            max_length=MAX_SWITCHES,
            description="Branches: for each, a value that decides and the steps that run for which of its values. It "
            "stands for conditions (when) of these steps.",
        ),
    ] = None
    success_policy: Annotated[
        SuccessPolicy | None,
        Field(alias="successPolicy", description="Which steps have to succeed for the flow to succeed. Default: all."),
    ] = None
    failure_policy: Annotated[
        FailurePolicy | None,
        Field(
            alias="failurePolicy",
            description="What becomes of the other steps when the end is decided: with FailFast what still runs is "
            "ended; with RunIndependent the steps that do not wait for a failed one go on, and the flow fails when "
            "they have ended. Default: a failure fails the flow at once, what runs ends by itself, and nothing new "
            "starts.",
        ),
    ] = None
    on_exit: Annotated[
        list[FlowStep] | None,
        Field(
            alias="onExit",
            description="Steps that run when the end of the flow is decided and its other Jobs have ended, after "
            "success and after failure; $(context.phase) tells them which. They change nothing about the end.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = None
    retry: Annotated[
        RetrySpec | None,
        Field(
            description="The retry of every step that has none of its own, those of onExit as well; a step's own "
            "replaces it whole, and one of limit 0 switches it off."
        ),
    ] = None
    active_deadline: FlowActiveDeadline = None
    ttl: FlowTtl = None

    @property
    def every_step(self) -> list[tuple[str, FlowStep]]:
        """All steps, those of onExit last, each with the path of its field: `spec.flows[1]`, `spec.onExit[0]`."""
        main = [(f"spec.flows[{index}]", step) for index, step in enumerate(self.flows)]
        return main + [(f"spec.onExit[{index}]", step) for index, step in enumerate(self.on_exit or ())]
