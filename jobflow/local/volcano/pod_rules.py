"""What Kubernetes says of a pod template, as far as a Job can break it before a pod is made.

In: a pod template, as parsed. Out: complaints in Kubernetes' words, each with its field path below the template; and
warnings. Kubernetes' own validation has some hundred rules; here are those that YAML written by hand breaks: names,
mounts of volumes that are not there, ports, words. The API server tells the rest when the pod is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobflow.api.names import DNS_LABEL, MAX_LABEL_CHARACTERS

RESTART_POLICIES = ("Always", "OnFailure", "Never")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
HIGHEST_PORT = 65535
NOT_A_LABEL = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'"

Fields = Mapping[str, Any]


def template_problems(template: Fields) -> list[str]:
    """Everything for which Kubernetes would refuse a pod of this template; empty for a good one."""
    spec = template.get("spec")
    if not isinstance(spec, Mapping) or not spec.get("containers"):
        return ["template.spec.containers: Required value"]
    return [f"template.spec.{problem}" for problem in _spec_problems(spec)]


def template_warnings(template: Fields) -> list[str]:
    """What works here, where images are not pulled, and not in a cluster."""
    spec = template.get("spec")
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    return [
        f"template.spec.containers[{index}].image: there is none; in a cluster the Job would be refused"
        for index, container in enumerate(containers if isinstance(containers, list) else ())
        if isinstance(container, Mapping) and not container.get("image")
    ]


def _spec_problems(spec: Fields) -> Iterator[str]:
    policy = spec.get("restartPolicy", "Always")
    if policy not in RESTART_POLICIES:
        yield _unsupported("restartPolicy", policy, RESTART_POLICIES)
    volumes = list(_names(spec, "volumes"))
    yield from _name_problems("volumes", volumes)
    if not isinstance(spec.get("containers"), list):
        yield "containers: Invalid value: must be a list"
        return
    names = [(field, index, name) for field in _LISTS for index, name in enumerate(_names(spec, field))]
    seen: set[str] = set()
    for field, index, name in names:
        if not name:
            yield f"{field}[{index}].name: Required value"
        elif not _is_label(name):
            yield f'{field}[{index}].name: Invalid value: "{name}": {NOT_A_LABEL}'
        elif name in seen:
            yield f'{field}[{index}].name: Duplicate value: "{name}"'
        seen.add(name)
    for field in _LISTS:
        for index, container in enumerate(_objects(spec.get(field))):
            yield from _container_problems(container, f"{field}[{index}]", set(volumes))


_LISTS = ("initContainers", "containers")


def _container_problems(container: Fields, path: str, volumes: set[str]) -> Iterator[str]:
    if (policy := container.get("imagePullPolicy")) and policy not in PULL_POLICIES:
        yield _unsupported(f"{path}.imagePullPolicy", policy, PULL_POLICIES)
    for index, port in enumerate(_objects(container.get("ports"))):
        number = port.get("containerPort")
        if not isinstance(number, int) or not 0 < number <= HIGHEST_PORT:
            place = f"{path}.ports[{index}].containerPort"
            yield f"{place}: Invalid value: {number}: must be between 1 and {HIGHEST_PORT}, inclusive"
    for index, variable in enumerate(_objects(container.get("env"))):
        if not variable.get("name"):
            yield f"{path}.env[{index}].name: Required value"
        if variable.get("value") and variable.get("valueFrom"):
            yield f"{path}.env[{index}].valueFrom: Invalid value: may not be specified when `value` is not empty"
    mounted: set[str] = set()
    for index, mount in enumerate(_objects(container.get("volumeMounts"))):
        place, where = f"{path}.volumeMounts[{index}]", str(mount.get("mountPath") or "")
        if mount.get("name") not in volumes:
            yield f'{place}.name: Not found: "{mount.get("name") or ""}"'
        if not where:
            yield f"{place}.mountPath: Required value"
        elif where in mounted:
            yield f'{place}.mountPath: Invalid value: "{where}": must be unique'
        mounted.add(where)


def _name_problems(field: str, names: list[str]) -> Iterator[str]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not name:
            yield f"{field}[{index}].name: Required value"
        elif not _is_label(name):
            yield f'{field}[{index}].name: Invalid value: "{name}": {NOT_A_LABEL}'
        elif name in seen:
            yield f'{field}[{index}].name: Duplicate value: "{name}"'
        seen.add(name)


def _names(spec: Fields, field: str) -> Iterator[str]:
    return (str(one.get("name") or "") for one in _objects(spec.get(field)))


def _objects(value: Any) -> list[Fields]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _is_label(name: str) -> bool:
    return len(name) <= MAX_LABEL_CHARACTERS and DNS_LABEL.fullmatch(name) is not None


def _unsupported(path: str, value: object, known: tuple[str, ...]) -> str:
    quoted = ", ".join(f'"{one}"' for one in known)
    return f'{path}: Unsupported value: "{value}": supported values: {quoted}'
