"""What lint says of deadlines."""

import pytest

from jobflow.cli.check import check
from jobflow.cli.documents import Severity, load_documents

FLOW = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {{name: f}}
spec:
  {whole}
  flows:
    - name: a
      {step}
  onExit:
    - name: clean
      activeDeadlineSeconds: 900
"""
NEVER = (
    "s are never reached: the flow's own activeDeadlineSeconds ends everything after 60 s; make this one shorter, or "
    "that one longer"
)


def told(tmp_path, whole="", step=""):
    (tmp_path / "f.yaml").write_text(FLOW.format(whole=whole, step=step))
    findings = check(load_documents([str(tmp_path / "f.yaml")]))
    return [(f.severity, f.line, f.path, f.message) for f in findings if "jobtemplate" not in f.message.lower()]


@pytest.mark.parametrize(
    ("said", "whole", "step"),
    [
        ("the flow has no deadline", "", "activeDeadlineSeconds: 900"),
        ("the step has none", "activeDeadlineSeconds: 60", ""),
        ("the step's is shorter", "activeDeadlineSeconds: 60", "activeDeadlineSeconds: 30"),
        ("they are equal", "activeDeadlineSeconds: 60", "pendingDeadlineSeconds: 60"),
    ],
)
def test_deadlines_that_can_be_reached(tmp_path, said, whole, step):
    assert told(tmp_path, whole, step) == []


@pytest.mark.parametrize("field", ["activeDeadlineSeconds", "pendingDeadlineSeconds"])
def test_one_that_is_longer_than_the_flows_is_a_warning(tmp_path, field):
    assert told(tmp_path, "activeDeadlineSeconds: 60", f"{field}: 61") == [
        (Severity.WARNING, 8, f"spec.flows[0].{field}", f"61 {NEVER}")
    ]


@pytest.mark.parametrize(
    ("said", "whole", "step", "path", "message"),
    [
        ("zero", "", "activeDeadlineSeconds: 0", "spec.flows[0].activeDeadlineSeconds", "0 s would end it before"),
        ("negative", "", "pendingDeadlineSeconds: -5", "spec.flows[0].pendingDeadlineSeconds", "-5 s are less than"),
        ("huge", "activeDeadlineSeconds: 99999999999", "", "spec.activeDeadlineSeconds", "take the field away where"),
        ("no number", 'activeDeadlineSeconds: "1h"', "", "spec.activeDeadlineSeconds", "must be"),
        ("negative", "ttlSecondsAfterFinished: -1", "", "spec.ttlSecondsAfterFinished", "0 deletes the JobFlow"),
    ],
)
def test_what_is_no_number_of_seconds_is_an_error_told_once(tmp_path, said, whole, step, path, message):
    ((severity, _, where, found),) = told(tmp_path, whole, step)
    assert (severity, where) == (Severity.ERROR, path)
    assert message in found
