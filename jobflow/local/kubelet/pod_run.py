"""PodRun: the life of one pod whose containers are processes.

In: a pod and its Setting. Out: a PodState each time something changed, the last one finished. Init containers run one
after the other, sidecars from their turn on, then all main containers side by side; the pod has ended when they have.
What it needs and is not there (a ConfigMap, a claim) it waits for. What only a node with images has (limits, security
contexts, lifecycle hooks) has no effect on processes and is not looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import structlog

from jobflow.local.kubelet.container_run import DEFAULT_GRACE_SECONDS, KILLED, NOT_BEGUN, ContainerRun, Role
from jobflow.local.kubelet.containers import (
    ContainerState,
    Pod,
    PodPhase,
    PodState,
    Running,
    Terminated,
    Waiting,
)
from jobflow.local.kubelet.deadline import DEADLINE_EXCEEDED, deadline_message
from jobflow.local.kubelet.news import News, first_of
from jobflow.local.kubelet.processes import SupervisorGone
from jobflow.local.kubelet.refusals import NotYet, Unrunnable
from jobflow.local.kubelet.setting import Setting
from jobflow.local.kubelet.sources import ObjectName

REFRESH_SECONDS = 0.2  # changes of volumes that come together are shown together

log = structlog.get_logger(__name__)


class Reason(NamedTuple):
    """Why a pod failed that did not just end."""

    reason: str
    message: str


class PodRun:
    """One pod from its start to its end."""

    def __init__(self, setting: Setting, ready: Callable[[], None]) -> None:
        """`ready` is called once the pod has its directories, before anything runs."""
        self.setting = setting
        self._ready_to_start = ready
        self._pod: Pod = setting.pod
        self._clock = setting.ground.clock
        self._started_at = self._clock.now()
        self._news = News()
        self._runs = [self._container(position) for position in range(len(self._pod.containers))]
        self._stopping = asyncio.Event()
        self._kill_at = 0.0  # monotonic time of the SIGKILL, once it is stopping
        self._verdict: Reason | None = None
        self._is_ready = False
        self._ready_since = self._started_at
        self._refreshed = asyncio.Event()

    async def run(self) -> None:
        """Run it to its end, or until `stop`; the last report says how it ended."""
        beside: list[asyncio.Task[None]] = []
        try:
            self.setting.check()
            if self._pod.spec.active_deadline_seconds is not None:
                beside.append(asyncio.create_task(self._deadline(float(self._pod.spec.active_deadline_seconds))))
            if await self._prepared():
                beside.append(asyncio.create_task(self._keep_up_to_date()))
                beside.append(asyncio.create_task(self.setting.renew()))
                await self._containers()
            else:
                self._publish(PodPhase.FAILED)
        except Unrunnable as problem:
            self._fail(Reason(problem.reason, problem.message))
        except SupervisorGone as gone:
            self._fail(Reason("SupervisorStopped", str(gone)))
        except OSError as error:
            self._fail(
                Reason("CreateContainerError", f"the pod's files cannot be made in {self.setting.files.root}: {error}")
            )
        except Exception as error:
            log.exception("pod given up", pod=f"{self._pod.namespace}/{self._pod.name}")
            self._fail(Reason("InternalError", f"{type(error).__name__}: {error}"))
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM to main and init containers, to sidecars once those have ended; SIGKILL after the grace."""
        self._kill_at = self._clock.monotonic() + grace_seconds
        self._stopping.set()
        stops = (run.stop(grace_seconds) for run in self._runs if run.role is not Role.SIDECAR)
        await asyncio.gather(*stops)

    def changed(self, name: ObjectName | None) -> None:
        """An object changed that this pod may use; None: a claim."""
        self._news.tell()
        if name is not None and name in self.setting.sources:
            self._refreshed.set()

    def _container(self, position: int) -> ContainerRun:
        container = self._pod.containers[position]
        role = Role.MAIN
        if position < len(self._pod.spec.init_containers):
            role = Role.SIDECAR if container.is_sidecar else Role.INIT
        run = ContainerRun(container, role, self.setting, self._news)
        run.changed = lambda: self._changed(run)
        return run

    async def _prepared(self) -> bool:
        """Make what containers mount, once all of it is there. False where it was stopped before."""
        while True:
            more = self._news.next
            try:
                await self.setting.prepare()
            except NotYet as missing:
                self._wait_for(str(missing))
            else:
                for run in self._runs:
                    run.state = ContainerState()  # whatever it waited for is there
                self._ready_to_start()
                return not self._stopping.is_set()
            await first_of(more.wait(), self._stopping.wait())
            if self._stopping.is_set():
                return False

    def _wait_for(self, message: str) -> None:
        waiting = Waiting("CreateContainerConfigError", message)
        if self._runs[0].state.now == waiting:
            return
        for run in self._runs:
            run.state = ContainerState(waiting)
        self._publish(PodPhase.PENDING)
        self.setting.ground.reporter.warn(self._pod, "FailedMount", message)

    async def _containers(self) -> None:
        sidecars: list[tuple[ContainerRun, asyncio.Task[None]]] = []
        try:
            phase = await self._in_order(sidecars)
            for run, task in reversed(sidecars):
                left = self._kill_at - self._clock.monotonic() if self._stopping.is_set() else self._grace
                await run.stop(max(left, 0.0))
                await task
        finally:
            for _, task in sidecars:
                task.cancel()
            await asyncio.gather(*(task for _, task in sidecars), return_exceptions=True)
        self._publish(phase)

    async def _in_order(self, sidecars: list[tuple[ContainerRun, asyncio.Task[None]]]) -> PodPhase:
        """Start them in their order; how the pod ends, once its main containers have."""
        for run in self._runs:
            if run.role is Role.SIDECAR:
                task = asyncio.create_task(run.run(), name=f"sidecar {run.container.name}")
                sidecars.append((run, task))
                await first_of(run.until_started(), self._stopping.wait())
                if task.done():
                    await task  # it cannot be run: that is raised
            elif run.role is Role.INIT:
                await run.run()
            if self._stopping.is_set() or (run.role is Role.INIT and not run.succeeded):
                return PodPhase.FAILED
        mains = [run for run in self._runs if run.role is Role.MAIN]
        await _side_by_side(mains)
        good = all(run.succeeded for run in mains) and self._verdict is None
        return PodPhase.SUCCEEDED if good else PodPhase.FAILED

    @property
    def _grace(self) -> float:
        seconds = self._pod.spec.termination_grace_period_seconds
        return float(DEFAULT_GRACE_SECONDS if seconds is None else seconds)

    async def _deadline(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._verdict = Reason(DEADLINE_EXCEEDED, deadline_message(seconds))
        await self.stop(self._grace)

    async def _keep_up_to_date(self) -> None:
        while True:
            await self._refreshed.wait()
            await self._clock.sleep(REFRESH_SECONDS)
            self._refreshed.clear()
            await self.setting.refresh()

    def _changed(self, run: ContainerRun) -> None:
        """Tell it, unless a container is still to be started for the first time, or the pod's end comes next."""
        mains = [each for each in self._runs if each.role is Role.MAIN]
        untouched = any(each.state.now == Waiting() for each in mains)
        if run.role is not Role.MAIN and untouched:
            self._publish(PodPhase.PENDING)
        elif not untouched and not all(isinstance(each.state.now, Terminated) for each in mains):
            waiting = any(isinstance(each.state.now, Waiting) and not each.state.before for each in mains)
            self._publish(PodPhase.PENDING if waiting else PodPhase.RUNNING)

    def _publish(self, phase: PodPhase) -> None:
        now = self._clock.now()
        reason, message = self._verdict or ("", "")
        if not message and phase is PodPhase.FAILED:
            ends = (run.state.now for run in self._runs)
            message = next((end.message for end in ends if isinstance(end, Terminated) and end.reason == NOT_BEGUN), "")
        is_ready = not phase.finished and all(run.state.ready for run in self._runs)
        if is_ready != self._is_ready:
            self._is_ready, self._ready_since = is_ready, now
        state = PodState(
            phase=phase,
            containers=tuple(run.state for run in self._runs),
            started_at=self._started_at,
            address=self.setting.facts.address,
            ready_since=self._ready_since,
            finished_at=now if phase.finished else None,
            reason=reason,
            message=message,
        )
        self.setting.ground.reporter.state(self._pod, state)

    def _fail(self, verdict: Reason) -> None:
        now = self._clock.now()
        self._verdict = verdict
        for run in self._runs:
            state = run.state
            if isinstance(state.now, Running):
                end = Terminated(KILLED, verdict.reason, now, state.now.started_at, verdict.message)
                run.state = ContainerState(end, state.before, state.restarts)
            elif isinstance(state.now, Waiting):
                run.state = ContainerState(Waiting(*verdict), state.before, state.restarts)
        self._publish(PodPhase.FAILED)


async def _side_by_side(runs: list[ContainerRun]) -> None:
    """Run them all to their end. One that cannot be run ends the others; then its error is raised."""
    tasks = [asyncio.create_task(run.run(), name=f"container {run.container.name}") for run in runs]
    try:
        _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        if pending:
            await asyncio.gather(*(run.stop(0.0) for run in runs))
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
