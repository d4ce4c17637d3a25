"""Pause: is there a reason to leave this flow alone for now?

In: a snapshot, and what its plan would do. Out: a Pause, or None. While a flow is paused nothing of it is created,
deleted or written, its status included: a write would take the status from another controller that is at work on it,
or would make an API server whose CRD lost our fields drop them from the stored spec for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import msgspec

from jobflow.api.fields import ITEM, VALUE, Path, places
from jobflow.api.status import Reason
from jobflow.reconcile.graph import SHARED_SPECS
from jobflow.reconcile.snapshot import Snapshot

QUIET_SECONDS = 300.0  # how long another controller has to be silent before the flow is ours again
NAMED_FIELDS = 3


@dataclass(frozen=True, slots=True)
class Pause:
    """Why nothing is done, and until when; None where only a change ends it."""

    reason: Reason
    message: str
    until: datetime | None = None


def pause(snapshot: Snapshot) -> Pause | None:
    """Why this flow should be left alone now."""
    return _outdated(snapshot) or _foreign(snapshot)


def _outdated(snapshot: Snapshot) -> Pause | None:
    """The flow uses fields that the installed CRD has lost; or it did, and is read without them now."""
    gone = [place for path, place in snapshot.flow.uses if path in snapshot.missing] or snapshot.flow.lost
    if not gone:
        return None
    more = f" and {len(gone) - NAMED_FIELDS} more" if len(gone) > NAMED_FIELDS else ""
    return Pause(
        Reason.CRD_OUTDATED,
        f"the installed CRD has lost {', '.join(gone[:NAMED_FIELDS])}{more}, which this flow uses; it is left alone "
        "until jobflow's CRDs are applied again, and should not be written to before: what is missing then from its "
        "spec is gone, and the JobFlow has to be created anew",
    )


def _foreign(snapshot: Snapshot) -> Pause | None:
    """Another controller has written the status since we did, or since we started where we never did."""
    write = snapshot.foreign
    if write is None or (write.noticed is None and write.at <= write.since):
        return None
    until = (write.noticed or write.at) + timedelta(seconds=QUIET_SECONDS)
    if until <= snapshot.now:
        return None
    return Pause(
        Reason.FOREIGN_CONTROLLER,
        f"{write.manager} has written the status of this flow; it is left alone until {write.manager} has not for "
        f"{QUIET_SECONDS:.0f} s: switch off one of the two controllers",
        until,
    )


@lru_cache(maxsize=SHARED_SPECS)
def uses(spec: bytes, added: frozenset[Path]) -> tuple[tuple[Path, str], ...]:
    """Which of the added fields a flow's spec uses, and where; found once for specs that are alike to the byte."""
    asked = [path for path, keys in _keys(added) if all(key in spec for key in keys)]
    if not asked:
        return ()
    tree = {"spec": msgspec.json.decode(spec)}
    return tuple((path, place) for path in asked for place in places(tree, path))


@lru_cache(maxsize=8)
def _keys(added: frozenset[Path]) -> tuple[tuple[Path, tuple[bytes, ...]], ...]:
    """The fields of the spec, each with the keys that JSON has where it is used; the one that tells most first."""
    return tuple(
        (path, tuple(f'"{name}"'.encode() for name in reversed(path[1:]) if name not in (ITEM, VALUE)))
        for path in sorted(path for path in added if path[0] == "spec")
    )
