"""Downward: fields of a pod, as variables and as files.

In: a pod, its address, the path of a field or the name of a resource. Out: text as Kubernetes would give it. Raises
Unrunnable for a field that no pod here has.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fractions import Fraction

from jobflow.local.kubelet.capacity import Amount
from jobflow.local.kubelet.containers import Pod
from jobflow.local.kubelet.node import NODE_ADDRESS, NODE_NAME
from jobflow.local.kubelet.quantities import in_units, parse_quantity
from jobflow.local.kubelet.refusals import Unrunnable, not_here
from jobflow.local.kubelet.spec import Container, ResourceFieldRef

_KEYED_FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_RESOURCE = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage)")


@dataclass(frozen=True, slots=True)
class Facts:
    """A pod and where it runs."""

    pod: Pod
    address: str
    machine: Amount  # what the machine has: the limit of containers that name none


def field(facts: Facts, path: str, what: str) -> str:
    """The value of a field; `what` names who asks. Of metadata.labels and metadata.annotations, all of them."""
    pod = facts.pod
    fields = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": NODE_NAME,
        "spec.serviceAccountName": pod.spec.service_account_name,
        "status.hostIP": NODE_ADDRESS,
        "status.hostIPs": NODE_ADDRESS,
        "status.podIP": facts.address,
        "status.podIPs": facts.address,
    }
    if path in fields:
        return fields[path]
    if path in ("metadata.labels", "metadata.annotations"):
        table = pod.labels if path == "metadata.labels" else pod.annotations
        return "\n".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in sorted(table.items()))
    if keyed := _KEYED_FIELD.fullmatch(path):
        table = pod.labels if keyed[1] == "labels" else pod.annotations
        return table.get(keyed[2], "")
    raise not_here(f"{what}: fieldPath {path}", f"known: {', '.join(fields)}")


def resource(facts: Facts, ref: ResourceFieldRef, asking: Container | None, what: str) -> str:
    """A request or limit of a container, in units of the divisor, rounded up."""
    container = asking
    if ref.container_name:
        container = next((each for each in facts.pod.containers if each.name == ref.container_name), None)
    if container is None:
        raise Unrunnable("CreateContainerConfigError", f'{what}: container "{ref.container_name}" not found in the pod')
    found = _RESOURCE.fullmatch(ref.resource)
    if found is None:
        raise not_here(f"{what}: resource {ref.resource}", "known: limits. and requests. of cpu and memory")
    try:
        return str(in_units(_amount(facts.machine, container, found[1], found[2]), ref.divisor))
    except ValueError as error:
        raise Unrunnable("CreateContainerConfigError", f"{what}: {error}") from error


def _amount(machine: Amount, container: Container, table: str, name: str) -> Fraction:
    resources = container.resources
    given = resources.limits if table == "limits" else {**resources.limits, **resources.requests}
    if name in given:
        return parse_quantity(given[name])
    if table == "requests":
        return Fraction(0)
    return {"cpu": machine.cpu, "memory": machine.memory}.get(name, Fraction(0))
