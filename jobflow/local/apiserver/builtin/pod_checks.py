"""PodChecks: what kube-apiserver refuses of a pod's spec, in its words, as far as names and paths go.

In: a spec of the right JSON types. Out: complaints with the fields they are about. Names of containers and volumes, and
the paths of what is in volumes, become those of files where the pod runs: nothing gets there that leads out of the
pod's own directory. The fields of some complaints lack their index; they do there too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from jobflow.local.apiserver.statuses import Cause
from jobflow.local.apiserver.writes.names import label_problem, subdomain_problem

HIGHEST_PORT = 65535
RESTART_POLICIES = ("Always", "OnFailure", "Never")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
TERMINATION_POLICIES = ("File", "FallbackToLogsOnError")

Fields = Mapping[str, Any]
Causes = Iterator[Cause]


def pod_causes(spec: Fields) -> list[Cause]:
    """Everything that is wrong with it; nothing where it is good."""
    return list(_spec(spec))


def _spec(spec: Fields) -> Causes:
    volumes: set[str] = set()
    for path, volume in _each(spec, "volumes", "spec."):
        wrong = [*_source(path, volume), *_name(f"{path}.name", volume.get("name"), volumes)]
        yield from wrong
        if not wrong:
            volumes.add(volume["name"])
    if not spec.get("containers"):
        yield Cause("spec.containers", "Required value", "FieldValueRequired")
    names: set[str] = set()
    for field in ("containers", "initContainers"):
        for path, container in _each(spec, field, "spec."):
            yield from _container(path, container, volumes, names)
    yield from _one_of("spec.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES)
    for field, problem in _NAMES.items():
        if (value := spec.get(field)) and (wrong_name := problem(value)):
            yield _invalid(f"spec.{field}", value, wrong_name)


def _container(path: str, container: Fields, volumes: set[str], names: set[str]) -> Causes:
    name = container.get("name")
    yield from _name(f"{path}.name", name, set())
    policy = container.get("terminationMessagePolicy")
    yield from _one_of(f"{path}.terminationMessagePolicy", policy, TERMINATION_POLICIES)
    for place, port in _each(container, "ports", f"{path}."):
        yield from _port(place, port)
    for place, variable in _each(container, "env", f"{path}."):
        yield from _variable(place, variable)
    mounted: set[str] = set()
    for place, mount in _each(container, "volumeMounts", f"{path}."):
        yield from _mount(place, mount, volumes, mounted)
    yield from _one_of(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), PULL_POLICIES)
    if name in names:
        yield Cause(f"{path}.name", f"Duplicate value: {_told(name)}", "FieldValueDuplicate")
    elif name:
        names.add(name)


def _name(path: str, name: Any, taken: set[str]) -> Causes:
    if not name:
        yield _required(path)
    elif wrong := label_problem(name):
        yield _invalid(path, name, wrong)
    if name in taken:
        yield Cause(path, f"Duplicate value: {_told(name)}", "FieldValueDuplicate")


def _port(path: str, port: Fields) -> Causes:
    number = port.get("containerPort")
    if not number:
        yield _required(f"{path}.containerPort")
    for field in ("containerPort", "hostPort"):
        if (given := port.get(field)) and not 0 < given <= HIGHEST_PORT:
            yield _invalid(f"{path}.{field}", given, f"must be between 1 and {HIGHEST_PORT}, inclusive")


def _variable(path: str, variable: Fields) -> Causes:
    name = variable.get("name") or ""
    if not name:
        yield _required(f"{path}.name")
    elif not (name.isascii() and name.isprintable()) or "=" in name:
        told = "a valid environment variable name must consist only of printable ASCII characters other than '='"
        yield _invalid(f"{path}.name", name, told)
    if variable.get("value") and variable.get("valueFrom"):
        yield _invalid(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")


def _mount(path: str, mount: Fields, volumes: set[str], mounted: set[str]) -> Causes:
    name, where = mount.get("name") or "", mount.get("mountPath") or ""
    if not name:
        yield _required(f"{path}.name")
    if name not in volumes:
        yield Cause(f"{path}.name", f"Not found: {_told(name)}", "FieldValueNotFound")
    if not where:
        yield _required(f"{path}.mountPath")
    if where in mounted:
        yield _invalid(f"{path}.mountPath", where, "must be unique")
    mounted.add(where)
    every = path.rpartition("[")[0]
    if mount.get("subPath"):
        yield from _descending(f"{every}.subPath", mount["subPath"])
    if mount.get("subPathExpr"):
        if mount.get("subPath"):
            yield _invalid(
                f"{path}.subPathExpr", mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive"
            )
        yield from _descending(f"{every}.subPathExpr", mount["subPathExpr"])


def _source(path: str, volume: Fields) -> Causes:
    """The paths inside a volume, and that of a hostPath."""
    if host := _fields(volume.get("hostPath")):
        yield from _no_backsteps(f"{path}.hostPath.path", host.get("path") or "")
    for source in ("secret", "configMap"):
        yield from _keys(f"{path}.{source}", _fields(volume.get(source)))
    yield from _files(f"{path}.downwardAPI", _fields(volume.get("downwardAPI")))
    projected = f"{path}.projected"
    for place, each in _each(_fields(volume.get("projected")), "sources", f"{projected}."):
        for source in ("secret", "configMap"):
            yield from _keys(f"{place}.{source}", _fields(each.get(source)))
        yield from _files(f"{place}.downwardAPI", _fields(each.get("downwardAPI")))
        if token := _fields(each.get("serviceAccountToken")):
            yield from _file(f"{projected}.path", token.get("path"))


def _keys(path: str, source: Fields) -> Causes:
    for place, item in _each(source, "items", f"{path}."):
        if not item.get("key"):
            yield _required(f"{place}.key")
        yield from _file(f"{place}.path", item.get("path"))


def _files(path: str, source: Fields) -> Causes:
    for _, item in _each(source, "items", f"{path}."):
        yield from _file(f"{path}.path", item.get("path"))


def _file(path: str, value: Any) -> Causes:
    """A file of a volume: below it, and not of the names by which its contents are swapped."""
    if not value:
        yield _required(path)
        return
    yield from _descending(path, value)
    if value.startswith("..") and not value.startswith("../"):
        yield _invalid(path, value, "must not start with '..'")


def _descending(path: str, value: str) -> Causes:
    if value.startswith("/"):
        yield _invalid(path, value, "must be a relative path")
    yield from _no_backsteps(path, value)


def _no_backsteps(path: str, value: str) -> Causes:
    if ".." in value.split("/"):
        yield _invalid(path, value, "must not contain '..'")


def _one_of(path: str, value: Any, known: tuple[str, ...]) -> Causes:
    if value and value not in known:
        supported = ", ".join(map(_told, known))
        told = f"Unsupported value: {_told(value)}: supported values: {supported}"
        yield Cause(path, told, "FieldValueNotSupported")


def _each(fields: Fields, name: str, prefix: str) -> Iterator[tuple[str, Fields]]:
    """The objects of a list, each with its path."""
    for index, one in enumerate(fields.get(name) or ()):
        yield f"{prefix}{name}[{index}]", _fields(one)


def _fields(value: Any) -> Fields:
    return value if isinstance(value, Mapping) else {}


def _required(path: str) -> Cause:
    return Cause(path, "Required value", "FieldValueRequired")


def _invalid(path: str, value: Any, what: str) -> Cause:
    return Cause(path, f"Invalid value: {_told(value)}: {what}")


def _told(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_NAMES: Mapping[str, Callable[[str], str | None]] = {
    "serviceAccountName": subdomain_problem,
    "nodeName": subdomain_problem,
    "hostname": label_problem,
    "subdomain": label_problem,
}
