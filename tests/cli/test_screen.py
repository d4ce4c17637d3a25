"""The screen: many flows within the height of a terminal."""

from __future__ import annotations

import pytest

from jobflow.cli.looks import Charset
from jobflow.cli.screen import Size, screen


@pytest.fixture
def show(pictures, drawn):
    return lambda flows, width=80, height=24: drawn(screen(flows, Size(width, height), pictures.now, Charset()))


def test_flows_that_fit_are_drawn_with_all_their_steps(pictures, show):
    flows = [pictures.flow(name, "Running", pictures.step("s", "Running", ran=(0, None))) for name in ("a", "b")]

    assert show(flows) == [
        "● Running  a  0/1  1m00s",
        "    ● Running      s  1m00s",
        "● Running  b  0/1  1m00s",
        "    ● Running      s  1m00s",
    ]


def test_flows_that_do_not_fit_fold_each_in_its_share(pictures, show):
    steps = [pictures.step(f"s{n}", "Succeeded", ran=(0, 1)) for n in range(50)]
    flows = [pictures.flow("wide", "Running", *steps), pictures.flow("small", "Running", *steps[:2])]

    lines = show(flows, height=10)

    assert "    ✔ 50 Succeeded  s0, s1, s2 and 47 more" in lines
    assert [line for line in lines if line.endswith(("s0  1s", "s1  1s"))]
    assert len(lines) <= 10


def test_more_flows_than_trees_fit_have_a_line_each(pictures, show):
    flows = [pictures.flow(f"f{n}", "Running", pictures.step("s")) for n in range(20)]

    lines = show(flows, height=23)

    assert len(lines) == 20
    assert lines[0] == "● Running  f0  0/1  1m00s"


def test_more_flows_than_lines_show_failures_first_and_count_the_rest(pictures, show):
    flows = [pictures.flow(f"ok{n}", "Succeed", ended=pictures.now) for n in range(417)]
    flows += [pictures.flow(f"run{n}", "Running") for n in range(3)]
    flows += [pictures.flow("bad", "Failed", ended=pictures.now)]

    lines = show(flows, height=5)

    assert lines[0].startswith("✖ Failed  bad")
    assert [line.split()[1] for line in lines[1:4]] == ["Running"] * 3
    assert lines[4] == "and 417 Succeed"


@pytest.mark.parametrize("height", [1, 2, 7, 24])
@pytest.mark.parametrize("count", [1, 5, 6, 100])
def test_the_screen_is_never_left(pictures, show, height, count):
    steps = [pictures.step(f"s{n}", after=f"s{n - 1}" if n % 3 else "") for n in range(30)]

    lines = show([pictures.flow(f"f{n}", "Running", *steps) for n in range(count)], width=30, height=height)

    assert 1 <= len(lines) <= height
    assert max(map(len, lines)) <= 30
