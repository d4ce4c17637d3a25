"""What lint says of outputs, where it sees flow and template."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE
from jobflow.cli.check import check
from jobflow.cli.documents import Severity, load_documents

N = "$(steps.count.outputs.rows)"


def container(name: str = "main", **more: Any) -> dict[str, Any]:
    return {"name": name, "image": "busybox", "command": ["true"], **more}


def task(name: str = "main", *containers: dict[str, Any], replicas: int = 1) -> dict[str, Any]:
    pod = {"containers": list(containers) or [container()], "restartPolicy": "Never"}
    return {"name": name, "replicas": replicas, "template": {"spec": pod}}


def document(kind: Any, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "spec": spec}


@pytest.fixture
def told(tmp_path):
    """Findings (severity, path, message) of a flow of two steps; no template of `count` where it has no tasks."""

    def told(
        source: dict[str, Any] | None = None,
        tasks: list[dict[str, Any]] | None = None,
        use: dict[str, Any] | None = None,
        worker: dict[str, Any] | None = None,
        patch: dict[str, Any] | None = None,
    ) -> list[tuple[Severity, str, str]]:
        count: dict[str, Any] = {
            "name": "count",
            "outputs": [{"name": "rows", "from": source or {"terminationMessage": {}}}],
        }
        if patch:
            count["patch"] = {"spec": patch}
        steps = [count, {"name": "use", "dependsOn": {"targets": ["count"]}} | (use or {})]
        documents = [document(JOB_FLOW, "f", {"flows": steps})]
        documents += [document(JOB_TEMPLATE, "count", {"tasks": tasks or [task()]})]
        documents += [document(JOB_TEMPLATE, "use", worker or {"tasks": [task()]})]
        path = tmp_path / "flow.yaml"
        path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        return [(one.severity, one.path, one.message) for one in check(load_documents([str(path)]))]

    return told


def message(**fields: Any) -> dict[str, Any]:
    return {"terminationMessage": fields}


@pytest.mark.parametrize(
    ("said", "source", "tasks"),
    [
        ("the only task's first container", message(), [task()]),
        ("one that is named", message(task="a", index=1, container="c"), [task("a", container("c"), replicas=2)]),
        ("a field of the Job", {"path": "status.succeeded"}, [task("a"), task("b")]),
    ],
)
def test_what_is_good(told, said, source, tasks):
    assert told(source, tasks) == []


@pytest.mark.parametrize(
    ("said", "source", "tasks", "path", "words"),
    [
        (
            "several tasks and none is said",
            message(),
            [task("a"), task("b")],
            "",
            "the Job has several tasks (a, b); `task` has to say whose message is meant",
        ),
        ("no such task", message(task="wroker"), [task("worker")], ".task", 'no task "wroker"; did you mean "worker"?'),
        ("no such pod", message(index=2), [task(replicas=2)], ".index", "the task has 2 pods, counted from 0"),
        ("no such container", message(container="x"), [task()], ".container", 'have no container "x"'),
    ],
)
def test_a_message_that_nobody_says(told, said, source, tasks, path, words):
    [(severity, where, what)] = told(source, tasks)
    assert severity is Severity.ERROR
    assert where == f"spec.flows[0].outputs[0].from.terminationMessage{path}"
    assert words in what


def test_what_the_patch_adds_is_there(told):
    more = {"tasks": [{"name": "main", "replicas": 3}, task("extra", container("c"))]}
    assert told(message(task="main", index=2), patch=more) == []
    assert told(message(task="extra", container="c"), patch=more) == []


COMMAND = {"patch": {"spec": {"tasks": [{"name": "main", "template": {"spec": {"containers": [
    {"name": "main", "command": ["sh", "-c", f"echo {N}"]}]}}}]}}}  # fmt: skip
VARIABLE = {"patch": {"spec": {"tasks": [{"name": "main", "template": {"spec": {"containers": [
    {"name": "main", "env": [{"name": "ROWS", "value": N}]}]}}}]}}}  # fmt: skip


def test_one_in_a_command_line_is_warned_of_and_the_other_way_is_shown(told):
    [(severity, where, what)] = told(use=COMMAND)
    assert severity is Severity.WARNING
    assert where == "spec.flows[1].patch.spec.tasks[0].template.spec.containers[0].command[2]"
    assert f"env: [{{name: ROWS, value: {N}}}]" in what
    assert told(use=VARIABLE) == []


ARGUMENT = {"arguments": [{"name": "x", "value": N}]}


def with_parameter(**fields: Any) -> dict[str, Any]:
    return {"parameters": [{"name": "x"}], "tasks": [task("main", container(**fields))]}


@pytest.mark.parametrize(
    ("said", "worker", "severity", "words"),
    [
        (
            "a command line",
            with_parameter(args=["$(params.x)"]),
            Severity.WARNING,
            "args[0] of the template, where a shell takes what a Job wrote for more than a value; give it as a "
            "variable, `env: [{name: ROWS, value: $(params.x)}]`",
        ),
        (
            "what runs",
            with_parameter(image="busybox:$(params.x)"),
            Severity.ERROR,
            "$(params.x) came out of a Job, and what comes out of a Job may not decide on image",
        ),
        (
            "its rights",
            with_parameter(securityContext={"capabilities": {"add": ["$(params.x)"]}}),
            Severity.ERROR,
            "may not decide on securityContext",
        ),
    ],
)
def test_one_that_goes_through_an_argument(told, said, worker, severity, words):
    assert any(
        found == severity and where.startswith("spec.flows[1].arguments") and words in what
        for found, where, what in told(use=ARGUMENT, worker=worker)
    )


def test_an_argument_that_becomes_a_variable_is_good(told):
    assert told(use=ARGUMENT, worker=with_parameter(env=[{"name": "X", "value": "$(params.x)"}])) == []
