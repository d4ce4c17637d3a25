"""Pods: those whose task a probe asks over the network, by their Job.

In: one reflector's lists and events, of pods that carry our label. Out: look-ups by the UID of the Job, one notice
per change. They are few: only tasks that a later step's probe names are labelled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jobflow.api.probes import PodView
from jobflow.cache.store import Store

Notice = Callable[[PodView | None, PodView | None], None]


class Pods:
    """All probed pods in the cache, indexed."""

    def __init__(self, on_change: Notice) -> None:
        self._on_change = on_change
        self._store = Store[tuple[str, str], PodView](
            key=lambda pod: (pod.namespace, pod.name),
            on_change=self._changed,
        )
        self._by_job: dict[str, dict[str, PodView]] = {}

    def __len__(self) -> int:
        return len(self._store)

    def of_job(self, job_uid: str) -> tuple[PodView, ...]:
        """The pods of one Job, by name."""
        return tuple(sorted(self._by_job.get(job_uid, {}).values(), key=lambda pod: pod.name))

    def replace(self, objects: Sequence[PodView], resource_version: str) -> None:
        """Take a whole list."""
        self._store.replace(objects, resource_version)

    def put(self, obj: PodView) -> None:
        """Take a pod as it is now."""
        self._store.put(obj)

    def remove(self, obj: PodView) -> None:
        """Take a pod's end."""
        self._store.remove(obj)

    def _changed(self, old: PodView | None, new: PodView | None) -> None:
        if old is not None and (new is None or new.uid != old.uid):
            members = self._by_job.get(old.job_uid, {})
            members.pop(old.uid, None)
            if not members:
                self._by_job.pop(old.job_uid, None)
        if new is not None:
            self._by_job.setdefault(new.job_uid, {})[new.uid] = new
        self._on_change(old, new)
