"""Volumes of a Job: claims that exist or are made for it, mounted into all its pods.

In: a Job; which claims there are. Out: the names that claims to be made get, their bodies, what is still missing, and
the mounts in a pod. A claim that the Job names must exist, else the Job waits; one that it describes is made once, its
name written into the Job's spec first, so that it is never made twice. Claims belong to the Job and go with it.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Collection, Iterator
from random import Random
from typing import Any

import msgspec

from jobflow.api.resources import Resource
from jobflow.local.volcano.objects import Job, Volume, owner_reference

CLAIM = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
SUFFIX_CHARACTERS = 12
ALPHABET = string.digits + string.ascii_lowercase


def new_name(job: str, random: Random) -> str:
    """`<job>-pvc-<12 characters>`."""
    return f"{job}-pvc-{''.join(random.choice(ALPHABET) for _ in range(SUFFIX_CHARACTERS))}"


def named(volumes: list[dict[str, Any]], name: Callable[[], str]) -> list[dict[str, Any]] | None:
    """The volumes as stored with a name for each claim to be made that has none; None where all have."""
    if not any(_is_nameless(volume) for volume in volumes):
        return None
    return [{**volume, "volumeClaimName": name()} if _is_nameless(volume) else volume for volume in volumes]


def nameless(job: Job) -> bool:
    """Whether a claim is to be made that has no name yet."""
    return any(volume.described and not volume.volume_claim_name for volume in job.spec.volumes)


def _is_nameless(volume: dict[str, Any]) -> bool:
    return volume.get("volumeClaim") is not None and not volume.get("volumeClaimName")


def claims(job: Job, present: Collection[str]) -> list[dict[str, Any]]:
    """The claims to make: those described whose name is not there."""
    return [
        {
            "apiVersion": CLAIM.api_version,
            "kind": CLAIM.kind,
            "metadata": {
                "name": volume.volume_claim_name,
                "namespace": job.namespace,
                "ownerReferences": [owner_reference(job)],
            },
            "spec": msgspec.json.decode(volume.volume_claim),
        }
        for volume in _each(job)
        if volume.described and volume.volume_claim_name not in present
    ]


def missing(job: Job, present: Collection[str]) -> list[str]:
    """Claims that the Job names and nobody made yet."""
    return [
        volume.volume_claim_name
        for volume in _each(job)
        if not volume.described and volume.volume_claim_name not in present
    ]


def mount_volumes(job: Job, pod: dict[str, Any]) -> None:
    """Give the pod the Job's volumes, mounted into its main containers."""
    spec = pod["spec"]
    containers = spec.get("containers")
    if not isinstance(containers, list):
        return
    for position, volume in enumerate(_each(job)):
        name = f"job-volume-{position}"  # a claim's name may have dots, a volume's not
        entry = {"name": name, "persistentVolumeClaim": {"claimName": volume.volume_claim_name}}
        spec["volumes"] = [*(spec.get("volumes") or ()), entry]
        for container in containers:
            mount = {"name": name, "mountPath": volume.mount_path}
            container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]


def _each(job: Job) -> Iterator[Volume]:
    """The volumes; a second one with the same claim is left out, as in Volcano."""
    seen: set[str] = set()
    for volume in job.spec.volumes:
        if volume.volume_claim_name and volume.volume_claim_name not in seen:
            seen.add(volume.volume_claim_name)
            yield volume
