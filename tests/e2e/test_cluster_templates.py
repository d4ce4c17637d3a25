"""ClusterJobTemplates as an administrator and a user type them, against `jobflow up`, which has them on."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.blocking]


def test_from_apply_to_the_columns_of_get(up, examples):
    server = up()
    server.kubectl("create", "namespace", "other")
    server.kubectl("apply", "-f", str(examples / "cluster-template.yaml"))
    documents = server.kubectl("get", "jobflow", "greetings", "-o", "json").stdout
    flow = json.loads(documents)
    copy = {key: flow[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "greetings"}}
    server.kubectl("apply", "-n", "other", "-f", "-", stdin=json.dumps(copy))
    for namespace in ("default", "other"):
        ended = "--for=jsonpath={.status.state.phase}=Succeed"
        server.kubectl("wait", "-n", namespace, "jobflow/greetings", ended, "--timeout=60s")
    server.kubectl("wait", "cjt/greeter", "--for=jsonpath={.status.jobDependsOnTotal}=4", "--timeout=30s")
    header, row = server.kubectl("get", "cjt").stdout.splitlines()
    assert header.split() == ["NAME", "JOBS", "AGE"]
    assert row.split()[:2] == ["greeter", "4"]
    label = "jobflow.volcano.sh/cluster-template=greeter"
    jobs = server.kubectl("get", "vcjob", "-A", "-l", label, "-o", "name").stdout.split()
    assert len(jobs) == 4


def test_explain_tells_of_it_and_of_how_a_step_names_it(up):
    server = up()
    said = server.kubectl("explain", "clusterjobtemplate").stdout
    assert "KIND:       ClusterJobTemplate" in said
    assert "steps of JobFlows in all namespaces run" in " ".join(said.split())
    assert "spec\t<Object>" in said
    said = server.kubectl("explain", "jobflow.spec.flows.templateRef.kind").stdout
    assert said.split("ENUM:\n")[1].split()[:2] == ["JobTemplate", "ClusterJobTemplate"]
    assert "--enable-cluster-templates" in said
    assert "clusterjobtemplates" in server.kubectl("api-resources", "--namespaced=false", "-o", "name").stdout


def test_a_kind_that_no_step_may_name_is_refused(up):
    flow = {
        "apiVersion": "flow.volcano.sh/v1alpha1",
        "kind": "JobFlow",
        "metadata": {"name": "f"},
        "spec": {"flows": [{"name": "a", "templateRef": {"name": "t", "kind": "Template"}}]},
    }
    refused = up().kubectl("apply", "-f", "-", stdin=json.dumps(flow), check=False)
    assert refused.returncode != 0
    assert 'spec.flows[0].templateRef.kind: Unsupported value: "Template"' in refused.stderr
