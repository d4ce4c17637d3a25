"""What a container's process is started with: its environment and its command line, from the pod's spec.

In: a pod, one of its containers, where it runs. Out: variables and arguments as Kubernetes would give them,
`$(NAME)` expanded, on top of four variables of this machine and nothing else of our own environment. Raises
Unrunnable, in the user's words, for what only a cluster has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobflow.local.kubelet.containers import Container, EnvVar, Pod
from jobflow.local.kubelet.node import NODE_ADDRESS, NODE_NAME

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_LANG = "C.UTF-8"
_REFERENCE = re.compile(r"\$(?:\$|\(([^()]*)\))")
_KEYED_FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class Unrunnable(Exception):
    """The container cannot be run here, however often it is tried."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Machine:
    """What containers see of the machine they run on."""

    path: str = DEFAULT_PATH
    lang: str = DEFAULT_LANG


def variables(pod: Pod, container: Container, machine: Machine, home: Path) -> dict[str, str]:
    """The environment: PATH, HOME, LANG, TMPDIR and HOSTNAME, then the container's own variables in order."""
    env = {
        "PATH": machine.path,
        "HOME": str(home),
        "LANG": machine.lang,
        "TMPDIR": str(home / "tmp"),
        "HOSTNAME": pod.spec.hostname or pod.name,
    }
    if container.env_from:
        raise _not_here(f"container {container.name}: envFrom", "write the variables under `env`")
    given: dict[str, str] = {}
    for variable in container.env:
        given[variable.name] = _value(pod, container, variable, given)
    return {**env, **given}


def arguments(container: Container, env: Mapping[str, str]) -> tuple[str, ...]:
    """`command` and `args` with their references expanded. Raises Unrunnable where there is no command."""
    if container.volume_mounts:
        raise _not_here(f"container {container.name}: volumeMounts", "processes see this machine's files")
    if not container.command:
        raise Unrunnable(
            "ImageCommandUnknown",
            f"image {container.image or '(none)'} gives no command here: images are not pulled; "
            "add `command:` or use `--runtime simulate`",
        )
    return tuple(expand(text, env) for text in (*container.command, *container.args))


def expand(text: str, known: Mapping[str, str]) -> str:
    """Kubernetes' expansion: `$(NAME)` where it is known, else left as it is; `$$` stands for `$`."""

    def one(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return known.get(found[1], found[0])

    return _REFERENCE.sub(one, text)


def _value(pod: Pod, container: Container, variable: EnvVar, known: Mapping[str, str]) -> str:
    source = variable.value_from
    if source is None:
        return expand(variable.value, known)
    if source.field_ref is not None:
        return _field(pod, container, variable, source.field_ref.field_path)
    raise _not_here(f"container {container.name}: env {variable.name}: valueFrom", "only fieldRef is; write a `value`")


def _field(pod: Pod, container: Container, variable: EnvVar, path: str) -> str:
    fields = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": NODE_NAME,
        "spec.serviceAccountName": pod.spec.service_account_name,
        "status.hostIP": NODE_ADDRESS,
        "status.podIP": NODE_ADDRESS,
    }
    if path in fields:
        return fields[path]
    if keyed := _KEYED_FIELD.fullmatch(path):
        table = pod.labels if keyed[1] == "labels" else pod.annotations
        return table.get(keyed[2], "")
    raise _not_here(f"container {container.name}: env {variable.name}: fieldPath {path}", f"known: {', '.join(fields)}")


def _not_here(what: str, advice: str) -> Unrunnable:
    return Unrunnable("CreateContainerConfigError", f"{what} is not available for processes of this machine: {advice}")
