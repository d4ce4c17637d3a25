"""The status of a JobFlow and of a JobTemplate, declared once.

In: nothing. Out: msgspec Structs that decode from the watch, compare with `==`, encode to what is written, and
give the CRD's status schema. Upstream's fields keep upstream's spelling and JSON types (Go clients decode the
whole list of flows at once: one mistyped object would break them all); ours stand beside them. Times are whole
seconds, UTC; absent ones are omitted, never null.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

from msgspec import Meta, Struct, field

PhaseCounts = dict[str, int]


class FlowPhase(StrEnum):
    """`status.state.phase`, upstream's enum exactly."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEED = "Succeed"
    FAILED = "Failed"
    TERMINATING = "Terminating"


class Outcome(StrEnum):
    """How a flow ended; absent until it is decided."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class StepPhase(StrEnum):
    """Where one step of a flow stands."""

    WAITING = "Waiting"
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    UNREACHABLE = "Unreachable"

    @cached_property
    def settled(self) -> bool:
        """Nothing will change it any more."""
        return self in SETTLED_PHASES

    @cached_property
    def live(self) -> bool:
        """A child of it exists and has not ended."""
        return self in (StepPhase.PENDING, StepPhase.RUNNING)


SETTLED_PHASES = frozenset({StepPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.SKIPPED, StepPhase.UNREACHABLE})


class Reason(StrEnum):
    """Why a step or a flow stands where it stands; stable words, also used for Events."""

    DEPENDENCY = "WaitingForDependencies"
    TEMPLATE_NOT_FOUND = "TemplateNotFound"
    TEMPLATE_UNREADABLE = "TemplateUnreadable"
    NAME_CONFLICT = "NameConflict"
    NAME_TOO_LONG = "NameTooLong"
    PREVIOUS_CHILD_TERMINATING = "PreviousChildTerminating"
    CHILD_REJECTED = "ChildRejected"
    CHILD_INVALID = "ChildInvalid"
    JOB_FAILED = "JobFailed"
    JOB_TERMINATED = "JobTerminated"
    JOB_ABORTED = "JobAborted"
    DEPENDENCY_FAILED = "DependencyFailed"
    FLOW_FAILED = "FlowFailed"
    FLOW_SUCCEEDED = "FlowSucceeded"  # the flow was done before this step could start
    STEP_FAILED = "StepFailed"
    INVALID_SPEC = "InvalidSpec"
    PATCH_INVALID = "PatchInvalid"
    PARAMETER_NOT_FOUND = "ParameterNotFound"
    PARAMETER_INVALID = "ParameterInvalid"
    CREATING = "Creating"
    PROBE = "WaitingForProbe"  # no answer yet
    PROBE_FAILING = "ProbeFailing"  # the last answer was not good
    PROBE_FAILED = "ProbeFailed"
    PROBE_TARGET_GONE = "ProbeTargetGone"
    PROBE_NOT_MET = "ProbeNotMet"
    PROBE_TASK_UNKNOWN = "ProbeTaskUnknown"
    COUNTS_LOST = "CountsLost"
    COLLECTING_OUTPUTS = "CollectingOutputs"  # its Job has ended, and what it left is being read
    READING_EXIT_CODE = "ReadingExitCode"  # its Job has failed, and how its containers ended is being read
    OUTPUT_TOO_LARGE = "OutputTooLarge"
    OUTPUT_MISSING = "OutputMissing"
    OUTPUT_NOT_JSON = "OutputNotJSON"
    WHEN_FALSE = "WhenFalse"  # a condition of the step does not hold
    TARGETS_SKIPPED = "TargetsSkipped"
    EXPRESSION_ERROR = "ExpressionError"
    RETRY_BACKOFF = "RetryBackoff"  # an attempt has failed, and the next one is due later
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    PENDING_DEADLINE_EXCEEDED = "PendingDeadlineExceeded"
    FAIL_FAST = "FailFast"  # ended because the end of the flow was decided
    FINALIZING = "Finalizing"  # the end is decided, and the onExit steps run
    ON_EXIT_FAILED = "OnExitFailed"  # the flow has succeeded, and an onExit step has not
    CRD_OUTDATED = "CRDOutdated"
    FOREIGN_CONTROLLER = "ForeignController"


READING = (Reason.COLLECTING_OUTPUTS, Reason.READING_EXIT_CODE)  # the Job has ended, and its step not yet


class RunningHistory(Struct, frozen=True, gc=False, omit_defaults=True):
    """One phase a child Job went through."""

    startTimestamp: Annotated[datetime | None, Meta(description="When the Job entered the phase.")] = None
    endTimestamp: Annotated[datetime | None, Meta(description="When it left the phase.")] = None
    state: Annotated[str, Meta(description="The Job's phase.")] = ""


class JobStatus(Struct, frozen=True, gc=False, omit_defaults=True):
    """One child Job as upstream's `jobStatusList` tells it."""

    name: Annotated[str, Meta(description="Name of the child Job.")]
    state: Annotated[str, Meta(description="The Job's phase as last seen.")] = ""
    startTimestamp: Annotated[datetime | None, Meta(description="When the Job was created.")] = None
    endTimestamp: Annotated[datetime | None, Meta(description="When the Job ended.")] = None
    restartCount: Annotated[int, Meta(description="How often Volcano restarted the Job.", ge=0)] = 0
    runningHistories: Annotated[
        tuple[RunningHistory, ...], Meta(description="The phases the Job went through, oldest first.")
    ] = ()


class TaskState(Struct, frozen=True, gc=False, omit_defaults=True):
    """Pods of one task by phase."""

    phase: Annotated[PhaseCounts, Meta(description="Number of pods by pod phase.")] = field(default_factory=dict)


class JobCondition(Struct, frozen=True, gc=False, omit_defaults=True):
    """One child Job as upstream's `conditions` map tells it."""

    phase: Annotated[str, Meta(description="The Job's phase.")] = ""
    createTime: Annotated[datetime | None, Meta(description="When the Job was created.")] = None
    runningDuration: Annotated[
        str | None, Meta(description="How long the Job took, as a Go duration; set when it ended.")
    ] = None
    taskStatusCount: Annotated[
        dict[str, TaskState], Meta(description="Pods by task and phase; kept as they were when the Job ended.")
    ] = field(default_factory=dict)


class FlowState(Struct, frozen=True, gc=False, omit_defaults=True):
    """`status.state`: the phase of the flow and why."""

    phase: Annotated[
        FlowPhase | None, Meta(description="Phase of the flow: Pending, Running, Succeed, Failed or Terminating.")
    ] = None
    reason: Annotated[str, Meta(description="One CamelCase word that says why the flow is in this phase.")] = ""
    message: Annotated[str, Meta(description="The reason as a sentence.")] = ""


class OutputStatus(Struct, frozen=True, gc=False, omit_defaults=True):
    """One output of a step, as its Job left it."""

    name: Annotated[str, Meta(description="Name of the output.")]
    value: Annotated[
        Any,
        Meta(
            description="What the Job left, else the default; any JSON, and absent where there is neither.",
            extra_json_schema={"x-kubernetes-preserve-unknown-fields": True},
        ),
    ] = None
    text: Annotated[str, Meta(description="How a number was written, where that was otherwise: 1.10 for 1.1.")] = ""
    message: Annotated[str, Meta(description="Why the Job left none.")] = ""


class AttemptStatus(Struct, frozen=True, gc=False, omit_defaults=True):
    """One attempt of a step that failed and was followed by another."""

    attempt: Annotated[int, Meta(description="Which attempt, from 0.", ge=0)]
    jobName: Annotated[str, Meta(description="Name of its Job.")] = ""
    jobUID: Annotated[str, Meta(description="UID of its Job.")] = ""
    startTime: Annotated[datetime | None, Meta(description="When its Job was created.")] = None
    completionTime: Annotated[datetime | None, Meta(description="When its Job ended.")] = None
    reason: Annotated[str, Meta(description="One CamelCase word that says why it failed.")] = ""
    message: Annotated[str, Meta(description="The reason as a sentence.")] = ""
    exitCode: Annotated[
        int | None, Meta(description="Exit code of the first container that ended with an error, where it was read.")
    ] = None


class FlowStatus(Struct, frozen=True, gc=False, omit_defaults=True):
    """One step: where it stands, why, and which child carries it."""

    name: Annotated[str, Meta(description="Name of the step.")]
    phase: Annotated[
        StepPhase, Meta(description="Waiting, Pending, Running, Succeeded, Failed, Skipped or Unreachable.")
    ]
    reason: Annotated[str, Meta(description="One CamelCase word that says why.")] = ""
    message: Annotated[str, Meta(description="The reason as a sentence.")] = ""
    attempt: Annotated[int, Meta(description="The attempt that the child is, from 0.", ge=0)] = 0
    recreations: Annotated[
        int, Meta(description="How often an unfinished child was deleted by someone else and created again.", ge=0)
    ] = 0
    jobName: Annotated[str, Meta(description="Name of the child Job.")] = ""
    jobUID: Annotated[str, Meta(description="UID of the child Job.")] = ""
    startTime: Annotated[datetime | None, Meta(description="When the child was created.")] = None
    runningTime: Annotated[
        datetime | None, Meta(description="When the child first ran; told where the step has a deadline.")
    ] = None
    completionTime: Annotated[datetime | None, Meta(description="When the child ended.")] = None
    podFailureRatio: Annotated[str, Meta(description="Failed pods of the attempt / its pods, such as 1/4.")] = ""
    exitCode: Annotated[
        int | None,
        Meta(description="Exit code of the first container that ended with an error; read where the step has retry."),
    ] = None
    attempts: Annotated[
        tuple[AttemptStatus, ...], Meta(description="The newest attempts that failed before this one, oldest first.")
    ] = ()
    outputs: Annotated[
        tuple[OutputStatus, ...], Meta(description="What its Job left for later steps, in the order of spec.outputs.")
    ] = ()


class JobFlowStatus(Struct, frozen=True, gc=False, omit_defaults=True):
    """The whole status of a JobFlow: upstream's fields, then ours."""

    pendingJobs: Annotated[tuple[str, ...], Meta(description="Child Jobs that are pending.")] = ()
    runningJobs: Annotated[tuple[str, ...], Meta(description="Child Jobs that run, restart or complete.")] = ()
    failedJobs: Annotated[tuple[str, ...], Meta(description="Child Jobs that failed or were aborted.")] = ()
    completedJobs: Annotated[tuple[str, ...], Meta(description="Child Jobs that completed.")] = ()
    terminatedJobs: Annotated[tuple[str, ...], Meta(description="Child Jobs that were terminated.")] = ()
    unKnowJobs: Annotated[tuple[str, ...], Meta(description="Child Jobs in a phase that jobflow does not know.")] = ()
    jobStatusList: Annotated[
        tuple[JobStatus, ...], Meta(description="State, times and history of each child Job.")
    ] = ()
    conditions: Annotated[dict[str, JobCondition], Meta(description="State of each child Job by its name.")] = field(
        default_factory=dict
    )
    state: Annotated[FlowState, Meta(description="Phase of the flow and why.")] = FlowState()
    outcome: Annotated[
        Outcome | None, Meta(description="How the flow ended, Succeeded or Failed; absent until decided.")
    ] = None
    outcomeReason: Annotated[
        str, Meta(description="Why the flow failed, in one CamelCase word; kept while its onExit steps run.")
    ] = ""
    outcomeMessage: Annotated[str, Meta(description="The same as a sentence.")] = ""
    observedGeneration: Annotated[int, Meta(description="The metadata.generation that this status tells of.", ge=0)] = 0
    specHash: Annotated[
        str, Meta(description="Hash of the steps and edges, which are frozen from the flow's creation.")
    ] = ""
    startTime: Annotated[datetime | None, Meta(description="When the first child was created.")] = None
    completionTime: Annotated[
        datetime | None,
        Meta(description="When the flow ended and no child Job was live; the field to `kubectl wait` for."),
    ] = None
    progress: Annotated[str, Meta(description="Steps done / steps, such as 3/5.")] = ""
    nextFlows: Annotated[
        tuple[str, ...], Meta(description="Steps that start once the children that now run have completed.")
    ] = ()
    flowStatuses: Annotated[
        tuple[FlowStatus, ...], Meta(description="Each step, in the order of spec.flows, then those of spec.onExit.")
    ] = ()


class JobTemplateStatus(Struct, frozen=True, gc=False, omit_defaults=True):
    """The status of a JobTemplate: which Jobs were made from it."""

    jobDependsOnList: Annotated[
        tuple[str, ...], Meta(description="The newest Jobs made from this template, at most 100.")
    ] = ()
    jobDependsOnTotal: Annotated[int, Meta(description="How many Jobs made from this template exist.", ge=0)] = 0
