"""Scheduler: lets gangs in, and tells in each PodGroup where it stands.

In: PodGroups, the pods of Jobs, Nodes, Queues. Out: the status of each PodGroup. A gang is let in (Inqueue) when the
nodes, and its queue's capability, have room for what it asks for at least, beside all gangs let in before it; until
then its Job has no pods. Without a Node that says what it has, there is always room on nodes. The oldest gang is asked
first, and smaller ones may pass one that does not fit, as in Volcano. What is asked for by pods beyond the minimum is
the kubelet's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime

import msgspec

from jobflow.api.resources import POD_GROUP, Resource
from jobflow.cache.store import Store
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import Conflict, NotFound
from jobflow.kube.reflector import Reflector
from jobflow.local.volcano.amounts import Amounts, add
from jobflow.local.volcano.gang_status import Room, next_status, taken
from jobflow.local.volcano.pod_objects import PodView
from jobflow.local.volcano.queues import Queues
from jobflow.local.volcano.scheduling_objects import (
    PENDING,
    Group,
    GroupStatus,
    Node,
    NodeObject,
    node_view,
)
from jobflow.local.worker import work
from jobflow.work.queue import WorkQueue

GroupKey = tuple[str, str]  # namespace, name

NODE = Resource("", "v1", "nodes", "Node", namespaced=False)
COUNTS_SECONDS = 1.0  # counts of pods are written together; phases at once


class Scheduler:
    """Keeps the status of all PodGroups, until cancelled."""

    def __init__(self, client: Client, clock: Clock, groups: Store[GroupKey, Group], queues: Queues) -> None:
        self._client = client
        self._clock = clock
        self._groups = groups
        self._queues = queues
        queues.on_limits.append(self._room_changed)
        self._pods: defaultdict[GroupKey, dict[str, PodView]] = defaultdict(dict)
        self._taken: dict[str, Amounts] = {}  # by UID of each group that was let in
        self._used: Amounts = {}  # the sum of it
        self._queue_of: dict[str, str] = {}  # by UID of each group in _taken
        self._used_in: defaultdict[str, Amounts] = defaultdict(dict)  # by queue: the sum of what its groups hold
        self._waiting: dict[str, GroupKey] = {}  # by UID: groups that do not fit now
        self._written: dict[str, int] = {}  # by UID: the version of our last write
        self._queue: WorkQueue[GroupKey] = WorkQueue(clock, lambda key: key[0])
        self._nodes: Store[str, Node] = Store(lambda node: node.name, lambda old, new: self._room_changed())
        self._reflector = Reflector(client, clock, NODE, Codec(NodeObject, node_view), self._nodes)

    async def watch(self) -> None:
        """Follow Nodes, until cancelled."""
        await self._reflector.run()

    async def work(self) -> None:
        """Look at groups, one at a time so that none is let in into the room of another, until cancelled."""
        await self._reflector.synced()
        await self._queues.synced()
        for group in sorted(self._groups.values(), key=_age):  # those let in before we came keep their room
            if group.admitted:
                self._hold(group, taken(group, self._pods_of(group)))
        await work(self._queue, self._look_if_there, "PodGroup")

    def close(self) -> None:
        """No more looks."""
        self._queue.close()

    def group_changed(self, old: Group | None, new: Group | None) -> None:
        """A PodGroup came, changed or went."""
        if old is not None and (new is None or new.uid != old.uid):
            self._written.pop(old.uid, None)
            self._waiting.pop(old.uid, None)
            self._hold(old, {})
        group = new or old
        if group is not None:
            self._queue.add((group.namespace, group.name))

    def pod_changed(self, old: PodView | None, new: PodView | None) -> None:
        """A pod came, changed or went."""
        for pod in (old, new):
            if pod is not None and pod.group:
                key = (pod.namespace, pod.group)
                if pod is new:
                    self._pods[key][pod.name] = pod
                elif new is None or new.group != pod.group:
                    self._pods[key].pop(pod.name, None)
                    if not self._pods[key]:
                        del self._pods[key]
                self._queue.add_after(key, self._patience(key))

    def _patience(self, key: GroupKey) -> float:
        """A change of phase is written at once, mere counts soon."""
        group = self._groups.get(key)
        if group is None:
            return 0.0
        return 0.0 if self._next(group).phase != group.status.phase else COUNTS_SECONDS

    async def _look_if_there(self, key: GroupKey) -> None:
        with suppress(NotFound):  # it went while it was looked at; the watch will tell
            await self._look(key)

    async def _look(self, key: GroupKey) -> None:
        group = self._groups.get(key)
        if group is None or group.deleting or int(group.resource_version) < self._written.get(group.uid, 0):
            return
        after = self._next(group)
        if after.phase == PENDING:
            self._waiting[group.uid] = key
        else:
            self._waiting.pop(group.uid, None)
            self._hold(group, taken(group, self._pods_of(group), after.phase))
        if after != group.status:
            try:
                await self._write(group, after)
            except (NotFound, Conflict):
                if not group.admitted:  # perhaps it went while it was let in
                    self._hold(group, {})
                raise

    def _hold(self, group: Group, amounts: Amounts) -> None:
        """Note what a group holds; where that is less than before, others may fit."""
        before = self._taken.pop(group.uid, {})
        queue = self._queue_of.pop(group.uid, group.spec.queue)  # it cannot be changed; a stranger's write might
        if amounts:
            self._taken[group.uid] = amounts
            self._queue_of[group.uid] = queue
        more = {name: amounts.get(name, 0) - before.get(name, 0) for name in {**before, **amounts}}
        self._used = add(self._used, more)
        self._used_in[queue] = {name: amount for name, amount in add(self._used_in[queue], more).items() if amount}
        if any(amount < 0 for amount in more.values()):
            self._room_changed()

    def _next(self, group: Group) -> GroupStatus:
        return next_status(group, self._pods_of(group), self._room(group), self._clock.now())

    def _pods_of(self, group: Group) -> Iterable[PodView]:
        return self._pods.get((group.namespace, group.name), {}).values()

    def _room(self, group: Group) -> Room:
        """What the nodes and the group's queue have in all, and what is free for this group."""
        total: Amounts = {}
        for node in self._nodes.values():
            total = add(total, node.allocatable)
        own, limit = self._taken.get(group.uid, {}), self._queues.capability(group.spec.queue)
        in_queue = self._used_in.get(group.spec.queue, {})
        return Room(total, _left(total, self._used, own), limit, _left(limit, in_queue, own))

    def _room_changed(self) -> None:
        """Groups that wait are asked again, oldest first."""
        waiting = [group for key in self._waiting.values() if (group := self._groups.get(key)) is not None]
        for group in sorted(waiting, key=_age):
            self._queue.add((group.namespace, group.name))

    async def _write(self, group: Group, after: GroupStatus) -> None:
        status = msgspec.to_builtins(after)
        gone = {name: None for name in msgspec.to_builtins(group.status) if name not in status}
        body = {"metadata": {"resourceVersion": group.resource_version}, "status": {**status, **gone}}
        answer = await self._client.patch(POD_GROUP, group.namespace, group.name, body, subresource="status")
        self._written[group.uid] = int(msgspec.json.decode(answer)["metadata"]["resourceVersion"])


def _left(total: Mapping[str, int], used: Mapping[str, int], own: Mapping[str, int]) -> Amounts:
    """What others leave of it."""
    return {name: amount - used.get(name, 0) + own.get(name, 0) for name, amount in total.items()}


def _age(group: Group) -> tuple[datetime, str, str]:
    return group.created, group.namespace, group.name
