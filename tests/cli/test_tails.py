"""Tails: the last lines of a log as the kubelet keeps it."""

from __future__ import annotations

from jobflow.cli.tails import READ_BYTES, tail

TIME = b"2026-05-04T12:00:00.000000000Z"


def log(tmp_path, *records: bytes):
    path = tmp_path / "0.log"
    path.write_bytes(b"".join(TIME + b" stdout " + record + b"\n" for record in records))
    return path


def test_the_last_lines_without_times(tmp_path):
    assert tail(log(tmp_path, b"F one", b"F two", b"F  three"), 2) == ["two", " three"]


def test_a_line_in_parts_is_one_line(tmp_path):
    assert tail(log(tmp_path, b"P be", b"P gin", b"F ning", b"P no newline"), 5) == ["beginning", "no newline"]


def test_a_progress_bar_shows_its_last_state_and_no_control_characters(tmp_path):
    assert tail(log(tmp_path, b"F 10%\r50%\r100%", b"F \x1b[31mred\xff"), 5) == ["100%", "?[31mred\ufffd"]


def test_only_the_end_of_a_large_log_is_read(tmp_path):
    path = log(tmp_path, *(b"F line %06d" % n for n in range(READ_BYTES // 20)))

    assert path.stat().st_size > READ_BYTES
    assert tail(path, 1) == [f"line {READ_BYTES // 20 - 1:06d}"]
    assert len(tail(path, 10**6)) < READ_BYTES // 20


def test_no_file_is_no_lines(tmp_path):
    assert tail(tmp_path / "absent", 20) == []
