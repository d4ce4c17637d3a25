"""Plan: what should be done about a flow now.

In: made by `flow.py`, which asks every policy. Out: children to create or delete, the whole status as it should be,
how long its write may wait, when to look again, and what change elsewhere would matter. Nothing here does
anything: `jobflow.act` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobflow.api.children import Node
from jobflow.api.probes import Question
from jobflow.api.resources import Key
from jobflow.api.status import JobFlowStatus
from jobflow.reconcile.pause import Pause


@dataclass(frozen=True, slots=True)
class CreateChild:
    """Create one child. `verify` asks for a live look at the flow first: the node had a child before.

    `private` says that values were put into the body, which may be secret: what is said of it is not for logs.
    """

    node: Node
    name: str
    body: Mapping[str, Any]
    basis: str
    reason: str
    verify: bool = False
    private: bool = False


@dataclass(frozen=True, slots=True)
class DeleteChild:
    """Delete one child, by UID."""

    name: str
    uid: str
    reason: str


@dataclass(frozen=True, slots=True)
class EndChild:
    """End one child that is live, by UID: its Job stays, with an end of its own, where that can be."""

    name: str
    uid: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Tell users, once the status that it is about is committed."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What should be done, in this order: creates, deletes and ends, then the status, then the events.

    `status` is None where the committed one stands. `status_within` is how many seconds its write may wait for
    company. `wake_at` is when time alone will change the plan. `awaits` are objects whose change will.
    `unstored` is what the status would be, where the installed CRD keeps nothing of what is new in it. With a `pause`
    there is nothing else, save the `questions` whose answers are to be kept: the flow is left alone.
    `due_in` is seconds, by the monotonic clock, until a deadline passes. `delete_flow` says why the flow itself is to
    be deleted, as the snapshot has it; empty where it is not.
    """

    creates: tuple[CreateChild, ...] = ()
    deletes: tuple[DeleteChild, ...] = ()
    ends: tuple[EndChild, ...] = ()
    status: JobFlowStatus | None = None
    unstored: JobFlowStatus | None = None
    status_within: float = 0.0
    events: tuple[EmitEvent, ...] = ()
    wake_at: datetime | None = None
    due_in: float | None = None
    awaits: frozenset[Key] = frozenset()
    questions: frozenset[Question] = frozenset()
    pause: Pause | None = None
    delete_flow: str = ""

    @property
    def acts(self) -> bool:
        """Whether it would change anything in the cluster."""
        return bool(self.creates or self.deletes or self.ends or self.delete_flow or self.status is not None)
