"""Kubelet: brings the pods of the one local node to where the API server wants them.

In: a watch of all pods, and what the pod runtime reports. Out: calls of the runtime, writes of pods/status, Events,
and the last delete of a pod once its containers are gone. Level-triggered: a key says only that a pod is to be looked
at; of several changes between two looks only the last is written, so that a short pod costs one write and a long one
two. A pod for which the machine has no room waits, with the reason in its conditions.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from jobflow.api.metadata import ObjectReference
from jobflow.api.resources import POD
from jobflow.cache.store import Store
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import ApiError, NotFound
from jobflow.kube.events import EventRecorder
from jobflow.kube.reflector import Reflector
from jobflow.local.apiserver.reads.logs import LogOptions
from jobflow.local.apiserver.statuses import bad_request
from jobflow.local.kubelet import status
from jobflow.local.kubelet.addresses import Addresses
from jobflow.local.kubelet.capacity import Amount, of_pod
from jobflow.local.kubelet.containers import Pod, PodObject, PodRuntime, PodState, pod_view
from jobflow.local.kubelet.node import NODE, NODE_ADDRESS, NODE_NAME, node_object, node_status
from jobflow.local.kubelet.room import Fits, Never, Room, Waits
from jobflow.local.worker import work
from jobflow.work.queue import WorkQueue

WORKERS = 16  # writes in flight; the API server is in the same process, so more would only wait
DEFAULT_GRACE_SECONDS = 30  # Kubernetes'

PodKey = tuple[str, str]  # namespace, name

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Run:
    """A pod that was given to the runtime."""

    pod: Pod
    state: PodState | None = None  # the last that was reported
    written: PodState | None = None
    grace: float | None = None  # how long it was given to end, once it was asked to

    @property
    def ended(self) -> bool:
        """The runtime is through with it."""
        return self.state is not None and self.state.phase.finished


class Kubelet:
    """The node: all pods bound to it, and all that are bound to none."""

    def __init__(self, client: Client, clock: Clock, pods: PodRuntime, capacity: Amount | None = None) -> None:
        """`capacity` is what the machine has for pods; None: there is no limit, and no Node that tells of one."""
        self._client = client
        self._clock = clock
        self._runtime = pods
        self._capacity = capacity
        self._room = Room(capacity)
        self._addresses = Addresses()
        self._events = EventRecorder(client, clock, "kubelet")
        self._store: Store[PodKey, Pod] = Store(_key, self._changed)
        self._reflector = Reflector(client, clock, POD, Codec(PodObject, pod_view), self._store)
        self._queue: WorkQueue[PodKey] = WorkQueue(clock, lambda key: key[0])
        self._runs: dict[str, Run] = {}  # by pod UID
        self._waiting: dict[str, tuple[PodKey, str]] = {}  # pods without room, by UID in their order; what was told

    async def run(self) -> None:
        """Until cancelled; then the runtime ends every pod, and their stored status stays as it was."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._runtime.run(self), name="pod runtime")
                group.create_task(self._events.run(), name="kubelet events")
                if self._capacity is not None:
                    await self._register(self._capacity)
                group.create_task(self._reflector.run(), name="pods reflector")
                for number in range(WORKERS):
                    group.create_task(work(self._queue, self._look, "pod"), name=f"kubelet worker {number}")
        finally:
            self._queue.close()

    async def synced(self) -> None:
        """Once the first list of pods is known."""
        await self._reflector.synced()

    async def logs(self, namespace: str, pod: str, options: LogOptions) -> AsyncIterator[bytes]:
        """What a container of a pod printed. Raises StatusError, as kubelets do, where there is nothing."""
        found = self._store.get((namespace, pod))
        if found is None:
            raise bad_request(f"pod {pod} has not reached the kubelet yet")
        try:
            async for piece in self._runtime.logs(found, options):
                yield piece
        except LookupError as nothing:
            raise bad_request(str(nothing)) from nothing

    async def log_path(self, namespace: str, pod: str, container: str) -> Path | None:
        """The log file of the newest run of a container, also of a pod that is gone;

        None where there is none.
        """
        return await asyncio.to_thread(self._runtime.log_path, namespace, pod, container)

    def state(self, pod: Pod, state: PodState) -> None:
        """The runtime reports how far a pod got."""
        run = self._runs.get(pod.uid)
        if run is not None:
            run.state = state
            self._queue.add(_key(pod))
            if state.phase.finished:
                self._leave_room(pod.uid)

    def warn(self, pod: Pod, reason: str, message: str) -> None:
        """The runtime has something to tell a pod's user."""
        self._events.emit(ObjectReference(POD, pod.namespace, pod.name, pod.uid), "Warning", reason, message)

    async def _register(self, capacity: Amount) -> None:
        """Tell what the machine has."""
        try:
            await self._client.apply(NODE, None, NODE_NAME, node_object())
            body = {"status": node_status(capacity, self._clock.now())}
            await self._client.patch(NODE, None, NODE_NAME, body, subresource="status")
        except ApiError as error:
            log.warning("no Node tells what this machine has", error=error.message)

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        for pod in (old, new):
            if pod is not None and pod.spec.node_name in ("", NODE_NAME):
                self._queue.add(_key(pod))
        if old is not None and (new is None or new.uid != old.uid):
            self._gone(old)

    def _gone(self, pod: Pod) -> None:
        """The API server has it no more: usually after our own last delete, else forced by somebody."""
        self._waiting.pop(pod.uid, None)
        self._addresses.give_back(pod.uid)
        run = self._runs.pop(pod.uid, None)
        if run is not None:
            if not run.ended:
                self._runtime.stop(pod, 0.0)
            self._runtime.forget(pod)
        self._leave_room(pod.uid)

    def _leave_room(self, uid: str) -> None:
        if self._room.leave(uid):
            for key, _ in self._waiting.values():
                self._queue.add(key)

    async def _look(self, key: PodKey) -> None:
        """One pod, one step on; each write comes back through the watch and brings the next look."""
        pod = self._store.get(key)
        if pod is None or pod.spec.node_name not in ("", NODE_NAME):
            return
        run = self._runs.get(pod.uid)
        if pod.deleting:
            await self._end(pod, run)
        elif run is not None:
            await self._write(run)
        elif pod.status.ran and not pod.finished:
            run = self._runs[pod.uid] = Run(pod)  # it was started by a kubelet before us
            run.state = status.stopped(pod, self._clock.now())
            await self._write(run)
        elif not pod.finished:
            await self._admit(pod)

    async def _admit(self, pod: Pod) -> None:
        """Start it, if there is room."""
        try:
            verdict = self._room.ask(pod.uid, of_pod(pod.spec))
        except ValueError as bad:
            verdict = Never("InvalidResources", str(bad))
        match verdict:
            case Never(reason, message):
                await self._refuse(pod, reason, message)
            case Waits(message):
                await self._let_wait(pod, message)
            case Fits():
                self._waiting.pop(pod.uid, None)
                if not pod.spec.node_name:
                    await self._bind(pod)
                elif pod.uid not in self._runs:
                    self._runs[pod.uid] = Run(pod)
                    self._runtime.start(pod, self._address(pod))

    async def _bind(self, pod: Pod) -> None:
        body = {"metadata": {"uid": pod.uid}, "spec": {"nodeName": NODE_NAME}}
        await self._client.patch(POD, pod.namespace, pod.name, body)

    async def _let_wait(self, pod: Pod, message: str) -> None:
        if self._waiting.get(pod.uid, (None, ""))[1] == message:
            return
        if pod.status.unschedulable() != message:
            body = status.unschedulable(message, self._clock.now())
            body["metadata"] = {"uid": pod.uid}
            await self._client.patch(POD, pod.namespace, pod.name, body, subresource="status")
            self.warn(pod, "Unschedulable", message)
        self._waiting[pod.uid] = (_key(pod), message)

    async def _refuse(self, pod: Pod, reason: str, message: str) -> None:
        run = self._runs[pod.uid] = Run(pod)
        run.state = status.refused(pod, reason, message, self._clock.now())
        self.warn(pod, reason, message)
        await self._write(run)

    async def _end(self, pod: Pod, run: Run | None) -> None:
        """Stop what runs; once nothing does, take the pod off the API server."""
        if run is not None and not run.ended:
            grace = _grace(pod)
            if run.grace is None or grace < run.grace:
                run.grace = grace
                self._runtime.stop(pod, grace)
            return
        if pod.spec.node_name == NODE_NAME:
            try:
                await self._client.delete(POD, pod.namespace, pod.name, uid=pod.uid, grace_seconds=0)
            except NotFound:
                return

    async def _write(self, run: Run) -> None:
        state = run.state
        if state is None or state == run.written:
            return
        body = status.body(run.pod, state)
        body["metadata"] = {"uid": run.pod.uid}  # not to a pod of the same name that came after
        try:
            await self._client.patch(POD, run.pod.namespace, run.pod.name, body, subresource="status")
        except NotFound:
            return  # the watch will tell that it is gone
        run.written = state

    def _address(self, pod: Pod) -> str:
        return NODE_ADDRESS if pod.spec.host_network else self._addresses.take(pod.uid)


def _key(pod: Pod) -> PodKey:
    return pod.namespace, pod.name


def _grace(pod: Pod) -> float:
    for seconds in (pod.grace_seconds, pod.spec.termination_grace_period_seconds):
        if seconds is not None:
            return float(seconds)
    return float(DEFAULT_GRACE_SECONDS)
