"""`steps[].outputs`: what users write, what it means, and what of it is refused."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.outputs import OfMessage, OfPath, Said, Seen, StepOutput, Wanted, path_parts, wanted
from jobflow.api.resources import JOB_FLOW
from jobflow.api.upstream import added
from jobflow.api.validate import flow_problems
from jobflow.reconcile.graph import compile_flow, hash_of
from jobflow.reconcile.pause import uses
from jobflow.testing.builders import flow

MESSAGE = {"terminationMessage": {}}


def output(name: str = "n", source: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "from": MESSAGE if source is None else source, **more}


@pytest.mark.parametrize(
    ("said", "written", "meant"),
    [
        ("the first container of the only task", output(), Wanted("n", OfMessage())),
        (
            "one that is named",
            output(source={"terminationMessage": {"task": "main", "index": 2, "container": "c"}}),
            Wanted("n", OfMessage("main", 2, "c")),
        ),
        (
            "a field of the Job",
            output(source={"path": "status.succeeded"}, default=0),
            Wanted("n", OfPath("status.succeeded", ("status", "succeeded")), 0),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_written_and_meant(said, written, meant):
    assert wanted(StepOutput.model_validate(written)) == meant


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("status.succeeded", ("status", "succeeded")),
        (
            "status.taskStatusCount.worker-a.phase.Succeeded",
            ("status", "taskStatusCount", "worker-a", "phase", "Succeeded"),
        ),
        ("spec.tasks[0].replicas", ("spec", "tasks", 0, "replicas")),
        ("spec.matrix[1][20]", ("spec", "matrix", 1, 20)),
    ],
)
def test_paths(path, parts):
    assert path_parts(path) == parts


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("{.status.succeeded}", "write status.succeeded"),
        (".status.succeeded", "write status.succeeded"),
        ("$.status.succeeded", "write status.succeeded"),
        ("status..succeeded", "fields are joined by dots"),
        ("status.tasks[*]", "items of lists stand as [0]"),
        ("status.tasks[-1]", "is no path"),
        ("", "is no path"),
        ("succeeded", "begins with succeeded; a Job has status, spec, metadata"),
    ],
)
def test_what_is_no_path(path, problem):
    with pytest.raises(ValueError, match=re.escape(problem)):
        path_parts(path)


def problems(builder) -> list[str]:
    spec = JobFlowSpec.model_validate(builder.body()["spec"])
    return [str(problem) for problem in flow_problems(spec, builder.name)]


def two(*outputs: dict[str, Any], **use: Any):
    return flow("f").step("count").having(outputs=list(outputs)).step("use", after="count").having(**use)


N = "$(steps.count.outputs.n)"
POD = {"spec": {"containers": [{"name": "c", "image": N}]}}


def patch(**task: Any) -> dict[str, Any]:
    return {"patch": {"spec": {"tasks": [{"name": "main", **task}]}}}


@pytest.mark.parametrize(
    ("said", "builder", "problem"),
    [
        ("a good one", two(output(), **patch(replicas=N)), None),
        ("one that nobody uses", two(output()), None),
        ("a field of it", two(output(), **patch(replicas="$(steps.count.outputs.n.a.0)")), None),
        (
            "two of a name",
            two(output(), output()),
            'spec.flows[0].outputs[1].name: output "n" is declared twice; give each a name of its own',
        ),
        (
            "no source",
            two(output(source={})),
            "spec.flows[0].outputs[0].from: either terminationMessage or path says where the value stands; add one",
        ),
        (
            "two sources",
            two(output(source=MESSAGE | {"path": "status.succeeded"})),
            "spec.flows[0].outputs[0].from: either terminationMessage or path says where the value stands; "
            "take one of them away",
        ),
        (
            "a path that is none",
            two(output(source={"path": "{.status.succeeded}"})),
            'spec.flows[0].outputs[0].from.path: "{.status.succeeded}" is no path: fields are joined by dots, items of '
            "lists stand as [0]; write status.succeeded",
        ),
        (
            "a default that no output could have",
            two(output(default="x" * 5000)),
            "spec.flows[0].outputs[0].default: it has more than the 4096 bytes that an output may have",
        ),
        (
            "one that is not declared",
            two(output("m"), **patch(replicas=N)),
            f"spec.flows[1].patch.spec.tasks[0].replicas: {N}: step count has no output n; its outputs are m",
        ),
        (
            "a step that declares none",
            two(**patch(replicas=N)),
            f"spec.flows[1].patch.spec.tasks[0].replicas: {N}: step count has no output n; it declares none",
        ),
        (
            "in an argument too",
            two(output("m"), templateRef={"name": "t"}, arguments=[{"name": "n", "value": N}]),
            f"spec.flows[1].arguments[0].value: {N}: step count has no output n; its outputs are m",
        ),
        (
            "what runs",
            two(output(), **patch(template=POD)),
            f"spec.flows[1].patch.spec.tasks[0].template.spec.containers[0].image: {N} comes out of a Job, and what "
            "comes out of a Job may not decide on image",
        ),
        *(
            (
                f"{field} of the pod",
                two(output(), **patch(template={"spec": {field: below}})),
                f"comes out of a Job, and what comes out of a Job may not decide on {field}",
            )
            for field, below in (
                ("serviceAccountName", f"a-{N}"),
                ("securityContext", {"runAsUser": N}),
            )
        ),
        (
            "a path of the node",
            two(output(), **patch(template={"spec": {"volumes": [{"name": "v", "hostPath": {"path": N}}]}})),
            "may not decide on hostPath",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused(said, builder, problem):
    found = problems(builder)
    if problem is None:
        assert found == []
    else:
        assert any(problem in one for one in found), found


class TestCompiled:
    def test_a_step_knows_what_it_leaves_and_whose_outputs_it_uses(self):
        graph = two(output(), **patch(replicas=N)).frozen().compiled.graph
        assert graph.producers == (graph.by_name["count"],)
        assert graph.by_name["count"].outputs == (Wanted("n", OfMessage()),)
        assert graph.by_name["use"].reads == {"count"}

    def test_pods_of_a_step_with_outputs_are_told_where_they_are(self):
        assert two(output()).frozen().compiled.graph.by_name["count"].extended

    def test_outputs_are_part_of_what_is_frozen(self):
        plain, declared = two(), two(output())
        hashes = [hash_of(JobFlowSpec.model_validate(one.body()["spec"]).flows) for one in (plain, declared)]
        assert hashes[0] != hashes[1]

    def test_a_bad_path_makes_the_flow_invalid_and_breaks_nothing(self):
        spec = msgspec.json.encode(two(output(source={"path": "?"})).body()["spec"])
        compiled = compile_flow("f", spec)
        assert [problem.path for problem in compiled.problems] == ["spec.flows[0].outputs[0].from.path"]


def test_what_was_read_is_not_in_what_is_printed_of_it():
    assert "secret" not in repr([Said("secret"), Seen({"a": "secret"})])


def test_a_flow_that_uses_them_is_left_alone_where_the_crd_has_lost_them():
    spec = msgspec.json.encode(two(output()).body()["spec"])
    assert (("spec", "flows", "[]", "outputs"), "spec.flows[0].outputs") in uses(spec, added(JOB_FLOW))
