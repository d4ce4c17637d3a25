"""`jobflow run` up to where the control plane starts: inputs that keep it from starting."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from jobflow.cli.main import app
from jobflow.cli.run import Runtime, scratch_directory, warn_of_root


def run(*words: str, stdin: str = ""):
    return CliRunner().invoke(app, ["run", *words], input=stdin)


def test_a_file_that_is_not_there():
    result = run("nope.yaml")

    assert result.exit_code == 2
    assert result.stderr == "nope.yaml: error: there is no such file or folder\n"
    assert result.stdout == ""


def test_nothing_on_standard_input():
    result = run("-")

    assert result.exit_code == 2
    assert "<stdin>: error: nothing to run" in result.stderr


def test_a_mistake_is_shown_by_line_and_nothing_is_started(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_text("apiVersion: flow.volcano.sh/v1alpha1\nkind: JobFlow\nmetadata: {name: f}\nspec: {flows: 7}\n")

    result = run(str(path), "--data", str(tmp_path / "data"))

    assert result.exit_code == 2
    assert not (tmp_path / "data").exists()
    assert f"{path}:4:" in result.stderr


@pytest.mark.parametrize(
    ("runtime", "uid", "allowed", "warned"),
    [
        (Runtime.PROCESS, 0, False, True),
        (Runtime.PROCESS, 0, True, False),
        (Runtime.SIMULATE, 0, False, False),
        (Runtime.PROCESS, 1000, False, False),
    ],
)
def test_root_is_warned(capsys, runtime, uid, allowed, warned):
    warn_of_root(runtime, allowed, uid)

    assert ("processes run as root" in capsys.readouterr().err) is warned


def test_pods_files_go_below_the_data_but_never_into_folders_of_the_user(tmp_path):
    mine = tmp_path / "pods" / "mine"
    mine.mkdir(parents=True)

    scratch = scratch_directory(tmp_path, "run")

    assert scratch == tmp_path / "run"
    assert mine.exists()


def test_without_data_each_run_has_a_directory_of_its_own():
    first, second = scratch_directory(None, "run"), scratch_directory(None, "run")

    try:
        assert first != second
        assert first.stat().st_mode & 0o077 == 0
    finally:
        first.rmdir()
        second.rmdir()
