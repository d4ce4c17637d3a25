"""`-p name=value`: flows as if their files had been written so."""

from __future__ import annotations

import pytest
import yaml

from jobflow.cli.documents import load_documents
from jobflow.cli.inputs import read_inputs
from jobflow.cli.parameters import override

FLOW = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {name: NAME}
spec:
  parameters:
  - {name: k, value: 2, enum: [2, 8]}
  - {name: tag, value: "1.0"}
  - {name: free}
  - name: large
    value: 4
    valueFrom: {configMapKeyRef: {name: sizes, key: large}}
  - {name: list, value: [a]}
  flows:
  - name: a
    patch: {spec: {queue: "$(params.tag)"}}
"""
TEMPLATE = """\
---
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {name: a}
spec:
  tasks:
  - {name: t, template: {spec: {restartPolicy: Never, containers: [{name: c, image: i, command: ["true"]}]}}}
"""


@pytest.fixture
def given(tmp_path):
    """The parameters of one flow by name, after the options; and what was said."""

    def given(*options, text=FLOW):
        file = tmp_path / "f.yaml"
        file.write_text(text)
        documents = load_documents([str(file)])
        findings = override(documents, options)
        found = [{one["name"]: one for one in document.data["spec"]["parameters"]} for document in documents]
        return found, [str(finding) for finding in findings]

    return given


@pytest.mark.parametrize(
    ("option", "name", "value"),
    [
        ("k=8", "k", 8),
        ("tag=2", "tag", "2"),
        ("tag=1.10", "tag", "1.10"),
        ("free=8", "free", 8),
        ("free=1.10", "free", "1.10"),
        ("free=yes", "free", "yes"),
        ("free=a=b", "free", "a=b"),
        ("free=", "free", ""),
        ('free={"a": 1}', "free", {"a": 1}),
        ("large=9", "large", 9),
        ("large=1e3", "large", 1000.0),
        ('list=["b", "c"]', "list", ["b", "c"]),
    ],
)
def test_a_value_takes_the_place_of_the_files(given, option, name, value):
    ((declared,), findings) = given(option)
    assert findings == []
    assert declared[name]["value"] == value
    assert type(declared[name]["value"]) is type(value)
    assert "valueFrom" not in declared[name]


def test_all_else_stays_as_it_was(given):
    ((declared,), _) = given("tag=2")
    before = {one["name"]: one for one in yaml.safe_load(FLOW)["spec"]["parameters"]}
    assert {name: one for name, one in declared.items() if name != "tag"} == {
        name: one for name, one in before.items() if name != "tag"
    }


def test_every_flow_that_declares_it_gets_it(given):
    other = FLOW.replace("NAME", "other").replace("name: k,", "name: m,")
    (declared, findings) = given("k=8", "tag=x", text=f"{FLOW}---\n{other}")
    assert findings == []
    assert [one["tag"]["value"] for one in declared] == ["x", "x"]
    assert (declared[0]["k"]["value"], declared[1]["m"]["value"]) == (8, 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["larg=1"], '-p larg: error: no JobFlow in these files has a parameter larg; did you mean "large"?'),
        (["zzz=1"], "-p zzz: error: no JobFlow in these files has a parameter zzz; there are free, k, large, li"),
        (["k"], "-p k: error: a parameter is given as NAME=VALUE"),
        (["=k"], "-p : error: a parameter is given as NAME=VALUE"),
        (["k=2", "k=8"], "-p k: error: this parameter is given twice; give it once"),
        (["k=3"], "-p k: error: the value is none of the allowed ones: 2, 8"),
        (["k=two"], "-p k: error: it is a number where it is declared, and the value given is a text"),
        (["list=b"], "-p list: error: it is a list where it is declared, and the value given is a text"),
        ([f"free={'x' * 300_000}"], "-p free: error: the value has more than 256 KiB"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_told(given, options, said):
    (_, findings) = given(*options)
    assert len(findings) == 1
    assert findings[0].startswith(said)
    assert len(findings[0]) < 200


def test_what_is_written_badly_is_told_by_the_schema_and_not_here(given):
    ((declared,), findings) = given(
        "tag=x", text=FLOW.replace("{name: tag, value", "{name: tag, description: [1], value")
    )
    assert findings == []
    assert declared["tag"]["value"] == "1.0"


@pytest.fixture
def inputs(tmp_path):
    def inputs(*parameters, text=FLOW + TEMPLATE):
        file = tmp_path / "f.yaml"
        file.write_text(text)
        return read_inputs([str(file)], kept=False, parameters=parameters)

    return inputs


def test_a_flow_that_needs_a_value_runs_only_with_one(inputs):
    text = (FLOW + TEMPLATE).replace("NAME", "f").replace('value: "1.0"', "description: needed")
    refused = inputs(text=text)
    (told,) = [finding for finding in refused.findings if finding.severity == "error"]
    assert "parameter tag has no value; write value or valueFrom, or give one with -p tag=..." in str(told)
    assert not refused.usable
    assert inputs("tag=x", text=text).usable


def test_values_are_checked_as_if_they_stood_in_the_file(inputs):
    text = (FLOW + TEMPLATE).replace("NAME", "f")
    assert inputs("tag=x", text=text).usable
    assert not inputs("tag=$(params.k)", text=text).usable
    assert not inputs("nope=1", text=text).usable
