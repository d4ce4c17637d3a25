"""Rules of `spec.switch`: every value in one case, every step there and able to see what decides.

In: a parsed spec. Out: Problems with field paths.
"""

from __future__ import annotations

from collections.abc import Iterator

from jobflow.api.conditions import references_in
from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.parameter_values import same
from jobflow.api.placeholders import PlaceholderProblem, as_text, references
from jobflow.api.problems import Problem, suggestion_or_list
from jobflow.api.switches import Case, Switch
from jobflow.api.validate_conditions import Sight, tree_problems


def switch_problems(spec: JobFlowSpec) -> list[Problem]:
    """What is wrong with the switches of a flow."""
    if spec.switch is None:
        return []
    sight = Sight(spec)
    names = [step.name for step in spec.flows]
    problems: list[Problem] = []
    for index, switch in enumerate(spec.switch):
        path = f"spec.switch[{index}]"
        problems += _named(switch, path, names, sight)
        problems += _values(switch.cases, path)
        problems += _decider(switch, path, names, sight)
        problems += _everywhere(switch, path)
    return problems


def _named(switch: Switch, path: str, names: list[str], sight: Sight) -> Iterator[Problem]:
    lists = [(f"{path}.cases[{index}].flows", case.flows) for index, case in enumerate(switch.cases)]
    for where, listed in [*lists, (f"{path}.default", switch.default or [])]:
        for index, name in enumerate(listed):
            at = f"{where}[{index}]"
            if name in sight.reach.on_exit:
                yield Problem(at, f'"{name}" is a step of onExit; give it a condition of its own with `when`')
            elif name not in names:
                hint = suggestion_or_list(name, names, "the steps are")
                yield Problem(at, f'"{name}" is not a step of this flow{hint}')
            elif name in listed[:index]:
                yield Problem(at, f'"{name}" is already in this list; take one of them away')


def _values(cases: list[Case], path: str) -> Iterator[Problem]:
    seen: list[tuple[str, object]] = []
    for place, case in enumerate(cases):
        for index, value in enumerate(case.values):
            at = f"{path}.cases[{place}].values[{index}]"
            if value is None:
                yield Problem(at, "null is no value; what no case names goes to the default")
                continue
            before = next((where for where, one in seen if same(one, value) or as_text(one) == as_text(value)), None)
            if before is not None:
                said = f"this value is already at {before}, and one value chooses one case; take one of them away"
                yield Problem(at, said)
            seen.append((at, value))


def _decider(switch: Switch, path: str, names: list[str], sight: Sight) -> Iterator[Problem]:
    """The input and the values, as each step of the branches sees them; told once where several say the same."""
    if not references_in(switch.input) and _is_fine(switch.input):
        said = (
            "there is no placeholder in it, so that every run would take the same branch; write $(params.<name>) or "
            "$(steps.<step>.outputs.<output>)"
        )
        yield Problem(f"{path}.input", said)
        return
    told: set[str] = set()
    for name in (step for step in switch.steps if step in names):
        found = list(tree_problems(switch.input, f"{path}.input", name, sight))
        for index, case in enumerate(switch.cases):
            found += tree_problems(case.values, f"{path}.cases[{index}].values", name, sight)
        for problem in found:
            if str(problem) not in told:
                told.add(str(problem))
                yield problem


def _everywhere(switch: Switch, path: str) -> Iterator[Problem]:
    for name in switch.default or ():
        if all(name in case.flows for case in switch.cases):
            said = f'"{name}" is in the default and in every case, so that it always runs; take it out of the switch'
            yield Problem(f"{path}.default", said)


def _is_fine(tree: object) -> bool:
    """What stands for placeholders in it is in order, so that there are none."""
    try:
        return not list(references(tree))
    except PlaceholderProblem:
        return False
