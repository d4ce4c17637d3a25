"""Scope: what the placeholders of one step stand for.

In: parameters, outputs of steps that have ended, and who and where the step is. Out: `resolve`, which gives a
reference its value or says what is missing. There are two kinds: a flow's scope, for the arguments and the patch of a
step; and a template's, which knows the step's arguments and the template's defaults, and nothing of the flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jobflow.api.output_values import Missing, chosen
from jobflow.api.placeholders import CONTEXT, PARAMS, STEPS, PlaceholderProblem, Reference, Value, as_text
from jobflow.api.problems import listed, suggestion_or_list
from jobflow.api.status import Reason
from jobflow.api.trees import kind

SHOWN_CHARACTERS = 63  # of each key: the keys of a value are its author's, and may be as long as values

Outputs = Mapping[str, Mapping[str, Value | Missing]]  # by step, by output


@dataclass(frozen=True, slots=True)
class Scope:
    """What references resolve to, for one step.

    `outputs` are those of the steps whose end is committed. `of_template` is the template whose spec this is for,
    as messages call it.
    """

    params: Mapping[str, Value] = field(default_factory=dict)
    outputs: Outputs = field(default_factory=dict)
    context: Mapping[str, Value] = field(default_factory=dict)
    of_template: str = ""

    def resolve(self, reference: Reference) -> Value:
        """Its value. Raises PlaceholderProblem, whose path is empty: who asks knows where the placeholder stands."""
        if reference.root == PARAMS:
            return self._param(reference)
        if reference.root == CONTEXT:
            return self._context(reference)
        if reference.root == STEPS and not self.of_template:
            return self._output(reference)
        raise PlaceholderProblem((), f"{reference.text} is not available here{self._instead(reference)}")

    def _param(self, reference: Reference) -> Value:
        value = self.params.get(reference.name)
        if value is not None:
            return within(reference, value, 1)
        if self.of_template:
            hint = suggestion_or_list(reference.name, self.params, "those it declares are")
            said = f"{reference.text}: {self.of_template} declares no parameter {reference.name}{hint}"
        else:
            hint = suggestion_or_list(reference.name, self.params, "the flow's parameters are")
            said = f"{reference.text}: the flow has no parameter {reference.name}{hint}"
        raise PlaceholderProblem((), said, Reason.PARAMETER_NOT_FOUND)

    def _context(self, reference: Reference) -> Value:
        value = self.context.get(reference.name) if len(reference.path) == 1 else None
        if value is None:
            known = ", ".join(self.context)
            raise PlaceholderProblem((), f"{reference.text}: the context has {known}")
        return value

    def _output(self, reference: Reference) -> Value:
        """Of a step that has ended."""
        step, _, output = reference.path[:3]
        return chosen(reference, self.outputs.get(step, {}).get(output))

    def _instead(self, reference: Reference) -> str:
        if self.of_template and reference.root == STEPS:
            return ": a template knows nothing of the flow; pass it as an argument of the step"
        return ""


def within(reference: Reference, value: Value, depth: int) -> Value:
    """The field of the value that the reference's path names after its first `depth` parts."""
    fields = reference.path[depth:]
    if not fields or value.guess:
        return value
    tree: Any = value.tree
    for name in fields:
        if isinstance(tree, Mapping) and name in tree:
            tree = tree[name]
        elif isinstance(tree, list) and name.isdecimal() and int(name) < len(tree):
            tree = tree[int(name)]
        else:
            said = f"{reference.text}: there is no field {name}; the value {_described(tree)}"
            raise PlaceholderProblem((), said)
    return Value(tree, as_text(tree), value.from_job)


def _described(tree: Any) -> str:
    """What a value is like; values themselves may be secret."""
    if isinstance(tree, Mapping):
        return f"has {listed([key[:SHOWN_CHARACTERS] for key in tree])}" if tree else "is empty"
    return f"is {kind(tree)}" + (f" of {len(tree)}" if isinstance(tree, list) else "")
