"""The one node of the embedded control plane: its name, its address, and the Node that tells what it has.

In: how much CPU and memory the machine has. Out: the Node object; schedulers read `status.allocatable`.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from jobflow import __version__
from jobflow.api.resources import Resource
from jobflow.local.kubelet.capacity import Amount
from jobflow.local.kubelet.quantities import cpu_text

NODE = Resource("", "v1", "nodes", "Node", namespaced=False)
NODE_NAME = "local"
NODE_ADDRESS = "127.0.0.1"  # pods are processes of this machine, reached over loopback


def node_object() -> dict[str, Any]:
    """The Node without its status."""
    system = os.uname()
    labels = {
        "kubernetes.io/hostname": NODE_NAME,
        "kubernetes.io/os": system.sysname.lower(),
        "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(system.machine, system.machine),
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE_NAME, "labels": labels}}


def node_status(capacity: Amount, now: datetime) -> dict[str, Any]:
    """Its status: ready, with all of the machine for pods."""
    system = os.uname()
    has = {"cpu": cpu_text(capacity.cpu), "memory": str(int(capacity.memory))}
    time = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "pods run as processes of this machine",
        "lastHeartbeatTime": time,
        "lastTransitionTime": time,
    }
    return {
        "capacity": has,
        "allocatable": has,
        "conditions": [ready],
        "addresses": [
            {"type": "InternalIP", "address": NODE_ADDRESS},
            {"type": "Hostname", "address": NODE_NAME},
        ],
        "nodeInfo": {
            "kubeletVersion": f"jobflow-{__version__}",
            "osImage": system.sysname,
            "kernelVersion": system.release,
            "operatingSystem": system.sysname.lower(),
            "architecture": system.machine,
            "containerRuntimeVersion": "process://local",
        },
    }
