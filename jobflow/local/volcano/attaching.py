"""Attaching: makes what a Job needs beside its pods, and takes it away.

In: the Attachments that `sync` decided on. Out: Services, ConfigMaps, Secrets, claims and the PodGroup as they should
be. What exists already and is the Job's own is left as it is; what is a stranger's is never overwritten. Raises
NotAttached, in the user's words, where the Job cannot have what it needs yet.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import CONFIG_MAP, POD_GROUP, SECRET, SERVICE, VOLCANO_JOB, Resource
from jobflow.kube.client import Client
from jobflow.kube.errors import AlreadyExists, ApiError, Conflict, Invalid, NotFound, Throttled, Unavailable
from jobflow.local.volcano import volumes
from jobflow.local.volcano.attachments import PLUGIN, Attachments
from jobflow.local.volcano.knowledge import Knowledge
from jobflow.local.volcano.objects import Job
from jobflow.local.volcano.plugins import PLUGINS, plugins_of, svc
from jobflow.local.volcano.plugins.ssh import secret_name
from jobflow.local.volcano.scheduling_objects import Group
from jobflow.local.volcano.volumes import CLAIM

RESOURCES = {resource.kind: resource for resource in (CONFIG_MAP, SERVICE, SECRET, CLAIM, POD_GROUP)}


class NotAttached(Exception):
    """Something that the Job needs could not be made. `reason` is the Event's; `final`: it never can be."""

    def __init__(self, reason: str, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.final = final


class _Named(msgspec.Struct):
    metadata: ObjectMeta


Make = Callable[[], list[dict[str, Any]]]
Compute = Callable[[Make], Awaitable[list[dict[str, Any]]]]


async def in_a_thread(make: Make) -> list[dict[str, Any]]:
    """What takes some tenths of a second must not hold up the loop."""
    return await asyncio.to_thread(make)


class Attacher:
    """Carries Attachments out. `compute` does what takes long; in virtual time a thread would have no place."""

    def __init__(self, client: Client, known: Knowledge, compute: Compute = in_a_thread) -> None:
        self._client = client
        self._known = known
        self._compute = compute
        self._made: dict[str, list[dict[str, Any]]] = {}  # by Job UID: objects that took long, until they are stored
        self._hosts: dict[str, tuple[int, ...]] = {}  # by Job UID: the replicas that its list of hosts was made for

    async def carry_out(self, job: Job, wanted: Attachments) -> None:
        """Make and take away. What `wanted` does not name stays."""
        for name in wanted.plugins:
            for body in await self._objects(job, name):
                if await self._make("PluginError", job, body) and body["kind"] == CONFIG_MAP.kind:
                    self._hosts[job.uid] = _replicas(job)
        self._made.pop(job.uid, None)
        if f"{PLUGIN}svc" in wanted.resources:
            await self._tell_hosts(job)
        for body in wanted.claims:
            await self._make("PVCError", job, body)
        if wanted.group is not None:
            await self._make("PodGroupError", job, wanted.group)
        elif wanted.group_changes:
            name = f"{job.name}-{job.uid}"
            await self._client.patch(POD_GROUP, job.namespace, name, {"spec": wanted.group_changes})
        if wanted.group_gone is not None:
            await self._delete_group(wanted.group_gone)
        for name in wanted.detached:
            await self._detach(job, name)

    def forget(self, uid: str) -> None:
        """The Job is gone."""
        self._hosts.pop(uid, None)
        self._made.pop(uid, None)

    async def name_claims(self, job: Job) -> str:
        """Give each claim that is to be made a name, written into the Job's spec. Its new version."""
        stored = msgspec.json.decode(await self._client.get(VOLCANO_JOB, job.namespace, job.name))
        random = self._client.random
        named = volumes.named(stored["spec"].get("volumes") or [], lambda: volumes.new_name(job.name, random))
        version: str = stored["metadata"]["resourceVersion"]
        if named is None or stored["metadata"]["uid"] != job.uid:
            return version
        body = {"metadata": {"resourceVersion": version}, "spec": {"volumes": named}}
        answer = await self._client.patch(VOLCANO_JOB, job.namespace, job.name, body)
        return msgspec.json.decode(answer, type=_Named).metadata.resourceVersion

    async def _objects(self, job: Job, plugin: str) -> list[dict[str, Any]]:
        flags = next(flags for name, _, flags in plugins_of(job) if name == plugin)
        make = functools.partial(PLUGINS[plugin].objects, job, flags)
        if not PLUGINS[plugin].computes:
            return make()
        if job.uid not in self._made:
            self._made[job.uid] = await self._compute(make)
        return self._made[job.uid]

    async def _make(self, reason: str, job: Job, body: dict[str, Any]) -> bool:
        """Create it; False where the Job has it already."""
        kind, name = body["kind"], body["metadata"]["name"]
        resource = RESOURCES[kind]
        try:
            await self._client.create(resource, job.namespace, body)
        except AlreadyExists:
            await self._ours(reason, job, resource, name)
            return False
        except (Unavailable, Throttled):
            raise  # says nothing about the object
        except ApiError as error:
            refused = f"{kind} {name} of the Job was refused: {error.message}"
            raise NotAttached(reason, refused, final=isinstance(error, Invalid)) from error
        return True

    async def _ours(self, reason: str, job: Job, resource: Resource, name: str) -> None:
        """An object of that name is there. Raises where it is not this Job's."""
        try:
            found = msgspec.json.decode(await self._client.get(resource, job.namespace, name), type=_Named)
        except NotFound as gone:
            raise Conflict(f"{resource.kind} {name} existed a moment ago and is gone") from gone
        owner = found.metadata.controller
        if owner is not None and owner.uid == job.uid:
            return
        if owner is not None and (owner.kind, owner.name) == (VOLCANO_JOB.kind, job.name):
            raise Conflict(f"{resource.kind} {name} is still that of an earlier Job {job.name}")
        told = f"{resource.kind} {name} exists and is not the Job's; rename it, or the Job"
        raise NotAttached(reason, told)

    async def _tell_hosts(self, job: Job) -> None:
        """Rewrite the list of hosts where the Job was scaled since it was made."""
        if self._hosts.get(job.uid) == _replicas(job):
            return
        try:
            files = {"data": svc.host_files(job)}
            await self._client.patch(CONFIG_MAP, job.namespace, svc.config_name(job), files)
        except NotFound:
            pass  # somebody deleted it; the pods that run have it still
        self._hosts[job.uid] = _replicas(job)

    async def _delete_group(self, group: Group) -> None:
        self._known.deleting_group(group)
        try:
            await self._delete(POD_GROUP, group.namespace, group.name, group.uid)
        except ApiError:
            self._known.group_not_deleted(group)
            raise

    async def _detach(self, job: Job, plugin: str) -> None:
        names = {
            "svc": ((CONFIG_MAP, svc.config_name(job)), (SERVICE, job.name)),
            "ssh": ((SECRET, secret_name(job)),),
            "ray": ((SERVICE, job.name),),
        }
        for resource, name in names.get(plugin, ()):
            await self._delete_ours(job, resource, name)
        self._hosts.pop(job.uid, None)

    async def _delete_ours(self, job: Job, resource: Resource, name: str) -> None:
        try:
            found = msgspec.json.decode(await self._client.get(resource, job.namespace, name), type=_Named)
        except NotFound:
            return
        owner = found.metadata.controller
        if owner is not None and owner.uid == job.uid:
            await self._delete(resource, job.namespace, name, found.metadata.uid)

    async def _delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        try:
            await self._client.delete(resource, namespace, name, uid=uid)
        except (NotFound, Conflict):
            return  # gone, or another has its name now


def _replicas(job: Job) -> tuple[int, ...]:
    return tuple(task.replicas for task in job.spec.tasks)
