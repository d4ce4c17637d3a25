"""Cautions: what is allowed and probably meant otherwise; kubectl prints them as warnings.

In: a flow and the templates that it names, or a template. Out: lines, each with its field. They are told once, when the
object is written; nothing depends on whether anybody reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobflow.api.ends import FailurePolicy
from jobflow.api.jobflow import INJECTED, JobFlowSpec
from jobflow.api.validate_arguments import undeclared_problems, unused_in_template
from jobflow.api.validate_parameters import unset_problems, unused_problems
from jobflow.api.validate_template import whole
from jobflow.webhook.templates import Templates, name_of

TTL = "ttlSecondsAfterFinished"


def of_flow(spec: JobFlowSpec, templates: Templates) -> list[str]:
    """What to tell about a JobFlow that may be stored."""
    told = [*_templates(spec, templates), *_deadlines(spec), *_independent(spec), *_injected(spec)]
    return told + [str(problem) for problem in (*unset_problems(spec), *unused_problems(spec))]


def of_template(spec: Any) -> list[str]:
    """What to tell about a template that may be stored."""
    if not isinstance(spec, Mapping):
        return []
    return [str(problem) for problem in (*undeclared_problems(spec), *unused_in_template(spec))]


def _templates(spec: JobFlowSpec, templates: Templates) -> Iterator[str]:
    """Templates that are not there, and Jobs that are gone before the flow has ended."""
    awaited = {target for _, step in spec.every_step for target in step.edges}
    for path, step in spec.every_step:
        named = name_of(step)
        where = f"{path}.templateRef.name" if step.template_ref else f"{path}.name"
        if named not in templates:
            continue
        template = templates[named]
        if template is None:
            yield f"{where}: there is no {named} yet; the step waits until there is one"
            continue
        seconds = whole(template.get(TTL), -1)
        if seconds >= 0 and step.name in awaited:
            yield (
                f"{where}: {TTL} of {named} is {seconds}: the Job and its logs go {seconds} s after its end, "
                "while the flow may still run"
            )


def _deadlines(spec: JobFlowSpec) -> Iterator[str]:
    """Deadlines of steps that the flow's own comes before."""
    if spec.active_deadline is None:
        return
    for index, step in enumerate(spec.flows):  # and not those of onExit, which the flow's deadline does not end
        fields = {"activeDeadlineSeconds": step.active_deadline, "pendingDeadlineSeconds": step.pending_deadline}
        for field, seconds in fields.items():
            if seconds is not None and seconds > spec.active_deadline:
                yield (
                    f"spec.flows[{index}].{field}: {seconds} s are never reached: the flow's own "
                    f"activeDeadlineSeconds ends everything after {spec.active_deadline} s"
                )


def _independent(spec: JobFlowSpec) -> Iterator[str]:
    """RunIndependent where everything waits for everything: there is nothing independent to run."""
    if spec.failure_policy is FailurePolicy.RUN_INDEPENDENT and len(spec.flows) > 1:
        roots = [step for step in spec.flows if not step.edges]
        if len(roots) == 1 and all(len(step.edges) <= 1 for step in spec.flows) and _is_chain(spec):
            said = "spec.failurePolicy: the steps are one chain: RunIndependent has nothing to go on with afterwards"
            yield said


def _is_chain(spec: JobFlowSpec) -> bool:
    targets = [target for step in spec.flows for target in step.edges]
    return len(targets) == len(set(targets)) == len(spec.flows) - 1


def _injected(spec: JobFlowSpec) -> Iterator[str]:
    """Values in patch.jobSpec that count as unset."""
    for path, step in spec.every_step:
        for name in step.patch.injected if step.patch else ():
            yield (
                f"{path}.patch.jobSpec.{name}: {INJECTED[name]} counts as unset, since Volcano's own CRD writes it "
                "into every jobSpec; to set it, write patch.spec"
            )
