"""What lint says of `dependsOn` between tasks."""

import pytest

from jobflow.cli.check import check
from jobflow.cli.documents import load_documents

JOB = """\
apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {{name: train}}
spec:
  minAvailable: {least}
  tasks:
    - name: ps
      replicas: 1
      template: {{spec: {{restartPolicy: {restart}, containers: [{{name: c, image: i{probe}}}]}}}}
    - name: worker
      replicas: 2
      dependsOn: {{name: [ps]{iteration}}}
      template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: i}}]}}}}
"""

NOT_ITS_END = 'this task starts as soon as "ps" runs, not when it has ended'
GANG = "the Job's minAvailable is 3, and only 1 pods can exist before this task's dependencies are up"
PROBE = ", readinessProbe: {httpGet: {port: 80}}"


def told(tmp_path, least=1, restart="Never", probe=PROBE, iteration=""):
    path = tmp_path / "job.yaml"
    path.write_text(JOB.format(least=least, restart=restart, probe=probe, iteration=iteration))
    return [(finding.path, finding.message) for finding in check(load_documents([str(path)]))]


@pytest.mark.parametrize(
    ("told_of", "fields", "path", "words"),
    [
        ("a dependency that ends and does not tell when it is ready", {"probe": ""}, "dependsOn.name[0]", NOT_ITS_END),
        ("more pods at once than there are at first", {"least": 3}, "dependsOn", GANG),
        ("no minAvailable is all of them", {"least": 0}, "dependsOn", GANG),
        ("a word that is none", {"iteration": ", iteration: some"}, "dependsOn.iteration", '"some" is taken for all'),
    ],
)
def test_what_is_warned_of(tmp_path, told_of, fields, path, words):
    [(where, message)] = told(tmp_path, **fields)
    assert where == f"spec.tasks[1].{path}", told_of
    assert message.startswith(words)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"restart": "Always", "probe": ""},  # a server: up is what is meant
        {"iteration": ", iteration: any"},
        {"iteration": ", iteration: all"},
    ],
)
def test_what_is_not(tmp_path, fields):
    assert told(tmp_path, **fields) == []
