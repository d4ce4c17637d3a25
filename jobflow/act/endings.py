"""Endings: a Job that runs is ended, and a flow whose time has come is deleted.

In: a flow, a Job to be ended, for how long that was tried. Out: what was done. A Job is ended as Volcano's own tools
ask for things: by a Command, which Volcano takes and carries out, so that the Job stays, Terminated, with what is known
of it. Where the cluster does not serve Commands, refuses ours, or nobody takes them, the Job is deleted instead, by
UID. The name of the Command is made from the Job's name and UID: however often it is asked for, there is one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from jobflow.api import names
from jobflow.api.access import Rule
from jobflow.api.resources import COMMAND, JOB_FLOW, VOLCANO_JOB
from jobflow.kube.client import Client
from jobflow.kube.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Unauthorized
from jobflow.reconcile.plan import EndChild
from jobflow.reconcile.snapshot import Flow

ACCESS = (Rule(COMMAND, ("create",)), Rule(JOB_FLOW, ("delete",)))  # that Jobs are deleted, children.py declares

AGAIN_SECONDS = 30.0  # a Command may be lost on a Job that restarts; Volcano carries one out within moments
PATIENCE_SECONDS = 300.0  # a Command that nobody takes for so long: Volcano is away, and a deadline is a deadline

TERMINATE = "TerminateJob"


class Ended(Enum):
    """What was done about a Job."""

    ASKED = "asked Volcano to terminate"
    WAITING = "Volcano has yet to take the Command that terminates"
    DELETED = "deleted, for want of Commands,"
    GONE = "gone already:"


class Tried(NamedTuple):
    """What was done, and why not by a Command where it was not."""

    how: Ended
    why: str = ""


async def end_child(client: Client, flow: Flow, wanted: EndChild, tried_for: float) -> Tried:
    """End one child. `tried_for` is seconds since it was first tried. Raises ApiError where the try says nothing."""
    try:
        await client.create(COMMAND, flow.namespace, command(flow, wanted))
    except AlreadyExists:
        if tried_for < PATIENCE_SECONDS:
            return Tried(Ended.WAITING)
        return Tried(await _delete(client, flow, wanted), f"nobody took a Command for {tried_for:.0f} s")
    except Unauthorized:
        raise
    except (NotFound, Forbidden, Invalid) as error:  # no such kind; no right, quota or place; or a webhook's refusal
        return Tried(await _delete(client, flow, wanted), error.message)
    return Tried(Ended.ASKED)


async def delete_flow(client: Client, flow: Flow) -> None:
    """Delete the flow as the snapshot has it, and in the background its children. Raises Conflict where it is newer."""
    try:
        await client.delete(JOB_FLOW, flow.namespace, flow.name, uid=flow.uid, resource_version=flow.resource_version)
    except NotFound:
        return


def command(flow: Flow, wanted: EndChild) -> Mapping[str, Any]:
    """The Command that ends the child. It goes with its Job, should nobody take it."""
    job = {
        "apiVersion": VOLCANO_JOB.api_version,
        "kind": VOLCANO_JOB.kind,
        "name": wanted.name,
        "uid": wanted.uid,
        "controller": True,
    }
    return {
        "apiVersion": COMMAND.api_version,
        "kind": COMMAND.kind,
        "metadata": {
            "name": f"{wanted.name}-terminate-{names.short_hash(wanted.uid)}",
            "namespace": flow.namespace,
            "ownerReferences": [job],
        },
        "action": TERMINATE,
        "target": job,
        "reason": wanted.reason,
        "message": wanted.message,
    }


async def _delete(client: Client, flow: Flow, wanted: EndChild) -> Ended:
    try:
        await client.delete(VOLCANO_JOB, flow.namespace, wanted.name, uid=wanted.uid)
    except (NotFound, Conflict):  # its name may be another's by now
        return Ended.GONE
    return Ended.DELETED
