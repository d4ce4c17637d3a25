"""A real control plane on loopback: etcd, kube-apiserver with RBAC, and kube-controller-manager's collectors if asked.

In: programs (build.py) and a directory. Out: a kubeconfig of an administrator, one for any ServiceAccount, Transports
over them, an audit log where it is wanted. Data is thrown away and etcd does not wait for the disk: for tests only.
Programs are told by the kernel to end when the process that started them does, however that comes about.

The ServiceAccount admission plugin is off, as in envtest: a Pod would else wait for its namespace's account.
"""

from __future__ import annotations

import base64
import ctypes
import json
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from envtest.build import Tell, program

from jobflow.kube.http import HttpTransport, connect
from jobflow.local.apiserver.wire.certificates import Certificate
from jobflow.local.apiserver.wire.kubeconfig import write_kubeconfig
from jobflow.local.apiserver.wire.private_files import write_private

START_SECONDS = 90.0  # it takes about 5; a shared machine may stall
STOP_SECONDS = 10.0  # graceful, then not
ATTEMPTS = 3  # a port that was free may be taken by somebody else before the program listens
TOKEN_SECONDS = 3600
COLLECTORS = ("garbage-collector-controller", "namespace-controller", "serviceaccount-controller")
PR_SET_PDEATHSIG = 1  # prctl(2): a signal for when the parent thread ends
AUDIT_POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- {level: None, nonResourceURLs: ["/healthz*", "/readyz*", "/livez*", "/openapi*", "/version"]}
- {level: Metadata}
"""


class DidNotStart(Exception):
    """A program ended, or was not ready in time; the message has the end of its log."""


@dataclass
class Program:
    """One process, its log, and how to end it."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def told(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join([f"{self.name} ({self.log}):", *lines[-15:]])

    def wait_for(self, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Look until it is ready. Raises DidNotStart."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None:
                raise DidNotStart(f"ended with {self.process.returncode}: {self.told()}")
            if time.monotonic() > deadline:
                raise DidNotStart(f"not ready within {seconds:g} s: {self.told()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it by its process id: SIGTERM, and SIGKILL where that is not enough."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def start_program(name: str, command: list[str], log: Path) -> Program:
    """Start it, its output in `log`; it ends with this process, if not before. Call from the main thread."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for who started it, who ends its programs in order
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
        )
    return Program(name, process, log)


@dataclass
class ControlPlane:
    """`plane = ControlPlane(directory); plane.start(); ...; plane.stop()`. Call from the main thread."""

    directory: Path
    audit: bool = False
    tell: Tell = print
    extra_flags: tuple[str, ...] = ()  # of kube-apiserver
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _etcd: Program | None = None
    _api: Program | None = None
    _collectors: Program | None = None
    _ports: tuple[int, int, int] = (0, 0, 0)

    def start(self) -> None:
        """Start etcd and kube-apiserver; returns when it is ready. Raises DidNotStart and ProgramMissing."""
        programs = {name: program(name, self.tell) for name in ("etcd", "kube-apiserver")}
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_credentials()
        for attempt in range(1, ATTEMPTS + 1):
            self._ports = _free_ports()
            try:
                self._start_etcd(programs["etcd"])
                self.start_api_server()
                break
            except DidNotStart as error:
                self.stop()
                if attempt == ATTEMPTS or "address already in use" not in str(error):
                    raise
            except BaseException:
                self.stop()
                raise
        write_kubeconfig(self.kubeconfig, self.url, self.certificate.ca_pem, self.token)

    def stop(self) -> None:
        """End everything, the last started first."""
        for running in self.programs:
            running.stop()
        self._collectors = self._api = self._etcd = None

    @property
    def programs(self) -> list[Program]:
        """What runs now, the last started first."""
        return [running for running in (self._collectors, self._api, self._etcd) if running is not None]

    def start_collectors(self, *more: str) -> None:
        """Start kube-controller-manager with garbage collection of objects and namespaces, and `more` controllers."""
        if self._collectors is not None:
            return
        started = self._run(
            "kube-controller-manager",
            program("kube-controller-manager", self.tell),
            f"--kubeconfig={self.kubeconfig}",
            f"--controllers={','.join((*COLLECTORS, *more))}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports[2]}",
            f"--cert-dir={self.directory / 'collectors'}",
            f"--service-account-private-key-file={self.directory / 'accounts.key'}",
            f"--root-ca-file={self.directory / 'tls' / 'ca.crt'}",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        )
        self._collectors = started
        started.wait_for(lambda: self._answers(f"https://127.0.0.1:{self._ports[2]}/healthz", trust=False))

    def start_api_server(self) -> None:
        """Start kube-apiserver (again) on the same port, over the same etcd."""
        self._api = self._run("kube-apiserver", program("kube-apiserver", self.tell), *self._flags())
        self._api.wait_for(lambda: self._answers(f"{self.url}/readyz"))

    def stop_api_server(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        """End kube-apiserver alone, as `with_signal` does; its data stays in etcd."""
        if self._api is not None:
            self._api.process.send_signal(with_signal)
            self._api.stop()
            self._api = None

    @property
    def url(self) -> str:
        """Where kube-apiserver listens."""
        return f"https://127.0.0.1:{self._ports[1]}"

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig (0600) of a member of system:masters."""
        return self.directory / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON object a line, for each answered request; where `audit` was asked for."""
        return self.directory / "audit.log"

    @property
    def etcd_url(self) -> str:
        """etcd's client address, for tests that compact its history."""
        return f"http://127.0.0.1:{self._ports[0]}"

    async def transport(self, kubeconfig: Path | None = None) -> HttpTransport:
        """A Transport of the administrator, or of another kubeconfig. To be closed by the caller."""
        return await connect(str(kubeconfig or self.kubeconfig))

    def account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig of a ServiceAccount that exists, with a fresh token."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        wanted = {"spec": {"expirationSeconds": TOKEN_SECONDS}}
        token = self.ask("POST", path, wanted)["status"]["token"]
        kubeconfig = self.directory / f"kubeconfig-{namespace}-{name}"
        write_kubeconfig(kubeconfig, self.url, self.certificate.ca_pem, token)
        return kubeconfig

    def compact(self) -> int:
        """Forget etcd's history up to now, as its daily compaction does; returns the revision."""
        revision = self.revision()
        self._etcd_call("compaction", {"revision": revision, "physical": True})
        return revision

    def revision(self) -> int:
        """etcd's revision now: each write that it has seen counts one."""
        return int(self._etcd_call("range", {"key": "AA==", "limit": 1})["header"]["revision"])

    def changed_since(self, revision: int, prefix: str) -> list[str]:
        """Keys under `prefix` that were written after the revision; not those that were deleted."""
        first, end = (base64.b64encode(key).decode() for key in (prefix.encode(), prefix.encode() + b"\xff"))
        wanted = {"key": first, "range_end": end, "min_mod_revision": revision + 1, "keys_only": True}
        found = self._etcd_call("range", wanted).get("kvs", [])
        return [base64.b64decode(one["key"]).decode() for one in found]

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """One request as the administrator, for preparations. Blocks. Raises urllib.error.HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30, context=self.certificate.client_context()) as answer:
            return json.loads(answer.read())

    def _etcd_call(self, what: str, body: object) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.etcd_url}/v3/kv/{what}", json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def _write_credentials(self) -> None:
        self.certificate = Certificate.kept_in(self.directory / "tls")
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        write_private(self.directory / "accounts.key", pem)
        write_private(self.directory / "tokens.csv", f'{self.token},admin,admin,"system:masters"\n'.encode())
        (self.directory / "audit-policy.yaml").write_text(AUDIT_POLICY)

    def _start_etcd(self, path: Path) -> None:
        client, peer = self.etcd_url, f"http://127.0.0.1:{_free_ports()[0]}"
        self._etcd = self._run(
            "etcd",
            path,
            "--name=test",
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=test={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        self._etcd.wait_for(lambda: self._answers(f"{client}/health"))

    def _flags(self) -> list[str]:
        tls, key = self.directory / "tls", self.directory / "accounts.key"
        flags = [
            f"--etcd-servers={self.etcd_url}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._ports[1]}",
            f"--cert-dir={self.directory / 'api'}",
            f"--tls-cert-file={tls / 'server.crt'}",
            f"--tls-private-key-file={tls / 'server.key'}",
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none",
            "--allow-privileged=true",
        ]
        if self.audit:
            policy = self.directory / "audit-policy.yaml"
            flags += [f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}"]
        return [*flags, *self.extra_flags]

    def _run(self, name: str, path: Path, *flags: str) -> Program:
        return start_program(name, [str(path), *flags], self.directory / f"{name}.log")

    def _answers(self, url: str, *, trust: bool = True) -> bool:
        context = None
        if url.startswith("https:"):
            context = self.certificate.client_context()
            if not trust:
                context.check_hostname = False
                context.verify_mode = 0
        try:
            with urllib.request.urlopen(url, timeout=5, context=context) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


def _free_ports() -> tuple[int, int, int]:
    """Three ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(3)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        first, second, third = (one.getsockname()[1] for one in sockets)
    finally:
        for one in sockets:
            one.close()
    return first, second, third


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent() -> None:
    """In the child, before it becomes the program."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
