"""Every field that users write in a JobFlow is shown to them, and is in a test.

In: the CRD's schema; the examples and the YAML blocks of docs/; the texts of tests/. A field that is added without an
example of it, or without a test that names it, fails here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import pytest
import yaml

from jobflow.api import resources
from jobflow.api.crd import job_flow_crd
from jobflow.api.fields import ANYTHING, Path, object_shape, paths, places, words

ROOT = File(__file__).parents[1]
BLOCK = re.compile(r"^```ya?ml\n(.*?)^```", re.MULTILINE | re.DOTALL)
STEP = ("spec", "flows", "[]")
PROBE = (*STEP, "dependsOn", "probe")
# What is below these is shown elsewhere: it is Volcano's, or the same in another spelling or another place.
SEEN_ELSEWHERE = (
    ("spec", "onExit"),
    ("spec", "retry"),
    (*STEP, "retryPolicy"),
    (*STEP, "patch", "spec"),
    (*STEP, "patch", "jobSpec"),
    *((*PROBE, f"{kind}List", "[]") for kind in ("httpGet", "tcpSocket", "taskStatus")),
)


def field_paths() -> list[Path]:
    """Those of `spec`."""
    schema = job_flow_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    shape = object_shape(schema)
    assert shape["spec"] is not ANYTHING
    found = paths({"spec": shape["spec"]})
    shown = [path for path in found if not any(path[: len(one)] == one != path for one in SEEN_ELSEWHERE)]
    return [path for path in shown if not set(path) & ANYTHING.keys()]


def documents() -> Iterator[Any]:
    """What is shown: whole objects, and parts of them that stand in docs."""
    for file in sorted((ROOT / "examples").glob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text())
    for file in sorted((ROOT / "docs").glob("*.md")):
        for block in BLOCK.findall(file.read_text()):
            try:
                yield from yaml.safe_load_all(block)
            except yaml.YAMLError:
                continue  # a sketch, with "..." in it


def as_flow(document: Any) -> Any:
    """A flow of it, where it is the spec of one, or steps, or the inside of a step."""
    match document:
        case {"kind": resources.JOB_FLOW.kind}:
            return document
        case {"spec": dict()}:
            return document
        case {"flows": list()}:
            return {"spec": document}
        case [{"name": str()}, *_]:
            return {"spec": {"flows": document}}
        case dict():
            return {"spec": {**document, "flows": [document, {"dependsOn": document}]}}
    return {}


def on_exit_as_steps(flow: Any) -> Any:
    spec = flow.get("spec") or {}
    if not isinstance(spec, dict) or not isinstance(spec.get("onExit"), list):
        return flow
    return {"spec": {**spec, "flows": [*(spec.get("flows") or []), *spec["onExit"]]}}


SHOWN = [on_exit_as_steps(as_flow(document)) for document in documents()]
TESTED = "\n".join(file.read_text() for file in sorted((ROOT / "tests").rglob("*.py")) if file != File(__file__))


@pytest.mark.parametrize("path", field_paths(), ids=words)
def test_the_field_is_shown_and_tested(path: Path) -> None:
    assert any(next(places(flow, path), None) for flow in SHOWN), f"no example and no YAML of docs/ has {words(path)}"
    assert re.search(rf"\b{re.escape(path[-1])}\b", TESTED), f"no test names {path[-1]}"
