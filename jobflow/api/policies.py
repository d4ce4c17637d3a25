"""Policies of a Volcano Job or task: the words they are written in, and which of them Volcano refuses.

In: the `policies` list of a Job or of a task, as parsed. Out: Problems with field paths. Volcano's guide
writes the event `JobUnknown` where its API has `Unknown`: both are accepted in templates, and
`canonical_job_spec` gives what may be sent to Volcano.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobflow.api.problems import Problem, suggestion_or_list

ANY_EVENT = "*"
POLICY_EVENTS = (
    ANY_EVENT, "PodFailed", "PodEvicted", "PodPending", "Unknown", "TaskCompleted", "TaskFailed", "JobUpdated",
)  # fmt: skip
INTERNAL_EVENTS = (
    "PodRunning",
    "OutOfSync",
    "CommandIssued",
)  # in Volcano's schema, refused by its admission
POLICY_ACTIONS = (
    "AbortJob", "RestartJob", "RestartTask", "RestartPod", "RestartPartition", "TerminateJob", "CompleteJob",
    "ResumeJob",
)  # fmt: skip
EVENT_ALIASES = {"JobUnknown": "Unknown"}
ALREADY = "another policy is for the same already"

Fields = Mapping[str, Any]


def policy_problems(policies: Sequence[Fields], path: str) -> list[Problem]:
    """Problems of one list of policies; `path` is the list's."""
    problems: list[Problem] = []
    events: dict[str, str] = {}
    codes: dict[int, str] = {}
    for index, policy in enumerate(policies):
        place = f"{path}[{index}]"
        given = _events(policy, place)
        code = policy.get("exitCode")
        if given and code is not None:
            problems.append(Problem.plain(place, "give event (or events) or exitCode, not both"))
        elif code is not None:
            problems += _exit_code_problems(code, f"{place}.exitCode", codes)
        elif given:
            problems += _event_problems(given, events)
            problems += _action_problems(policy.get("action"), f"{place}.action")
        else:
            problems.append(Problem.plain(place, "give an event, events or an exitCode for the policy to act on"))
    if ANY_EVENT in events and len(events) > 1:
        said = 'event "*" already stands for every event; no other event can be given beside it'
        problems.append(Problem.plain(events[ANY_EVENT], said))
    return problems


def canonical_job_spec(spec: Fields) -> dict[str, Any]:
    """A Job spec in the words of Volcano's API: aliases of events replaced, all else as it is.

    What is changed is copied; the spec given stays as it was.
    """
    canonical = dict(spec)
    if "policies" in spec:
        canonical["policies"] = _canonical_policies(spec["policies"])
    if isinstance(tasks := spec.get("tasks"), list):
        canonical["tasks"] = [
            {**task, "policies": _canonical_policies(task["policies"])}
            if isinstance(task, Mapping) and "policies" in task
            else task
            for task in tasks
        ]
    return canonical


def _canonical_policies(policies: Any) -> Any:
    if not isinstance(policies, list):
        return policies
    return [_canonical_policy(policy) if isinstance(policy, Mapping) else policy for policy in policies]


def _canonical_policy(policy: Fields) -> dict[str, Any]:
    canonical = dict(policy)
    if "event" in policy:
        canonical["event"] = _canonical_event(policy["event"])
    if isinstance(events := policy.get("events"), list):
        canonical["events"] = [_canonical_event(event) for event in events]
    return canonical


def _canonical_event(event: Any) -> Any:
    return EVENT_ALIASES.get(event, event) if isinstance(event, str) else event


def _events(policy: Fields, place: str) -> list[tuple[str, str]]:
    """The events of a policy in Volcano's words, each with its field path."""
    given = []
    if isinstance(event := policy.get("event"), str) and event:
        given.append((event, f"{place}.event"))
    if isinstance(events := policy.get("events"), list):
        given += [(event, f"{place}.events[{i}]") for i, event in enumerate(events) if isinstance(event, str)]
    unique = {EVENT_ALIASES.get(event, event): path for event, path in reversed(given)}
    return list(unique.items())[::-1]


def _event_problems(given: Sequence[tuple[str, str]], seen: dict[str, str]) -> list[Problem]:
    problems = []
    for event, path in given:
        if event not in POLICY_EVENTS:
            hint = suggestion_or_list(event, POLICY_EVENTS, "the events are")
            rule = f"is not an event that a policy can act on; the events are {', '.join(POLICY_EVENTS)}"
            problems.append(Problem(path, f'"{event}" is not an event that a policy can act on{hint}', rule))
        elif event in seen:
            problems.append(Problem(path, f'event "{event}" already has a policy, at {seen[event]}', ALREADY))
        else:
            seen[event] = path
    return problems


def _exit_code_problems(code: Any, path: str, seen: dict[int, str]) -> list[Problem]:
    if not isinstance(code, int):
        return []  # the schema tells the wrong type
    if code == 0:
        return [Problem.plain(path, "exit code 0 is success; a policy acts on another code")]
    if code in seen:
        return [Problem(path, f"exit code {code} already has a policy, at {seen[code]}", ALREADY)]
    seen[code] = path
    return []


def _action_problems(action: Any, path: str) -> list[Problem]:
    if action in POLICY_ACTIONS:
        return []
    known = f"the actions are {', '.join(POLICY_ACTIONS)}"
    if not action:
        return [Problem.plain(path, f"a policy needs an action; {known}")]
    hint = suggestion_or_list(str(action), POLICY_ACTIONS, "the actions are")
    return [Problem(path, f'"{action}" is not an action{hint}', f"is not an action; {known}")]
