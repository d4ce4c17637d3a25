"""Asked: what a flow's spec asks for, read from the object as it is stored.

In: the body of a JobFlow, or one step of it. Out: its steps, their edges, their retries and deadlines, as numbers and
names. Like `reading.py` it uses nothing of the controller's own reading of a spec.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from jobflow.api.durations import parse_duration
from jobflow.testing.history import Body

STEP_IN_EXPRESSION = re.compile(r"steps(?:\['([^']+)'\]|\[\"([^\"]+)\"\]|\.([A-Za-z_][A-Za-z0-9_]*))")
# Fields of a flow and of a step that make more of it than steps which wait for the success of others.
CONTROL = ("activeDeadlineSeconds", "failurePolicy", "onExit", "retry", "successPolicy", "switch")
STEP_CONTROL = (
    "activeDeadlineSeconds",
    "continueOnFail",
    "pendingDeadlineSeconds",
    "retry",
    "retryPolicy",
    "when",
)
DEPENDS_CONTROL = ("strategy", "targetsWithStatus", "orGroups", "expression")
MAX_BACKOFF_SECONDS = 3600.0  # where the spec says no maxDuration


class Retry(NamedTuple):
    """How often a step may be tried again, and how long it waits before attempt n at least."""

    limit: int
    seconds: float
    factor: int
    most: float
    choosy: bool = False  # it asks for more than that the Job has failed

    def before(self, attempt: int) -> float:
        """Seconds between the end of the attempt before and this one (from 1)."""
        return min(self.seconds * float(self.factor ** (attempt - 1)), self.most)


def steps_of(flow: Body) -> dict[str, Body]:
    """The steps by name, those of onExit last."""
    spec = flow.get("spec") or {}
    return {step["name"]: step for step in (*(spec.get("flows") or ()), *(spec.get("onExit") or ()))}


def exits(flow: Body) -> frozenset[str]:
    """Names of the onExit steps."""
    return frozenset(step["name"] for step in (flow.get("spec") or {}).get("onExit") or ())


def is_plain(flow: Body) -> bool:
    """No field of the spec changes what a failure or a success means: all steps have to succeed."""
    spec = flow.get("spec") or {}
    return not any(field in spec for field in CONTROL) and all(map(waits_plainly, steps_of(flow).values()))


def waits_plainly(step: Body) -> bool:
    """It starts when all its targets have succeeded, once, and has no time to keep."""
    depends = step.get("dependsOn") or {}
    return not any(field in step for field in STEP_CONTROL) and not any(field in depends for field in DEPENDS_CONTROL)


def groups(step: Body) -> Iterator[Body]:
    """The ways in which its gate may open: what dependsOn itself says, and each of orGroups."""
    depends = step.get("dependsOn") or {}
    base = {field: depends[field] for field in ("targets", "strategy", "targetsWithStatus") if field in depends}
    if base.get("targets") or base.get("targetsWithStatus") or not depends.get("orGroups"):
        yield base
    yield from depends.get("orGroups") or ()


def edges(step: Body) -> tuple[str, ...]:
    """Every step that its dependsOn names."""
    depends = step.get("dependsOn") or {}
    named = [name for group in groups(step) for name in group.get("targets") or ()]
    named += [item["name"] for group in groups(step) for item in group.get("targetsWithStatus") or ()]
    named += ["".join(found) for found in STEP_IN_EXPRESSION.findall(depends.get("expression") or "")]
    return tuple(dict.fromkeys(named))


def retry_of(flow: Body, name: str) -> Retry:
    """How a step may be tried again: its own words, else the flow's."""
    step = steps_of(flow).get(name, {})
    written = step.get("retry") or step.get("retryPolicy") or (flow.get("spec") or {}).get("retry") or {}
    backoff = written.get("backoff") or {}
    seconds = parse_duration(backoff.get("duration") or written.get("interval") or "0s")
    most = parse_duration(backoff["maxDuration"]) if "maxDuration" in backoff else MAX_BACKOFF_SECONDS
    limit = written.get("limit", written.get("maxRetries", 0))
    choosy = bool(written.get("when")) or written.get("policy", "OnFailure") == "OnEviction"
    return Retry(int(limit), seconds, int(backoff.get("factor") or 1), most, choosy)


def flow_seconds(flow: Body) -> float | None:
    """`spec.activeDeadlineSeconds`."""
    return _number((flow.get("spec") or {}).get("activeDeadlineSeconds"))


def active_seconds(flow: Body, name: str) -> float | None:
    """The step's own activeDeadlineSeconds."""
    return _number(steps_of(flow).get(name, {}).get("activeDeadlineSeconds"))


def pending_seconds(flow: Body, name: str) -> float | None:
    """The step's own pendingDeadlineSeconds."""
    return _number(steps_of(flow).get(name, {}).get("pendingDeadlineSeconds"))


def ttl_seconds(flow: Body) -> float | None:
    """`spec.ttlSecondsAfterFinished`."""
    return _number((flow.get("spec") or {}).get("ttlSecondsAfterFinished"))


def fails_fast(flow: Body) -> bool:
    """What still runs is ended when the end is decided."""
    return (flow.get("spec") or {}).get("failurePolicy") == "FailFast"


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))
