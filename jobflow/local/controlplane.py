"""The embedded control plane: API server, Job runtime, kubelet and controller in one process.

In: where to keep things, how pods run, a clock. Out: an API server that answers in the process (`transport`) or on a
socket (`serve`). A development tool: in a cluster, API server, Volcano and kubelet are the real ones, and the
controller is the same. Its parts start from the bottom up and stop from the top down, so that a stopping controller
can still write, and pods are ended by a kubelet that knows them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from jobflow.api.crd import cluster_job_template_crd, product_crds, volcano_crds
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, QUEUE
from jobflow.app import App
from jobflow.clock import Clock
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.transport import Transport
from jobflow.local.apiserver.server import ApiServer
from jobflow.local.kubelet.access import ApiAccess, NoAccess, Server
from jobflow.local.kubelet.capacity import of_machine
from jobflow.local.kubelet.claims import ApiClaims
from jobflow.local.kubelet.files import Layout
from jobflow.local.kubelet.kubelet import Kubelet
from jobflow.local.kubelet.process_runtime import Outside, ProcessRuntime
from jobflow.local.kubelet.simulated import SimulatedRuntime
from jobflow.local.kubelet.sources import ApiSources
from jobflow.local.names import local_world
from jobflow.local.volcano.cron.runtime import CronRuntime
from jobflow.local.volcano.runtime import JobRuntime
from jobflow.local.volcano.webhook import VolcanoAdmission

LOOPBACK = ("127.0.0.0/8", "::1/128")  # where pods of this control plane live
STOP_SECONDS = 30.0  # a drain of the controller takes at most 20; pods get SIGTERM, then SIGKILL

VOLUMES = "volumes"  # directories of PersistentVolumeClaims, below the data

Runtime = Literal["process", "simulate"]


@dataclass(frozen=True)
class LocalSettings:
    """What to run. `data` keeps all objects, if given; `scratch` has the pods' directories and their logs.

    With `served`, pods wait until `serve` has told them where the API server listens.
    """

    scratch: Path
    data: Path | None = None
    runtime: Runtime = "process"
    controller: bool = True
    served: bool = False
    host_paths: bool = False  # whether pods may mount files of this machine
    strict: bool = False  # refuse what Volcano refuses and is made up for here: a Job whose queue is missing


class ControlPlane:
    """`async with ControlPlane(settings, clock) as plane: Client(plane.transport(), clock)`."""

    def __init__(self, settings: LocalSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._stack = AsyncExitStack()
        self._failed: asyncio.Future[BaseException] | None = None
        self._access: ApiAccess | None = None
        self.server = ApiServer(clock, data=settings.data, admission=VolcanoAdmission(strict=settings.strict))
        self.app: App | None = None

    async def __aenter__(self) -> ControlPlane:
        self._failed = asyncio.get_running_loop().create_future()
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def data(self) -> Path | None:
        """The directory that keeps the objects, if any."""
        return self._settings.data

    def transport(self) -> Transport:
        """A way to the API server without a socket."""
        return self.server.transport()

    def log_paths(self, namespace: str, pod: str) -> list[Path]:
        """The log files of the pod's containers, newest run each; none where pods are simulated. Reads directories."""
        files = Layout(self._settings.scratch.absolute()).newest(namespace, pod)
        if files is None or not files.logs.is_dir():
            return []
        found = (files.newest(container.name) for container in sorted(files.logs.iterdir()))
        return [path for path in found if path is not None]

    async def failed(self) -> BaseException:
        """Wait until a part has died of a bug; the control plane is then of no use any more."""
        assert self._failed is not None, "not started"
        return await asyncio.shield(self._failed)

    async def _start(self) -> None:
        await self._stack.enter_async_context(self.server)
        client = Client(self.transport(), self._clock)
        await install(client)
        kubelet = self._kubelet(client)
        self.server.logs = kubelet
        self._spawn("kubelet", kubelet.run())
        self._spawn("job runtime", JobRuntime(client, self._clock).run())
        self._spawn("cron job runtime", CronRuntime(client, self._clock).run())
        if self._settings.controller:
            self._start_controller(client)

    def _kubelet(self, client: Client) -> Kubelet:
        settings, clock = self._settings, self._clock
        claims = ApiClaims(client, clock, (settings.data or settings.scratch).absolute() / VOLUMES)
        if settings.runtime == "simulate":
            self._spawn("claims", claims.run(lambda namespace: None))
            return Kubelet(client, clock, SimulatedRuntime(clock))
        if settings.served:
            self._access = ApiAccess(self.transport(), clock)
        outside = Outside(
            sources=ApiSources(client, clock),
            claims=claims,
            access=self._access or NoAccess(),
            machine=of_machine(),
            host_paths=settings.host_paths,
        )
        return Kubelet(client, clock, ProcessRuntime(settings.scratch, clock, outside), outside.machine)

    def announce(self, url: str, ca_pem: bytes) -> None:
        """Tell the pods where the API server listens."""
        if self._access is not None:
            self._access.announce(Server(url, ca_pem))

    def _start_controller(self, client: Client) -> None:
        stop = asyncio.Event()
        self.app = App(client, self._clock, Settings(enable_cluster_templates=True))
        self.app.runner.world = local_world(client, LOOPBACK)
        task = self._spawn("controller", self.app.run(stop))

        async def drain() -> None:
            stop.set()
            await asyncio.wait({task}, timeout=STOP_SECONDS)

        self._stack.push_async_callback(drain)

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)

        async def stop() -> None:
            task.cancel()
            await asyncio.wait({task}, timeout=STOP_SECONDS)

        self._stack.push_async_callback(stop)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) and self._failed and not self._failed.done():
            self._failed.set_result(error)


async def install(client: Client) -> None:
    """Put in place what a cluster with Volcano has: the CRDs and the default queue."""
    for crd in (*product_crds(), cluster_job_template_crd(), *volcano_crds()):
        await client.apply(CUSTOM_RESOURCE_DEFINITION, None, crd["metadata"]["name"], crd)
    queue = {
        "apiVersion": QUEUE.api_version,
        "kind": QUEUE.kind,
        "metadata": {"name": "default"},
        "spec": {"weight": 1, "reclaimable": True},
    }
    await client.apply(QUEUE, None, "default", queue)


@asynccontextmanager
async def serve(plane: ControlPlane, port: int, kubeconfig: Path) -> AsyncIterator[str]:
    """Listen on loopback and write a kubeconfig (mode 0600) for it; gives the URL. Raises PortTaken.

    Certificate and token are kept with the data, so that clients outlive a restart of the server.
    """
    # Here because `jobflow run`, which needs no socket, would pay half of its start for TLS and a web server.
    from jobflow.local.apiserver.wire import http
    from jobflow.local.apiserver.wire.credentials import credentials
    from jobflow.local.apiserver.wire.kubeconfig import write_kubeconfig

    certificate, token = await asyncio.to_thread(credentials, plane.data)
    async with http.serve(plane.server, port=port, token=token, certificate=certificate) as listening:
        url = f"https://127.0.0.1:{listening}"
        await asyncio.to_thread(write_kubeconfig, kubeconfig, url, certificate.ca_pem, token)
        plane.announce(url, certificate.ca_pem)
        yield url
