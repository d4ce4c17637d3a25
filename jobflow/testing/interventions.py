"""Interventions: what users and strangers do to a running world, and jumps of the controller's clock.

In: the plan, every commit. Out: requests of the user and of a stranger, at the commit that the plan names; what is
undone later (a template that comes, a foreign Job that goes) by tasks that the world waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB, Resource
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.errors import ApiError, NotFound
from jobflow.testing.actors import WallClock, spawn
from jobflow.testing.faults import (
    ClockJump,
    DeleteFlow,
    ForeignJob,
    RecreateFlow,
    StrangerDeletes,
    StrangerTouches,
    TemplateAbsent,
    TemplateDeleted,
    TemplateEdited,
    TemplateLate,
)
from jobflow.testing.history import STRANGER, USER, Body, Commit, Place
from jobflow.testing.injection import Injection
from jobflow.testing.scenarios import Scenario

ABSENT_SECONDS = 1800.0  # a queue that gives a key up after its retries has done so by then
DELETED_TEMPLATE_SECONDS = 600.0
FOREIGN_JOB_SECONDS = 600.0
EDITED_MAX_RETRY = 7  # what an edited template says: the Job it makes differs, and its walk does not
TOUCH = {"metadata": {"annotations": {"example.com/touched": "by a stranger"}}}


@dataclass
class Interventions:
    """Everything people do in one run."""

    scenario: Scenario
    clock: Clock
    injection: Injection
    wall: WallClock
    objects: Mapping[Place, Body]
    wanted: dict[Place, bool] = field(default_factory=dict)  # flows that their user wants to be there
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    client: Client = field(init=False)

    async def begin(self, client: Client) -> None:
        """Create what the scenario starts with, as far as the plan lets it be there."""
        self.client = client
        for fault in self.injection.waiting(ForeignJob):
            self.injection.take(ForeignJob, lambda due, fault=fault: due is fault)  # type: ignore[misc]
            await self._place_foreign_job(fault.child)
        late = self._late_templates()
        for body in self.scenario.templates:
            seconds = late.get(body["metadata"]["name"])
            if seconds is None:
                await self._create(JOB_TEMPLATE, body)
            else:
                self._later(seconds, self._create(JOB_TEMPLATE, body))
        for body in self.scenario.flows:
            self.wanted[_place(JOB_FLOW, body)] = True
            await self._create(JOB_FLOW, body)

    async def clear(self) -> None:
        """Delete every flow."""
        for place in self.wanted:
            self.wanted[place] = False
            await self._delete(JOB_FLOW, place[1], place[2])

    def ended(self) -> bool:
        """Every flow has ended as its user wants it, and nobody has anything left to do."""
        return not self.tasks and not self.unended()

    def unended(self) -> list[str]:
        """What has not ended, in words."""
        told = []
        for place, wanted in self.wanted.items():
            flow = self.objects.get(place)
            if wanted and flow is None:
                told.append(f"JobFlow {place[1]}/{place[2]} is not there")
            elif flow is not None and not wanted:
                told.append(f"JobFlow {place[1]}/{place[2]} was deleted and is still there")
            elif flow is not None and "completionTime" not in (flow.get("status") or {}):
                told.append(f"JobFlow {place[1]}/{place[2]}: {_standing(flow)}")
        return told

    def saw(self, commit: Commit) -> None:
        """A change was committed: do what the plan has for it."""
        take, number = self.injection.take, commit.number
        if jump := take(ClockJump, lambda due: due.commit == number):
            self.wall.jump(jump.seconds)
        if take(RecreateFlow, lambda due: due.commit == number):
            self._user(self._recreate(self.scenario.flows[0]))
        if take(DeleteFlow, lambda due: due.commit == number):
            self._user(self._delete_for_good(self.scenario.flows[0]))
        if edit := take(TemplateEdited, lambda due: due.commit == number):
            self._user(self._edit(edit.template))
        if deleted := take(TemplateDeleted, lambda due: due.commit == number):
            self._user(self._delete_for_a_while(deleted.template))
        self._strangers(number)

    def _strangers(self, number: int) -> None:
        take = self.injection.take
        if going := take(
            StrangerDeletes, lambda due: due.commit <= number and self._namespace_of(due.child) is not None
        ):
            self._stranger(self._delete(VOLCANO_JOB, self._namespace_of(going.child), going.child))
        if touched := take(
            StrangerTouches, lambda due: due.commit <= number and self._namespace_of(due.child) is not None
        ):
            self._stranger(self._touch(self._namespace_of(touched.child), touched.child))

    def _namespace_of(self, child: str) -> str | None:
        kind = VOLCANO_JOB.kind
        return next((one for one in self.scenario.namespaces if (kind, one, child) in self.objects), None)

    def _late_templates(self) -> dict[str, float]:
        late: dict[str, float] = {}
        while absent := self.injection.take(TemplateAbsent, lambda due: True):
            late[absent.template] = ABSENT_SECONDS
        while after := self.injection.take(TemplateLate, lambda due: True):
            late[after.template] = after.seconds
        return late

    async def _recreate(self, body: Body) -> None:
        await self._delete(JOB_FLOW, body["metadata"]["namespace"], body["metadata"]["name"])
        await self._create(JOB_FLOW, body)

    async def _delete_for_good(self, body: Body) -> None:
        self.wanted[_place(JOB_FLOW, body)] = False
        await self._delete(JOB_FLOW, body["metadata"]["namespace"], body["metadata"]["name"])

    async def _edit(self, template: str) -> None:
        for body in self._templates(template):
            change = {"spec": {"maxRetry": EDITED_MAX_RETRY}}
            try:
                await self.client.patch(JOB_TEMPLATE, body["metadata"]["namespace"], template, change)
            except NotFound:
                continue

    async def _delete_for_a_while(self, template: str) -> None:
        for body in self._templates(template):
            await self._delete(JOB_TEMPLATE, body["metadata"]["namespace"], template)
        await self.clock.sleep(DELETED_TEMPLATE_SECONDS)
        for body in self._templates(template):
            await self._create(JOB_TEMPLATE, body)

    def _templates(self, name: str) -> list[Body]:
        return [body for body in self.scenario.templates if body["metadata"]["name"] == name]

    async def _touch(self, namespace: str | None, child: str) -> None:
        try:
            await self.client.patch(VOLCANO_JOB, namespace, child, TOUCH)
        except NotFound:
            return

    async def _place_foreign_job(self, child: str) -> None:
        namespace = self.scenario.flows[0]["metadata"]["namespace"]
        container = {"name": "main", "image": "busybox"}
        task = {"name": "main", "replicas": 1, "template": {"spec": {"containers": [container]}}}
        meta = {"name": child, "namespace": namespace}
        kind = {"apiVersion": VOLCANO_JOB.api_version, "kind": VOLCANO_JOB.kind}
        await self._create(VOLCANO_JOB, {**kind, "metadata": meta, "spec": {"tasks": [task]}})
        self._later(FOREIGN_JOB_SECONDS, self._delete(VOLCANO_JOB, namespace, child))

    async def _create(self, resource: Resource, body: Body) -> None:
        await self.client.create(resource, body["metadata"]["namespace"], body)

    async def _delete(self, resource: Resource, namespace: str | None, name: str) -> None:
        try:
            await self.client.delete(resource, namespace, name)
        except NotFound:
            return

    def _later(self, seconds: float, work: Coroutine[Any, Any, None]) -> None:
        async def wait() -> None:
            try:
                await self.clock.sleep(seconds)
            except asyncio.CancelledError:
                work.close()
                raise
            await work

        self._user(wait())

    def _user(self, work: Coroutine[Any, Any, None]) -> None:
        self._spawn(USER, work)

    def _stranger(self, work: Coroutine[Any, Any, None]) -> None:
        self._spawn(STRANGER, work)

    def _spawn(self, who: str, work: Coroutine[Any, Any, None]) -> None:
        task = spawn(who, _tolerant(work), f"intervention of the {who}")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def _tolerant(work: Coroutine[Any, Any, None]) -> None:
    """People shrug when the API server refuses (a flow that they deleted is still there, a template exists)."""
    try:
        await work
    except ApiError:
        return


def _place(resource: Resource, body: Body) -> Place:
    return resource.kind, body["metadata"]["namespace"], body["metadata"]["name"]


def _standing(flow: Body) -> str:
    status = flow.get("status") or {}
    steps = ", ".join(
        f"{step['name']} {step['phase']}" + (f" ({step['reason']})" if step.get("reason") else "")
        for step in status.get("flowStatuses", ())
    )
    return f"phase {(status.get('state') or {}).get('phase', 'none')}; {steps or 'no step is known'}"
