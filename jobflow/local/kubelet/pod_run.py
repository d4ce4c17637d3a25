"""PodRun: the life of one pod whose containers are processes.

In: a pod, the places of its files, Processes to start them with. Out: a PodState each time something changed,
the last one finished. Init containers run one after the other, then all containers side by side; each is
started again as the pod's restartPolicy says. What a pod asks for that only a node with images has (limits,
probes, ports, security contexts) has no effect on processes and is not looked at.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from jobflow.clock import Clock
from jobflow.local.kubelet.containers import (
    Container,
    ContainerState,
    Pod,
    PodPhase,
    PodState,
    Running,
    Terminated,
    Waiting,
)
from jobflow.local.kubelet.environment import Machine, Unrunnable, arguments, variables
from jobflow.local.kubelet.files import PodFiles
from jobflow.local.kubelet.processes import Exit, Launch, Process, Processes, Refused, SupervisorGone
from jobflow.local.kubelet.restarts import BackOff, restarts

COMMAND_NOT_FOUND = 127  # what shells return, and docker
COMMAND_NOT_RUN = 126
KILLED = 137  # 128 + SIGKILL

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """What the runs of all pods share."""

    processes: Processes
    clock: Clock
    machine: Machine
    report: Callable[[Pod, PodState], None]


class PodRun:
    """One pod from its start to its end."""

    def __init__(self, pod: Pod, files: PodFiles, place: Place) -> None:
        self._pod = pod
        self._files = files
        self._place = place
        self._started_at = place.clock.now()
        self._states = [ContainerState() for _ in pod.containers]
        self._live: dict[int, Process] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Run it to its end, or until `stop`; the last report says how it ended."""
        try:
            launches = [self._launch(container) for container in self._pod.containers]
            await asyncio.to_thread(self._files.create)
            await self._containers(launches)
        except Unrunnable as problem:
            self._fail(problem.reason, problem.message)
        except SupervisorGone as gone:
            self._fail("SupervisorStopped", str(gone))
        except OSError as error:
            self._fail("CreateContainerError", f"no working directory for the pod: {error}")
        except Exception as error:
            log.exception("pod given up", pod=f"{self._pod.namespace}/{self._pod.name}")
            self._fail("InternalError", f"{type(error).__name__}: {error}")

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM to all processes; SIGKILL to those that are still there after the grace."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        await self._place.clock.sleep(grace_seconds)
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._live.values():
            process.signal(number)

    def _launch(self, container: Container) -> Callable[[int], Launch]:
        """How a container is started; all of them are looked at before the first one runs."""
        if container.restart_policy:
            raise Unrunnable(
                "CreateContainerConfigError",
                f"container {container.name}: restartPolicy is not available here: make it a container of its own",
            )
        env = variables(self._pod, container, self._place.machine, self._files.home)
        argv = arguments(container, env)
        cwd = self._files.home / container.working_dir  # an absolute workingDir stands for itself
        return lambda run: Launch(argv, env, cwd, self._files.log(container.name, run))

    async def _containers(self, launches: list[Callable[[int], Launch]]) -> None:
        first = len(self._pod.spec.init_containers)
        for position in range(first):
            end = await self._until_done(position, launches[position], init=True)
            if end.exit_code or self._stopping.is_set():
                self._publish(PodPhase.FAILED)
                return
        try:
            async with asyncio.TaskGroup() as group:
                for position in range(first, len(launches)):
                    group.create_task(self._until_done(position, launches[position], init=False))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None  # the supervisor is gone, and tells every container so
        ends = [state.now for state in self._states[first:]]
        good = all(isinstance(end, Terminated) and end.exit_code == 0 for end in ends)
        self._publish(PodPhase.SUCCEEDED if good else PodPhase.FAILED)

    async def _until_done(self, position: int, launch: Callable[[int], Launch], *, init: bool) -> Terminated:
        """Run a container, and again where the restart policy wants it; how it ended for good."""
        policy = self._pod.spec.restart_policy
        if init and policy == "Always":
            policy = "OnFailure"  # an init container that succeeded is done
        back_off = BackOff()
        while True:
            run = self._states[position].restarts
            end = await self._once(position, launch(run))
            if self._stopping.is_set() or not restarts(policy, end.exit_code):
                self._set(position, ContainerState(end, self._states[position].before, run))
                return end
            ran = (end.finished_at - end.started_at).total_seconds() if end.started_at else 0.0
            seconds = back_off.after(ran)
            waiting = Waiting("CrashLoopBackOff", f"back-off {seconds:g}s before it is started again")
            self._set(position, ContainerState(waiting, end, run))
            await self._pause(seconds)
            if self._stopping.is_set():
                self._set(position, ContainerState(end, None, run))
                return end
            self._states[position] = ContainerState(waiting, end, run + 1)

    async def _once(self, position: int, launch: Launch) -> Terminated:
        try:
            process = await self._place.processes.start(launch)
        except Refused as refused:
            return self._not_started(position, launch, refused)
        state = self._states[position]
        self._live[position] = process
        if self._stopping.is_set():
            process.signal(signal.SIGTERM)
        self._set(position, ContainerState(Running(process.started_at), state.before, state.restarts))
        try:
            end = await process.wait()
        finally:
            del self._live[position]
        return _terminated(process, end)

    def _not_started(self, position: int, launch: Launch, refused: Refused) -> Terminated:
        name = self._pod.containers[position].name
        match refused.kind:
            case "command":
                message = (
                    f'command "{launch.argv[0]}" was not found on this machine; PATH is {launch.env["PATH"]} '
                    "(images are not pulled: containers run as local processes)"
                )
            case "cwd":
                message = f"workingDir of container {name}: {refused.message}"
            case _:
                message = f'command "{launch.argv[0]}" cannot be run: {refused.message}'
        code = COMMAND_NOT_FOUND if refused.kind == "command" else COMMAND_NOT_RUN
        return Terminated(code, "ContainerCannotRun", self._place.clock.now(), message=message)

    async def _pause(self, seconds: float) -> None:
        """Wait, unless the pod is stopped meanwhile."""
        tasks = {
            asyncio.ensure_future(self._place.clock.sleep(seconds)),
            asyncio.ensure_future(self._stopping.wait()),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _set(self, position: int, state: ContainerState) -> None:
        """Note a change; told once no container is yet to be started for the first time."""
        self._states[position] = state
        untouched = any(each.now == Waiting() for each in self._states[len(self._pod.spec.init_containers) :])
        ended = all(isinstance(each.now, Terminated) for each in self._states)
        if position < len(self._pod.spec.init_containers):
            self._publish(PodPhase.PENDING)
        elif not untouched and not ended:  # the end is told with the pod's own
            self._publish(PodPhase.RUNNING)

    def _publish(self, phase: PodPhase, reason: str = "", message: str = "") -> None:
        now = self._place.clock.now() if phase.finished else None
        if not message and phase is PodPhase.FAILED:
            ends = [state.now for state in self._states if isinstance(state.now, Terminated)]
            message = next((end.message for end in ends if end.message), "")
        state = PodState(
            phase=phase,
            containers=tuple(self._states),
            started_at=self._started_at,
            finished_at=now,
            reason=reason,
            message=message,
        )
        self._place.report(self._pod, state)

    def _fail(self, reason: str, message: str) -> None:
        now = self._place.clock.now()
        for position, state in enumerate(self._states):
            if isinstance(state.now, Running):
                end = Terminated(KILLED, reason, now, state.now.started_at, message)
                self._states[position] = ContainerState(end, state.before, state.restarts)
            elif isinstance(state.now, Waiting):
                self._states[position] = ContainerState(Waiting(reason, message), state.before, state.restarts)
        self._publish(PodPhase.FAILED, reason, message)


def _terminated(process: Process, end: Exit) -> Terminated:
    reason = "Completed" if end.code == 0 else "Error"
    return Terminated(end.code, reason, end.at, process.started_at, signal=end.signal)
