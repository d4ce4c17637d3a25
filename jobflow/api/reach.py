"""Reach: which steps a step waits for, directly or through others, and so may speak of.

In: a parsed flow. Out: for two steps, whether one may use what is known of the other, or why not. Told for the few
steps that ask.
"""

from __future__ import annotations

from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.problems import suggestion_or_list


class Reach:
    """The edges of one flow. The steps of onExit wait for all others."""

    def __init__(self, spec: JobFlowSpec) -> None:
        self._edges = {step.name: step.edges for _, step in spec.every_step}
        self._main = [step.name for step in spec.flows]
        self._found: dict[str, set[str]] = {}
        self.on_exit = frozenset(step.name for step in spec.on_exit or ())

    def of(self, step: str) -> set[str]:
        """Every step that comes before this one."""
        if step not in self._found:
            found: set[str] = set()
            todo = [*self._edges.get(step, ()), *(self._main if step in self.on_exit else ())]
            while todo:
                name = todo.pop()
                if name not in found:
                    found.add(name)
                    todo += self._edges.get(name, ())
            self._found[step] = found
        return self._found[step]

    def refused(self, step: str, other: str) -> str:
        """Why `step` may not use what is known of `other`, or nothing."""
        if other == step:
            return "a step cannot use its own outputs"
        if other in self.of(step) and other in self._edges:
            return ""
        if other not in self._edges:
            hint = suggestion_or_list(other, (name for name in self._edges if name != step), "the other steps are")
            return f'"{other}" is not a step of this flow{hint}'
        if other in self.on_exit and step not in self.on_exit:
            return f"{other} is a step of onExit, which runs when the flow has ended"
        return f"step {step} does not wait for {other}; add {other} to its dependsOn.targets"
