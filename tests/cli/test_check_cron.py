"""What lint says of CronJobs."""

import pytest

from jobflow.cli.check import check
from jobflow.cli.documents import load_documents

CRON = """\
apiVersion: {api}
kind: CronJob
metadata: {{name: {name}}}
spec:
  schedule: "{schedule}"
  {more}
  jobTemplate:
    spec:
      tasks:
        - name: main
          replicas: {replicas}
          minAvailable: 1
          template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: i}}]}}}}
"""
GOOD = {
    "api": "batch.volcano.sh/v1alpha1",
    "name": "nightly",
    "schedule": "0 3 * * *",
    "more": "timeZone: Europe/Berlin",
    "replicas": 1,
}


def told(tmp_path, **fields):
    (tmp_path / "c.yaml").write_text(CRON.format(**{**GOOD, **fields}))
    return [(finding.path, finding.message) for finding in check(load_documents([str(tmp_path / "c.yaml")]))]


def test_a_good_one(tmp_path):
    assert told(tmp_path) == []


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        ({"schedule": "0 25 * * *"}, "spec.schedule", 'hour: "25" is not 0 to 23'),
        ({"more": "timeZone: Mars/Base"}, "spec.timeZone", 'unknown timeZone "Mars/Base"'),
        ({"more": "concurrencyPolicy: Perhaps"}, "spec.concurrencyPolicy", ""),
        ({"name": "c" * 53}, "metadata.name", "a CronJob's name has at most 52 characters"),
        (
            {"replicas": 0},
            "spec.jobTemplate.spec.tasks[0].minAvailable",
            "minAvailable 1 is greater than the task's replicas 0",
        ),
        ({"api": "batch/v1"}, "apiVersion", "this is a Kubernetes CronJob; jobflow runs Volcano's"),
    ],
)
def test_what_is_wrong(tmp_path, fields, path, words):
    [(where, message)] = told(tmp_path, **fields)
    assert where == path
    assert message.startswith(words)
