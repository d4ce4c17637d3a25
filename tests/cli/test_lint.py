"""`jobflow lint` as a user types it: what is printed, and the exit code a build job reads."""

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from jobflow.cli.lint import lint

TEMPLATE = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {name: prep}
spec: {tasks: [{name: main, replicas: 1}]}
"""
FLOW = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {name: train}
spec: {flows: [{name: prep}]}
"""
BROKEN = FLOW.replace("{name: prep}", "{name: prep, dependsOn: {targets: [prepp]}}")


@pytest.fixture
def run(tmp_path):
    app = typer.Typer()
    app.command()(lint)

    def run(text, *options, **more):
        file = tmp_path / "f.yaml"
        file.write_text(text)
        return CliRunner().invoke(app, [str(file), *options], **more)

    return run


def test_clean_files(run):
    result = run(f"{FLOW}---\n{TEMPLATE}")
    assert (result.stdout, result.exit_code) == ("2 documents, 0 errors, 0 warnings\n", 0)


def test_an_error_is_a_line_and_exit_code_2(run, tmp_path):
    result = run(f"{BROKEN}---\n{TEMPLATE}")
    assert result.stdout.splitlines() == [
        f'{tmp_path}/f.yaml:4:51: error: spec.flows[0].dependsOn.targets[0]: "prepp" is not a step of this flow',
        "2 documents, 1 error, 0 warnings",
    ]
    assert result.exit_code == 2


def test_warnings_alone_leave_exit_code_0(run):
    result = run(FLOW)
    assert result.stdout.splitlines()[-1] == "1 document, 0 errors, 1 warning"
    assert result.exit_code == 0


def test_strict_makes_warnings_errors(run):
    result = run(FLOW, "--strict")
    assert ": error: spec.flows[0].name: there is no JobTemplate" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 document, 1 error, 0 warnings"
    assert result.exit_code == 2


def test_json_has_the_same_in_fields(run, tmp_path):
    result = run(f"{BROKEN}---\n{TEMPLATE}", "-o", "json")
    assert json.loads(result.stdout) == {
        "documents": 2,
        "errors": 1,
        "warnings": 0,
        "findings": [
            {
                "source": f"{tmp_path}/f.yaml",
                "line": 4,
                "column": 51,
                "severity": "error",
                "path": "spec.flows[0].dependsOn.targets[0]",
                "message": '"prepp" is not a step of this flow',
            }
        ],
    }
    assert result.exit_code == 2


def test_json_of_clean_files(run):
    result = run(TEMPLATE, "--output", "json")
    assert json.loads(result.stdout) == {"documents": 1, "errors": 0, "warnings": 0, "findings": []}
    assert result.exit_code == 0


def test_a_file_that_is_no_yaml(run):
    result = run("a: [\n")
    assert result.stdout.splitlines()[-1] == "0 documents, 1 error, 0 warnings"
    assert result.exit_code == 2


def test_a_file_that_is_not_there(run, tmp_path):
    result = run(TEMPLATE, str(tmp_path / "none.yaml"))
    assert f"{tmp_path}/none.yaml: error: there is no such file or folder" in result.stdout
    assert result.exit_code == 2


def test_standard_input(run):
    result = run(TEMPLATE, "-", input=BROKEN)
    assert result.stdout.startswith("<stdin>:4:51: error: ")


def test_a_namespace_for_objects_that_name_none(run):
    text = f"{FLOW}---\n{TEMPLATE}".replace("name: prep}\nspec", "name: prep, namespace: ml}\nspec")
    assert run(text).exit_code == 2
    assert run(text, "--namespace", "ml").exit_code == 0


def test_what_only_lint_needs_is_not_imported_by_every_other_verb():
    code = (
        "import sys, jobflow.cli.lint, jobflow.cli.manifests; "
        "print([name for name in ('pydantic', 'yaml', 'msgspec', 'aiohttp', 'asyncio') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout == "[]\n"
