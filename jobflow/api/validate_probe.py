"""Rules of a step's probes that span fields.

In: a step's `dependsOn`, its path. Out: Problems. What one field may hold (a port, a header's characters) the schema
says; here is what makes probes impossible or ambiguous as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from jobflow.api.probe_spec import Http, ProbeSpec, TcpSocket, probes_of
from jobflow.api.probes import WaitFor
from jobflow.api.problems import Problem

ASKING = (
    "period_seconds",
    "timeout_seconds",
    "initial_delay_seconds",
    "success_threshold",
    "failure_threshold",
    "on_probe_failure",
)
HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9])?)*\.?"
)


def probe_problems(probe: ProbeSpec, wait_for: WaitFor | None, targets: int, path: str) -> list[Problem]:
    """What is wrong with the probes of a step that has `targets` targets; `path` is that of its dependsOn."""
    entries = probe.network_entries
    if not entries and not probe.task_entries:
        said = "a probe without an entry asks nothing; add httpGet, tcpSocket or taskStatusCount, or take it away"
        return [Problem(f"{path}.probe", said)]
    problems = [problem for where, entry in entries for problem in _entry_problems(entry, f"{path}.probe.{where}")]
    if not entries:
        problems += _timing_problems(probe, f"{path}.probe")
    return problems or list(_target_problems(probe, wait_for, targets, path))


def _timing_problems(probe: ProbeSpec, path: str) -> Iterator[Problem]:
    """What says how to ask, where nobody is asked: counts of pods come with the Job."""
    for name, field in type(probe).model_fields.items():
        if name in ASKING and getattr(probe, name) is not None:
            said = "has no effect on the status of tasks, which is not asked for but told; take it away"
            yield Problem(f"{path}.{field.alias}", said)


def _entry_problems(entry: Http | TcpSocket, path: str) -> Iterator[Problem]:
    if bool(entry.host) == bool(entry.task_name):
        said = "either host or taskName says whom to ask" + ("; take one of them away" if entry.host else "; add one")
        yield Problem(path, said)
    elif entry.host and not _is_host(entry.host):
        yield Problem(f"{path}.host", f'"{entry.host}" is neither the name of a host nor an IP address')
    elif entry.any_pod and entry.host:
        yield Problem(f"{path}.anyPod", "anyPod speaks of the pods of a task; it goes with taskName")
    if isinstance(entry, Http):
        yield from _http_problems(entry, path)


def _http_problems(entry: Http, path: str) -> Iterator[Problem]:
    values: dict[str, str] = {}
    for header in entry.headers:
        if values.setdefault(header.name.lower(), header.value) != header.value:
            yield Problem(path, f'header "{header.name}" has two values; say it once')
    if entry.insecure_skip_verify and entry.check.scheme != "https":
        yield Problem(f"{path}.insecureSkipVerify", "there is no certificate to check without scheme: HTTPS")
    low, high = entry.check.accepted
    if low > high:
        yield Problem(f"{path}.acceptedStatus", f'"{entry.accepted_status}" ends before it begins')


def _target_problems(probe: ProbeSpec, wait_for: WaitFor | None, targets: int, path: str) -> Iterator[Problem]:
    meant = probes_of(probe)
    tasks = sorted(meant.probed_tasks | {entry.task for entry in meant.tasks})
    if tasks and not targets:
        said = f'task "{tasks[0]}" is a task of a target\'s Job, and there are no targets'
        yield Problem(f"{path}.targets", said)
    elif meant.while_it_runs and wait_for is WaitFor.COMPLETED:
        said = "a probe of a task that runs can never hold once the targets have completed; waitFor: Running is meant"
        yield Problem(f"{path}.waitFor", said)
    elif meant.while_it_runs and wait_for is None and targets > 1:
        said = (
            "with several targets and a probe that only holds while they run, it must be said what is waited for; "
            "Running means that all of them run (or have completed)"
        )
        yield Problem(f"{path}.waitFor", said)


def _is_host(text: str) -> bool:
    try:
        ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return HOST_NAME.fullmatch(text) is not None
    return True
