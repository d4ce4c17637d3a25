"""Start: a step whose gate is open becomes a child, or says what keeps it.

In: a snapshot, a step whose gate is open, where it stands. Out: Ready(create), Held(why, until when, for what) or
Impossible(why). Held steps never delay others: they wait for their template, for a refusal to be worth
another try, or for the name to be free.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobflow.api import names
from jobflow.api.children import Node
from jobflow.api.objects import TemplateView
from jobflow.api.resources import JOB_TEMPLATE, Key
from jobflow.api.status import Reason
from jobflow.reconcile.child import Draft, child_basis, child_body, child_name, child_spec
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.patch import PatchProblem
from jobflow.reconcile.plan import CreateChild
from jobflow.reconcile.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Ready:
    """Create this child."""

    create: CreateChild


@dataclass(frozen=True, slots=True)
class Held:
    """Not now: another try at `retry_at`, or when an object of `awaits` changes."""

    reason: Reason
    message: str
    retry_at: datetime | None = None
    awaits: Key | None = None


@dataclass(frozen=True, slots=True)
class Impossible:
    """The child can never be created: the step has failed."""

    reason: Reason
    message: str


Start = Ready | Held | Impossible


def start(snapshot: Snapshot, standing: Standing) -> Start:
    """What becomes of a step whose gate is open."""
    flow, step, record = snapshot.flow, standing.step, standing.record
    template = snapshot.templates.get(step.template)
    if template is None and snapshot.templates_unseen:
        return Held(
            Reason.TEMPLATE_UNREADABLE,
            f"JobTemplate {step.template} cannot be read ({snapshot.templates_unseen}); the step starts when it can",
            awaits=_template_key(snapshot, step.template),
        )
    if template is None:
        return Held(
            Reason.TEMPLATE_NOT_FOUND,
            f"JobTemplate {step.template} is not in namespace {flow.namespace}; the step starts when it is",
            awaits=_template_key(snapshot, step.template),
        )
    if template.lost:
        return Held(
            Reason.CRD_OUTDATED,
            f"JobTemplate {step.template} is read without {', '.join(template.lost)}, which the installed CRD lacks; "
            "the step starts when jobflow's CRDs are applied again",
            awaits=_template_key(snapshot, step.template),
        )
    node = Node(step.name, None, record.attempt if record else 0)
    name = record.jobName if record else ""
    try:
        spec = child_spec(flow, step, node, template)
        name = name or child_name(flow, node, spec)
    except PatchProblem as problem:
        return Impossible(Reason.PATCH_INVALID, f"JobTemplate {template.name} cannot be patched: {problem}")
    except names.NameTooLong:
        return Impossible(
            Reason.NAME_TOO_LONG,
            f"no name for the Job of {flow.name}-{step.name} leaves room for its pods within "
            f"{names.MAX_LABEL_CHARACTERS} characters: shorten the task names of JobTemplate {template.name}",
        )
    return _refused(snapshot, name, template) or Ready(
        CreateChild(
            node=node,
            name=name,
            body=child_body(flow, step, Draft(node, name, spec), template),
            basis=child_basis(flow, template),
            reason=_why(standing),
            verify=standing.had_child,
        )
    )


def _refused(snapshot: Snapshot, name: str, template: TemplateView) -> Held | Impossible | None:
    refusal = snapshot.refusals.get(name)
    if refusal is None:
        return None
    if refusal.final:
        return Impossible(refusal.reason, refusal.message)
    if refusal.basis != child_basis(snapshot.flow, template) or refusal.retry_at <= snapshot.now:
        return None
    return Held(refusal.reason, refusal.message, refusal.retry_at, _template_key(snapshot, template.name))


def _template_key(snapshot: Snapshot, name: str) -> Key:
    return Key(JOB_TEMPLATE.kind, snapshot.flow.namespace, name)


def _why(standing: Standing) -> str:
    if standing.had_child:
        return f"its unfinished Job {standing.record.jobName if standing.record else ''} was deleted"
    targets = standing.step.targets
    return f"{', '.join(targets)} succeeded" if targets else "it waits for nothing"
