"""Stored: what of a status is left once the installed CRD has been through it.

In: a status and the fields that the CRD lacks. Out: the status without them. Two statuses that are stored alike are
not worth a write: an API server would drop the difference, and say nothing.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from jobflow.api.fields import Path, without
from jobflow.api.status import JobFlowStatus, JobTemplateStatus

S = TypeVar("S", JobFlowStatus, JobTemplateStatus)


def stored(status: S, missing: frozenset[Path]) -> S:
    """The status as an API server keeps it."""
    gone = [path[1:] for path in missing if path[0] == "status"]
    if not gone:
        return status
    return msgspec.convert(without(msgspec.to_builtins(status), gone), type(status))
