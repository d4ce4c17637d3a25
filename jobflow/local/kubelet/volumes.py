"""Volumes: what a pod's volumes are on this machine, and where its containers see them.

In: a pod's volumes and volumeMounts. Out: a directory or file a volume, made where it is not there, and Mounts for a
container; on a machine without mount namespaces, a variable a volume. Content from the API server is in `payload.py`.
Raises Unrunnable for kinds of volumes that only a cluster has. File access blocks: call `make` in a thread.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jobflow.local.kubelet.environment import expand
from jobflow.local.kubelet.payload import Payload, inside, write
from jobflow.local.kubelet.refusals import Unrunnable
from jobflow.local.kubelet.spec import Container, HostPath, PodSpec, Volume, VolumeMount
from jobflow.local.kubelet.supervisor.mounts import Mount

VARIABLE_PREFIX = "JOBFLOW_VOLUME_"
KNOWN = "emptyDir, configMap, secret, projected, downwardAPI, persistentVolumeClaim and hostPath"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # names become those of files
_HOST_PATH_TYPES: Mapping[str, Callable[[int], bool]] = {
    "Directory": stat.S_ISDIR,
    "File": stat.S_ISREG,
    "Socket": stat.S_ISSOCK,
    "CharDevice": stat.S_ISCHR,
    "BlockDevice": stat.S_ISBLK,
}


@dataclass(frozen=True, slots=True)
class Place:
    """What a volume is on this machine."""

    path: Path
    read_only: bool = False


Places = Mapping[str, Place]  # by the volume's name


def check(spec: PodSpec, *, host_paths: bool) -> None:
    """Raises Unrunnable for volumes that cannot be had here, and for mounts of volumes that are not given."""
    for volume in spec.volumes:
        if not _NAME.fullmatch(volume.name):
            raise _bad(f"volume {volume.name!r}: not a name for a volume")
        if volume.host_path is not None and not host_paths:
            raise _bad(
                f"volume {volume.name}: hostPath {volume.host_path.path} is not allowed: "
                "pods see files of this machine after a start with --allow-host-path"
            )
        if not is_known(volume):
            raise _bad(f"volume {volume.name}: its kind is not available here; known: {KNOWN}")
    names = {volume.name for volume in spec.volumes}
    for container in (*spec.init_containers, *spec.containers):
        if not _NAME.fullmatch(container.name):
            raise _bad(f"container {container.name!r}: not a name for a container")
        _check_path(container, "terminationMessagePath", container.termination_message_path)
        for mount in container.volume_mounts:
            if mount.name not in names:
                raise _bad(f"container {container.name}: volumeMounts: volume {mount.name} is not among spec.volumes")
            _check_path(container, "mountPath", mount.mount_path)


def _check_path(container: Container, what: str, path: str) -> None:
    if not path.startswith("/") or not path.strip("/"):
        raise _bad(f"container {container.name}: {what} {path} must be absolute, and not / itself")


def is_known(volume: Volume) -> bool:
    """It is of a kind that there is on this machine."""
    sources = (volume.empty_dir, volume.host_path, volume.persistent_volume_claim)
    return has_payload(volume) or any(source is not None for source in sources)


def has_payload(volume: Volume) -> bool:
    """Its files come from the API server."""
    sources = (volume.config_map, volume.secret, volume.projected, volume.downward_api)
    return any(source is not None for source in sources)


def make(volume: Volume, directory: Path, payload: Payload | None, claim: Path | None) -> Place:
    """Make it be there. `directory` is where the pod's own volumes are; `claim` what its claim is bound to. Blocks."""
    own = directory / volume.name
    if payload is not None:
        write(own, payload)
        return Place(own, read_only=True)
    if volume.persistent_volume_claim is not None:
        assert claim is not None, "a claim is looked up before"
        claim.mkdir(parents=True, exist_ok=True)
        return Place(claim, read_only=volume.persistent_volume_claim.read_only)
    if volume.host_path is not None:
        return _host_path(volume.name, volume.host_path)
    own.mkdir(exist_ok=True)
    return Place(own)


def mounts_of(container: Container, places: Places, known: Mapping[str, str]) -> tuple[Mount, ...]:
    """Where the container sees its volumes. `known` are its variables, for subPathExpr. Makes subPaths: blocks."""
    return tuple(_mount(container, each, places[each.name], known) for each in container.volume_mounts)


def variables_of(container: Container, places: Places, known: Mapping[str, str]) -> dict[str, str]:
    """The same as variables, for a machine that cannot mount: `JOBFLOW_VOLUME_<NAME>`. Blocks."""
    mounts = mounts_of(container, places, known)
    names = (variable_of(each.name) for each in container.volume_mounts)
    return {name: mount.source for name, mount in zip(names, mounts, strict=True)}


def variable_of(volume: str) -> str:
    """The variable that has the place of a volume where it cannot be mounted."""
    return VARIABLE_PREFIX + re.sub(r"[^A-Z0-9]", "_", volume.upper())


def _mount(container: Container, mount: VolumeMount, place: Place, known: Mapping[str, str]) -> Mount:
    source = place.path
    sub_path = expand(mount.sub_path_expr, known) if mount.sub_path_expr else mount.sub_path
    if sub_path:
        what = f"container {container.name}: subPath of volume {mount.name}"
        source = (place.path / inside(sub_path, what)).resolve()
        if not source.is_relative_to(place.path.resolve()):
            raise _bad(f"{what}: {sub_path} leads out of the volume")
        if not source.exists():
            source.mkdir(parents=True)
    return Mount(str(source), mount.mount_path, place.read_only or mount.read_only)


def _host_path(name: str, host_path: HostPath) -> Place:
    path = Path(host_path.path)
    match host_path.type:
        case "DirectoryOrCreate":
            path.mkdir(parents=True, exist_ok=True)
        case "FileOrCreate":
            path.touch()
    if not path.exists():
        raise _bad(f"volume {name}: hostPath {path} does not exist on this machine")
    wanted = host_path.type.removesuffix("OrCreate")
    if wanted and not _HOST_PATH_TYPES.get(wanted, stat.S_ISDIR)(path.stat().st_mode):
        raise _bad(f"volume {name}: hostPath {path} is not a {wanted}")
    return Place(path)


def _bad(message: str) -> Unrunnable:
    return Unrunnable("CreateContainerConfigError", message)
