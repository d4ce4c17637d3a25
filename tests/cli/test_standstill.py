"""When `jobflow run` stops waiting because nothing can go on."""

from __future__ import annotations

import pytest

from jobflow.cli.standstill import Standstill, stands_still


@pytest.mark.parametrize(
    ("what", "steps", "expected"),
    [
        ("its only Job is refused", [("a", "Waiting", "ChildRejected")], True),
        ("a template is missing", [("a", "Waiting", "TemplateNotFound")], True),
        ("a parameter's ConfigMap is missing", [("a", "Waiting", "ParameterNotFound")], True),
        (
            "refused, and the next one waits for it",
            [("a", "Waiting", "ChildRejected"), ("b", "Waiting", "WaitingForDependencies")],
            True,
        ),
        ("refused, and another one still runs", [("a", "Waiting", "ChildRejected"), ("b", "Running", "")], False),
        ("refused, and another one is to start", [("a", "Waiting", "ChildRejected"), ("b", "Pending", "")], False),
        ("refused, and another one has ended", [("a", "Waiting", "ChildRejected"), ("b", "Succeeded", "")], True),
        ("refused, and a probe is asked", [("a", "Waiting", "ChildRejected"), ("b", "Waiting", "ProbeFailing")], False),
        ("it has not begun", [("a", "Waiting", "")], False),
        ("its Job of before is being deleted", [("a", "Waiting", "PreviousChildTerminating")], False),
        ("nothing is known of it yet", [], False),
    ],
)
def test_a_flow_stands_still(pictures, what, steps, expected) -> None:
    flow = pictures.flow("f", "Pending", *(pictures.step(name, phase, reason=why) for name, phase, why in steps))
    assert stands_still(flow) is expected


class TestPatience:
    def test_it_must_last(self, pictures) -> None:
        still = [pictures.flow("f", "Pending", pictures.step("a", reason="ChildRejected"))]
        moving = [pictures.flow("f", "Running", pictures.step("a", "Running"))]
        standstill = Standstill(10)
        assert [standstill.lasts(still, now) for now in (100, 109)] == [False, False]
        assert standstill.lasts(moving, 110) is False
        assert [standstill.lasts(still, now) for now in (111, 120, 121)] == [False, False, True]

    def test_what_has_ended_does_not_count_and_what_moves_does(self, pictures) -> None:
        ended = pictures.flow("e", "Succeed", pictures.step("a", "Succeeded"))
        still = pictures.flow("f", "Pending", pictures.step("a", reason="ChildRejected"))
        job = pictures.flow("j", "Running")
        assert Standstill(0).lasts([ended, still], 1) is True
        assert Standstill(0).lasts([ended, still, job], 1) is False
        assert Standstill(0).lasts([ended], 1) is False
