"""Preflight: one question to the API server before anything starts, so that a wrong kubeconfig is told in one line.

In: a transport that was just made. Out: nothing where the server answers; KubeconfigError, with what is wrong, in
which file and what to do, where it never will: its certificate is not trusted, or it does not accept our credentials.
A server that cannot be reached may be starting: it is asked again for a while. A pod goes on regardless: its
controller waits for a control plane that is away in any case.
"""

from __future__ import annotations

import structlog

from jobflow.kube.errors import Unavailable
from jobflow.kube.http import HttpTransport, NotTrusted
from jobflow.kube.kubeconfig import KubeconfigError
from jobflow.kube.server_time import ServerClock
from jobflow.kube.transport import Request

ANSWER_SECONDS = 10.0
REACHED_SECONDS = 30.0  # from the first try; kube-apiserver takes about five to start
RETRY_SECONDS = 2.0
UNAUTHORIZED = 401

log = structlog.get_logger(__name__)


async def check(server: HttpTransport, clock: ServerClock) -> None:
    """Ask for the version, which everybody may who is known; set the clock by the answer. Raises KubeconfigError."""
    gives_up = clock.monotonic() + REACHED_SECONDS
    told = False
    while True:
        try:
            answer = await server.request(Request("GET", "/version"), ANSWER_SECONDS)
        except NotTrusted as error:
            raise KubeconfigError(
                f"{server.origin}: {error.message}; set its certificate-authority to the CA of this cluster"
            ) from error
        except Unavailable as error:
            if not told:
                log.warning("the API server cannot be reached", origin=server.origin, because=error.message)
                told = True
            if server.in_pod:
                return
            if clock.monotonic() + RETRY_SECONDS > gives_up:
                raise KubeconfigError(
                    f"{server.origin}: {error.message}; is the cluster up, and clusters[].cluster.server its address?"
                ) from error
            await clock.sleep(RETRY_SECONDS)
            continue
        if answer.status == UNAUTHORIZED:
            raise KubeconfigError(
                f"{server.origin}: {server.server} does not accept its credentials (401): the token or certificate has "
                "expired, was revoked or belongs to another cluster; log in again, or make a new kubeconfig"
            )
        clock.heard(answer.headers.get("date", ""))
        return
