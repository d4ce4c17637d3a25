"""`steps[].outputs` as users write it, and what is asked and answered for it when the step's Job has ended.

In: parsed YAML or JSON. Out: pydantic models, from which the CRD is made; Sources, which say where a value stands; the
question that a plan wants asked of a finished Job, and its answer. Values are not part of what is printed of an
answer: they are users' data, and logs are read by others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from jobflow.api.parameters import ANY_JSON, ParameterName

MAX_OUTPUT_BYTES = 4096  # what a termination message can hold
MAX_FLOW_BYTES = 64 * 1024  # a flow and its status share one object of about a megabyte, with its Jobs' histories
MAX_OUTPUTS = 64  # of one step

PATH_BEGINS = ("status", "spec", "metadata")  # what a Job has
_PATH = re.compile(r"[A-Za-z0-9_/-]+(?:\[[0-9]+\])*(?:\.[A-Za-z0-9_/-]+(?:\[[0-9]+\])*)*")
_PART = re.compile(r"[A-Za-z0-9_/-]+|\[[0-9]+\]")

PathParts = tuple[str | int, ...]
Counts = Mapping[str, Mapping[str, int]]  # task -> pod phase -> pods


class OutputModel(BaseModel):
    """Base of the output models."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class TerminationMessage(OutputModel):
    """What a container wrote into the file of its terminationMessagePath before it ended."""

    task: Annotated[
        str | None,
        Field(max_length=253, description="The task whose pod says it. Default: the Job's only task."),
    ] = None
    index: Annotated[int | None, Field(ge=0, description="Which pod of the task, as in the pod's name. Default 0.")] = (
        None
    )
    container: Annotated[
        str | None, Field(max_length=253, description="The container that says it. Default: the pod's first.")
    ] = None


class OutputSource(OutputModel):
    """Where the value of an output stands: one of the two."""

    termination_message: Annotated[
        TerminationMessage | None,
        Field(
            alias="terminationMessage",
            description="What a container wrote into its termination message (/dev/termination-log) before it ended; "
            "JSON where it is JSON, else text.",
        ),
    ] = None
    path: Annotated[
        str | None,
        Field(
            max_length=1024,
            description="A field of the Job itself when it has ended: status.succeeded, spec.tasks[0].replicas.",
        ),
    ] = None


class StepOutput(OutputModel):
    """One value that the step's Job leaves for later steps: $(steps.<step>.outputs.<name>)."""

    name: Annotated[
        ParameterName,
        Field(description="Name of the output, unique in the step."),
    ]
    source: Annotated[OutputSource, Field(alias="from", description="Where its value stands when the Job has ended.")]
    default: Annotated[
        Any,
        Field(description="Its value where the Job left none. Any JSON.", json_schema_extra=ANY_JSON),
    ] = None
    description: Annotated[str | None, Field(max_length=1024, description="What it is, for readers.")] = None


@dataclass(frozen=True, slots=True)
class OfMessage:
    """A container's termination message. None: the only task; the pod's first container."""

    task: str | None = None
    index: int = 0
    container: str | None = None


@dataclass(frozen=True, slots=True)
class OfPath:
    """A field of the Job."""

    path: str
    parts: PathParts


Source = OfMessage | OfPath


@dataclass(frozen=True, slots=True)
class Wanted:
    """One declared output of a step, compiled. `default` is None where there is none."""

    name: str
    source: Source
    default: Any = None


@dataclass(frozen=True, slots=True)
class OutputsOf:
    """What has this Job, which has ended, left behind?

    `counts` are its pods by task and phase when it ended, as far as they were seen: Volcano sets them to zero in a
    later write. They are no part of what is asked: the same question with fewer of them is the same question.
    """

    namespace: str
    job: str
    job_uid: str
    tasks: tuple[str, ...]  # of the Job, in its order
    sources: tuple[Source, ...]
    counts: Counts = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Said:
    """A container's last words, as it wrote them."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """A value in the Job."""

    tree: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no value, and why."""

    why: str


Reading = Said | Seen | Absent


@dataclass(frozen=True, slots=True)
class OutputsFound:
    """The answer: a reading for each source, in their order. With a problem it is not the last word: not all could be
    read yet, and the readings are what there is until then."""

    readings: tuple[Reading, ...] = ()
    problem: str = ""


def wanted(output: StepOutput) -> Wanted:
    """The output as the engine sees it. Raises ValueError where its path is none, or it has no source."""
    said = output.source.termination_message
    if said is not None:
        return Wanted(output.name, OfMessage(said.task, said.index or 0, said.container), output.default)
    path = output.source.path or ""
    return Wanted(output.name, OfPath(path, path_parts(path)), output.default)


def path_parts(path: str) -> PathParts:
    """`spec.tasks[0].replicas` as ("spec", "tasks", 0, "replicas"). Raises ValueError that says what is wrong."""
    if not _PATH.fullmatch(path):
        plain = path.strip().strip("{}").removeprefix("$").removeprefix(".")
        hint = f"; write {plain}" if plain != path and _PATH.fullmatch(plain) else ""
        raise ValueError(f'"{path}" is no path: fields are joined by dots, items of lists stand as [0]{hint}')
    parts = tuple(int(part[1:-1]) if part.startswith("[") else part for part in _PART.findall(path))
    if parts[0] not in PATH_BEGINS:
        raise ValueError(f'"{path}" begins with {parts[0]}; a Job has {", ".join(PATH_BEGINS)}')
    return parts
