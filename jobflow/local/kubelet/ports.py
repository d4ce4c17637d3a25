"""Ports: which pods say that they listen where.

In: pods that start and end, with the containerPorts they declare. Out: words when a port is declared by two at a
time: a server that listens on 0.0.0.0, as most do, takes it from all pods of the machine.
"""

from __future__ import annotations

from collections import defaultdict

from jobflow.local.kubelet.containers import Pod

PortKey = tuple[int, str]  # number, protocol


class PortBook:
    """Declared ports of running pods."""

    def __init__(self) -> None:
        self._open: defaultdict[PortKey, dict[str, str]] = defaultdict(dict)  # pod names by UID

    def open(self, pod: Pod) -> str:
        """Note its ports; what to tell its user, if others have declared one of them."""
        clashes = []
        for key in _ports(pod):
            if others := [name for uid, name in self._open[key].items() if uid != pod.uid]:
                clashes.append(f"{key[0]}/{key[1]} (also of pod {others[0]})")
            self._open[key][pod.uid] = f"{pod.namespace}/{pod.name}"
        if not clashes:
            return ""
        return (
            f"containerPort {', '.join(clashes)}: all pods run on this machine, so a server that listens on 0.0.0.0 "
            "takes the port of all; listen on the pod's own address (fieldRef status.podIP)"
        )

    def close(self, pod: Pod) -> None:
        """It has ended."""
        for key in _ports(pod):
            self._open[key].pop(pod.uid, None)
            if not self._open[key]:
                del self._open[key]


def _ports(pod: Pod) -> set[PortKey]:
    return {(port.container_port, port.protocol) for container in pod.containers for port in container.ports}
