"""Probes: is a container up, ready, alive?

In: its probes, the pod's address, a way to run a command beside it. Out: while it runs, calls of a Patient: it has
started, it is ready or not any more; `watch` ends with the reason when the container must be ended. Connections go
from this machine to the pod's own address, as a kubelet's do: what listens on 127.0.0.1 alone is not reached.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from jobflow.clock import Clock
from jobflow.local.kubelet.environment import expand
from jobflow.local.kubelet.refusals import Unrunnable, not_here
from jobflow.local.kubelet.spec import Container, HttpGet, Probe

HEADER_BYTES = 16 * 1024
SUCCESS = range(200, 400)  # Kubernetes' rule

RunCommand = Callable[[tuple[str, ...], str, float], Awaitable["Outcome"]]  # command, probe's name, timeout


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one try found."""

    passed: bool
    message: str = ""


class Patient(Protocol):
    """The container that is asked."""

    def started(self) -> None:
        """Its startup probe passed, or it has none."""

    def is_ready(self, ready: bool) -> None:
        """Its readiness changed."""

    def unwell(self, probe: str, message: str) -> None:
        """A try failed; `probe` is Startup, Readiness or Liveness."""


def check(container: Container) -> None:
    """Raises Unrunnable for probes that cannot be asked here."""
    probes = {
        "startupProbe": container.startup_probe,
        "readinessProbe": container.readiness_probe,
        "livenessProbe": container.liveness_probe,
    }
    for name, probe in probes.items():
        what = f"container {container.name}: {name}"
        if probe is None:
            continue
        if probe.grpc is not None:
            raise not_here(f"{what}: grpc", "ask by httpGet, tcpSocket or exec")
        if probe.exec is None and probe.http_get is None and probe.tcp_socket is None:
            raise Unrunnable("CreateContainerConfigError", f"{what}: one of httpGet, tcpSocket and exec is required")
        action = probe.http_get or probe.tcp_socket
        if action is not None:
            _port(container, action.port, what)


class Doctor:
    """Asks one container."""

    def __init__(self, container: Container, address: str, run_command: RunCommand, clock: Clock) -> None:
        self._container = container
        self._address = address
        self._run_command = run_command
        self._clock = clock

    async def watch(self, patient: Patient) -> str:
        """Ask until the container must be ended; why. Cancelled when it has ended by itself."""
        container = self._container
        if container.startup_probe is not None:
            failed = await self._until_started(container.startup_probe, patient)
            if failed:
                return failed
        patient.started()
        readiness = asyncio.create_task(self._readiness(container.readiness_probe, patient))
        try:
            return await self._liveness(container.liveness_probe, patient)
        finally:
            readiness.cancel()
            await asyncio.wait({readiness})

    async def _until_started(self, probe: Probe, patient: Patient) -> str:
        """Empty once it has started; else why it must be ended."""
        await self._clock.sleep(probe.initial_delay_seconds)
        passed = failed = 0
        while True:
            outcome = await self._ask(probe, "Startup")
            passed, failed = (passed + 1, 0) if outcome.passed else (0, failed + 1)
            if passed >= probe.success_threshold:
                return ""
            if not outcome.passed:
                patient.unwell("Startup", outcome.message)
            if failed >= probe.failure_threshold:
                return f"container {self._container.name} failed startup probe, will be restarted"
            await self._clock.sleep(probe.period_seconds)

    async def _readiness(self, probe: Probe | None, patient: Patient) -> None:
        if probe is None:
            patient.is_ready(True)
            return
        await self._clock.sleep(probe.initial_delay_seconds)
        ready, passed, failed = False, 0, 0
        while True:
            outcome = await self._ask(probe, "Readiness")
            passed, failed = (passed + 1, 0) if outcome.passed else (0, failed + 1)
            if not outcome.passed:
                patient.unwell("Readiness", outcome.message)
            if not ready and passed >= probe.success_threshold:
                ready = True
                patient.is_ready(True)
            elif ready and failed >= probe.failure_threshold:
                ready = False
                patient.is_ready(False)
            await self._clock.sleep(probe.period_seconds)

    async def _liveness(self, probe: Probe | None, patient: Patient) -> str:
        if probe is None:
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")
        await self._clock.sleep(probe.initial_delay_seconds)
        failed = 0
        while True:
            outcome = await self._ask(probe, "Liveness")
            failed = 0 if outcome.passed else failed + 1
            if not outcome.passed:
                patient.unwell("Liveness", outcome.message)
            if failed >= probe.failure_threshold:
                return f"container {self._container.name} failed liveness probe, will be restarted"
            await self._clock.sleep(probe.period_seconds)

    async def _ask(self, probe: Probe, name: str) -> Outcome:
        timeout = float(max(probe.timeout_seconds, 1))
        try:
            if probe.exec is not None:
                return await self._run_command(_expanded(probe.exec.command, self._container), name.lower(), timeout)
            async with asyncio.timeout(timeout):
                if probe.http_get is not None:
                    return await self._get(probe.http_get)
                assert probe.tcp_socket is not None
                port = _port(self._container, probe.tcp_socket.port, name)
                _, writer = await asyncio.open_connection(probe.tcp_socket.host or self._address, port)
                writer.close()
                return Outcome(True)
        except TimeoutError:
            return Outcome(False, f"no answer within {timeout:g}s")
        except (OSError, ValueError) as error:  # ValueError: a first line without end
            return Outcome(False, f"{type(error).__name__}: {error}")

    async def _get(self, action: HttpGet) -> Outcome:
        """GET over a connection of its own; only the status line matters. Certificates are not looked at."""
        host, port = action.host or self._address, _port(self._container, action.port, "httpGet")
        context = _trusting() if action.scheme == "HTTPS" else None
        reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=HEADER_BYTES)
        try:
            writer.write(_request(action, host, port))
            line = (await reader.readline()).split(maxsplit=2)
        finally:
            writer.close()
        if len(line) < 2 or not line[0].startswith(b"HTTP/") or not line[1].isdigit():
            return Outcome(False, f"http://{host}:{port}{action.path}: the answer is not HTTP")
        code = int(line[1])
        return Outcome(code in SUCCESS, "" if code in SUCCESS else f"HTTP probe failed with statuscode: {code}")


def _expanded(command: tuple[str, ...], container: Container) -> tuple[str, ...]:
    """With the variables that the container itself gives a value, as in Kubernetes: those from elsewhere are empty."""
    known = {each.name: each.value for each in container.env}
    return tuple(expand(word, known) for word in command)


def _request(action: HttpGet, host: str, port: int) -> bytes:
    headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/jobflow", "Accept": "*/*", "Connection": "close"}
    for header in action.http_headers:
        name = next((known for known in headers if known.lower() == header.name.lower()), header.name)
        headers[name] = header.value
    path = action.path if action.path.startswith("/") else f"/{action.path}"
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    text = "\r\n".join(line.replace("\r", "").replace("\n", "") for line in lines)
    return f"{text}\r\n\r\n".encode()


def _port(container: Container, port: int | str, what: str) -> int:
    if isinstance(port, int):
        return port
    if port.isdigit():
        return int(port)
    for each in container.ports:
        if each.name == port:
            return each.container_port
    raise Unrunnable("CreateContainerConfigError", f'{what}: the container has no port named "{port}"')


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
