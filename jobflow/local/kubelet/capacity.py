"""Capacity: how much CPU and memory the machine has, and how much a pod asks for.

In: the operating system's numbers; a pod's spec. Out: Amounts. Only CPU and memory are counted: other resources (GPUs)
cannot be known on any machine alike, and are not looked at.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from jobflow.local.kubelet.quantities import bytes_text, cpu_text, parse_quantity
from jobflow.local.kubelet.spec import Container, PodSpec

CGROUP_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of the cgroup this process sees as the root: a container's


@dataclass(frozen=True, slots=True)
class Amount:
    """So many CPUs, so many bytes."""

    cpu: Fraction = Fraction(0)
    memory: Fraction = Fraction(0)

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.cpu + other.cpu, self.memory + other.memory)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.cpu - other.cpu, self.memory - other.memory)

    def fits(self, room: Amount) -> bool:
        """It is not more than `room`."""
        return self.cpu <= room.cpu and self.memory <= room.memory

    def at_least(self, other: Amount) -> Amount:
        """The larger of both, each for itself."""
        return Amount(max(self.cpu, other.cpu), max(self.memory, other.memory))

    def __bool__(self) -> bool:
        return bool(self.cpu or self.memory)

    def __str__(self) -> str:
        return f"cpu {cpu_text(self.cpu)}, memory {bytes_text(self.memory)}"


NOTHING = Amount()


def of_machine() -> Amount:
    """What this process may use of the machine."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not every system has it
        cpus = os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no cgroup, or "max"
        memory = min(memory, int(CGROUP_MEMORY_LIMIT.read_text()))
    return Amount(Fraction(cpus), Fraction(memory))


def of_pod(spec: PodSpec) -> Amount:
    """What a pod asks for, as schedulers count it: all its containers, or its largest init container if that is more.

    Raises ValueError, naming container and resource, for what is no quantity.
    """
    sidecars, largest = NOTHING, NOTHING
    for container in spec.init_containers:
        asked = of_container(container)
        if container.is_sidecar:
            sidecars += asked
            largest = largest.at_least(sidecars)
        else:
            largest = largest.at_least(sidecars + asked)
    return sum((of_container(each) for each in spec.containers), sidecars).at_least(largest)


def of_container(container: Container) -> Amount:
    """Its requests; where one is not given, its limit. Raises ValueError."""
    given = {**container.resources.limits, **container.resources.requests}

    def amount(name: str) -> Fraction:
        try:
            return parse_quantity(given.get(name, 0))
        except ValueError as error:
            raise ValueError(f"container {container.name}: resources: {name}: {error}") from error

    return Amount(amount("cpu"), amount("memory"))


def of_resources(resources: dict[str, str | int | float]) -> Amount:
    """A resource list, as in a PodGroup's minResources. Raises ValueError."""
    return Amount(parse_quantity(resources.get("cpu", 0)), parse_quantity(resources.get("memory", 0)))
