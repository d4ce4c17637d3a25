"""Probes as the engine sees them: what a step wants to know before it starts, what is asked, what was answered.

In: `jobflow.api.probe_spec` makes a Probes of a step's `dependsOn`. Out: Questions, which a plan wants asked, and
Answers, which the next snapshot brings. A question is a value: two steps that ask the same within a namespace are
answered by one probe.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jobflow.api.config_keys import ConfigFound, ConfigKeys
from jobflow.api.exits import ExitsFound, ExitsOf
from jobflow.api.outputs import OutputsFound, OutputsOf


class PodPhase(StrEnum):
    """The phases of a pod, by which Volcano counts the pods of a task."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"

    @property
    def terminal(self) -> bool:
        """Pods that reached it stay in it, so that it can still be counted when the Job has ended."""
        return self in (PodPhase.SUCCEEDED, PodPhase.FAILED)


class WaitFor(StrEnum):
    """Which state of its targets a step waits for."""

    COMPLETED = "Completed"
    RUNNING = "Running"  # holds when they run, and when they have completed


@dataclass(frozen=True, slots=True)
class OfHost:
    """A name, or an address, that the user wrote."""

    host: str


@dataclass(frozen=True, slots=True)
class OfTask:
    """The pods of a task of the target's Job: each of them, or any one."""

    task: str
    any_pod: bool = False


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """A request, and which answers to it are good. `accepted` are the lowest and the highest status code."""

    scheme: str
    port: int
    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    accepted: tuple[int, int] = (200, 399)
    verify: bool = True

    def told(self, host: str) -> str:
        """`GET http://10.0.0.7:8080/health`, without the headers: they may hold a secret."""
        return f"{self.method} {self.scheme}://{_bracketed(host)}:{self.port}{self.path.partition('?')[0]}"


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """A connection that is accepted."""

    port: int

    def told(self, host: str) -> str:
        """`connect 10.0.0.7:5432`."""
        return f"connect {_bracketed(host)}:{self.port}"


Check = HttpCheck | TcpCheck


@dataclass(frozen=True, slots=True)
class NetworkProbe:
    """One entry of a step's HTTP or TCP probes."""

    where: OfHost | OfTask
    check: Check


@dataclass(frozen=True, slots=True)
class TaskProbe:
    """One entry of a step's task-status probes: so many pods of the task in the phase; None means all replicas."""

    task: str
    phase: PodPhase
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """How often, how long and how many times a network probe asks. Seconds."""

    period: int = 5
    timeout: int = 1
    initial_delay: int = 0
    successes: int = 1
    failures: int = 3


@dataclass(frozen=True, slots=True)
class Probes:
    """All probes of one step. Every one has to hold."""

    network: tuple[NetworkProbe, ...] = ()
    tasks: tuple[TaskProbe, ...] = ()
    timing: Timing = Timing()
    fail: bool = False  # whether a probe that failed `timing.failures` times in a row fails the step

    @property
    def probed_tasks(self) -> frozenset[str]:
        """Tasks of the targets whose pods are asked over the network."""
        return frozenset(probe.where.task for probe in self.network if isinstance(probe.where, OfTask))

    @property
    def while_it_runs(self) -> bool:
        """One of them can only hold while its target runs: the pods are gone afterwards."""
        return bool(self.probed_tasks) or any(not probe.phase.terminal for probe in self.tasks)


@dataclass(frozen=True, slots=True)
class PodAddress:
    """One pod. Its UID is part of the question: what another pod answered at the same address says nothing."""

    uid: str
    ip: str
    host_network: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask this over the network until nobody wants to know any more."""

    namespace: str
    address: PodAddress | OfHost
    check: Check
    timing: Timing

    @property
    def told(self) -> str:
        """What is asked of whom, for a message."""
        return self.check.told(self.address.ip if isinstance(self.address, PodAddress) else self.address.host)


@dataclass(frozen=True, slots=True)
class PodList:
    """Which pods does this Job have? For Jobs whose pods carry no label that a watch could select them by."""

    namespace: str
    job: str
    job_uid: str
    period: int


Question = Probe | PodList | OutputsOf | ExitsOf | ConfigKeys


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a probe has found. `message` is the last observation, with how often and for how long it has been so."""

    passed: bool
    message: str
    failed: bool = False  # as many times in a row as `Timing.failures` says


@dataclass(frozen=True, slots=True)
class PodView:
    """What a probe needs to know of a pod that Volcano made."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    job: str
    job_uid: str
    task: str
    phase: PodPhase
    ip: str = ""
    host_network: bool = False
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class PodsFound:
    """The pods of a Job at one moment; `problem` where they could not be listed."""

    pods: tuple[PodView, ...] = ()
    problem: str = ""


Answer = Verdict | PodsFound | OutputsFound | ExitsFound | ConfigFound


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
