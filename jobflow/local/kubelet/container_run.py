"""ContainerRun: the life of one container, from its configuration to its last exit.

In: the container, its pod's Setting, what to do when it ends. Out: `state`, and a word to the pod each time it
changed. What the container needs and is not there is waited for; then its process is started, probed, and started
again as its policy says.
"""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from collections.abc import Callable
from enum import Enum

from msgspec.structs import replace

from jobflow.local.kubelet.containers import ContainerState, Running, Terminated, Waiting
from jobflow.local.kubelet.news import News, first_of
from jobflow.local.kubelet.probes import Doctor, Outcome
from jobflow.local.kubelet.processes import Exit, Launch, Process, Refused, SupervisorGone
from jobflow.local.kubelet.refusals import NotYet
from jobflow.local.kubelet.restarts import BackOff, restarts
from jobflow.local.kubelet.setting import Setting
from jobflow.local.kubelet.spec import Container, RestartPolicy
from jobflow.local.kubelet.termination import last_words, log_tail

COMMAND_NOT_FOUND = 127  # what shells return, and docker
NOT_STARTED = 128  # what containerd tells of any other failure to start
NOT_BEGUN = "StartError"  # containerd's word
KILLED = 137  # 128 + SIGKILL
DEFAULT_GRACE_SECONDS = 30  # Kubernetes'
PROBE_MESSAGE_BYTES = 1024


class Role(Enum):
    """What its end means for the pod."""

    INIT = "init"  # the next one starts when it has succeeded
    SIDECAR = "sidecar"  # it goes on until the main containers have ended
    MAIN = "main"


class ContainerRun:
    """One container of a pod."""

    def __init__(self, container: Container, role: Role, setting: Setting, news: News) -> None:
        self.container = container
        self.role = role
        self.state = ContainerState()
        self.changed: Callable[[], None] = lambda: None
        self._setting = setting
        self._news = news
        self._starting: asyncio.Task[Process] | None = None
        self._process: Process | None = None
        self._launch: Launch | None = None
        self._stopping = asyncio.Event()
        self._began = asyncio.Event()  # it has started once, or never will
        self._policy = _policy(setting.pod.spec.restart_policy, role)

    @property
    def succeeded(self) -> bool:
        """It has ended well."""
        return isinstance(self.state.now, Terminated) and self.state.now.exit_code == 0

    async def run(self) -> None:
        """Until it has ended for good, or was stopped. Raises Unrunnable, SupervisorGone."""
        try:
            await self._run()
        finally:
            self._began.set()

    async def until_started(self) -> None:
        """Until those that come after it may start."""
        await self._began.wait()

    async def stop(self, grace_seconds: float) -> None:
        """SIGTERM, after the grace SIGKILL; it is not started again."""
        self._stopping.set()
        if self._starting is not None:
            await asyncio.wait({self._starting})
        await self._end(grace_seconds)

    async def _run(self) -> None:
        back_off = BackOff()
        while not self._stopping.is_set():
            launch = await self._configured()
            if launch is None:
                return
            end = await self._once(launch)
            again = restarts(self._policy, end.exit_code) and not self._stopping.is_set()
            if not again:
                done = self.role is Role.INIT and end.exit_code == 0
                self._set(replace(self.state, now=end, started=False, ready=done))
                return
            ran = (end.finished_at - end.started_at).total_seconds() if end.started_at else 0.0
            seconds = back_off.after(ran)
            message = f"back-off {seconds:g}s before it is started again"
            self._set(ContainerState(Waiting("CrashLoopBackOff", message), end, self.state.restarts))
            self._warn("BackOff", f"container {self.container.name} ended with exit code {end.exit_code}: {message}")
            await first_of(self._setting.ground.clock.sleep(seconds), self._stopping.wait())
            if self._stopping.is_set():
                self._set(ContainerState(end, None, self.state.restarts))
                return
            self.state = replace(self.state, restarts=self.state.restarts + 1)

    async def _configured(self) -> Launch | None:
        """How to start it, once all it needs is there; None where it was stopped before."""
        while True:
            more = self._news.next
            try:
                return await self._setting.launch(self.container, self.state.restarts)
            except NotYet as missing:
                waiting = Waiting("CreateContainerConfigError", str(missing))
            if self.state.now != waiting:
                self._set(replace(self.state, now=waiting))
                self._warn("Failed", f"Error: container {self.container.name}: {waiting.message}")
            await first_of(more.wait(), self._stopping.wait())
            if self._stopping.is_set():
                return None

    async def _once(self, launch: Launch) -> Terminated:
        self._launch = launch
        self._starting = asyncio.create_task(self._setting.ground.processes.start(launch))
        try:
            process = self._process = await self._starting
        except Refused as refused:
            return self._not_started(launch, refused)
        finally:
            self._starting = None
        now = Running(process.started_at)
        probed = self.container.startup_probe is not None
        ready = not probed and self.container.readiness_probe is None
        self._set(replace(self.state, now=now, started=not probed, ready=ready))
        if not probed:
            self._began.set()
        probing = asyncio.create_task(self._probe(), name=f"probes of {self.container.name}")
        try:
            end = await process.wait()
        except asyncio.CancelledError:
            process.signal(signal.SIGKILL)  # its pod has failed
            raise
        finally:
            self._process = None
            probing.cancel()
            await asyncio.wait({probing})
        return await self._terminated(process, end)

    async def _terminated(self, process: Process, end: Exit) -> Terminated:
        files = self._setting.files
        log = files.log(self.container.name, self.state.restarts)
        said = files.termination(self.container.name)
        message = await asyncio.to_thread(last_words, self.container, said, log, end.code)
        if end.lost:
            told = f"{end.lost} bytes of what container {self.container.name} printed are lost: the disk is full, {log}"
            self._warn("LogsLost", told)
        reason = "Completed" if end.code == 0 else "Error"
        return Terminated(end.code, reason, end.at, process.started_at, message, end.signal)

    def _not_started(self, launch: Launch, refused: Refused) -> Terminated:
        match refused.kind:
            case "command":
                message = (
                    f'command "{launch.argv[0]}" was not found on this machine; PATH is {launch.env["PATH"]} '
                    "(images are not pulled: containers run as local processes)"
                )
            case "cwd":
                message = f"workingDir of container {self.container.name}: {refused.message}"
            case "mount":
                message = f"mountPath of container {self.container.name}: {refused.message}"
            case _:
                message = f'command "{launch.argv[0]}" cannot be run: {refused.message}'
        code = COMMAND_NOT_FOUND if refused.kind == "command" else NOT_STARTED
        return Terminated(code, NOT_BEGUN, self._setting.ground.clock.now(), message=message)

    async def _probe(self) -> None:
        """Ask after it while it runs; end it when it is not well."""
        clock = self._setting.ground.clock
        reason = await Doctor(self.container, self._setting.facts.address, self._run_beside, clock).watch(self)
        self._warn("Killing", reason)
        await self._end(self._grace_after_probe())

    def _grace_after_probe(self) -> float:
        probe, pod = self.container.liveness_probe or self.container.startup_probe, self._setting.pod.spec
        of_probe = probe.termination_grace_period_seconds if probe else None
        of_pod = pod.termination_grace_period_seconds
        seconds = of_pod if of_probe is None else of_probe
        return float(DEFAULT_GRACE_SECONDS if seconds is None else seconds)

    async def _end(self, grace_seconds: float) -> None:
        """Ask the process to end, and make it."""
        process = self._process
        if process is None:
            return
        process.signal(signal.SIGTERM)
        await first_of(self._setting.ground.clock.sleep(grace_seconds), process.ended())
        process.signal(signal.SIGKILL)

    async def _run_beside(self, command: tuple[str, ...], probe: str, timeout: float) -> Outcome:
        """Run a probe's command where the container runs."""
        assert self._launch is not None
        log = self._setting.files.probe_log(self.container.name, probe)
        await asyncio.to_thread(log.unlink, missing_ok=True)
        ground = self._setting.ground
        try:
            process = await ground.processes.start(dataclasses.replace(self._launch, argv=command, log=log))
        except (Refused, SupervisorGone) as refused:
            return Outcome(False, f'command "{command[0] if command else ""}" cannot be run: {refused}')
        try:
            await first_of(process.ended(), ground.clock.sleep(timeout))
        finally:
            process.signal(signal.SIGKILL)
        if not process.has_ended:
            return Outcome(False, f'command "{command[0]}" timed out after {timeout:g}s')
        try:
            end = await process.wait()
        except SupervisorGone as gone:
            return Outcome(False, str(gone))
        if end.code == 0:
            return Outcome(True)
        printed = await asyncio.to_thread(log_tail, log)
        return Outcome(False, f"exit code {end.code}: {printed[:PROBE_MESSAGE_BYTES]}".rstrip(": "))

    def started(self) -> None:
        """The startup probe passed."""
        self._began.set()
        if not self.state.started:
            self._set(replace(self.state, started=True))

    def is_ready(self, ready: bool) -> None:
        """The readiness probe passed, or fails."""
        if self.state.ready != ready:
            self._set(replace(self.state, ready=ready))

    def unwell(self, probe: str, message: str) -> None:
        """A probe failed."""
        self._warn("Unhealthy", f"{probe} probe of container {self.container.name} failed: {message}")

    def _set(self, state: ContainerState) -> None:
        self.state = state
        self.changed()

    def _warn(self, reason: str, message: str) -> None:
        self._setting.ground.reporter.warn(self._setting.pod, reason, message)


def _policy(policy: str, role: Role) -> str:
    if role is Role.SIDECAR:
        return RestartPolicy.ALWAYS
    if role is Role.INIT and policy == RestartPolicy.ALWAYS:
        return RestartPolicy.ON_FAILURE  # an init container that succeeded is done
    return policy
