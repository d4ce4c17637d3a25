"""EmbeddedServer: the embedded API server as a process of its own, with nobody who acts on what is in it.

In: where to write the kubeconfig; a directory to keep the objects in, or none. Out: the API server of `jobflow up` on
a loopback port, over TLS, with the CRDs and with Volcano's admission; no Job runtime, kubelet or controller, as none
of them runs beside the kube-apiserver that it is measured with. The kubeconfig is written when it answers.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from jobflow.clock import SystemClock
from jobflow.kube.client import Client
from jobflow.local.apiserver.server import ApiServer
from jobflow.local.apiserver.wire import http
from jobflow.local.apiserver.wire.credentials import credentials
from jobflow.local.apiserver.wire.kubeconfig import write_kubeconfig
from jobflow.local.controlplane import install
from jobflow.local.volcano.webhook import VolcanoAdmission


async def main(kubeconfig: Path, data: Path | None) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock = SystemClock()
    certificate, token = await asyncio.to_thread(credentials, data)
    async with (
        ApiServer(clock, data=data, admission=VolcanoAdmission()) as server,
        http.serve(server, token=token, certificate=certificate) as port,
    ):
        await install(Client(server.transport(), clock))
        write_kubeconfig(kubeconfig, f"https://127.0.0.1:{port}", certificate.ca_pem, token)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
