"""Payload: the files of a volume whose content comes from the API server.

In: a configMap, secret, downwardAPI or projected volume, the objects it names, the pod. Out: path -> content and
mode. `write` puts them into a directory the way kubelets do: the files are links into `..data`, itself a link that is
swapped at once, so that a reader sees all of an update or nothing of it. Raises NotYet for what is missing,
Unrunnable for paths that lead out of the volume.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from jobflow.local.kubelet import downward
from jobflow.local.kubelet.downward import Facts
from jobflow.local.kubelet.refusals import NotYet, Unrunnable
from jobflow.local.kubelet.sources import ObjectName, Objects, Source
from jobflow.local.kubelet.spec import (
    ConfigMapVolume,
    DownwardVolume,
    KeyToPath,
    Projected,
    Projection,
    SecretVolume,
    Volume,
)

DATA = "..data"
DIRECTORY_MODE = 0o755


@dataclass(frozen=True, slots=True)
class File:
    """Content and mode bits."""

    content: bytes
    mode: int


Payload = Mapping[str, File]


def sources_of(volume: Volume) -> set[ObjectName]:
    """The objects that its files come from."""
    found = set()
    for projection in _projections(volume).sources:
        if projection.config_map is not None:
            found.add(ObjectName(Source.CONFIG_MAP, projection.config_map.name))
        if projection.secret is not None:
            found.add(ObjectName(Source.SECRET, _secret_name(projection.secret)))
    return found


def payload_of(volume: Volume, facts: Facts, objects: Objects, token: str | None) -> Payload:
    """Its files. `token` is the pod's, where it has one."""
    files: dict[str, File] = {}
    projected = _projections(volume)
    for projection in projected.sources:
        files.update(_files(volume, projection, facts, objects))
        if projection.service_account_token is not None:
            if token is None:
                raise NotYet(f"volume {volume.name}: no token for the pod's ServiceAccount yet")
            files[projection.service_account_token.path] = File(token.encode(), 0o600)
    for path in files:
        inside(path, f"volume {volume.name}")
    return files


def inside(path: str, what: str) -> str:
    """The path, where it stays within its volume."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise Unrunnable("CreateContainerConfigError", f'{what}: path "{path}" must be relative and without ".."')
    return path


def write(directory: Path, payload: Payload) -> None:
    """Make the directory show these files and no others. Blocks."""
    directory.mkdir(parents=True, exist_ok=True)
    version = Path(tempfile.mkdtemp(prefix="..", dir=directory))
    version.chmod(DIRECTORY_MODE)
    for path, file in payload.items():
        place = version / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.content)
        place.chmod(file.mode)
    link = directory / DATA
    before = directory / os.readlink(link) if link.is_symlink() else None
    fresh = directory / f"{DATA}_new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(version.name)
    fresh.replace(link)
    _link(directory, {PurePosixPath(path).parts[0] for path in payload})
    if before is not None:
        shutil.rmtree(before, ignore_errors=True)


def _link(directory: Path, names: set[str]) -> None:
    for entry in directory.iterdir():
        if entry.is_symlink() and entry.name not in names and not entry.name.startswith(".."):
            entry.unlink()
    for name in names:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"{DATA}/{name}")


def _projections(volume: Volume) -> Projected:
    """The volume as a projected one: the others have one source each."""
    if volume.projected is not None:
        return volume.projected
    for source in (volume.config_map, volume.secret, volume.downward_api):
        if source is not None:
            only = Projection(config_map=volume.config_map, secret=volume.secret, downward_api=volume.downward_api)
            return Projected((only,), source.default_mode)
    return Projected()


def _files(volume: Volume, projection: Projection, facts: Facts, objects: Objects) -> Payload:
    mode = _projections(volume).default_mode
    what = f"volume {volume.name}"
    if projection.config_map is not None:
        name = ObjectName(Source.CONFIG_MAP, projection.config_map.name)
        return _keys(name, projection.config_map, mode, objects, what)
    if projection.secret is not None:
        name = ObjectName(Source.SECRET, _secret_name(projection.secret))
        return _keys(name, projection.secret, mode, objects, what)
    if projection.downward_api is not None:
        return _fields(projection.downward_api, mode, facts, what)
    return {}


def _keys(
    name: ObjectName, source: ConfigMapVolume | SecretVolume, mode: int, objects: Objects, what: str
) -> dict[str, File]:
    data = objects.get(name)
    if data is None:
        if source.optional:
            return {}
        raise NotYet(f'{what}: {name.kind} "{name.name}" not found')
    items = source.items or tuple(KeyToPath(key, key) for key in data)
    files = {}
    for item in items:
        if item.key in data:
            files[item.path] = File(data[item.key], mode if item.mode is None else item.mode)
        elif not source.optional:
            raise NotYet(f'{what}: {name.kind} "{name.name}" has no key {item.key}')
    return files


def _fields(source: DownwardVolume, mode: int, facts: Facts, what: str) -> dict[str, File]:
    files = {}
    for item in source.items:
        text = ""
        if item.field_ref is not None:
            text = downward.field(facts, item.field_ref.field_path, what)
        elif item.resource_field_ref is not None:
            text = downward.resource(facts, item.resource_field_ref, None, what)
        files[item.path] = File(text.encode(), mode if item.mode is None else item.mode)
    return files


def _secret_name(source: SecretVolume) -> str:
    return source.secret_name or source.name
