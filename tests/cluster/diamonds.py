"""Diamonds: many flows of five steps over the same five templates, and what has to be true of them at the end.

In: a cluster, its player, the namespaces that the flows run in. Out: flows of two kinds by turns: those that keep their
Jobs, and those that delete them. The latter are the harder ones: a Job that was made in error finds its name free.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from cluster.installed import Body, Cluster
from cluster.processes import Player, Processes

from jobflow.api.resources import JOB_FLOW, VOLCANO_JOB
from jobflow.testing.builders import FlowBuilder, flow, template

GROUPS = (JOB_FLOW.group, VOLCANO_JOB.group)
STEPS = ("a", "b", "c", "d", "e")
LIST_SECONDS = 0.5
SETTLE_SECONDS = 4.0  # the status of a JobTemplate is collected for three
END_SECONDS = 240.0  # against hanging; it takes a quarter of that on a machine that does nothing else


def diamond(number: int) -> FlowBuilder:
    """One step, three beside one another, one; every second flow deletes its Jobs."""
    built = flow(f"diamond-{number}").step("a").step("b", after="a").step("c", after="a").step("d", after="a")
    return built.step("e", after=("b", "c", "d")).policy("delete" if number % 2 else "retain")


@dataclass
class Diamonds:
    """Flows in some namespaces, spread evenly."""

    cluster: Cluster
    player: Player
    namespaces: tuple[str, ...]
    count: int = 0
    deleted: set[int] = field(default_factory=set)

    def prepare(self) -> None:
        """The templates."""
        for namespace in self.namespaces:
            self.cluster.templates(namespace, [template(step).task("main") for step in STEPS])

    def submit(self, count: int) -> None:
        """So many more flows."""
        numbers = range(self.count, self.count + count)
        for place, namespace in enumerate(self.namespaces):
            self.cluster.submit(namespace, [diamond(number) for number in numbers[place :: len(self.namespaces)]])
        self.count += count

    def delete(self, number: int) -> None:
        """Delete a flow; what has become of its children is left open."""
        self.cluster.ask("DELETE", JOB_FLOW.path(self._namespace(number), f"diamond-{number}"))
        self.deleted.add(number)

    def children(self, numbers: Iterable[int]) -> set[str]:
        """`namespace/name` of each child of these flows."""
        return {f"{self._namespace(number)}/diamond-{number}-{step}" for number in numbers for step in STEPS}

    def succeed(self, processes: Processes, seconds: float = END_SECONDS) -> float:
        """Wait until all have, and Jobs that are to be deleted are gone; how long that took."""
        return processes.wait_until(self._all_ended, seconds, lambda: str(self._phases()), every=LIST_SECONDS)

    def nothing_is_written_at_rest(self, seconds: float, *users: str) -> None:
        """To nothing that flows are made of, by etcd's own count; and nothing by these users, Leases left out."""
        time.sleep(SETTLE_SECONDS)
        plane, since = self.cluster.plane, time.time()
        revision = plane.revision()
        time.sleep(seconds)
        changed = [key for group in GROUPS for key in plane.changed_since(revision, f"/registry/{group}/")]
        assert not changed, changed
        written = self.cluster.audit.writes(*users, since=since)
        assert not written, written

    def each_step_ran_once(self) -> None:
        """No Job began to run twice under one name, and none is missing."""
        self._once_each(self.player.ran)

    def each_child_was_created_once(self) -> None:
        """By the audit log. Not for when the API server was killed: it may have lost lines."""
        created, perhaps = self.cluster.audit.children_created(*self.namespaces)
        self._once_each(created + Counter(perhaps.keys() - created.keys()))

    def _once_each(self, found: Counter[str]) -> None:
        wanted = self.children(self._kept)
        perhaps = self.children(self.deleted)
        wrong = {name: times for name, times in found.items() if times != 1 or name not in wanted | perhaps}
        missing = sorted(wanted - found.keys())
        assert not missing, missing
        assert not wrong, f"more than once, or not to be: {wrong}"

    @property
    def _kept(self) -> list[int]:
        return [number for number in range(self.count) if number not in self.deleted]

    def _namespace(self, number: int) -> str:
        return self.namespaces[number % len(self.namespaces)]

    def _all_ended(self) -> bool:
        if self.children(self._kept) - self.player.ran.keys():
            return False  # without asking the server, which is busy
        if not self.cluster.all_in("Succeed", len(self._kept), *self.namespaces):
            return False
        left = {f"{one['namespace']}/{one['name']}" for one in self._jobs()}
        to_be = self.children(number for number in self._kept if not number % 2)
        return left - self.children(self.deleted) == to_be

    def _jobs(self) -> list[Body]:
        """The metadata of all Jobs."""
        return [job["metadata"] for namespace in self.namespaces for job in self.cluster.jobs(namespace)]

    def _phases(self) -> Counter[str]:
        return sum((self.cluster.phases(namespace) for namespace in self.namespaces), Counter[str]())
