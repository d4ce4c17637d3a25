"""Settings of the controller.

In: the command line, the environment, a file. Out: a frozen value that the controller is built from. A value given
twice is taken from the first of: flag, environment (`JOBFLOW_LEASE_NAME`), file (`leaseName:`), default. What cannot be
used is refused with its name, what was found, and where it came from. docs/operations.md lists all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from jobflow.api.network import parse_network
from jobflow.api.problems import suggestion
from jobflow.obs.address import Address
from jobflow.obs.log import LogFormat

PREFIX = "JOBFLOW_"
M = TypeVar("M", bound=BaseModel)

LIST_SEPARATOR = ","  # of a list in an environment variable


class LogLevel(StrEnum):
    """From which level on lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(BaseModel):
    """How one controller runs.

    Kubernetes puts JOBFLOW_PORT and JOBFLOW_SERVICE_... into pods beside a Service called jobflow: no field may be
    called like that, and unknown variables are left alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    kubeconfig: str | None = Field(
        None, description="File. Default: $KUBECONFIG, ~/.kube/config, or the pod's service account."
    )
    context: str | None = Field(None, description="Context of the kubeconfig.")
    namespaces: tuple[str, ...] = Field((), description="Namespaces to work in; none means all.")
    workers: int = Field(
        32, ge=1, le=1024, description="Keys handled at once; each waits on the network most of its time."
    )
    enable_cluster_templates: bool = Field(
        False, description="Let steps run ClusterJobTemplates too: needs their CRD, rights to them, and all namespaces."
    )
    leader_elect: bool = Field(False, description="Take part in an election: several replicas, one works.")
    lease_namespace: str | None = Field(
        None, description="Namespace of the Lease. Default: the pod's own, or the context's."
    )
    lease_name: str = Field("jobflow-controller", min_length=1, description="Name of the Lease.")
    lease_seconds: int = Field(
        15,
        ge=6,
        le=300,
        description="How long a leader that is gone is respected; also the most that one write may take.",
    )
    probe_allow_cidrs: tuple[str, ...] = Field(
        (), description="Ranges of addresses that probes may ask beside the pods and Services of a flow's namespace."
    )
    probe_deny_cidrs: tuple[str, ...] = Field((), description="Ranges that probes never ask, whatever else is said.")
    metrics_address: str | None = Field(
        None, description="host:port for /metrics, /healthz and /readyz. Default: none of them."
    )
    log_format: LogFormat = Field(LogFormat.TEXT, description="Lines for people (text), or for a collector (json).")
    log_level: LogLevel = Field(LogLevel.INFO, description="The least level that is logged.")

    @field_validator("probe_allow_cidrs", "probe_deny_cidrs")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            parse_network(text)
        return value

    @field_validator("enable_cluster_templates")
    @classmethod
    def _with_all_namespaces(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("namespaces"):
            raise ValueError("a controller that works in some namespaces only sees no kind that is the whole cluster's")
        return value

    @field_validator("metrics_address")
    @classmethod
    def _listenable(cls, value: str | None) -> str | None:
        if value is not None:
            Address.parse(value)
        return value


class SettingsError(Exception):
    """A setting cannot be used; the message names it, and where it came from."""


FLAGS = {  # those that may be repeated
    "namespaces": "--namespace",
    "probe_allow_cidrs": "--probe-allow-cidr",
    "probe_deny_cidrs": "--probe-deny-cidr",
    "certificate_names": "--certificate-name",
}


def flag(field: str) -> str:
    """The command line's spelling."""
    return FLAGS.get(field, f"--{field.replace('_', '-')}")


def variable(field: str) -> str:
    """The environment's spelling."""
    return PREFIX + field.upper()


def key(field: str) -> str:
    """The file's spelling."""
    return to_camel(field)


def load(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None) -> Settings:
    """The settings of a controller. `flags` has what was given on the command line, None standing for what was not.

    Raises SettingsError.
    """
    return load_as(Settings, flags, environment, file)


def load_as(model: type[M], flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None) -> M:
    """The same for any process; `model` says which settings it has."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for found, origin in (
        (_from_file(file, model), lambda field: f"{key(field)} in {file}"),
        (_from_environment(environment, model), lambda field: f"${variable(field)}"),
        ({field: value for field, value in flags.items() if value is not None}, flag),
    ):
        values |= found
        origins |= {field: origin(field) for field in found}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_told(problem, origins, model) for problem in error.errors())) from error


def _from_environment(environment: Mapping[str, str], model: type[BaseModel]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in model.model_fields:
        text = environment.get(variable(field), "")
        if text:  # an empty variable is how a Deployment unsets one
            several = field in FLAGS
            found[field] = [part.strip() for part in text.split(LIST_SEPARATOR) if part.strip()] if several else text
    return found


def _from_file(file: Path | None, model: type[BaseModel]) -> dict[str, Any]:
    if file is None:
        return {}
    import yaml

    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    if read is None:
        return {}
    if not isinstance(read, dict):
        raise SettingsError(f"{file}: must be a mapping of settings, such as `leaderElect: true`")
    fields = {key(field): field for field in model.model_fields}
    for name in read:
        if name not in fields:
            raise SettingsError(f"{file}: there is no setting {name!r}{suggestion(str(name), list(fields))}")
    return {fields[name]: value for name, value in read.items() if value is not None}


def _told(problem: Any, origins: Mapping[str, str], model: type[BaseModel]) -> str:
    alias = str(problem["loc"][0])
    field = next((name for name in model.model_fields if alias in (name, key(name))), alias)
    said = str(problem["msg"]).removeprefix("Value error, ")
    return f"{origins.get(field, field)}: {problem['input']!r} cannot be used: {said[:1].lower()}{said[1:]}"
