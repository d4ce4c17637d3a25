"""SimulatedRuntime: pods that run nothing, for tests and for trying out large flows.

In: pods, with annotations that say how each is to end. Out: the states that real ones would have gone
through, by the Clock. Any image will do and there is no limit to how many run at once: one heap of timers and
one task serve all.

    simulate.jobflow.volcano.sh/duration      how long it runs, a Go duration; default 100ms
    simulate.jobflow.volcano.sh/exit-code     how it ends; default 0
    simulate.jobflow.volcano.sh/failure-rate  0 to 1: the chance that it fails (with the exit code above, or 1)
    simulate.jobflow.volcano.sh/termination-message  what its containers leave as their last words, at most 4096 bytes

Chance is decided by the seed, the pod's namespace and name, and which try it is: the same run fails the same
way again.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from jobflow.api.durations import format_duration, parse_duration
from jobflow.clock import Clock
from jobflow.local.apiserver.reads.logs import LogOptions
from jobflow.local.kubelet.containers import (
    ContainerState,
    Pod,
    PodPhase,
    PodState,
    Reporter,
    Running,
    Terminated,
    Waiting,
)
from jobflow.local.kubelet.deadline import DEADLINE_EXCEEDED, deadline_message
from jobflow.local.kubelet.restarts import BackOff, restarts
from jobflow.local.kubelet.termination import MAX_BYTES

DURATION = "simulate.jobflow.volcano.sh/duration"
EXIT_CODE = "simulate.jobflow.volcano.sh/exit-code"
FAILURE_RATE = "simulate.jobflow.volcano.sh/failure-rate"
MESSAGE = "simulate.jobflow.volcano.sh/termination-message"
JOB_RETRY_COUNT = "volcano.sh/job-retry-count"  # a Job's restart gives pods the same names again

DEFAULT_DURATION_SECONDS = 0.1  # long enough to be seen Running, short enough not to be waited for
HIGHEST_EXIT_CODE = 255
KILLED = 137  # 128 + SIGKILL
TICK_SECONDS = 0.001  # a loop's clock is coarser than a float: a shorter sleep might not pass any time

T = TypeVar("T")
Number = TypeVar("Number", int, float)


class BadAnnotation(ValueError):
    """An annotation's value cannot be read."""


@dataclass(frozen=True, slots=True)
class Script:
    """What a pod's annotations say it does."""

    seconds: float = DEFAULT_DURATION_SECONDS
    exit_code: int = 0
    failure_rate: float = 0.0
    message: str = ""


@dataclass(slots=True, eq=False)
class Simulation:
    """One pod being played; all its containers do the same at the same time."""

    pod: Pod
    address: str
    script: Script
    started_at: datetime
    run_started_at: datetime
    restarts: int = 0
    before: Terminated | None = None
    ended: bool = False
    is_late: bool = False  # it ran into its activeDeadlineSeconds
    back_off: BackOff = field(default_factory=BackOff)


class SimulatedRuntime:
    """Plays pods by the clock."""

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        self._clock = clock
        self._seed = seed
        self._reporter: Reporter | None = None
        self._played: dict[str, Simulation] = {}
        self._timers: list[tuple[float, int, Simulation, Callable[[Simulation], None]]] = []
        self._set = 0
        self._earlier = asyncio.Event()  # a timer was set that comes before all others

    async def run(self, reporter: Reporter) -> None:
        """Fire timers until cancelled."""
        self._reporter = reporter
        while True:
            self._fire()
            self._earlier.clear()
            await self._wait()

    def start(self, pod: Pod, address: str) -> None:
        """Begin to play it."""
        now = self._clock.now()
        try:
            script = script_of(pod)
        except BadAnnotation as bad:
            self._tell(pod, _refused(pod, str(bad), now))
            return
        simulation = self._played[pod.uid] = Simulation(pod, address, script, now, now)
        self._begin(simulation)
        if pod.spec.active_deadline_seconds is not None:
            self._after(float(pod.spec.active_deadline_seconds), simulation, self._end_late)

    def stop(self, pod: Pod, grace_seconds: float) -> None:
        """End it at once: what is not there needs no grace."""
        simulation = self._played.get(pod.uid)
        if simulation is not None and not simulation.ended:
            now = self._clock.now()
            self._finish(simulation, Terminated(KILLED, "Error", now, simulation.run_started_at))

    def forget(self, pod: Pod) -> None:
        """The pod is gone."""
        self._played.pop(pod.uid, None)

    async def logs(self, pod: Pod, options: LogOptions) -> AsyncIterator[bytes]:
        """One line that says what is played."""
        simulation = self._played.get(pod.uid)
        if simulation is None or options.previous or options.tail_lines == 0:
            return
        script, started = simulation.script, simulation.run_started_at
        line = (
            f"{options.container} of {pod.namespace}/{pod.name} is simulated: runs {format_duration(script.seconds)}, "
            f"exit code {self._exit_code(simulation)}\n"
        )
        if options.timestamps:
            line = f"{started:%Y-%m-%dT%H:%M:%S.%f}000Z {line}"
        yield line.encode()[: options.limit_bytes]

    def log_path(self, namespace: str, name: str, container: str) -> Path | None:
        """Nothing is written."""
        return None

    async def _wait(self) -> None:
        """Until the earliest timer is due, or one before it is set."""
        if not self._timers:
            await self._earlier.wait()
            return
        tasks = {
            asyncio.ensure_future(self._clock.sleep(max(self._timers[0][0] - self._clock.monotonic(), TICK_SECONDS))),
            asyncio.ensure_future(self._earlier.wait()),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _fire(self) -> None:
        now = self._clock.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _, _, simulation, action = heapq.heappop(self._timers)
            if not simulation.ended:
                action(simulation)

    def _after(self, seconds: float, simulation: Simulation, action: Callable[[Simulation], None]) -> None:
        due = self._clock.monotonic() + seconds
        if not self._timers or due < self._timers[0][0]:
            self._earlier.set()
        self._set += 1
        heapq.heappush(self._timers, (due, self._set, simulation, action))

    def _begin(self, simulation: Simulation) -> None:
        simulation.run_started_at = self._clock.now()
        self._publish(simulation, PodPhase.RUNNING, Running(simulation.run_started_at))
        self._after(simulation.script.seconds, simulation, self._end)

    def _end(self, simulation: Simulation) -> None:
        code = self._exit_code(simulation)
        reason = "Error" if code else "Completed"
        message = simulation.script.message
        end = Terminated(code, reason, self._clock.now(), simulation.run_started_at, message)
        if not restarts(simulation.pod.spec.restart_policy, code):
            self._finish(simulation, end)
            return
        seconds = simulation.back_off.after(simulation.script.seconds)
        simulation.before = end
        waiting = Waiting("CrashLoopBackOff", f"back-off {seconds:g}s before it is started again")
        self._publish(simulation, PodPhase.RUNNING, waiting)
        simulation.restarts += 1
        self._after(seconds, simulation, self._begin)

    def _finish(self, simulation: Simulation, end: Terminated) -> None:
        simulation.ended = True
        self._publish(simulation, PodPhase.FAILED if end.exit_code else PodPhase.SUCCEEDED, end)

    def _end_late(self, simulation: Simulation) -> None:
        simulation.is_late = True
        self._finish(simulation, Terminated(KILLED, "Error", self._clock.now(), simulation.run_started_at))

    def _exit_code(self, simulation: Simulation) -> int:
        script, pod = simulation.script, simulation.pod
        if not script.failure_rate:
            return script.exit_code
        tried = f"{pod.annotations.get(JOB_RETRY_COUNT, '0')}/{simulation.restarts}"
        text = f"{self._seed}/{pod.namespace}/{pod.name}/{tried}"
        drawn = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64
        return (script.exit_code or 1) if drawn < script.failure_rate else 0

    def _publish(self, simulation: Simulation, phase: PodPhase, now: Waiting | Running | Terminated) -> None:
        pod = simulation.pod
        init = ContainerState(
            Terminated(0, "Completed", simulation.started_at, simulation.started_at), ready=True
        )  # they take no time
        runs = isinstance(now, Running)
        main = ContainerState(now, simulation.before, simulation.restarts, started=runs, ready=runs)
        state = PodState(
            phase=phase,
            containers=(init,) * len(pod.spec.init_containers) + (main,) * len(pod.spec.containers),
            started_at=simulation.started_at,
            address=simulation.address,
            ready_since=self._clock.now(),
            finished_at=now.finished_at if isinstance(now, Terminated) else None,
            reason=DEADLINE_EXCEEDED if simulation.is_late else "",
            message=deadline_message(pod.spec.active_deadline_seconds or 0) if simulation.is_late else "",
        )
        self._tell(pod, state)

    def _tell(self, pod: Pod, state: PodState) -> None:
        if self._reporter is not None:
            self._reporter.state(pod, state)


def script_of(pod: Pod) -> Script:
    """What the pod's annotations say. Raises BadAnnotation, naming annotation and value."""
    return Script(
        seconds=_read(pod, DURATION, _seconds, DEFAULT_DURATION_SECONDS, "a Go duration such as 1m30s"),
        exit_code=_read(pod, EXIT_CODE, _code, 0, f"an integer from 0 to {HIGHEST_EXIT_CODE}"),
        failure_rate=_read(pod, FAILURE_RATE, _rate, 0.0, "a number from 0 to 1"),
        message=_read(pod, MESSAGE, _message, "", f"a text of at most {MAX_BYTES} bytes"),
    )


def _read(pod: Pod, name: str, read: Callable[[str], T], default: T, wanted: str) -> T:
    text = pod.annotations.get(name)
    if text is None:
        return default
    try:
        return read(text)
    except ValueError as error:
        raise BadAnnotation(f'annotation {name}: "{text}" is not {wanted}') from error


def _seconds(text: str) -> float:
    return _within(parse_duration(text), timedelta.max.total_seconds())


def _code(text: str) -> int:
    return _within(int(text), HIGHEST_EXIT_CODE)


def _rate(text: str) -> float:
    return _within(float(text), 1)


def _message(text: str) -> str:
    if len(text.encode()) > MAX_BYTES:
        raise ValueError
    return text


def _within(number: Number, highest: float) -> Number:
    if not 0 <= number <= highest:  # also false for a float that is no number
        raise ValueError
    return number


def _refused(pod: Pod, message: str, now: datetime) -> PodState:
    waiting = ContainerState(Waiting("BadAnnotation", message))
    return PodState(
        phase=PodPhase.FAILED,
        containers=(waiting,) * len(pod.containers),
        started_at=now,
        finished_at=now,
        reason="BadAnnotation",
        message=message,
    )
