"""`dependsOn.probe` as users write it, in both spellings, and what it means.

In: parsed YAML or JSON. Out: pydantic models, from which the CRD is made, and `probes_of`, which compiles them. The
lists (`httpGetList`, `tcpSocketList`, `taskStatusList`) are Volcano's API, whose JSON types are kept: there a header
is one object. The singular fields (`httpGet`, `tcpSocket`, `taskStatusCount`) are the user guide's. Whatever is
written, in either spelling, has to hold.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from jobflow.api.probes import (
    HttpCheck,
    NetworkProbe,
    OfHost,
    OfTask,
    PodPhase,
    Probes,
    TaskProbe,
    TcpCheck,
    Timing,
)

PORT = Field(ge=1, le=65535, description="TCP port.")
HOST = Field(
    max_length=253,
    description="Whom to ask: a Service of the flow's namespace (model, model.default.svc), or what the controller's "
    "--probe-allow-cidr allows. Either host or taskName.",
)
TASK_NAME = Field(
    alias="taskName",
    max_length=253,
    description="Ask the pods of this task of the target's Job. Either host or taskName.",
)
ANY_POD = Field(alias="anyPod", description="With taskName: one pod that answers is enough. Default: all of them.")
ACCEPTED = r"^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$"
HEADER_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
HEADER_VALUE = r"^[^\r\n\x00]*$"
PATH = r"^(/[\x21-\x7e]*)?$"

STATUS_WORDS = {"Completed": PodPhase.SUCCEEDED, "JobUnknown": PodPhase.UNKNOWN} | {
    str(phase): phase for phase in PodPhase
}
StatusWord = StrEnum("StatusWord", {word: word for word in STATUS_WORDS})  # type: ignore[misc]


class ProbeModel(BaseModel):
    """Base of the probe models."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Scheme(StrEnum):
    """How HTTP is spoken."""

    HTTP = "HTTP"
    HTTPS = "HTTPS"


class Method(StrEnum):
    """Requests that change nothing."""

    GET = "GET"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"


class OnProbeFailure(StrEnum):
    """What becomes of a step whose probe has failed failureThreshold times in a row."""

    WAIT = "Wait"
    FAIL = "Fail"


class Header(ProbeModel):
    """One header of a request."""

    name: Annotated[str, Field(pattern=HEADER_NAME, max_length=256, description="Name of the header.")]
    value: Annotated[str, Field(pattern=HEADER_VALUE, max_length=4096, description="Its value.")]


class Http(ProbeModel):
    """What both spellings of an HTTP probe have."""

    host: Annotated[str | None, HOST] = None
    task_name: Annotated[str | None, TASK_NAME] = None
    any_pod: Annotated[bool | None, ANY_POD] = None
    port: Annotated[int, PORT]
    path: Annotated[
        str | None, Field(pattern=PATH, max_length=2048, description="Path and query of the request. Default /.")
    ] = None
    scheme: Annotated[Scheme | None, Field(description="HTTP or HTTPS. Default HTTP.")] = None
    method: Annotated[Method | None, Field(description="GET, HEAD or OPTIONS. Default GET.")] = None
    http_headers: Annotated[
        list[Header] | None,
        Field(alias="httpHeaders", max_length=32, description="Headers to send; Host replaces the host's own name."),
    ] = None
    accepted_status: Annotated[
        str | None,
        Field(
            alias="acceptedStatus",
            pattern=ACCEPTED,
            description="Status codes that are good: 200, 200-299. Default 200-399.",
        ),
    ] = None
    insecure_skip_verify: Annotated[
        bool | None,
        Field(alias="insecureSkipVerify", description="With HTTPS: take any certificate. Default: check it."),
    ] = None

    @property
    def headers(self) -> list[Header]:
        """All headers, whichever field they are in."""
        return list(self.http_headers or ())

    @property
    def check(self) -> HttpCheck:
        """What the engine asks."""
        low, _, high = (self.accepted_status or "200-399").partition("-")
        return HttpCheck(
            scheme=(self.scheme or Scheme.HTTP).value.lower(),
            port=self.port,
            path=self.path or "/",
            method=(self.method or Method.GET).value,
            headers=tuple((header.name, header.value) for header in self.headers),
            accepted=(int(low), int(high or low)),
            verify=not self.insecure_skip_verify,
        )


class HttpGet(Http):
    """The user guide's spelling: headers are a list."""

    http_header: Annotated[
        list[Header] | None, Field(alias="httpHeader", max_length=32, description="The same as httpHeaders.")
    ] = None

    @property
    def headers(self) -> list[Header]:
        """All headers, whichever field they are in."""
        return [*(self.http_headers or ()), *(self.http_header or ())]


class HttpGetEntry(Http):
    """Volcano's API: the header is one object."""

    http_header: Annotated[
        Header | None, Field(alias="httpHeader", description="One header; httpHeaders takes several.")
    ] = None

    @property
    def headers(self) -> list[Header]:
        """All headers, whichever field they are in."""
        return [*(self.http_headers or ()), *([self.http_header] if self.http_header else ())]


class TcpSocket(ProbeModel):
    """A port that accepts a connection."""

    host: Annotated[str | None, HOST] = None
    task_name: Annotated[str | None, TASK_NAME] = None
    any_pod: Annotated[bool | None, ANY_POD] = None
    port: Annotated[int, PORT]

    @property
    def check(self) -> TcpCheck:
        """What the engine asks."""
        return TcpCheck(self.port)


TASK = Field(alias="taskName", min_length=1, max_length=253, description="A task of the target's Job.")
COUNT = Field(ge=1, description="So many of its pods, at least. Default: all its replicas.")
STATUS = "Phase of the pods: Pending, Running, Succeeded (or Completed), Failed, Unknown. Default Succeeded."


class TaskStatusCount(ProbeModel):
    """The user guide's spelling: so many pods of a task in a phase."""

    task_name: Annotated[str, TASK]
    count: Annotated[int | None, COUNT] = None
    status: Annotated[StatusWord | None, Field(description=STATUS)] = None

    @property
    def probe(self) -> TaskProbe:
        """What the engine counts."""
        return TaskProbe(self.task_name, STATUS_WORDS[str(self.status or PodPhase.SUCCEEDED)], self.count)


class TaskStatus(ProbeModel):
    """Volcano's API: pods of a task in a phase, and how many of them."""

    task_name: Annotated[str, TASK]
    phase: Annotated[StatusWord | None, Field(description=STATUS)] = None
    count: Annotated[int | None, COUNT] = None

    @property
    def probe(self) -> TaskProbe:
        """What the engine counts."""
        return TaskProbe(self.task_name, STATUS_WORDS[str(self.phase or PodPhase.SUCCEEDED)], self.count)


class ProbeSpec(ProbeModel):
    """What must answer before a step starts, once its targets have got as far as waitFor says."""

    http_get: Annotated[HttpGet | None, Field(alias="httpGet", description="An HTTP request that is answered.")] = None
    http_get_list: Annotated[
        list[HttpGetEntry] | None,
        Field(alias="httpGetList", max_length=16, description="HTTP requests that are all answered."),
    ] = None
    tcp_socket: Annotated[TcpSocket | None, Field(alias="tcpSocket", description="A port that is open.")] = None
    tcp_socket_list: Annotated[
        list[TcpSocket] | None, Field(alias="tcpSocketList", max_length=16, description="Ports that are all open.")
    ] = None
    task_status_count: Annotated[
        TaskStatusCount | None, Field(alias="taskStatusCount", description="So many pods of a task in a phase.")
    ] = None
    task_status_list: Annotated[
        list[TaskStatus] | None,
        Field(alias="taskStatusList", max_length=16, description="Pods of tasks in phases; all have to hold."),
    ] = None
    period_seconds: Annotated[
        int | None, Field(alias="periodSeconds", ge=1, le=3600, description="How often to ask. Default 5.")
    ] = None
    timeout_seconds: Annotated[
        int | None, Field(alias="timeoutSeconds", ge=1, le=60, description="How long an answer may take. Default 1.")
    ] = None
    initial_delay_seconds: Annotated[
        int | None,
        Field(
            alias="initialDelaySeconds",
            ge=0,
            le=86400,
            description="Wait so long before the first question. Default 0.",
        ),
    ] = None
    success_threshold: Annotated[
        int | None, Field(alias="successThreshold", ge=1, le=100, description="Good answers in a row. Default 1.")
    ] = None
    failure_threshold: Annotated[
        int | None,
        Field(
            alias="failureThreshold", ge=1, le=1000, description="Failures in a row until onProbeFailure. Default 3."
        ),
    ] = None
    on_probe_failure: Annotated[
        OnProbeFailure | None,
        Field(alias="onProbeFailure", description="Wait goes on asking, Fail fails the step. Default Wait."),
    ] = None

    @property
    def network_entries(self) -> list[tuple[str, Http | TcpSocket]]:
        """HTTP and TCP entries, each with its path below `probe`."""
        found: list[tuple[str, Http | TcpSocket]] = []
        found += [("httpGet", self.http_get)] if self.http_get else []
        found += [(f"httpGetList[{index}]", entry) for index, entry in enumerate(self.http_get_list or ())]
        found += [("tcpSocket", self.tcp_socket)] if self.tcp_socket else []
        found += [(f"tcpSocketList[{index}]", entry) for index, entry in enumerate(self.tcp_socket_list or ())]
        return found

    @property
    def task_entries(self) -> list[tuple[str, TaskProbe]]:
        """Task-status entries, each with its path below `probe`."""
        found = [("taskStatusCount", self.task_status_count.probe)] if self.task_status_count else []
        return found + [
            (f"taskStatusList[{index}]", one.probe) for index, one in enumerate(self.task_status_list or ())
        ]

    @property
    def task_names(self) -> list[tuple[str, str]]:
        """The tasks that entries name, each with the entry's path below `probe`."""
        asked = [(where, entry.task_name) for where, entry in self.network_entries if entry.task_name]
        return asked + [(where, probe.task) for where, probe in self.task_entries]


def probes_of(spec: ProbeSpec) -> Probes:
    """What a probe that has no problems means (`validate_probe.py` has the rules)."""
    network = (
        NetworkProbe(
            OfTask(entry.task_name, bool(entry.any_pod)) if entry.task_name else OfHost(entry.host or ""), entry.check
        )
        for _, entry in spec.network_entries
    )
    unset = Timing()
    return Probes(
        network=tuple(dict.fromkeys(network)),
        tasks=tuple(dict.fromkeys(probe for _, probe in spec.task_entries)),
        timing=Timing(
            period=spec.period_seconds or unset.period,
            timeout=spec.timeout_seconds or unset.timeout,
            initial_delay=spec.initial_delay_seconds or 0,
            successes=spec.success_threshold or unset.successes,
            failures=spec.failure_threshold or unset.failures,
        ),
        fail=spec.on_probe_failure is OnProbeFailure.FAIL,
    )
