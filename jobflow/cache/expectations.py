"""Expectations: our own writes that the watch has not brought back yet.

In: what was written, by flow UID. Out: whether the cache has caught up with it. Until it has, the flow is not
reconciled: acting on a view that lacks our last create or status is how controllers run a step twice. Both
streams of a busy API server may lag by seconds, each on its own. What never comes (a broken stream) is given up
after a while: names are deterministic and statuses carry a resourceVersion, so a late look does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow.cache.children import Children

GIVE_UP_SECONDS = 120.0  # longer than the silence after which a dead watch is replaced by a list


@dataclass(slots=True)
class Expected:
    """What one flow waits for; `since` is monotonic seconds of the last write."""

    since: float
    created: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    flow_version: int = 0


class Expectations:
    """Writes not yet seen, by flow UID."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._expected: dict[str, Expected] = {}

    def __len__(self) -> int:
        return len(self._expected)

    def created(self, flow_uid: str, uid: str, now: float) -> None:
        """A child was created."""
        if not self._children.has_seen(flow_uid, uid):
            self._of(flow_uid, now).created.add(uid)

    def deleted(self, flow_uid: str, uid: str, now: float) -> None:
        """A child's deletion was accepted."""
        if self._children.exists(flow_uid, uid):
            self._of(flow_uid, now).deleted.add(uid)

    def wrote_status(self, flow_uid: str, resource_version: str, now: float) -> None:
        """The flow's status was written as `resource_version`."""
        self._of(flow_uid, now).flow_version = _number(resource_version)

    def waiting(self, flow_uid: str, flow_version: str, now: float) -> float | None:
        """Seconds after which to look again at the latest, or None: the cache has everything."""
        expected = self._expected.get(flow_uid)
        if expected is None:
            return None
        expected.created = {uid for uid in expected.created if not self._children.has_seen(flow_uid, uid)}
        expected.deleted = {uid for uid in expected.deleted if self._children.exists(flow_uid, uid)}
        caught_up = expected.flow_version <= _number(flow_version)
        left = expected.since + GIVE_UP_SECONDS - now
        if (caught_up and not expected.created and not expected.deleted) or left <= 0:
            del self._expected[flow_uid]
            return None
        return left

    def forget(self, flow_uid: str) -> None:
        """The flow is gone."""
        self._expected.pop(flow_uid, None)

    def _of(self, flow_uid: str, now: float) -> Expected:
        expected = self._expected.setdefault(flow_uid, Expected(now))
        expected.since = now
        return expected


def _number(resource_version: str) -> int:
    """Kubernetes 1.35 promises that versions of one kind compare as numbers; before that etcd's did."""
    return int(resource_version) if resource_version.isdigit() else 0
