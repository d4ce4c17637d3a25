"""What lint says of parameters, arguments and placeholders, with flow and template side by side."""

from __future__ import annotations

import pytest

from jobflow.cli.check import check
from jobflow.cli.documents import load_documents

FILES = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {{name: worker}}
spec:
  parameters: {parameters}
  minAvailable: 1
  tasks:
  - name: worker
    replicas: 2
    template:
      spec: {{restartPolicy: Never, containers: [{{name: c, image: {image}, command: {command}}}]}}
---
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {{name: f}}
spec:
  parameters: {flow}
  flows:
  - name: worker
    {step}
"""
PLAIN = {
    "parameters": "[{name: samples, value: 10}, {name: mode, value: a, enum: [a, b]}]",
    "image": '"busybox:$(params.mode)"',
    "command": '[work, "$(params.samples)"]',
    "flow": "[{name: size, value: 2}]",
    "step": 'patch: {spec: {minAvailable: "$(params.size)"}}',
}
CONFIG = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: sizes}\ndata: {large: eight}\n"
FROM_MAP = "[{name: size, valueFrom: {configMapKeyRef: {name: sizes, key: large}}}]"


@pytest.fixture
def lint(tmp_path):
    def lint(text):
        (tmp_path / "f.yaml").write_text(text)
        found = check(load_documents([str(tmp_path / "f.yaml")]))
        return [f"{finding.severity} {finding.path}: {finding.message}" for finding in found]

    return lint


GOOD = [
    ("all of it used", {}),
    ("an argument", {"step": "arguments: [{name: mode, value: b}]\n    " + PLAIN["step"]}),
    ("a value from a ConfigMap of the cluster", {"flow": FROM_MAP}),
    ("an escaped one", {"command": '[work, "$(params.samples)", "$$(params.x)"]'}),
]


@pytest.mark.parametrize(("said", "fields"), GOOD, ids=[row[0] for row in GOOD])
def test_good_files(lint, said, fields):
    assert lint(FILES.format(**PLAIN | fields)) == []


BAD = [
    (
        "a parameter of the flow that nothing uses",
        {"flow": "[{name: size, value: 2}, {name: other, value: 1}]"},
        "warning spec.parameters[1].name: no argument, patch or condition uses this parameter: $(params.other)",
    ),
    (
        "a parameter of the template that nothing uses",
        {"image": "busybox"},
        "warning spec.parameters[1].name: nothing in the template uses this parameter: $(params.mode)",
    ),
    (
        "a parameter without a value",
        {"flow": "[{name: size}]"},
        "warning spec.parameters[0]: parameter size has no value; write value or valueFrom, or give one",
    ),
    (
        "a misspelt one in the template",
        {"command": '[work, "$(params.sample)", "$(params.samples)"]'},
        "error spec.tasks[0].template.spec.containers[0].command[1]: $(params.sample): it declares no parameter "
        'sample; did you mean "samples"?',
    ),
    (
        "a misspelt one in the flow",
        {"step": 'patch: {spec: {minAvailable: "$(params.sise)", queue: "q$(params.size)"}}'},
        "error spec.flows[0].patch.spec.minAvailable: $(params.sise): the flow has no parameter sise; did you mean "
        '"size"?',
    ),
    (
        "a misspelt argument",
        {"step": "arguments: [{name: moed, value: b}]\n    " + PLAIN["step"]},
        'error spec.flows[0].arguments[0].name: JobTemplate worker has no parameter moed; did you mean "mode"?',
    ),
    (
        "an argument that is not allowed",
        {"step": "arguments: [{name: mode, value: c}]\n    " + PLAIN["step"]},
        "error spec.flows[0].arguments[0].value: the value is none of the allowed ones: a, b",
    ),
    (
        "an argument that is not allowed, by way of a parameter",
        {"step": 'arguments: [{name: mode, value: "$(params.size)"}]'},
        "error spec.flows[0].arguments: JobTemplate worker: parameter mode: the value is none of the allowed ones: a,",
    ),
    (
        "a parameter of the template without a value",
        {"parameters": "[{name: samples}, {name: mode, value: a}]"},
        "error spec.flows[0].name: JobTemplate worker needs a value for its parameter samples; give it as an "
        "argument of the step",
    ),
    (
        "a text in a number's place",
        {"flow": "[{name: size, value: two}]"},
        "error spec.flows[0].patch: patch.spec.minAvailable: takes a number, and $(params.size) is a text",
    ),
    (
        "more pods than there are",
        {"flow": "[{name: size, value: 3}]"},
        "error spec.flows[0].patch: spec.minAvailable: ",
    ),
    (
        "a value of a ConfigMap of the files that does not fit",
        {"flow": FROM_MAP, "more": CONFIG},
        "error spec.flows[0].patch: patch.spec.minAvailable: takes a number, and $(params.size) is a text",
    ),
    (
        "our placeholders in a template without parameters",
        {"parameters": "[]", "image": "i"},
        "warning spec.tasks[0].template.spec.containers[0].command[1]: $(params.samples) stays as it is, because the "
        "template declares no parameters; declare spec.parameters to use it",
    ),
]


@pytest.mark.parametrize(("said", "fields", "expected"), BAD, ids=[row[0] for row in BAD])
def test_it_is_told_where_it_is_written(lint, said, fields, expected):
    told = lint(FILES.format(**PLAIN | fields) + fields.get("more", ""))
    assert len(told) == 1, told
    assert told[0].startswith(expected)


def test_metadata_that_is_written_badly_is_told_once_and_breaks_nothing(lint):
    text = FILES.format(**PLAIN).replace("metadata: {name: f}", "metadata: {name: f, labels: {a: 1}, annotations: []}")
    assert all("metadata" in line for line in lint(text))
