"""What a container's process is started with: its environment and its command line, from the pod's spec.

In: a pod, one of its containers, where it runs, the ConfigMaps and Secrets it names. Out: variables and arguments as
Kubernetes would give them, `$(NAME)` expanded, on top of four variables of this machine and nothing else of our own
environment. Raises NotYet for objects and keys that are missing, Unrunnable for what only a cluster has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobflow.local.kubelet import downward
from jobflow.local.kubelet.downward import Facts
from jobflow.local.kubelet.refusals import NotYet, Unrunnable
from jobflow.local.kubelet.sources import ObjectName, Objects, Source
from jobflow.local.kubelet.spec import Container, EnvFrom, EnvVar, KeyRef

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_LANG = "C.UTF-8"
_REFERENCE = re.compile(r"\$(?:\$|\(([^()]*)\))")
_VARIABLE_NAME = re.compile(r"[ -<>-~]+")  # printable ASCII without `=`: what Kubernetes takes from envFrom


@dataclass(frozen=True, slots=True)
class Machine:
    """What containers see of the machine they run on."""

    path: str = DEFAULT_PATH
    lang: str = DEFAULT_LANG

    def variables(self, facts: Facts, home: Path) -> dict[str, str]:
        """What every container starts from."""
        return {
            "PATH": self.path,
            "HOME": str(home),
            "LANG": self.lang,
            "TMPDIR": str(home / "tmp"),
            "HOSTNAME": facts.pod.hostname,
        }


def sources_of(container: Container) -> set[ObjectName]:
    """The ConfigMaps and Secrets that its variables come from."""
    found = set()
    for each in container.env_from:
        if each.config_map_ref is not None:
            found.add(ObjectName(Source.CONFIG_MAP, each.config_map_ref.name))
        if each.secret_ref is not None:
            found.add(ObjectName(Source.SECRET, each.secret_ref.name))
    for variable in container.env:
        if (source := variable.value_from) is None:
            continue
        if source.config_map_key_ref is not None:
            found.add(ObjectName(Source.CONFIG_MAP, source.config_map_key_ref.name))
        if source.secret_key_ref is not None:
            found.add(ObjectName(Source.SECRET, source.secret_key_ref.name))
    return found


def declared(facts: Facts, container: Container, objects: Objects, given: Mapping[str, str]) -> dict[str, str]:
    """The container's own variables in their order, after those that are `given` to every container of the pod."""
    known = dict(given)
    for each in container.env_from:
        known.update(_all_of(each, facts.pod.namespace, objects))
    for variable in container.env:
        value = _value(facts, container, variable, known, objects)
        if value is not None:
            known[variable.name] = value
    return known


def arguments(container: Container, known: Mapping[str, str]) -> tuple[str, ...]:
    """`command` and `args` with their references expanded. Raises Unrunnable where there is no command."""
    if not container.command:
        raise Unrunnable(
            "ImageCommandUnknown",
            f"image {container.image or '(none)'} gives no command here: images are not pulled; "
            "add `command:` or use `--runtime simulate`",
        )
    return tuple(expand(text, known) for text in (*container.command, *container.args))


def expand(text: str, known: Mapping[str, str]) -> str:
    """Kubernetes' expansion: `$(NAME)` where it is known, else left as it is; `$$` stands for `$`."""

    def one(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return known.get(found[1], found[0])

    return _REFERENCE.sub(one, text)


def _all_of(source: EnvFrom, namespace: str, objects: Objects) -> dict[str, str]:
    for kind, ref in ((Source.CONFIG_MAP, source.config_map_ref), (Source.SECRET, source.secret_ref)):
        if ref is None:
            continue
        data = objects.get(ObjectName(kind, ref.name))
        if data is None and not ref.optional:
            raise NotYet(f'{kind} "{ref.name}" not found in namespace {namespace}')
        named = ((source.prefix + key, value) for key, value in (data or {}).items())
        return {name: value.decode(errors="replace") for name, value in named if _VARIABLE_NAME.fullmatch(name)}
    return {}


def _value(
    facts: Facts, container: Container, variable: EnvVar, known: Mapping[str, str], objects: Objects
) -> str | None:
    """None where it may be absent, and is."""
    source, what = variable.value_from, f"container {container.name}: env {variable.name}"
    if source is None:
        return expand(variable.value, known)
    if source.field_ref is not None:
        return downward.field(facts, source.field_ref.field_path, what)
    if source.resource_field_ref is not None:
        return downward.resource(facts, source.resource_field_ref, container, what)
    if source.config_map_key_ref is not None:
        return _key(Source.CONFIG_MAP, source.config_map_key_ref, facts.pod.namespace, objects)
    if source.secret_key_ref is not None:
        return _key(Source.SECRET, source.secret_key_ref, facts.pod.namespace, objects)
    raise Unrunnable("CreateContainerConfigError", f"{what}: valueFrom names no source that is known here")


def _key(kind: Source, ref: KeyRef, namespace: str, objects: Objects) -> str | None:
    data = objects.get(ObjectName(kind, ref.name))
    if data is not None and ref.key in data:
        return data[ref.key].decode(errors="replace")
    if ref.optional:
        return None
    if data is None:
        raise NotYet(f'{kind} "{ref.name}" not found in namespace {namespace}')
    raise NotYet(f"couldn't find key {ref.key} in {kind} {namespace}/{ref.name}")
