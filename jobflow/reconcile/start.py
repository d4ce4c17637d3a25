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
from jobflow.api.config_keys import ConfigKeys
from jobflow.api.objects import TemplateView
from jobflow.api.resources import Key
from jobflow.api.status import Reason
from jobflow.reconcile.arguments import CannotFill, Prepared, Unread, flow_scope, prepared
from jobflow.reconcile.attempts import between, due, left_of, still_live, waits
from jobflow.reconcile.child import Draft, child_basis, child_body, child_name, child_spec
from jobflow.reconcile.graph import Step
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
    """Not now: another try at `retry_at`, or when an object of `awaits` changes, or what it `asks` is answered."""

    reason: Reason
    message: str
    retry_at: datetime | None = None
    awaits: Key | None = None
    asks: ConfigKeys | None = None


@dataclass(frozen=True, slots=True)
class Impossible:
    """The child can never be created: the step has failed."""

    reason: Reason
    message: str


Start = Ready | Held | Impossible


def start(snapshot: Snapshot, standing: Standing) -> Start:
    """What becomes of a step whose gate is open."""
    flow, step, record = snapshot.flow, standing.step, standing.record
    if held := _between_attempts(snapshot, standing):
        return held
    template = _template(snapshot, step)
    if isinstance(template, Held):
        return template
    node = Node(step.name, None, record.attempt if record else 0)
    name = record.jobName if record else ""
    try:
        brought = _brought(snapshot, step, node)
        step = brought.step
        spec = child_spec(flow, step, node, template, brought.arguments)
        name = name or child_name(flow, node, spec)
    except Unread as unread:
        return Held(unread.reason, unread.message, asks=unread.asks)
    except CannotFill as problem:
        return Impossible(problem.reason, str(problem))
    except PatchProblem as problem:
        return Impossible(Reason.PATCH_INVALID, f"{template} cannot be patched: {problem}")
    except names.NameTooLong:
        return Impossible(
            Reason.NAME_TOO_LONG,
            f"no name for the Job of {flow.name}-{step.name} leaves room for its pods within "
            f"{names.MAX_LABEL_CHARACTERS} characters: shorten the task names of {template}",
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


def _between_attempts(snapshot: Snapshot, standing: Standing) -> Held | None:
    """What keeps the next attempt of a step, of which one has failed."""
    record = standing.record
    if record is None or not record.attempt:
        return None
    if name := still_live(snapshot, standing):
        said = f"Job {name} of an earlier attempt is live again; the step starts when it has ended or is gone"
        return Held(Reason.PREVIOUS_CHILD_TERMINATING, said)
    if not left_of(snapshot, standing):
        return None
    return Held(Reason.RETRY_BACKOFF, waits(standing.step.retry, record, due(snapshot.flow.uid, standing)))


def _brought(snapshot: Snapshot, step: Step, node: Node) -> Prepared:
    """The step as its template gets it. Raises Unread, CannotFill."""
    if not step.arguments and not step.placeholders:
        return Prepared(step)
    return prepared(step, flow_scope(snapshot, step, node))


def _template(snapshot: Snapshot, step: Step) -> TemplateView | Held:
    """What the step runs, or why it cannot yet."""
    template = snapshot.template(step)
    if template is not None and not template.lost:
        return template
    namespace, place, unseen = "", "in the cluster", snapshot.cluster_templates_unseen
    if not step.cluster_template:
        namespace, unseen = snapshot.flow.namespace, snapshot.templates_unseen
        place = f"in namespace {namespace}"
    what, awaits = f"{step.template_kind} {step.template}", Key(step.template_kind, namespace, step.template)
    if template is not None:
        said = (
            f"{what} is read without {', '.join(template.lost)}, which the installed CRD lacks; "
            "the step starts when jobflow's CRDs are applied again"
        )
        return Held(Reason.CRD_OUTDATED, said, awaits=awaits)
    if unseen:
        said = f"{what} cannot be read ({unseen}); the step starts when it can"
        return Held(Reason.TEMPLATE_UNREADABLE, said, awaits=awaits)
    said = f"{what} is not {place}; the step starts when it is"
    return Held(Reason.TEMPLATE_NOT_FOUND, said, awaits=awaits)


def _refused(snapshot: Snapshot, name: str, template: TemplateView) -> Held | Impossible | None:
    refusal = snapshot.refusals.get(name)
    if refusal is None:
        return None
    if refusal.final:
        return Impossible(refusal.reason, refusal.message)
    if refusal.basis != child_basis(snapshot.flow, template) or refusal.retry_at <= snapshot.now:
        return None
    return Held(refusal.reason, refusal.message, refusal.retry_at, template.key)


def _why(standing: Standing) -> str:
    if between(standing.record):
        return f"attempt {standing.record.attempt if standing.record else 0} failed"
    if standing.had_child:
        return f"its unfinished Job {standing.record.jobName if standing.record else ''} was deleted"
    step, targets = standing.step, standing.step.targets
    if step.needs is not None:
        return "what it waits for has come"
    return f"{', '.join(targets)} succeeded" if targets else "it waits for nothing"
