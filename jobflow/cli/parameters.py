"""Values of parameters from the command line: `-p n=8`.

In: the documents of the files, and what the command line said. Out: JobFlows that have these values, in place of what
the files say; or findings. Everything after this sees flows as if their files had been written so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from jobflow.api.parameter_values import ParameterProblem, read
from jobflow.api.parameters import Parameter
from jobflow.api.placeholders import Value, as_text
from jobflow.api.problems import suggestion_or_list
from jobflow.api.resources import JOB_FLOW
from jobflow.cli.documents import Document, Documents, Finding, Severity


@dataclass(frozen=True, slots=True)
class Given:
    """One value as it was given."""

    name: str
    text: str

    def finding(self, said: str) -> Finding:
        """What is wrong with it; the value is not repeated, which may be a secret."""
        return Finding(f"-p {self.name}", 0, 0, Severity.ERROR, "", said)


def override(documents: Documents, options: Sequence[str]) -> list[Finding]:
    """Put the values into every flow that declares such a parameter. The documents are changed in place."""
    given, findings = _given(options)
    declared: set[str] = set()
    for one in given:
        for index, document in enumerate(documents.documents):
            names = [parameter.get("name") for parameter in _parameters(document)]
            declared.update(name for name in names if isinstance(name, str))
            if one.name in names:
                found, changed = _changed(document, one)
                findings += found
                documents.documents[index] = changed
    return findings + [_unknown(one, declared) for one in given if one.name not in declared]


def _given(options: Iterable[str]) -> tuple[list[Given], list[Finding]]:
    given: dict[str, Given] = {}
    findings: list[Finding] = []
    for option in options:
        name, equals, text = option.partition("=")
        one = Given(name, text)
        if not equals or not name:
            findings.append(one.finding("a parameter is given as NAME=VALUE: -p workers=8"))
        elif name in given:
            findings.append(one.finding("this parameter is given twice; give it once"))
        else:
            given[name] = one
    return list(given.values()), findings


def _parameters(document: Document) -> list[Mapping[str, Any]]:
    """What a flow declares, as far as it is written as it should be; the rest is told by the schema."""
    spec = document.data.get("spec")
    if document.data.get("kind") != JOB_FLOW.kind or not isinstance(spec, Mapping):
        return []
    declared = spec.get("parameters")
    return [one for one in declared if isinstance(one, Mapping)] if isinstance(declared, list) else []


def _changed(document: Document, given: Given) -> tuple[list[Finding], Document]:
    findings: list[Finding] = []
    spec = dict(document.data["spec"])
    spec["parameters"] = list(_with_value(spec["parameters"], given, findings))
    return findings, replace(document, data={**document.data, "spec": spec})


def _with_value(declared: list[Any], given: Given, findings: list[Finding]) -> Iterator[Any]:
    for one in declared:
        if not isinstance(one, Mapping) or one.get("name") != given.name:
            yield one
            continue
        try:
            parameter = Parameter.model_validate(one)
            value = _stored(read(given.text, parameter), parameter)
            yield {name: below for name, below in one.items() if name != "valueFrom"} | {"value": value}
        except ParameterProblem as problem:
            findings.append(given.finding(str(problem)))
            yield one
        except ValidationError:
            yield one  # told by the schema


def _stored(value: Value, parameter: Parameter) -> Any:
    """As an object keeps it. JSON keeps no spelling: 1.10 is kept as a text, unless a number is declared."""
    is_plain = isinstance(value.tree, dict | list) or as_text(value.tree) == value.text
    return value.tree if is_plain or parameter.value is not None else value.text


def _unknown(given: Given, declared: set[str]) -> Finding:
    hint = suggestion_or_list(given.name, sorted(declared), "there are") or "; they declare none"
    return given.finding(f"no JobFlow in these files has a parameter {given.name}{hint}")
