"""Plane: a fresh real control plane, prepared for one measurement of one contender.

In: a directory. Out: etcd and kube-apiserver with audit log, the CRDs, the templates, and a ServiceAccount for the
contender: it is told from the load by its user, and the server's flow control treats it as it would in production (the
load's own user is exempt). Each measurement has its own, so that none inherits what another has left behind.

The programs come from tests/envtest, which builds them; etcd does not wait for the disk there.
"""

from __future__ import annotations

import sys
import tempfile
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1] / "tests"
if str(TESTS) not in sys.path:  # the control plane's starter is not a part of what is installed
    sys.path.append(str(TESTS))

from envtest.build import ProgramMissing  # noqa: E402
from envtest.control_plane import ControlPlane, DidNotStart, Program, start_program  # noqa: E402

from bench.errors import BenchError  # noqa: E402
from bench.shape import NAMESPACE, STEPS, template_body  # noqa: E402
from jobflow.api.crd import product_crds, volcano_crds  # noqa: E402
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB  # noqa: E402

__all__ = ["DidNotStart", "Plane", "Program", "fresh_plane", "start_program"]

ACCOUNT = "controller"
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
SERVED_SECONDS = 30.0
AUDIT_FILE = "--audit-log-maxsize=4000"  # megabytes: it is not to be rotated under its reader


@dataclass(frozen=True)
class Plane:
    """A control plane that is ready."""

    directory: Path
    admin: Path  # kubeconfig of the load
    contender: Path  # kubeconfig of the contender
    audit_log: Path
    pids: dict[str, int]  # of etcd and kube-apiserver


@contextmanager
def fresh_plane(tell: Callable[[str], None], *, audit: bool = True) -> Iterator[Plane]:
    """Start one; it and its data are gone at the end. Call from the main thread. Raises BenchError."""
    with tempfile.TemporaryDirectory(prefix="jobflow-bench-") as directory:
        plane = ControlPlane(Path(directory), audit=audit, tell=tell, extra_flags=(AUDIT_FILE,) if audit else ())
        try:
            plane.start()
        except (ProgramMissing, DidNotStart) as error:
            raise BenchError(f"no control plane: {error}") from error
        try:
            yield _prepared(plane)
        finally:
            plane.stop()


def _prepared(plane: ControlPlane) -> Plane:
    for crd in (*product_crds(), *volcano_crds()):
        plane.ask("POST", CUSTOM_RESOURCE_DEFINITION.path(), crd)
    core, rbac = "/api/v1/namespaces", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    plane.ask("POST", core, {"metadata": {"name": NAMESPACE}})
    plane.ask("POST", f"{core}/{NAMESPACE}/serviceaccounts", {"metadata": {"name": ACCOUNT}})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}
    plane.ask("POST", rbac, {"metadata": {"name": "bench-contender"}, "roleRef": role, "subjects": [subject]})
    for kind in (JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB):
        _wait_until_served(plane, kind.path(NAMESPACE))
    for step in STEPS:
        _insist(plane, JOB_TEMPLATE.path(NAMESPACE), template_body(step))
    return Plane(
        directory=plane.directory,
        admin=plane.kubeconfig,
        contender=plane.account_kubeconfig(NAMESPACE, ACCOUNT),
        audit_log=plane.audit_log,
        pids={running.name: running.process.pid for running in plane.programs},
    )


def _wait_until_served(plane: ControlPlane, path: str) -> None:
    _until(lambda: plane.ask("GET", path), path)


def _insist(plane: ControlPlane, path: str, body: dict[str, Any]) -> None:
    """A CRD may be listed a little before it can be written."""
    _until(lambda: plane.ask("POST", path, body), path)


def _until(ask: Callable[[], object], path: str) -> None:
    deadline = time.monotonic() + SERVED_SECONDS
    while True:
        try:
            ask()
            return
        except urllib.error.HTTPError as error:
            told = error.read().decode(errors="replace")
            error.close()
            if time.monotonic() > deadline:
                raise BenchError(f"{path} is not served after {SERVED_SECONDS:g} s: {told}") from error
        time.sleep(0.2)
