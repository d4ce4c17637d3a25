"""Children: the workload objects that flows own, by owner and by template, and those that vanished too early.

In: one reflector's lists and events (it is their sink). Out: look-ups by flow UID and by template, one notice per
change. A child that is deleted is kept in its last state until its flow's committed status has its end: the
watch may bring "Completed" and "deleted" between two reconciles, and a finished step must never run twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from jobflow.api.children import ChildView
from jobflow.api.status import FlowStatus, JobFlowStatus
from jobflow.cache.store import Store

Notice = Callable[[ChildView | None, ChildView | None], None]


class Children:
    """All children in the cache, indexed."""

    def __init__(self, on_change: Notice) -> None:
        self._on_change = on_change
        self._store = Store[tuple[str, str], ChildView](
            key=lambda child: (child.namespace, child.name),
            on_change=self._changed,
        )
        self._by_flow: dict[str, dict[str, ChildView]] = {}
        self._by_template: dict[str, dict[str, ChildView]] = {}
        self._vanished: dict[str, dict[str, ChildView]] = {}
        self._incarnations: dict[tuple[str, str], set[str]] = {}  # UIDs of flows by name, of which some vanished

    def __len__(self) -> int:
        return len(self._store)

    def named(self, namespace: str, name: str) -> ChildView | None:
        """The child of this name, whoever owns it."""
        return self._store.get((namespace, name))

    def of_flow(self, flow_uid: str) -> tuple[ChildView, ...]:
        """The children that exist whose controller owner is this flow."""
        return tuple(self._by_flow.get(flow_uid, {}).values())

    def of_template(self, owner_text: str) -> Iterable[ChildView]:
        """The children made from the template `<namespace>.<name>`."""
        return self._by_template.get(owner_text, {}).values()

    def vanished(self, flow_uid: str) -> tuple[ChildView, ...]:
        """Children of this flow that are gone and whose end may not be committed."""
        return tuple(self._vanished.get(flow_uid, {}).values())

    def exists(self, flow_uid: str, uid: str) -> bool:
        """The child is there and is not being deleted."""
        child = self._by_flow.get(flow_uid, {}).get(uid)
        return child is not None and not child.deleting

    def has_seen(self, flow_uid: str, uid: str) -> bool:
        """The child is there, or was and has vanished."""
        return uid in self._by_flow.get(flow_uid, {}) or uid in self._vanished.get(flow_uid, {})

    def settle(self, flow_uid: str, status: JobFlowStatus) -> None:
        """Forget vanished children whose end, or whose successor, the committed status has.

        That a later attempt of their step is due says that they have ended, whether or not it has begun.
        """
        vanished = self._vanished.get(flow_uid)
        if not vanished:
            return
        records = {record.jobName: record for record in status.flowStatuses}
        steps = {record.name: record for record in status.flowStatuses}
        still = {
            uid: child
            for uid, child in vanished.items()
            if not ((record := records.get(child.name)) and _is_told(child, record, vanished))
            and not _is_of_earlier_attempt(child, steps)
        }
        if still:
            self._vanished[flow_uid] = still
        else:
            del self._vanished[flow_uid]

    def forget(self, namespace: str, flow: str) -> None:
        """The flow is gone: what vanished of it, in whatever incarnation, matters to nobody.

        Its children usually go after it (background deletion), so this is asked when the last news of it is handled.
        """
        for flow_uid in self._incarnations.pop((namespace, flow), ()):
            self._vanished.pop(flow_uid, None)

    def replace(self, objects: Sequence[ChildView], resource_version: str) -> None:
        """Take a whole list."""
        self._store.replace(objects, resource_version)

    def put(self, obj: ChildView) -> None:
        """Take a child as it is now."""
        self._store.put(obj)

    def remove(self, obj: ChildView) -> None:
        """Take a child's end."""
        self._store.remove(obj)

    def _changed(self, old: ChildView | None, new: ChildView | None) -> None:
        if old is not None and (new is None or new.uid != old.uid):
            _drop(self._by_flow, old.flow_uid, old.uid)
            _drop(self._by_template, old.template, old.uid)
            if old.flow_uid:
                self._vanished.setdefault(old.flow_uid, {})[old.uid] = old
                self._incarnations.setdefault((old.namespace, old.flow), set()).add(old.flow_uid)
        if new is not None:
            if new.flow_uid:
                self._by_flow.setdefault(new.flow_uid, {})[new.uid] = new
            if new.template:
                self._by_template.setdefault(new.template, {})[new.uid] = new
        self._on_change(old, new)


def _is_told(child: ChildView, record: FlowStatus, vanished: Mapping[str, ChildView]) -> bool:
    """Whether the committed record says all that this vanished child could: a result, or a later child of the step.

    A record of an earlier child does not: this one may have finished since, and must not run again.
    """
    if record.phase.settled:
        return True
    if record.jobUID in ("", child.uid) or record.jobUID in vanished:
        return False
    return record.startTime is not None and child.created <= record.startTime


def _is_of_earlier_attempt(child: ChildView, steps: Mapping[str, FlowStatus]) -> bool:
    """Whether the committed record of its step is of a later attempt, or of a result that none follows."""
    step = child.node.step if child.node is not None else child.name.removeprefix(f"{child.flow}-")
    record = steps.get(step)
    if record is None:
        return False
    attempt = child.node.attempt if child.node is not None else 0
    return attempt < record.attempt or (attempt > 0 and record.phase.settled)


def _drop(index: dict[str, dict[str, ChildView]], key: str, uid: str) -> None:
    members = index.get(key)
    if members is not None:
        members.pop(uid, None)
        if not members:
            del index[key]
