"""Interventions: what users and strangers do to a running world, and jumps of the controller's clock.

In: the plan, every commit. Out: requests of the user and of a stranger, at the commit that the plan names; what is
undone later (a template that comes, a foreign Job that goes) by tasks that the world waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from jobflow.api import names
from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB, Resource
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.errors import ApiError, NotFound
from jobflow.testing.actors import WallClock, spawn
from jobflow.testing.faults import (
    ClockJump,
    CopiedJob,
    DeleteFlow,
    ForegroundDelete,
    ForeignJob,
    HeldDelete,
    RecreateFlow,
    RemakeFlow,
    StrangerDeletes,
    StrangerTouches,
    TemplateAbsent,
    TemplateDeleted,
    TemplateEdited,
    TemplateLate,
    TouchFlow,
)
from jobflow.testing.history import STRANGER, USER, Body, Commit, Place
from jobflow.testing.injection import Injection
from jobflow.testing.scenario import Scenario

ABSENT_SECONDS = 1800.0  # a queue that gives a key up after its retries has done so by then
DELETED_TEMPLATE_SECONDS = 600.0
FOREIGN_JOB_SECONDS = 600.0
EDITED_MAX_RETRY = 7  # what an edited template says: the Job it makes differs, and its walk does not
HELD_SECONDS = 60.0
FINALIZER = "example.com/backup"  # of the program that keeps a flow which is being deleted
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
        while foreign := self.injection.take(ForeignJob, lambda due: True):
            await self._place_foreign_job(foreign.child, {})
        while copied := self.injection.take(CopiedJob, lambda due: True):
            await self._place_foreign_job(copied.child, self._marks_of(copied.child))
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
        if commit.place in self.wanted and commit.after is None and _is_over(commit.before):
            self.wanted[commit.place] = False  # its own time was over
        if jump := take(ClockJump, lambda due: due.commit == number):
            self.wall.jump(jump.seconds)
        self._on_flow(number, self.scenario.flows[0])
        if edit := take(TemplateEdited, lambda due: due.commit == number):
            self._user(self._edit(edit.template))
        if deleted := take(TemplateDeleted, lambda due: due.commit == number):
            self._user(self._delete_for_a_while(deleted.template))
        self._strangers(number)

    def _on_flow(self, number: int, flow: Body) -> None:
        take = self.injection.take
        if take(RecreateFlow, lambda due: due.commit == number):
            self._user(self._recreate(flow, flow))
        if take(RemakeFlow, lambda due: due.commit == number):
            self._user(self._recreate(flow, without_last_step(flow)))
        if take(DeleteFlow, lambda due: due.commit == number):
            self._user(self._delete_for_good(flow))
        if take(ForegroundDelete, lambda due: due.commit == number):
            self._user(self._delete_for_good(flow, "Foreground"))
        if take(HeldDelete, lambda due: due.commit == number):
            self._user(self._delete_and_hold(flow))
        if take(TouchFlow, lambda due: due.commit == number):
            self._user(self._change(flow, TOUCH["metadata"]))

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

    async def _recreate(self, body: Body, again: Body) -> None:
        await self._delete(JOB_FLOW, body["metadata"]["namespace"], body["metadata"]["name"])
        self.wanted[_place(JOB_FLOW, body)] = True
        await self._create(JOB_FLOW, again)

    async def _delete_for_good(self, body: Body, propagation: str = "Background") -> None:
        self.wanted[_place(JOB_FLOW, body)] = False
        await self._delete(JOB_FLOW, body["metadata"]["namespace"], body["metadata"]["name"], propagation)

    async def _delete_and_hold(self, body: Body) -> None:
        await self._change(body, {"finalizers": [FINALIZER]})
        await self._delete_for_good(body)
        self._later(HELD_SECONDS, self._change(body, {"finalizers": None}))

    async def _change(self, body: Body, metadata: Body) -> None:
        meta = body["metadata"]
        await self.client.patch(JOB_FLOW, meta["namespace"], meta["name"], {"metadata": metadata})

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

    def _marks_of(self, child: str) -> Body:
        """Labels and annotations that the controller would give the child."""
        for flow in self.scenario.flows:
            name, namespace = flow["metadata"]["name"], flow["metadata"]["namespace"]
            steps = (step["name"] for step in (*flow["spec"]["flows"], *flow["spec"].get("onExit", ())))
            for step in (step for step in steps if f"{name}-{step}" == child):
                owner = names.owner_text(namespace, name)
                marks = {names.CREATED_BY_JOB_FLOW: owner, names.STEP_NAME: step}
                return {"labels": {**marks, names.FLOW_NAME: name}, "annotations": {**marks, names.ATTEMPT: "0"}}
        return {}

    async def _place_foreign_job(self, child: str, marks: Body) -> None:
        namespace = self.scenario.flows[0]["metadata"]["namespace"]
        container = {"name": "main", "image": "busybox"}
        task = {"name": "main", "replicas": 1, "template": {"spec": {"containers": [container]}}}
        meta = {"name": child, "namespace": namespace, **marks}
        kind = {"apiVersion": VOLCANO_JOB.api_version, "kind": VOLCANO_JOB.kind}
        await self._create(VOLCANO_JOB, {**kind, "metadata": meta, "spec": {"tasks": [task]}})
        self._later(FOREIGN_JOB_SECONDS, self._delete(VOLCANO_JOB, namespace, child))

    async def _create(self, resource: Resource, body: Body) -> None:
        await self.client.create(resource, body["metadata"]["namespace"], body)

    async def _delete(
        self, resource: Resource, namespace: str | None, name: str, propagation: str = "Background"
    ) -> None:
        try:
            await self.client.delete(resource, namespace, name, propagation=propagation)
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


def without_last_step(flow: Body) -> Body:
    """The flow with one step fewer; no step waits for the last one."""
    return {**flow, "spec": {**flow["spec"], "flows": flow["spec"]["flows"][:-1]}}


def _is_over(flow: Body | None) -> bool:
    """It has ended, and is to be deleted after that."""
    ended = "completionTime" in ((flow or {}).get("status") or {})
    return ended and ((flow or {}).get("spec") or {}).get("ttlSecondsAfterFinished") is not None


def _place(resource: Resource, body: Body) -> Place:
    return resource.kind, body["metadata"]["namespace"], body["metadata"]["name"]


def _standing(flow: Body) -> str:
    status = flow.get("status") or {}
    steps = ", ".join(
        f"{step['name']} {step['phase']}" + (f" ({step['reason']})" if step.get("reason") else "")
        for step in status.get("flowStatuses", ())
    )
    return f"phase {(status.get('state') or {}).get('phase', 'none')}; {steps or 'no step is known'}"
