"""ProcessRuntime: pods whose containers are processes of this machine, run as the user who runs jobflow.

In: pods to start and stop. Out: their states, their logs. Images are never pulled: a container runs its
`command` with what this machine has. Working directories go with their pods; logs stay in the runtime's
directory.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Mapping
from pathlib import Path

from jobflow.clock import Clock
from jobflow.local.apiserver.logs import LogOptions
from jobflow.local.kubelet import logfiles
from jobflow.local.kubelet.containers import Pod, PodState, Report
from jobflow.local.kubelet.environment import DEFAULT_LANG, DEFAULT_PATH, Machine
from jobflow.local.kubelet.files import Layout
from jobflow.local.kubelet.pod_run import Place, PodRun
from jobflow.local.kubelet.processes import Processes


class ProcessRuntime:
    """Runs pods as processes below one supervisor."""

    def __init__(self, directory: Path, clock: Clock, environ: Mapping[str, str] | None = None) -> None:
        machine = os.environ if environ is None else environ
        self.layout = Layout(directory.absolute())
        self.processes = Processes()
        self._clock = clock
        self._machine = Machine(machine.get("PATH", DEFAULT_PATH), machine.get("LANG", DEFAULT_LANG))
        self._report: Report | None = None
        self._runs: dict[str, PodRun] = {}
        self._finished: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, report: Report) -> None:
        """Keep the supervisor up until cancelled; then nothing that it started is left."""
        self._report = report
        await asyncio.to_thread(self.layout.remove_leftovers)
        try:
            await self.processes.run()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def start(self, pod: Pod) -> None:
        """Start a pod that was not started before."""
        place = Place(self.processes, self._clock, self._machine, self._tell)
        run = self._runs[pod.uid] = PodRun(pod, self.layout.of(pod.namespace, pod.name, pod.uid), place)
        self._spawn(run.run(), pod)

    def stop(self, pod: Pod, grace_seconds: float) -> None:
        """End it: SIGTERM, after the grace SIGKILL."""
        run = self._runs.get(pod.uid)
        if run is not None:
            self._spawn(run.stop(grace_seconds), pod)

    def forget(self, pod: Pod) -> None:
        """Remove its working directory."""
        self._runs.pop(pod.uid, None)
        self._finished.discard(pod.uid)
        files = self.layout.of(pod.namespace, pod.name, pod.uid)
        self._spawn(asyncio.to_thread(files.remove), pod)

    def logs(self, pod: Pod, options: LogOptions) -> AsyncIterator[bytes]:
        """What a container printed. Raises LookupError where there is no such run."""
        name = options.container
        files = self.layout.of(pod.namespace, pod.name, pod.uid)
        source = logfiles.LogFile(
            path=lambda: _run_log(files.newest(name), options),
            ended=lambda: pod.uid in self._finished or pod.uid not in self._runs,
            what=f"container {name} of pod {pod.name}",
        )
        return logfiles.read(source, options, self._clock)

    def log_path(self, namespace: str, name: str, container: str) -> Path | None:
        """The log file of the newest run of a container, also of a pod that is gone. Reads directories."""
        files = self.layout.newest(namespace, name)
        return files.newest(container) if files else None

    def _tell(self, pod: Pod, state: PodState) -> None:
        if state.phase.finished:
            self._finished.add(pod.uid)
        if self._report is not None:
            self._report(pod, state)

    @property
    def unfinished(self) -> tuple[asyncio.Task[None], ...]:
        """What it is doing now, for whoever wants to wait for it."""
        return tuple(self._tasks)

    def _spawn(self, work: Coroutine[None, None, None], pod: Pod) -> None:
        task = asyncio.create_task(work, name=f"pod {pod.namespace}/{pod.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _run_log(newest: Path | None, options: LogOptions) -> Path | None:
    """The log that is asked for: of the newest run, or of the one before it."""
    if newest is None or not options.previous:
        return newest
    run = int(newest.stem)
    return newest.with_name(f"{run - 1}.log") if run else None
