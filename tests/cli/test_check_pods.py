"""What lint says of pod templates: before a run, not half way through a flow."""

import pytest

from jobflow.cli.check import check
from jobflow.cli.documents import Severity, load_documents

TEMPLATE = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {{name: train}}
spec:
  tasks:
    - name: main
      replicas: 1
      template:
        spec:
          restartPolicy: Never
          volumes: [{{name: data, emptyDir: {{}}}}]
          containers:
            - {{name: c, image: i, {fields}}}
"""


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        ("volumeMounts: [{name: date, mountPath: /d}]", "volumeMounts[0].name", 'Not found: "date"'),
        (
            "ports: [{containerPort: 70000}]",
            "ports[0].containerPort",
            "Invalid value: 70000: must be between 1 and 65535",
        ),
        ("imagePullPolicy: Sometimes", "imagePullPolicy", 'Unsupported value: "Sometimes"'),
    ],
)
def test_a_template_of_which_no_pod_could_be_made(tmp_path, fields, path, words):
    (tmp_path / "t.yaml").write_text(TEMPLATE.format(fields=fields))
    [finding] = check(load_documents([str(tmp_path / "t.yaml")]))
    assert finding.path == f"spec.tasks[0].template.spec.containers[0].{path}"
    assert finding.message.startswith(words)
    assert finding.line == 13


@pytest.mark.parametrize(
    "fields", ["volumeMounts: [{name: data, mountPath: /d}]", 'ports: [{containerPort: "$(params.port)"}]']
)
def test_a_good_one(tmp_path, fields):
    (tmp_path / "t.yaml").write_text(TEMPLATE.format(fields=fields))
    assert [one for one in check(load_documents([str(tmp_path / "t.yaml")])) if one.severity is Severity.ERROR] == []
