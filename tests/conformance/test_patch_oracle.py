"""Patches merge as Kubernetes merges them: random ones, against kube-apiserver's own strategic merge.

The same patch is sent to a core/v1 PodTemplate, and laid over it by us; what comes of ours is stored beside it, so that
both have the server's defaults, and the two are compared. Not tried, because it is meant to differ: tolerations and
topologySpreadConstraints (Kubernetes replaces the first and tells the second apart by key alone), ports (it tells them
apart by number alone), policies (Volcano's), and the order of what is added (ours goes to the end).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any, TypeVar

import pytest

from jobflow.api.merge import merge_spec
from jobflow.kube.transport import Request

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.real]

CASES = 80
COLLECTION = "/api/v1/namespaces/default/podtemplates"
STRATEGIC = "application/strategic-merge-patch+json"

T = TypeVar("T")
Tree = dict[str, Any]


class Dice:
    """Random pods and patches of them, valid ones."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def some(self, choices: Sequence[T]) -> list[T]:
        return self.random.sample(choices, self.random.randint(0, len(choices)))

    def one(self, *choices: T) -> T:
        return self.random.choice(choices)

    def maybe(self, chance: float = 0.5) -> bool:
        return self.random.random() < chance

    def env(self, patch: bool) -> list[Tree]:
        made: list[Tree] = [{"name": name, "value": self.one("1", "2")} for name in self.some("ABC")]
        if patch and self.maybe(0.3):
            known = {one["name"] for one in made}
            made += [{"name": name, "$patch": "delete"} for name in "ABC" if name not in known][:1]
        return made

    def container(self, name: str, patch: bool) -> Tree:
        made: Tree = {"name": name}
        if not patch or self.maybe():
            made["image"] = self.one("busybox:1", "busybox:2")
        if self.maybe():
            made["command"] = self.one(["a"], ["b", "c"])
        elif patch and self.maybe(0.2):
            made["command"] = None
        if self.maybe():
            made["env"] = self.env(patch)
        if self.maybe():
            made["resources"] = {"limits": {kind: self.one("1", "2") for kind in self.some(("cpu", "memory"))}}
        elif patch and self.maybe(0.2):
            made["resources"] = {"$patch": "replace", "limits": {"cpu": "3"}}
        if self.maybe():
            made["volumeMounts"] = [{"mountPath": path, "name": self.one("v", "w")} for path in self.some(("/x", "/y"))]
        return made

    def pod(self, patch: bool) -> Tree:
        names = ["main", "side"] if not patch else self.some(("main", "side", "third"))
        made: Tree = {"containers": [self.container(name, patch and name != "third") for name in names]}
        if not patch:
            made["volumes"] = [{"name": name, "emptyDir": {}} for name in ("v", "w")]
        elif self.maybe(0.3):
            made["volumes"] = [{"name": self.one("v", "x"), "emptyDir": {"sizeLimit": "1Gi"}}]
        if self.maybe():
            made["nodeSelector"] = {key: self.one("1", "2") for key in self.some("ab")}
        elif patch and self.maybe(0.2):
            made["nodeSelector"] = None
        if self.maybe():
            made["imagePullSecrets"] = [{"name": name} for name in self.some(("p", "q"))]
        if self.maybe():
            made["hostAliases"] = [
                {"ip": ip, "hostnames": [self.one("h", "i")]} for ip in self.some(("1.1.1.1", "2.2.2.2"))
            ]
        if patch and self.maybe(0.2):
            made["terminationGracePeriodSeconds"] = self.one(0, 60)
        return made


@pytest.mark.parametrize("seed", range(CASES))
async def test_a_random_patch(real_side, seed):
    dice = Dice(seed)
    base, patch = dice.pod(patch=False), dice.pod(patch=True)
    ours = merge_spec(in_a_job(base), in_a_job(patch))["tasks"][0]["template"]["spec"]
    try:
        await call(real_side, "POST", COLLECTION, template("theirs", base), expect=201)
        theirs = await call(real_side, "PATCH", f"{COLLECTION}/theirs", {"template": {"spec": patch}}, expect=200)
        made = await call(real_side, "POST", COLLECTION, template("ours", ours), expect=201)
        assert in_order(made["template"]["spec"]) == in_order(theirs["template"]["spec"]), (base, patch)
    finally:
        await call(real_side, "DELETE", COLLECTION, None, expect=200)


def in_a_job(pod: Tree) -> Tree:
    return {"tasks": [{"name": "w", "template": {"spec": pod}}]}


def template(name: str, pod: Tree) -> Tree:
    return {"metadata": {"name": name}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}}


def in_order(tree: Any) -> Any:
    """Lists of things that have a name, whatever order they stand in; a list that is empty is none."""
    if isinstance(tree, dict):
        return {key: in_order(below) for key, below in tree.items() if below not in ([], {})}
    if isinstance(tree, list) and tree and isinstance(tree[0], dict):
        return sorted((in_order(item) for item in tree), key=lambda item: json.dumps(item, sort_keys=True))
    return tree


async def call(side: Any, method: str, path: str, body: Tree | None, expect: int) -> Tree:
    kind = STRATEGIC if method == "PATCH" else "application/json"
    answer = await side.transport.request(
        Request(method, path, body=json.dumps(body).encode() if body else None, content_type=kind), timeout=30.0
    )
    told = json.loads(answer.body)
    assert answer.status == expect, told.get("message")
    return told
