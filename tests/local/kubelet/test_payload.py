"""Files of a volume: written so that a reader sees all of an update or nothing of it."""

import stat

import pytest

from jobflow.local.kubelet.payload import File, inside, write
from jobflow.local.kubelet.refusals import Unrunnable


def files(**content):
    return {name.replace("__", "/").replace("_", "."): File(text.encode(), 0o640) for name, text in content.items()}


def seen(directory, *names):
    return {name: (directory / name).read_text() for name in names if (directory / name).exists()}


def test_files_are_there_with_their_modes(tmp_path):
    write(tmp_path, files(a_txt="one", deep__b="two"))
    assert seen(tmp_path, "a.txt", "deep/b") == {"a.txt": "one", "deep/b": "two"}
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_an_update_changes_all_files_at_once_and_takes_away_those_that_went(tmp_path):
    write(tmp_path, files(a="old", gone="x"))
    before = (tmp_path / "..data").readlink()
    write(tmp_path, files(a="new", more="y"))
    assert seen(tmp_path, "a", "gone", "more") == {"a": "new", "more": "y"}
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("..")) == ["a", "more"]
    assert not (tmp_path / before).exists()
    assert (tmp_path / "a").readlink().parts[0] == "..data", "a link that stays, into one that is swapped"


def test_nothing_is_left_of_a_volume_that_has_no_files_any_more(tmp_path):
    write(tmp_path, files(a="x"))
    write(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("..")] == []


@pytest.mark.parametrize("path", ["../up", "/etc/passwd", "a/../../b", ""])
def test_a_path_may_not_lead_out_of_the_volume(path):
    with pytest.raises(Unrunnable, match=r'volume v: path ".*" must be relative and without "\.\."'):
        inside(path, "volume v")
