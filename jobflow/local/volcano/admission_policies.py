"""What Volcano's admission says of lifecycle policies.

In: the policies of a Job or of a task, and their field path. Out: complaints in Volcano's words, with the path of the
policy that is meant. `JobUnknown`, which Volcano's guide writes, is taken as `Unknown`. Volcano does not look at the
action of a policy with an exit code, and then does nothing when the code comes; here it is refused as any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jobflow.api.durations import parse_duration
from jobflow.api.policies import ANY_EVENT, EVENT_ALIASES
from jobflow.local.volcano.objects import PolicyObject
from jobflow.local.volcano.occurrences import PodEvent
from jobflow.local.volcano.phases import Action

VALID_EVENTS = (ANY_EVENT, *PodEvent)
VALID_ACTIONS = tuple(action for action in Action if action is not Action.SYNC_JOB)
VALID = f"valid events are [{' '.join(VALID_EVENTS)}], valid actions are [{' '.join(VALID_ACTIONS)}];"


def policy_problems(policies: Iterable[PolicyObject], path: str) -> Iterator[str]:
    """All complaints, the words that are valid after the last."""
    found = list(_problems(policies, path))
    if found:
        yield from (f"{problem};" for problem in found)
        yield VALID


def _problems(policies: Iterable[PolicyObject], path: str) -> Iterator[str]:
    events: set[str] = set()
    codes: set[int] = set()
    for position, policy in enumerate(policies):
        place = f"{path}[{position}]"
        named = {EVENT_ALIASES.get(event, event) for event in (*policy.events, policy.event) if event}
        if named and policy.exit_code is not None:
            yield f"{place}: must not specify event and exitCode simultaneously"
        elif not named and policy.exit_code is None:
            yield f"{place}: either event and exitCode should be specified"
        yield from _words(policy, sorted(named), place)
        for event in sorted(named & events):
            yield f"{place}: duplicate event {event}  across different policy"
        events |= named
        if policy.exit_code == 0:
            yield f"{place}: 0 is not a valid error code"
        elif policy.exit_code is not None:
            if policy.exit_code in codes:
                yield f"{place}: duplicate exitCode {policy.exit_code}"
            codes.add(policy.exit_code)
    if ANY_EVENT in events and len(events) > 1:
        yield f"{path}: if there's * here, no other policy should be here"


def _words(policy: PolicyObject, named: list[str], place: str) -> Iterator[str]:
    for event in named:
        if event not in VALID_EVENTS:
            yield f'{place}: Invalid value: "{event}": invalid policy event'
    if policy.action not in VALID_ACTIONS:
        yield f'{place}: Invalid value: "{policy.action}": invalid policy action'
    try:
        parse_duration(policy.timeout or "0")
    except ValueError as error:
        yield f"{place}: invalid policy timeout: {error}"
