"""Cluster: a real control plane with jobflow installed on it as users install it, and what tests ask of it.

In: a ControlPlane. Out: namespaces, templates and flows in it; accounts that have exactly the rights that are
installed, one for each replica, so that the audit log tells their writes apart; how the flows stand. It asks as the
administrator, over one connection that is kept, and blocks: tests of processes have no event loop.
"""

from __future__ import annotations

import http.client
import itertools
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from cluster.audit import Audit
from envtest.control_plane import ControlPlane, DidNotStart

from jobflow.api.crd import product_crds, volcano_crds
from jobflow.api.resources import (
    CUSTOM_RESOURCE_DEFINITION,
    JOB_FLOW,
    JOB_TEMPLATE,
    LEASE,
    SERVICE_ACCOUNT,
    VOLCANO_JOB,
    Resource,
)
from jobflow.api.resources import NAMESPACE as NAMESPACES
from jobflow.deploy import rbac
from jobflow.deploy.names import NAMESPACE as SYSTEM
from jobflow.testing.builders import FlowBuilder, TemplateBuilder

ASK_SECONDS = 60.0
SERVED_SECONDS = 90.0
SUBMITTERS = 8
LOOK_SECONDS = 0.05  # between two looks at a log; lists of flows are asked for less often
RESTARTS = 3  # while an API server is down, another process may be given its port for a moment
PAGE = 500

Body = dict[str, Any]
_numbers = itertools.count(1)


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, body: Body) -> None:
        super().__init__(f"{status}: {body.get('message', body)}")
        self.status = status
        self.body = body


@dataclass
class Account:
    """A ServiceAccount of one replica: its name in the audit log, and the kubeconfig that replica is given."""

    user: str
    kubeconfig: str


@dataclass
class Cluster:
    """A control plane of the tests' own, which they may kill and start again."""

    plane: ControlPlane
    _connection: http.client.HTTPSConnection | None = None

    def __post_init__(self) -> None:
        self.audit = Audit(self.plane.audit_log)  # who did what since the control plane was started

    @cached_property
    def _crds(self) -> list[Body]:
        """What is installed; made when asked for, since that takes longer than most that is asked of a cluster."""
        return [*product_crds(), *volcano_crds()]

    def ask(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Body:
        """One request. Raises Refused; OSError or HTTPException where there is no server."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.plane.token}", "Content-Type": content_type}
        if self._connection is None:
            address = urlsplit(self.plane.url)
            trust = self.plane.certificate.client_context()
            assert address.hostname
            self._connection = http.client.HTTPSConnection(
                address.hostname, address.port, timeout=ASK_SECONDS, context=trust
            )
        try:
            self._connection.request(method, path, data, headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except BaseException:
            self.disconnect()
            raise
        try:
            told: Body = json.loads(text)
        except ValueError:
            told = {"message": text.decode(errors="replace")}
        if answer.status >= 300:
            raise Refused(answer.status, told)
        return told

    def disconnect(self) -> None:
        """Close the administrator's connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def install(self) -> None:
        """CRDs (served), and the namespace that the controller lives in."""
        for crd in self._crds:
            self.ask("POST", CUSTOM_RESOURCE_DEFINITION.path(), crd)
        self._wait_for_kinds()
        self.ask("POST", NAMESPACES.path(), {"metadata": {"name": SYSTEM}})

    def namespace(self, name: str) -> str:
        """A namespace of the test's own, its name begun with `name`."""
        name = f"{name}-{next(_numbers)}"
        self.ask("POST", NAMESPACES.path(), {"metadata": {"name": name}})
        return name

    def account(self, name: str, *namespaces: str) -> Account:
        """A new account with the controller's rights: in these namespaces, or in the whole cluster."""
        name = f"{name}-{next(_numbers)}"
        self.ask("POST", SERVICE_ACCOUNT.path(SYSTEM), {"metadata": {"name": name}})
        roles = [role for one in namespaces for role in rbac.flow_roles(one)] or rbac.cluster_roles()
        for role in (*rbac.own_roles(), *roles):
            self._grant(role, name)
        kubeconfig = self.plane.account_kubeconfig(SYSTEM, name)
        return Account(f"system:serviceaccount:{SYSTEM}:{name}", str(kubeconfig))

    def create(self, resource: Resource, namespace: str, body: Body) -> Body:
        """Create what a user would write: the server's own metadata is left out."""
        written = {key: body[key] for key in ("apiVersion", "kind", "spec")}
        metadata = {"name": body["metadata"]["name"]}
        return self.ask("POST", resource.path(namespace), {**written, "metadata": metadata})

    def templates(self, namespace: str, templates: Iterable[TemplateBuilder]) -> None:
        """JobTemplates."""
        for one in templates:
            self.create(JOB_TEMPLATE, namespace, one.body())

    def submit(self, namespace: str, flows: Iterable[FlowBuilder]) -> None:
        """JobFlows, over several connections: a burst, also where the server is busy."""
        bodies = [one.body() for one in flows]
        shares = [bodies[first::SUBMITTERS] for first in range(min(SUBMITTERS, len(bodies)))]
        with ThreadPoolExecutor(SUBMITTERS) as submitters:
            list(submitters.map(lambda share: self._create_all(JOB_FLOW, namespace, share), shares))

    def all(self, resource: Resource, namespace: str) -> list[Body]:
        """All objects of a kind."""
        found: list[Body] = []
        token = ""
        while True:
            page = self.ask("GET", f"{resource.path(namespace)}?limit={PAGE}&continue={token}")
            found += page["items"]
            token = page["metadata"].get("continue", "")
            if not token:
                return found

    def phases(self, namespace: str) -> Counter[str]:
        """How many flows are in which phase."""
        return Counter(one.get("status", {}).get("state", {}).get("phase", "") for one in self.all(JOB_FLOW, namespace))

    def all_in(self, phase: str, count: int, *namespaces: str) -> bool:
        """All flows of these namespaces, `count` together, are in this phase; False while there is no server."""
        try:
            found = sum((self.phases(one) for one in namespaces), Counter[str]())
        except (OSError, http.client.HTTPException, Refused):
            return False
        return found == {phase: count}

    def jobs(self, namespace: str) -> list[Body]:
        """All Volcano Jobs."""
        return self.all(VOLCANO_JOB, namespace)

    def lease(self, name: str) -> Body:
        """The spec of a Lease in the controller's namespace."""
        spec: Body = self.ask("GET", LEASE.path(SYSTEM, name))["spec"]
        return spec

    def kill_api_server(self) -> None:
        """kill -9; what it had committed is in etcd."""
        self.plane.stop_api_server(signal.SIGKILL)
        self.disconnect()

    def start_api_server(self) -> None:
        """Start it on the same port over the same data; returns when it is ready and serves our kinds."""
        for left in reversed(range(RESTARTS)):
            try:
                self.plane.start_api_server()
                break
            except DidNotStart:
                self.plane.stop_api_server(signal.SIGKILL)
                if not left:
                    raise
        self._wait_for_kinds()

    def _create_all(self, resource: Resource, namespace: str, bodies: Iterable[Body]) -> None:
        """Over a connection of its own."""
        own = Cluster(self.plane)
        try:
            for body in bodies:
                own.create(resource, namespace, body)
        finally:
            own.disconnect()

    def restart_api_server(self) -> None:
        """kill -9, and start it again."""
        self.kill_api_server()
        self.start_api_server()

    def _wait_for_kinds(self) -> None:
        """Until they are served, which is some time after their CRDs are established."""
        specs = [crd["spec"] for crd in self._crds]
        missing = [f"/apis/{one['group']}/{one['versions'][0]['name']}/{one['names']['plural']}" for one in specs]

        def all_served() -> bool:
            missing[:] = [path for path in missing if not self._is_served(path)]
            return not missing

        wait_until(all_served, SERVED_SECONDS, lambda: f"not served: {missing}")

    def _is_served(self, path: str) -> bool:
        try:
            self.ask("GET", f"{path}?limit=1")
        except (Refused, OSError, http.client.HTTPException):
            return False
        return True

    def _grant(self, role: Body, account: str) -> None:
        """Create a role, or bind it to the account: each account has bindings of its own."""
        metadata = dict(role["metadata"])
        body = {**role, "metadata": metadata}
        if "subjects" in role:
            metadata["name"] += f"-{account}"
            body["subjects"] = [{"kind": "ServiceAccount", "name": account, "namespace": SYSTEM}]
        group, kind = rbac.API_VERSION, role["kind"].lower() + "s"
        place = f"namespaces/{metadata['namespace']}/" if "namespace" in metadata else ""
        try:
            self.ask("POST", f"/apis/{group}/{place}{kind}", body)
        except Refused as error:
            if error.status != 409:
                raise


def wait_until(
    condition: Callable[[], bool], seconds: float, told: Callable[[], str], every: float = LOOK_SECONDS
) -> float:
    """Look until it holds; how long that took. The bound is against hanging, it is no measurement."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, told()
        time.sleep(every)
    return time.monotonic() - began
