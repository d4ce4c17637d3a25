"""Rights: what is installed, taken away one by one, and flows that need every one of them.

In: the roles of `jobflow.deploy`, a cluster on which manifests/ was applied with kubectl. Out: rows of single rights,
the cluster without one of them, and `Exercise`: flows, and what befalls them, such that the controller makes every
kind of call it ever makes: reads a ConfigMap, deletes Jobs, finds a stranger under a name, makes a deleted Job again,
labels one that lost its label, ends one that waits too long, deletes a flow whose time has come.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.installed import Account, Cluster, Refused, wait_until
from cluster.processes import Player, Processes, Replica, run

from jobflow.api import names
from jobflow.api.resources import COMMAND, CONFIG_MAP, JOB_FLOW, JOB_TEMPLATE, LEASE, VOLCANO_JOB
from jobflow.deploy import rbac
from jobflow.deploy.names import LEASE_NAME, NAME, NAMESPACE
from jobflow.deploy.workload import ARGUMENTS
from jobflow.kube.transport import JSON, MERGE_PATCH
from jobflow.testing.builders import flow, template

MANIFESTS = Path(__file__).parents[2] / "manifests"
REVIEW = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
USER = f"system:serviceaccount:{NAMESPACE}:{NAME}"
EFFECTIVE_SECONDS = 20.0  # the authorizer learns of a changed role by a watch
LEASE_SECONDS = 6  # the least there is, so that it is renewed every two
KUBECTL_SECONDS = 120


@dataclass(frozen=True)
class Right:
    """One verb on one kind, and the role that gives it."""

    role: str  # its path, such as clusterroles/jobflow-controller
    group: str
    resource: str  # with its subresource: jobflows/status
    verb: str

    def __str__(self) -> str:
        return f"{self.verb}-{self.resource}"

    @property
    def path(self) -> str:
        """Of the role on the API server."""
        return f"/apis/{rbac.API_VERSION}/{self.role}"

    @property
    def words(self) -> str:
        """By which the API server names the right where it is missing."""
        if self.resource.endswith("/finalizers"):
            return "you can't set finalizers on"
        return f'cannot {self.verb} resource "{self.resource}" in API group "{self.group}"'


def rights() -> list[Right]:
    """Every right of the controller, as installed for all namespaces."""
    cluster_role, own_role = rbac.cluster_roles()[0], rbac.own_roles()[0]
    own = own_role["metadata"]
    return _of((f"clusterroles/{NAME}", cluster_role), (f"namespaces/{own['namespace']}/roles/{own['name']}", own_role))


def rights_to_cluster_templates() -> list[Right]:
    """Those that come with the overlay."""
    role = rbac.cluster_template_roles()[0]
    return _of((f"clusterroles/{role['metadata']['name']}", role))


def _of(*roles: tuple[str, dict[str, Any]]) -> list[Right]:
    return [
        Right(path, group, resource, verb)
        for path, role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


@contextmanager
def without(cluster: Cluster, right: Right, user: str = USER) -> Iterator[None]:
    """The cluster as it is where this one right was forgotten, as `user` meets it."""
    installed = cluster.ask("GET", right.path)
    rules = [narrowed for rule in installed["rules"] for narrowed in _narrowed(rule, right)]
    cluster.ask("PATCH", right.path, {"rules": rules}, MERGE_PATCH)
    try:
        wait_until(lambda: not allowed(cluster, right, user), EFFECTIVE_SECONDS, lambda: f"{right} is still given")
        yield
    finally:
        cluster.ask("PATCH", right.path, {"rules": installed["rules"]}, MERGE_PATCH)
        wait_until(lambda: allowed(cluster, right, user), EFFECTIVE_SECONDS, lambda: f"{right} is not given back")


def _narrowed(rule: dict[str, Any], right: Right) -> list[dict[str, Any]]:
    """The rule without the right: for its resource fewer verbs, for the others as it was."""
    if right.group not in rule["apiGroups"] or right.resource not in rule["resources"]:
        return [rule]
    others = [resource for resource in rule["resources"] if resource != right.resource]
    verbs = [verb for verb in rule["verbs"] if verb != right.verb]
    parts = [{**rule, "resources": others}, {**rule, "resources": [right.resource], "verbs": verbs}]
    return [part for part in parts if part["resources"] and part["verbs"]]


def allowed(cluster: Cluster, right: Right, user: str = USER, namespace: str = NAMESPACE) -> bool:
    """What the API server's authorizer says now."""
    resource, _, subresource = right.resource.partition("/")
    attributes = {"verb": right.verb, "group": right.group, "resource": resource, "subresource": subresource}
    spec = {"user": user, "groups": [], "resourceAttributes": {**attributes, "namespace": namespace}}
    told = cluster.ask("POST", REVIEW, {"apiVersion": "authorization.k8s.io/v1", "spec": spec})
    return bool(told["status"]["allowed"])


def kubectl(cluster: Cluster, *words: str, stdin: str | None = None, check: bool = True) -> str:
    """Run kubectl as the administrator; what it printed, errors included."""
    beside = Path(sys.executable).parent / "kubectl"
    program = str(beside) if beside.exists() else shutil.which("kubectl")
    assert program, "kubectl is not installed; `make test` installs it"
    home = str(cluster.plane.directory)
    environment = {**os.environ, "KUBECONFIG": str(cluster.plane.kubeconfig), "HOME": home}
    done = subprocess.run(
        [program, *words], input=stdin, env=environment, capture_output=True, text=True, timeout=KUBECTL_SECONDS
    )
    assert not check or done.returncode == 0, f"kubectl {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def deployed(processes: Processes, account: Account, *options: str) -> Replica:
    """The controller with the Deployment's own arguments; metrics on loopback, and a Lease that is soon renewed."""
    replaced = ("--metrics-address=",)
    arguments = [word for word in ARGUMENTS if not word.startswith(replaced)]
    more = ("--metrics-address=127.0.0.1:0", f"--lease-seconds={LEASE_SECONDS}", f"--kubeconfig={account.kubeconfig}")
    log = processes.directory / f"deployed-{len(processes.started)}.log"
    replica = Replica(run(NAME, log, sys.executable, "-m", "jobflow", *arguments, *more, *options), user=account.user)
    processes.started.append(replica)
    return replica


@dataclass
class Exercise:
    """Flows in one namespace that need every right, and what has to happen to them meanwhile (`meddle`)."""

    cluster: Cluster
    namespace: str
    player: Player
    done: set[str] = field(default_factory=set)

    FLOWS = (
        flow("kept").step("a").step("b", after="a").step("c", after="a").step("d", after=("b", "c")),
        flow("cleaned").step("a").step("b", after="a").policy("delete"),
        flow("robbed").step("a"),  # its Job is deleted, and made again
        flow("shorn").step("a"),  # its Job loses the label by which we watch it
        flow("taken").step("a"),  # somebody else's Job has its name
        flow("told")  # what its Job is to be told is in a ConfigMap
        .parameter("who", valueFrom={"configMapKeyRef": {"name": "told", "key": "who"}})
        .step("a")
        .having(patch={"metadata": {"annotations": {"who": "$(params.who)"}}}),
        flow("late").step("a").having(pendingDeadlineSeconds=1, continueOnFail=True),  # its Job is to be ended
    )
    BRIEF = flow("brief").step("a").setting(ttlSecondsAfterFinished=0)  # it is gone when it has ended

    def begin(self) -> None:
        """Submit; Jobs stay as they are until `meddle` has done its part."""
        self.player.freeze()
        metadata = {"name": "taken-a", "namespace": self.namespace}
        stranger = {"apiVersion": VOLCANO_JOB.api_version, "kind": VOLCANO_JOB.kind, "metadata": metadata}
        self.cluster.ask("POST", VOLCANO_JOB.path(self.namespace), {**stranger, "spec": {}})
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "told"}, "data": {"who": "you"}}
        self.cluster.ask("POST", CONFIG_MAP.path(self.namespace), config)
        self.cluster.templates(self.namespace, [template(step).task("main") for step in "abcd"])
        self.cluster.submit(self.namespace, (*self.FLOWS, self.BRIEF))

    def meddle(self) -> None:
        """One look: whatever has to be done now is done."""
        jobs = {job["metadata"]["name"]: job["metadata"] for job in self.cluster.jobs(self.namespace)}
        if "robbed-a" in jobs and self._now("robbed"):
            self._ask("DELETE", "robbed-a")
        if "shorn-a" in jobs and self._now("shorn"):
            self._ask("PATCH", "shorn-a", {"metadata": {"labels": {names.CREATED_BY_JOB_FLOW: None}}})
        if self._reason("taken") == "NameConflict" and self._now("taken"):
            self._ask("DELETE", "taken-a")
        if self._commanded() and self._now("commanded"):  # what Volcano would do is done here
            self.cluster.ask("DELETE", COMMAND.path(self.namespace))
            self._ask("DELETE", "late-a")
        if self.player.frozen and self.done >= {"robbed", "shorn"} and self._step("late").get("phase") == "Failed":
            self.player.thaw()

    def finished(self) -> bool:
        """All flows have succeeded, and the one that is not kept is gone; meddles on the way."""
        assert self.player.alive, self.player.program.told()
        self.meddle()
        return self.cluster.all_in("Succeed", len(self.FLOWS), self.namespace)

    def templates_are_told(self) -> bool:
        """The JobTemplates' status has come, which takes its time."""
        found = self.cluster.all(JOB_TEMPLATE, self.namespace)
        return all(one.get("status", {}).get("jobDependsOnList") for one in found)

    def told(self) -> str:
        """How they stand."""
        flows = self.cluster.all(JOB_FLOW, self.namespace)
        return json.dumps({one["metadata"]["name"]: one.get("status", {}).get("state") for one in flows})

    def clear(self) -> None:
        """Nothing is left for the next controller to do, nor a Lease to wait for."""
        self.player.thaw()
        for resource in (JOB_FLOW, VOLCANO_JOB, JOB_TEMPLATE, CONFIG_MAP, COMMAND):
            self.cluster.ask("DELETE", resource.path(self.namespace))
        try:
            self.cluster.ask("DELETE", LEASE.path(NAMESPACE, LEASE_NAME))
        except Refused as error:
            if error.status != 404:
                raise

    def _now(self, what: str) -> bool:
        """Whether it is done for the first time."""
        first = what not in self.done
        self.done.add(what)
        return first

    def _ask(self, method: str, job: str, body: object = None) -> None:
        self.cluster.ask(method, VOLCANO_JOB.path(self.namespace, job), body, MERGE_PATCH if body else JSON)

    def _commanded(self) -> bool:
        return bool(self.cluster.ask("GET", COMMAND.path(self.namespace))["items"])

    def _step(self, flow: str) -> dict[str, Any]:
        """Its first step, as its status tells."""
        status = self.cluster.ask("GET", JOB_FLOW.path(self.namespace, flow)).get("status", {})
        return dict(next(iter(status.get("flowStatuses", ())), {}))

    def _reason(self, name: str) -> str:
        state = self.cluster.ask("GET", JOB_FLOW.path(self.namespace, name)).get("status", {}).get("state", {})
        return str(state.get("reason", ""))
