"""ProcessRuntime: pods whose containers are processes of this machine, run as the user who runs jobflow.

In: pods to start and stop; from `Outside`, what they take from the API server. Out: their states, their logs. Images
are never pulled: a container runs its `command` with what this machine has. Directories of pods go with them; logs
stay in the runtime's directory.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jobflow.clock import Clock
from jobflow.local.apiserver.reads.logs import LogOptions
from jobflow.local.kubelet import capacity, logfiles
from jobflow.local.kubelet.access import Access, NoAccess
from jobflow.local.kubelet.capacity import Amount
from jobflow.local.kubelet.claims import Claims, NoClaims
from jobflow.local.kubelet.containers import Pod, PodState, Reporter, Running, Terminated, Waiting
from jobflow.local.kubelet.downward import Facts
from jobflow.local.kubelet.environment import DEFAULT_LANG, DEFAULT_PATH, Machine
from jobflow.local.kubelet.files import Layout
from jobflow.local.kubelet.hosts import Host
from jobflow.local.kubelet.pod_run import PodRun
from jobflow.local.kubelet.ports import PortBook
from jobflow.local.kubelet.processes import Processes
from jobflow.local.kubelet.setting import Ground, Setting
from jobflow.local.kubelet.sources import NoSources, ObjectName, Sources

HOSTS_SECONDS = 0.05  # pods that come together are told to the others together


@dataclass(frozen=True)
class Outside:
    """What pods see beyond themselves."""

    sources: Sources = field(default_factory=NoSources)
    claims: Claims = field(default_factory=NoClaims)
    access: Access = field(default_factory=NoAccess)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    machine: Amount = field(default_factory=capacity.of_machine)
    host_paths: bool = False  # whether hostPath volumes are allowed
    mounts: bool = True  # whether pods get mounts where the machine has them


class ProcessRuntime:
    """Runs pods as processes below one supervisor."""

    def __init__(self, directory: Path, clock: Clock, outside: Outside | None = None) -> None:
        self.layout = Layout(directory.absolute())
        self.processes = Processes(self.layout.directory)
        self._clock = clock
        self._outside = outside or Outside()
        self._ground: Ground | None = None
        self._reporter: Reporter | None = None
        self._runs: dict[str, PodRun] = {}
        self._states: dict[str, PodState] = {}
        self._hosts: defaultdict[str, dict[str, Host]] = defaultdict(dict)  # by namespace and UID
        self._hosts_changed: set[str] = set()
        self._ports = PortBook()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, reporter: Reporter) -> None:
        """Keep the supervisor up until cancelled; then nothing that it started is left."""
        self._reporter = reporter
        await asyncio.to_thread(self.layout.remove_leftovers)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.processes.run(), name="processes")
                group.create_task(self._outside.sources.run(self._changed), name="sources of pods")
                group.create_task(self._outside.claims.run(self._claim_changed), name="claims of pods")
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def start(self, pod: Pod, address: str) -> None:
        """Start a pod that was not started before."""
        files = self.layout.of(pod.namespace, pod.name, pod.uid)
        setting = Setting(Facts(pod, address, self._outside.machine), files, self._shared_ground())
        run = self._runs[pod.uid] = PodRun(setting, lambda: self._about_to_start(run))
        self._outside.claims.use(pod.namespace, _claims_of(pod), 1)
        self._hosts[pod.namespace][pod.uid] = Host(pod, address)
        if self._hosts[pod.namespace][pod.uid].names:
            self._spawn(self._rewrite_hosts(pod.namespace), f"hosts of {pod.namespace}")
        self._spawn(run.run(), f"pod {pod.namespace}/{pod.name}")

    def stop(self, pod: Pod, grace_seconds: float) -> None:
        """End it: SIGTERM, after the grace SIGKILL."""
        run = self._runs.get(pod.uid)
        if run is not None:
            self._spawn(run.stop(grace_seconds), f"stop of pod {pod.namespace}/{pod.name}")

    def forget(self, pod: Pod) -> None:
        """Remove its directories."""
        if self._runs.pop(pod.uid, None) is not None:
            self._outside.claims.use(pod.namespace, _claims_of(pod), -1)
        self._states.pop(pod.uid, None)
        self._leave(pod)
        files = self.layout.of(pod.namespace, pod.name, pod.uid)
        self._spawn(asyncio.to_thread(files.remove), f"removal of pod {pod.namespace}/{pod.name}")

    def logs(self, pod: Pod, options: LogOptions) -> AsyncIterator[bytes]:
        """What a container printed. Raises LookupError where there is no such run."""
        name = options.container
        files = self.layout.of(pod.namespace, pod.name, pod.uid)
        source = logfiles.LogFile(
            path=lambda: _run_log(files.newest(name), options),
            ended=lambda: self._has_ended(pod, name),
            what=f'container "{name}" in pod "{pod.name}"',
            waits=lambda: self._waits(pod, name),
        )
        return logfiles.read(source, options, self._clock)

    def log_path(self, namespace: str, name: str, container: str) -> Path | None:
        """The log file of the newest run of a container, also of a pod that is gone. Reads directories."""
        files = self.layout.newest(namespace, name)
        return files.newest(container) if files else None

    @property
    def unfinished(self) -> tuple[asyncio.Task[None], ...]:
        """What it is doing now, for whoever wants to wait for it."""
        return tuple(self._tasks)

    def state(self, pod: Pod, state: PodState) -> None:
        """What became of a pod; handed on."""
        self._states[pod.uid] = state
        if state.phase.finished:
            self._leave(pod)
        if self._reporter is not None:
            self._reporter.state(pod, state)

    def warn(self, pod: Pod, reason: str, message: str) -> None:
        """What its user should know; handed on."""
        if self._reporter is not None:
            self._reporter.warn(pod, reason, message)

    def _shared_ground(self) -> Ground:
        if self._ground is None:
            outside, environ = self._outside, self._outside.environ
            self._ground = Ground(
                processes=self.processes,
                clock=self._clock,
                machine=Machine(environ.get("PATH", DEFAULT_PATH), environ.get("LANG", DEFAULT_LANG)),
                sources=outside.sources,
                claims=outside.claims,
                access=outside.access,
                reporter=self,
                neighbours=lambda namespace: list(self._hosts[namespace].values()),
                host_paths=outside.host_paths,
                mounts=outside.mounts,
            )
        return self._ground

    def _about_to_start(self, run: PodRun) -> None:
        """All of its directories are there."""
        pod, setting = run.setting.pod, run.setting
        if setting.trouble and any(container.volume_mounts for container in pod.containers):
            self.warn(pod, "VolumesNotMounted", _not_mounted(setting.trouble))
        if hooked := [container.name for container in pod.containers if container.lifecycle]:
            self.warn(
                pod, "HooksNotRun", f"lifecycle hooks of {', '.join(hooked)} are not run: processes have none here"
            )
        if clash := self._ports.open(pod):
            self.warn(pod, "PortClash", clash)

    def _leave(self, pod: Pod) -> None:
        """None of its containers will run any more."""
        self._ports.close(pod)
        host = self._hosts[pod.namespace].pop(pod.uid, None)
        if host is not None and host.names and self._hosts[pod.namespace]:
            self._spawn(self._rewrite_hosts(pod.namespace), f"hosts of {pod.namespace}")

    def _changed(self, namespace: str, name: ObjectName) -> None:
        for run in self._runs.values():
            if run.setting.pod.namespace == namespace:
                run.changed(name)

    def _claim_changed(self, namespace: str) -> None:
        for run in self._runs.values():
            if run.setting.pod.namespace == namespace:
                run.changed(None)

    async def _rewrite_hosts(self, namespace: str) -> None:
        """Tell the pods of a namespace of each other."""
        if namespace in self._hosts_changed:
            return  # it is about to be done
        self._hosts_changed.add(namespace)
        await self._clock.sleep(HOSTS_SECONDS)
        self._hosts_changed.discard(namespace)
        for uid in list(self._hosts[namespace]):
            if run := self._runs.get(uid):
                await asyncio.to_thread(run.setting.write_hosts)

    def _now(self, pod: Pod, container: str) -> Waiting | Running | Terminated:
        """What a container was last said to do."""
        state = self._states.get(pod.uid)
        names = [each.name for each in pod.containers]
        return state.containers[names.index(container)].now if state else Waiting()

    def _has_ended(self, pod: Pod, container: str) -> bool:
        """Nothing more will come into the log of a container."""
        state = self._states.get(pod.uid)
        gone = pod.uid not in self._runs or (state is not None and state.phase.finished)
        return gone or isinstance(self._now(pod, container), Terminated)

    def _waits(self, pod: Pod, container: str) -> str:
        now = self._now(pod, container)
        return ": ".join(filter(None, (now.reason, now.message))) if isinstance(now, Waiting) else "ContainerCreating"

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _claims_of(pod: Pod) -> set[str]:
    claims = (volume.persistent_volume_claim for volume in pod.spec.volumes)
    return {claim.claim_name for claim in claims if claim is not None}


def _not_mounted(trouble: str) -> str:
    return (
        f"volumes are not at their mountPath, since nothing can be mounted here ({trouble}): "
        "the variables JOBFLOW_VOLUME_<NAME> say where they are"
    )


def _run_log(newest: Path | None, options: LogOptions) -> Path | None:
    """The log that is asked for: of the newest run, or of the one before it."""
    if newest is None or not options.previous:
        return newest
    run = int(newest.stem)
    return newest.with_name(f"{run - 1}.log") if run else None
