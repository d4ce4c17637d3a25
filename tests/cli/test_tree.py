"""The tree: golden drawings, with glyph and word for each step."""

from __future__ import annotations

from textwrap import dedent

import pytest

from jobflow.cli.looks import Charset, cut, plain
from jobflow.cli.tree import flow_lines


def text(lines) -> str:
    return "\n".join(plain(line) for line in lines)


def golden(drawing: str) -> str:
    return dedent(drawing).strip("\n")


@pytest.fixture
def pipeline(pictures):
    step = pictures.step
    return pictures.flow(
        "ml",
        "Running",
        step("download", "Succeeded", ran=(0, 12)),
        step("clean", "Succeeded", after="download", ran=(12, 15)),
        step("features", "Running", after="download", ran=(12, None), detail="3 of 4 pods running"),
        step(
            "train",
            after="clean features",
            reason="WaitingForDependencies",
            message="waits for features (Running)",
        ),
        progress="2/4",
    )


def test_steps_stand_in_levels_and_a_bracket_holds_those_that_run_side_by_side(pictures, pipeline):
    assert text(flow_lines(pipeline, pictures.now, Charset())) == golden(
        """
        ● Running  ml  2/4  1m00s
            ✔ Succeeded    download  12s
          ┌ ✔ Succeeded    clean      3s
          └ ● Running      features  48s  3 of 4 pods running
            ○ Waiting      train          waits for features (Running)
        """
    )


def test_without_unicode_the_same_is_drawn_in_ascii(pictures, pipeline):
    drawing = text(flow_lines(pipeline, pictures.now, Charset(unicode=False)))

    assert drawing.isascii()
    assert drawing == golden(
        """
        * Running  ml  2/4  1m00s
            + Succeeded    download  12s
          / + Succeeded    clean      3s
          \\ * Running      features  48s  3 of 4 pods running
            o Waiting      train          waits for features (Running)
        """
    )


def test_a_failure_is_told_with_its_reason_and_what_it_took_with_it(pictures):
    flow = pictures.flow(
        "ml",
        "Failed",
        pictures.step(
            "prep",
            "Failed",
            ran=(0, 2),
            reason="JobFailed",
            message="Job ml-prep is Failed: 1 of 1 pods failed",
            detail="ml-prep-main-0: exit code 3",
        ),
        pictures.step(
            "train",
            "Unreachable",
            after="prep",
            reason="DependencyFailed",
            message="cannot start: prep (Failed)",
        ),
        reason="StepFailed",
        message="step prep failed",
        ended=pictures.now,
    )

    assert text(flow_lines(flow, pictures.now, Charset())) == golden(
        """
        ✖ Failed  ml  0/2  1m00s  StepFailed: step prep failed
            ✖ Failed       prep   2s  JobFailed: Job ml-prep is Failed: 1 of 1 pods failed; ml-prep-main-0: exit code 3
            – Unreachable  train      DependencyFailed: cannot start: prep (Failed)
        """
    )


def test_what_a_step_came_after_is_said_only_where_the_levels_do_not_show_it(pictures):
    step = pictures.step
    flow = pictures.flow(
        "etl",
        "Running",
        step("a", "Succeeded", ran=(0, 1)),
        step("b", "Succeeded", ran=(0, 1)),
        step("from-a", "Running", after="a", ran=(1, None)),
        step("from-both", "Running", after="a b", ran=(1, None)),
    )

    drawing = text(flow_lines(flow, pictures.now, Charset()))

    assert "from-a     59s  after a" in drawing
    assert drawing.splitlines()[-1].endswith("from-both  59s")


def test_three_hundred_siblings_fold_to_counts_with_what_failed_first(pictures):
    step = pictures.step
    many = [step(f"shard-{n}", "Succeeded", after="split", ran=(1, 3)) for n in range(295)]
    rest = [step(f"late-{n}", "Running", after="split", ran=(1, None)) for n in range(3)]
    bad = [step("bad", "Failed", after="split", ran=(1, 2), reason="JobFailed", message="exit code 1")]
    flow = pictures.flow("wide", "Running", step("split", "Succeeded", ran=(0, 1)), *many, *rest, *bad)

    assert text(flow_lines(flow, pictures.now, Charset(), height=10)) == golden(
        """
        ● Running  wide  0/300  1m00s
            ✔ Succeeded    split    1s
          ┌ ✖ Failed       bad      1s  JobFailed: exit code 1
          ├ ● Running      late-0  59s
          ├ ● Running      late-1  59s
          ├ ● Running      late-2  59s
          └ ✔ 295 Succeeded  shard-0, shard-1, shard-2 and 292 more
        """
    )


def test_one_line_is_the_least(pictures, pipeline):
    assert text(flow_lines(pipeline, pictures.now, Charset(), height=1)) == "● Running  ml  2/4  1m00s"


@pytest.mark.parametrize("width", [1, 5, 20, 40, 79])
@pytest.mark.parametrize("unicode", [True, False])
def test_no_line_is_wider_than_the_terminal(pictures, pipeline, width, unicode):
    charset = Charset(unicode)

    lines = [plain(cut(line, width, charset)) for line in flow_lines(pipeline, pictures.now, charset)]

    assert max(map(len, lines)) <= width


def test_control_characters_of_a_message_never_reach_the_terminal(pictures):
    evil = pictures.step("a", "Failed", ran=(0, 1), reason="ChildRejected", message="no\x1b[2J\nway\r!")

    drawing = text(flow_lines(pictures.flow("f", "Failed", evil), pictures.now, Charset()))

    assert "ChildRejected: no [2J way !" in drawing
    assert "\x1b" not in drawing


def test_a_long_name_pushes_its_own_line_only(pictures):
    flow = pictures.flow(
        "f", "Running", pictures.step("n" * 60, "Running", ran=(0, None)), pictures.step("b", "Running", ran=(0, None))
    )

    lines = text(flow_lines(flow, pictures.now, Charset())).splitlines()

    assert len(lines[2]) < len(lines[1])
