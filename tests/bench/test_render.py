"""What making a Job costs: the cases are of the size they are said to be, and the parts are parts of the whole."""

from __future__ import annotations

import msgspec
import pytest
from typer.testing import CliRunner

from bench.__main__ import application
from bench.render import (
    BEST,
    FILLED,
    OWN,
    PATCH_BYTES,
    PLAIN,
    TEMPLATE_BYTES,
    WHOLE,
    Rendering,
    cases,
    large_patch,
    large_spec,
    render,
)
from bench.report import Report

SMALL = Rendering(jobs=2, batches=3, rounds=2, flows=2)


@pytest.mark.parametrize(("tree", "size"), [(large_spec(), TEMPLATE_BYTES), (large_patch(), PATCH_BYTES)])
def test_the_sizes_are_as_said(tree, size) -> None:
    assert size <= len(msgspec.json.encode(tree)) <= 1.1 * size


@pytest.mark.parametrize(
    ("case", "image", "told", "replicas"),
    [
        (OWN, "busybox:1.36", "value 0", 1),
        (PLAIN, "registry/main:1.3", "another 0", 4),
        (FILLED, "registry/main:1.3", "8 of step a", 4),
    ],
)
def test_each_case_is_a_job_with_its_patch_and_its_values(case, image, told, replicas) -> None:
    (task, *_) = msgspec.json.decode(cases()[case].render())["spec"]["tasks"]
    (main, *_) = task["template"]["spec"]["containers"]
    assert (main["image"], task["replicas"]) == (image, replicas)
    assert told in [variable.get("value") for variable in main["env"]]


def test_values_are_filled_into_the_template_and_its_own_text_stays() -> None:
    (task, *_) = msgspec.json.decode(cases()[FILLED].render())["spec"]["tasks"]
    sidecar = task["template"]["spec"]["containers"][1]
    told = {variable["name"]: variable["value"] for variable in sidecar["env"]}
    assert sidecar["image"] == "registry/main:1.4"
    assert told["SETTING_0_1"] == "8 epochs of flow"
    assert told["SETTING_0_2"] == "what sidecar of task 0 is told"


def test_the_same_template_gives_the_same_job_each_time() -> None:
    for case in cases().values():
        assert case.render() == case.render()


def test_every_round_has_the_whole_its_parts_and_its_share_of_a_flow() -> None:
    report, told = Report("test"), []
    render(report, SMALL, told.append)
    assert list(report.rounds) == [OWN, PLAIN, FILLED]
    for rounds in report.rounds.values():
        assert len(rounds) == SMALL.rounds
        for figures in rounds:
            assert 0 < figures[BEST] <= figures[WHOLE]
            assert 0 < figures["% of it to make them"] <= 100
    parts = {name: set(rounds[0]) for name, rounds in report.rounds.items()}
    assert parts[PLAIN] - parts[OWN] == {"us of it to merge the patch", "us of it to check what came of it"}
    assert parts[FILLED] - parts[PLAIN] == {"us of it to fill in values, with checks"}
    assert told[-1].startswith("round 2 of 2")


def test_a_figure_that_is_given_takes_the_place_of_the_measured_one() -> None:
    report, told = Report("test"), []
    render(report, Rendering(2, 2, 1, flows=1, flow_us=5_000_000.0, profile=True), told.append)
    (figures,) = report.rounds[OWN]
    assert figures["us of CPU per flow with such Jobs"] == pytest.approx(5_000_000.0)
    assert not [line for line in told if line.startswith("recording")]
    assert any("jobflow/api/merge.py" in line for line in told), "the profile does not show the merge"


def test_the_command_prints_the_table() -> None:
    words = ["render", "--jobs", "2", "--batches", "2", "--rounds", "1", "--flow-us", "3000"]
    done = CliRunner().invoke(application, words)
    assert done.exit_code == 0, done.output
    assert "% of it to make them" in done.output
