"""Snapshot: everything that one reconcile may know, frozen.

In: built by `jobflow.snapshots` from the cache, without I/O. Out: the only argument of `reconcile`. Same snapshot,
same plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from jobflow.api.children import ChildView
from jobflow.api.fields import Path
from jobflow.api.objects import TemplateView
from jobflow.api.probes import Answer, PodView, Question
from jobflow.api.status import JobFlowStatus, Reason
from jobflow.reconcile.graph import Compiled, Step


@dataclass(frozen=True, slots=True)
class Flow:
    """The flow: who it is, what its spec compiled to, and the status that is committed."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    deleting: bool
    compiled: Compiled
    committed: JobFlowStatus
    stored: JobFlowStatus | None = None  # what is left of the committed one where the CRD lacks fields of ours
    uses: tuple[tuple[Path, str], ...] = ()  # fields of the spec that upstream does not have, and where
    lost: tuple[str, ...] = ()  # fields that were written into the spec and are gone from it


@dataclass(frozen=True, slots=True)
class ForeignWrite:
    """The last write of the status by another controller, by the API server's clock.

    `since` is our own last write, or our start where we have written nothing. `noticed` is when we saw it come, by our
    own clock; None where it was there already when we first looked.
    """

    manager: str
    at: datetime
    since: datetime
    noticed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The API server's answer to the last try at creating a child.

    `final` means that it will never be accepted as it is. Otherwise the next try is due at `retry_at`, or as soon as
    the template's or the flow's version is no longer the `basis` on which the refused body was built.
    """

    reason: Reason
    message: str
    final: bool
    retry_at: datetime
    basis: str


class Counted(StrEnum):
    """What of an object's time is counted, where a deadline asks for it."""

    WAITS = "waits"  # a Job, from its creation
    RUNS = "runs"  # a Job, from when it first ran
    STARTED = "started"  # a flow, from its start
    FINISHED = "finished"  # a flow, from its end
    FAILED = "failed"  # a Job, from its end, where another attempt waits


class Since(NamedTuple):
    """One beginning from which time is counted: of a flow, or of a Job, by UID."""

    uid: str
    what: Counted


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of one flow at one moment.

    `vanished` are children that are gone although the committed status does not have their end yet, in their last
    state. `templates` are those of the flow's namespace that its steps name, `cluster_templates` the cluster's, absent
    ones left out. `answers` are those to the questions of the flow's last plan.
    """

    flow: Flow
    now: datetime
    templates: Mapping[str, TemplateView] = field(default_factory=dict)
    cluster_templates: Mapping[str, TemplateView] = field(default_factory=dict)
    children: tuple[ChildView, ...] = ()
    vanished: tuple[ChildView, ...] = ()
    refusals: Mapping[str, Refusal] = field(default_factory=dict)  # by child name
    answers: Mapping[Question, Answer] = field(default_factory=dict)
    pods: Mapping[str, tuple[PodView, ...]] = field(default_factory=dict)  # by the UID of their Job, of probed tasks
    pods_unseen: str = ""
    missing: frozenset[Path] = frozenset()  # fields of ours that the installed CRD lacks
    foreign: ForeignWrite | None = None
    templates_unseen: str = ""  # why templates cannot be read, where one that is not among them may exist all the same
    cluster_templates_unseen: str = ""  # the same of ClusterJobTemplates
    elapsed: Mapping[Since, float] = field(default_factory=dict)  # seconds, where time alone decides; see deadlines.py

    def template(self, step: Step) -> TemplateView | None:
        """What the step runs, where it is known."""
        return (self.cluster_templates if step.cluster_template else self.templates).get(step.template)
