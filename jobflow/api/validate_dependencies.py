"""Rules of `dependsOn`: which steps it may name, and what cannot be said together.

In: a parsed spec, the paths of its steps by name. Out: Problems. What a probe may be is in `validate_probe.py`, what an
expression may speak of in `validate_conditions.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jobflow.api.cycles import find_cycles
from jobflow.api.dependencies import DependsOn, OrGroup, Strategy, TargetPhase, TargetStatus
from jobflow.api.jobflow import FlowStep
from jobflow.api.probe_spec import probes_of
from jobflow.api.problems import Problem, suggestion_or_list
from jobflow.api.validate_ends import ON_EXIT, misplaced
from jobflow.api.validate_probe import probe_problems

Places = Mapping[str, str]

ALONE = {  # what an expression says in their place
    "targets": "targets",
    "strategy": "strategy",
    "wait_for": "waitFor",
    "targets_with_status": "targetsWithStatus",
    "or_groups": "orGroups",
    "probe": "probe",
}
LOST = (TargetPhase.FAILED, TargetPhase.UNREACHABLE)


def target_problems(path: str, step: FlowStep, places: Places) -> Iterator[Problem]:
    """Names that are no steps, or that this step cannot wait for."""
    of_exit = path.startswith(ON_EXIT)
    for at, target in _named(step.depends_on, f"{path}.dependsOn"):
        if target == step.name:
            yield Problem(at, f'step "{target}" depends on itself, so it would never start')
        elif target not in places:
            others = [n for n, place in places.items() if n != step.name and place.startswith(ON_EXIT) == of_exit]
            hint = suggestion_or_list(target, others, "the other steps are")
            yield Problem(at, f'"{target}" is not a step of this flow{hint}')
        elif said := misplaced(target, of_exit, places):
            yield Problem(at, said)


def dependency_problems(path: str, step: FlowStep, borne: frozenset[str]) -> Iterator[Problem]:
    """What cannot be said together. `borne` are the steps whose failure the flow bears."""
    waits = step.depends_on
    if waits is None:
        return
    at = f"{path}.dependsOn"
    if waits.expression is not None:
        yield from _alone(waits, at)
        return
    if waits.wait_for and not waits.targets:
        said = "there are no targets that could run or complete; add targets, or take waitFor away"
        yield Problem(f"{at}.waitFor", said)
    yield from _group_problems(waits, at, borne)
    for index, group in enumerate(waits.or_groups or ()):
        where = f"{at}.orGroups[{index}]"
        if not group.targets and not group.targets_with_status:
            yield Problem(where, "it names no step, so that it would always hold; add targets, or take it away")
        yield from _group_problems(group, where, borne)
    if waits.or_groups is not None and not waits.or_groups:
        yield Problem(f"{at}.orGroups", "there is no group in it; add one, or take it away")
    if waits.probe:
        yield from probe_problems(waits.probe, waits.wait_for, len(step.targets), at)
        yield from _any_problems(waits, at)


def cycle_problems(steps: Sequence[tuple[str, FlowStep]], places: Places) -> list[Problem]:
    """Steps that wait for each other, by whatever they wait for of each other."""
    waits_for: dict[str, list[str]] = {name: [] for name in places}
    for _, step in steps:
        waits_for[step.name] += [target for target in step.edges if target != step.name]
    return [
        Problem(
            _edge_path(steps, circle[0], circle[1]),
            f"these steps wait for each other, so none would ever start: {' -> '.join(circle)} "
            "(each waits for the next); take one of these dependencies away",
        )
        for circle in find_cycles(waits_for)
    ]


def _edge_path(steps: Sequence[tuple[str, FlowStep]], name: str, target: str) -> str:
    """The field where step `name` says that it waits for `target`."""
    for path, step in steps:
        found = [at for at, named in _named(step.depends_on, f"{path}.dependsOn") if named == target]
        if step.name == name and found:
            return found[0]
    return "spec.flows"


def _named(depends_on: DependsOn | None, at: str) -> Iterator[tuple[str, str]]:
    """Every step that is named, with the field that names it."""
    if depends_on is None:
        return
    yield from _named_in(depends_on, at)
    for index, group in enumerate(depends_on.or_groups or ()):
        yield from _named_in(group, f"{at}.orGroups[{index}]")
    if depends_on.expression:
        known = {name for one in depends_on.groups for name in one.names}
        yield from ((f"{at}.expression", name) for name in depends_on.edges if name not in known)


def _named_in(group: DependsOn | OrGroup, at: str) -> Iterator[tuple[str, str]]:
    for index, target in enumerate(group.targets):
        yield f"{at}.targets[{index}]", target
    for index, one in enumerate(group.targets_with_status or ()):
        yield f"{at}.targetsWithStatus[{index}].name", one.name


def _alone(waits: DependsOn, at: str) -> Iterator[Problem]:
    for field, name in ALONE.items():
        if getattr(waits, field):
            said = "an expression says all that the step waits for; say this in the expression, or take that away"
            yield Problem(f"{at}.{name}", said)


def _group_problems(group: DependsOn | OrGroup, at: str, borne: frozenset[str]) -> Iterator[Problem]:
    if group.strategy and not group.targets:
        said = "there are no targets that it could count; add targets, or take strategy away"
        yield Problem(f"{at}.strategy", said)
    first: dict[str, int] = {}
    for index, one in enumerate(group.targets_with_status or ()):
        where = f"{at}.targetsWithStatus[{index}]"
        if first.setdefault(one.name, index) != index:
            said = f'"{one.name}" is already at {at}.targetsWithStatus[{first[one.name]}]; take one of them away'
            yield Problem(f"{where}.name", said)
        elif one.name in group.targets and group.strategy is not Strategy.ANY and _is_against(one, borne):
            said = (
                f'"{one.name}" is also among the targets, which have to end well, so that both can never hold; take it '
                "out of one of them, or set strategy: Any"
            )
            yield Problem(f"{where}.phase", said)


def _is_against(one: TargetStatus, borne: frozenset[str]) -> bool:
    """A target that has ended so has not ended well. A skipped one may stand beside others that have."""
    return one.phase in LOST and not (one.phase is TargetPhase.FAILED and one.name in borne)


def _any_problems(waits: DependsOn, at: str) -> Iterator[Problem]:
    """A probe of a task asks the Jobs of the targets: of which one is not known where any will do."""
    if waits.strategy is not Strategy.ANY or waits.probe is None:
        return
    meant = probes_of(waits.probe)
    tasks = sorted(meant.probed_tasks | {entry.task for entry in meant.tasks})
    if tasks and len(set(waits.targets)) > 1:
        said = (
            f'task "{tasks[0]}" is a task of a target\'s Job, and with strategy Any it is not known of which target; '
            "probe a host, or wait for all"
        )
        yield Problem(f"{at}.strategy", said)
