"""Errors as a user reads them: one line, and a traceback only in the log and only for bugs."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobflow.cli.exit_codes import ExitCode
from jobflow.cli.interrupts import Interrupted
from jobflow.cli.stopping import logged_to, refusal_of
from jobflow.local.apiserver.storage.sqlite import DataDirectoryLocked, StoreCorrupted
from jobflow.local.apiserver.wire.http import PortTaken


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PortTaken("127.0.0.1", 6443), "port 6443"),
        (DataDirectoryLocked(Path("/d"), 77), "process 77"),
        (StoreCorrupted(Path("/d/objects.sqlite"), "is damaged"), "/d/objects.sqlite: is damaged"),
        (PermissionError(13, "Permission denied", "/d"), "/d: Permission denied"),
        (ExceptionGroup("group", [PortTaken("127.0.0.1", 1)]), "port 1"),
    ],
)
def test_what_a_user_can_do_something_about_is_exit_2(capsys, error, says):
    assert refusal_of(error) is ExitCode.BAD_INPUT
    assert says in capsys.readouterr().err


def test_a_bug_is_told_as_one_and_its_traceback_is_in_the_log(tmp_path, capsys):
    path = tmp_path / "jobflow.log"
    with pytest.raises(ZeroDivisionError) as bug, logged_to(path, verbose=False):
        raise ZeroDivisionError("of all things")

    assert refusal_of(bug.value) is ExitCode.BUG
    told = capsys.readouterr().err
    assert "jobflow has a bug: ZeroDivisionError: of all things" in told
    assert str(path) in told
    assert "Traceback" not in told
    assert "ZeroDivisionError" in path.read_text()


def test_ctrl_c_is_no_bug(tmp_path):
    path = tmp_path / "jobflow.log"
    with pytest.raises(Interrupted), logged_to(path, verbose=False):
        raise Interrupted(2)

    assert path.read_text() == ""
