"""Progress: a drawing on a terminal, plain lines anywhere else."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from jobflow.cli.looks import Charset, Span
from jobflow.cli.progress import Drawing, LineLog, progress_on
from jobflow.clock import SystemClock


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "term", "plain_lines", "expected"),
    [
        (Terminal(), "xterm", False, Drawing),
        (Terminal(), "xterm", True, LineLog),
        (Terminal(), "dumb", False, LineLog),
        (io.StringIO(), "xterm", False, LineLog),
    ],
    ids=["terminal", "terminal that shows logs as well", "terminal that cannot move its cursor", "pipe"],
)
def test_which(monkeypatch, stream, term, plain_lines, expected):
    monkeypatch.setenv("TERM", term)

    assert isinstance(progress_on(stream, SystemClock(), plain_lines=plain_lines), expected)


def test_a_pipe_gets_no_control_characters(pictures):
    out = io.StringIO()
    log = LineLog(out, SystemClock())

    log.begin()
    flow = pictures.flow("ml", "Running", pictures.step("a", "Running", ran=(0, None)))
    log.show([flow], [(pictures.flow("ml", "Pending", pictures.step("a")), flow)])
    log.end(keep=True)
    log.say([(Span("bye", "bold red"),)])

    lines = out.getvalue().splitlines()
    assert [line.partition(" ")[2] for line in lines[:2]] == ["ml/a Running", "ml Running"]
    assert lines[2] == "bye"
    assert all(line.isprintable() for line in lines)


@pytest.fixture
def console():
    return Console(file=Terminal(), force_terminal=True, width=40, height=6, color_system=None, legacy_windows=False)


def test_a_drawing_is_redrawn_in_place_and_never_higher_than_the_terminal(pictures, console):
    drawing = Drawing(console, SystemClock(), Charset())
    steps = [pictures.step(f"s{n}", "Running", ran=(0, None)) for n in range(100)]
    flow = pictures.flow("ml", "Running", *steps)

    drawing.begin()
    drawing.show([flow], [])
    drawing.show([flow], [])
    drawing.end(keep=True)

    text = console.file.getvalue()
    assert "100 Running" in text
    assert "\x1b[1A" in text  # the cursor goes up again
    assert max(len(line) for line in text.replace("\x1b", "\n\x1b").splitlines()) < 60


def test_a_drawing_that_never_began_can_be_ended_and_talked_over(console):
    drawing = Drawing(console, SystemClock(), Charset())

    drawing.end(keep=False)
    drawing.say([(Span("a path that is longer than the terminal is wide /tmp/x"),)])

    assert "a path that is longer than the terminal is wide /tmp/x\n" in console.file.getvalue()
