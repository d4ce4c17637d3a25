"""Deadlines that can never be reached: what is valid, and not what was meant.

In: the document of a JobFlow. Out: a warning at each step's deadline that is longer than the flow's own: the flow's
begins before it, and comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobflow.cli.documents import Document, Finding, Severity

STEP_DEADLINES = ("activeDeadlineSeconds", "pendingDeadlineSeconds")
OF_FLOW = "activeDeadlineSeconds"


def deadline_findings(document: Document) -> Iterator[Finding]:
    """A warning for each deadline that the flow's own comes before."""
    spec = document.data.get("spec")
    if not isinstance(spec, Mapping):
        return
    whole = _seconds(spec, OF_FLOW)
    flows = spec.get("flows")
    if whole is None or not isinstance(flows, list):
        return
    for index, step in enumerate(flows):  # and not those of onExit, which the flow's deadline does not end
        for field in STEP_DEADLINES:
            seconds = _seconds(step, field)
            if seconds is not None and seconds > whole:
                said = (
                    f"{seconds} s are never reached: the flow's own activeDeadlineSeconds ends everything after "
                    f"{whole} s; make this one shorter, or that one longer"
                )
                yield document.finding(Severity.WARNING, f"spec.flows[{index}].{field}", said)


def _seconds(fields: Any, name: str) -> int | None:
    """What is written there, where that is a number of seconds; what is not is told by the rules."""
    found = fields.get(name) if isinstance(fields, Mapping) else None
    return found if type(found) is int and found > 0 else None
