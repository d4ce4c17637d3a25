"""Children: create and delete them, and find out what a refusal means.

In: a flow and what its plan wants created or deleted. Out: UIDs that the cache should come to see, or what kept
a child from being created. Rules: a child is ours only by its controller owner's UID and its node, so a stranger with
its name is never adopted; an earlier incarnation's child is waited for; deletes name the UID that they mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from jobflow.api import names
from jobflow.api.access import Rule
from jobflow.api.metadata import ObjectMeta
from jobflow.api.objects import FlowObject
from jobflow.api.resources import JOB_FLOW, VOLCANO_JOB
from jobflow.api.status import Reason
from jobflow.kube.client import Client
from jobflow.kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    KindNotFound,
    NotFound,
    Unauthorized,
    Unavailable,
)
from jobflow.reconcile.plan import CreateChild, DeleteChild
from jobflow.reconcile.snapshot import Flow

ACCESS = (
    Rule(VOLCANO_JOB, ("create", "delete", "get", "patch")),
    Rule(JOB_FLOW, ("get",)),
    Rule(
        JOB_FLOW, ("update",), "finalizers"
    ),  # for blockOwnerDeletion, where OwnerReferencesPermissionEnforcement is on
)

UNPROCESSABLE = 422  # the one refusal after which the same body can never be accepted
INTERNAL_ERROR = 500  # what an admission webhook that does not answer comes to: it may last, and users should read it


@dataclass(frozen=True, slots=True)
class Created:
    """The child exists; `found` where it did already: its answer was lost, or the cache lags behind."""

    uid: str
    found: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The child was not created, and trying at once would not help."""

    reason: Reason
    message: str
    final: bool = False


class _Named(msgspec.Struct):
    """Any object, as far as it says who it is."""

    metadata: ObjectMeta


async def create_child(client: Client, flow: Flow, wanted: CreateChild) -> Created | Refused:
    """Create one child, or find it already there. Raises ApiError where the try says nothing about the child."""
    try:
        return await _create(client, flow, wanted)
    except Unauthorized:
        raise
    except Forbidden as error:  # to create it, or to look at what has its name
        return Refused(Reason.CHILD_REJECTED, f"Job {wanted.name}: {error.message}")


async def _create(client: Client, flow: Flow, wanted: CreateChild) -> Created | Refused:
    if wanted.verify:
        await _still_as_seen(client, flow)
    try:
        return Created(_uid(await client.create(VOLCANO_JOB, flow.namespace, wanted.body)))
    except AlreadyExists:
        return await _who_has_the_name(client, flow, wanted)
    except Invalid as error:
        if error.status == UNPROCESSABLE:
            return Refused(Reason.CHILD_INVALID, f"Job {wanted.name}: {error.message}", final=True)
        return Refused(Reason.CHILD_REJECTED, f"Job {wanted.name}: {error.message}")
    except KindNotFound:
        return Refused(Reason.CHILD_REJECTED, f"the cluster does not serve {VOLCANO_JOB}: is Volcano installed?")
    except Unavailable as error:
        if error.status != INTERNAL_ERROR:
            raise
        return Refused(Reason.CHILD_REJECTED, f"Job {wanted.name}: {error.message}")
    except NotFound as error:
        return Refused(Reason.CHILD_REJECTED, f"Job {wanted.name}: {error.message}")


async def delete_child(client: Client, flow: Flow, wanted: DeleteChild) -> bool:
    """Delete one child; False where it was gone already. Raises Conflict where another has its name now.

    Either answer is believed only once the watch confirms it: until then the key is looked at again.
    """
    try:
        await client.delete(VOLCANO_JOB, flow.namespace, wanted.name, uid=wanted.uid)
    except NotFound:
        return False
    return True


async def _still_as_seen(client: Client, flow: Flow) -> None:
    """Before a step gets a second child: what the API server has now must be what the plan was made from."""
    live = msgspec.json.decode(await client.get(JOB_FLOW, flow.namespace, flow.name), type=FlowObject)
    if (live.metadata.uid, live.metadata.resourceVersion) != (flow.uid, flow.resource_version):
        raise Conflict(f"JobFlow {flow.namespace}/{flow.name} is newer than the cache", status=409)


async def _who_has_the_name(client: Client, flow: Flow, wanted: CreateChild) -> Created | Refused:
    try:
        holder = msgspec.json.decode(await client.get(VOLCANO_JOB, flow.namespace, wanted.name), type=_Named)
    except NotFound as error:
        raise ApiError(f"Job {wanted.name} existed a moment ago and is gone", status=409) from error
    meta = holder.metadata
    owner = meta.controller
    if owner is not None and owner.uid == flow.uid:
        if _is_node(meta, flow, wanted):
            await _label_again(client, flow, wanted, meta)
            return Created(meta.uid, found=True)
        step = meta.annotations.get(names.STEP_NAME, "?")
        return Refused(Reason.NAME_CONFLICT, f"Job {wanted.name} is already the child of step {step}")
    if owner is not None and (owner.kind, owner.name) == (JOB_FLOW.kind, flow.name):
        return Refused(
            Reason.PREVIOUS_CHILD_TERMINATING,
            f"Job {wanted.name} of an earlier JobFlow {flow.name} is still there; the step starts when it is gone",
        )
    belongs = f"belongs to {owner.kind} {owner.name}" if owner else "belongs to nobody"
    return Refused(
        Reason.NAME_CONFLICT,
        f"a Job named {wanted.name} exists and {belongs}; delete or rename it, or rename the flow or the step",
    )


async def _label_again(client: Client, flow: Flow, wanted: CreateChild, meta: ObjectMeta) -> None:
    """A child that somebody took our label from is out of the watch's sight; with the label it is back."""
    if names.CREATED_BY_JOB_FLOW in meta.labels:
        return
    labels = wanted.body["metadata"]["labels"]
    patch = {"metadata": {"uid": meta.uid, "labels": labels}}  # the UID makes it a Conflict where it is another by now
    await client.patch(VOLCANO_JOB, flow.namespace, wanted.name, patch)


def _is_node(meta: ObjectMeta, flow: Flow, wanted: CreateChild) -> bool:
    """Whether the object is the node's child: by its annotations, or, made by upstream's controller, by its name."""
    node, annotations = wanted.node, meta.annotations
    if names.STEP_NAME not in annotations:
        return meta.name == f"{flow.name}-{node.step}" and node.item is None and node.attempt == 0
    item = annotations.get(names.ITEM)
    return (
        annotations[names.STEP_NAME] == node.step
        and item == (None if node.item is None else str(node.item))
        and annotations.get(names.ATTEMPT, "0") == str(node.attempt)
    )


def _uid(body: bytes) -> str:
    return msgspec.json.decode(body, type=_Named).metadata.uid
