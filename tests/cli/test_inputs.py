"""Inputs: what must be right before anything starts."""

from __future__ import annotations

import pytest

from jobflow.cli.inputs import read_inputs

TEMPLATE = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {name: prep}
spec: {tasks: [{name: main, replicas: 1, template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}]}
"""
FLOW = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {name: ml}
spec: {flows: [{name: prep}]}
"""


@pytest.fixture
def read(tmp_path):
    def read(*texts: str, kept: bool = False):
        path = tmp_path / "flow.yaml"
        path.write_text("---\n".join(texts))
        return read_inputs([str(path)], kept=kept)

    return read


def test_a_flow_with_its_template_is_usable(read):
    inputs = read(TEMPLATE, FLOW)

    assert inputs.usable
    assert inputs.findings == []
    assert len(inputs.documents) == 2


def test_a_template_alone_is_nothing_to_run(read, tmp_path):
    inputs = read(TEMPLATE)

    assert not inputs.usable
    assert [str(finding) for finding in inputs.findings] == [
        f"{tmp_path}/flow.yaml: error: nothing to run: the kinds in there are JobTemplate; "
        'add a JobFlow ("apiVersion: flow.volcano.sh/v1alpha1") or a Volcano Job'
    ]


def test_a_flow_without_any_template_would_wait_for_ever_and_is_refused(read, tmp_path):
    (finding,) = read(FLOW).findings

    assert str(finding) == (
        f"{tmp_path}/flow.yaml:4:17: error: spec.flows[0].name: "
        'there is no JobTemplate "prep" in these files; name the file that has it as well'
    )


def test_a_template_of_the_cluster_is_asked_for_by_its_kind(read, tmp_path):
    flow = FLOW.replace("{name: prep}", "{name: a, templateRef: {name: prep, kind: ClusterJobTemplate}}")
    (finding,) = read(flow).findings
    assert str(finding).endswith(
        'error: spec.flows[0].templateRef.name: there is no ClusterJobTemplate "prep" in these files; '
        "name the file that has it as well"
    )
    there = TEMPLATE.replace("flow.volcano.sh", "ext.flow.volcano.sh").replace("JobTemplate", "ClusterJobTemplate")
    assert read(flow, there).findings == []


def test_where_objects_are_kept_the_template_may_be_among_them(read):
    inputs = read(FLOW, kept=True)

    assert inputs.usable
    assert len(inputs.findings) == 1


def test_a_mistake_is_not_explained_twice(read):
    inputs = read(TEMPLATE.replace("JobTemplate", "JobTemplat"))

    assert not inputs.usable
    assert not any("nothing to run" in finding.message for finding in inputs.findings)
