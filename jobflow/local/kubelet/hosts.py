"""Hosts: the /etc/hosts of pods, which is all the name service they have here.

In: a pod, its address, the pods that run beside it. Out: the file: the machine's own names, the pod's, those of all
pods of its namespace that have a subdomain, as a headless Service would give them, and its hostAliases. Rewritten in
place while pods come and go: whoever has it mounted sees the change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jobflow.local.kubelet.containers import Pod

CLUSTER_DOMAIN = "cluster.local"
HEAD = "# Written by jobflow while pods come and go.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"


@dataclass(frozen=True, slots=True)
class Host:
    """A pod and where it is reached."""

    pod: Pod
    address: str

    @property
    def names(self) -> list[str]:
        """What other pods of its namespace call it; nothing without a subdomain."""
        subdomain = self.pod.spec.subdomain
        if not subdomain:
            return []
        short = f"{self.pod.hostname}.{subdomain}"
        namespace = self.pod.namespace
        return [f"{short}.{namespace}.svc.{CLUSTER_DOMAIN}", f"{short}.{namespace}.svc", f"{short}.{namespace}", short]


def hosts_file(host: Host, beside: Iterable[Host], machine: str) -> str:
    """The text of the file. `machine` is that of this machine."""
    lines = [HEAD, _line(host.address, [*host.names, host.pod.hostname])]
    for alias in host.pod.spec.host_aliases:
        lines.append(_line(alias.ip, alias.hostnames))
    for other in sorted(beside, key=lambda each: each.pod.name):
        if other.names and other.pod.uid != host.pod.uid and other.pod.namespace == host.pod.namespace:
            lines.append(_line(other.address, other.names))
    return "".join(lines) + machine


def _line(address: str, names: Iterable[str]) -> str:
    return f"{address}\t{' '.join(names)}\n"
