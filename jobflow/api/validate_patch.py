"""Rules of a step's patch and templateRef that the schema cannot say.

In: a step, its path. Out: Problems. Whether the patch fits its template is seen where both are: by lint, where the
files have both, and when the step starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from jobflow.api.jobflow import FlowStep, Patch
from jobflow.api.names import DNS_SUBDOMAIN, MAX_LABEL_CHARACTERS
from jobflow.api.placeholders import mentions
from jobflow.api.problems import Problem

MAX_PATCH_BYTES = 256 * 1024  # a flow and its status share one object of about a megabyte
OURS = ("volcano.sh/", "jobflow.volcano.sh/")  # by these children are found, and told whose they are


def patch_problems(step: FlowStep, path: str) -> list[Problem]:
    """What is wrong with the patch and the templateRef of one step."""
    problems = []
    if step.template_ref and not DNS_SUBDOMAIN.fullmatch(step.template_ref.name):
        said = f'"{step.template_ref.name}" cannot be the name of a template'
        problems.append(Problem(f"{path}.templateRef.name", said))
    return problems + (list(_patch(step.patch, f"{path}.patch")) if step.patch else [])


def _patch(patch: Patch, path: str) -> Iterator[Problem]:
    if patch.spec is not None and patch.job_spec is not None:
        yield Problem(path, "spec and jobSpec are two spellings of one thing; keep one of them")
        return
    field, partial = patch.partial
    size = len(msgspec.json.encode(partial))
    if size > MAX_PATCH_BYTES:
        said = f"the patch has {size // 1024} KiB; {MAX_PATCH_BYTES // 1024} KiB are allowed: write another JobTemplate"
        yield Problem(f"{path}.{field}", said)
    if patch.metadata:
        yield from _keys(patch.metadata.labels or (), f"{path}.metadata.labels")
        yield from _keys(patch.metadata.annotations or (), f"{path}.metadata.annotations")
        for key, value in (patch.metadata.labels or {}).items():
            if len(value) > MAX_LABEL_CHARACTERS and next(mentions(value), None) is None:
                said = f"the label's value has {len(value)} characters; Kubernetes allows {MAX_LABEL_CHARACTERS}"
                yield Problem(f"{path}.metadata.labels[{key}]", said)


def _keys(keys: Iterable[str], path: str) -> Iterator[Problem]:
    for key in keys:
        if key.startswith(OURS):
            said = f"{key} belongs to the controllers, which find their objects by it; choose another prefix"
            yield Problem(f"{path}[{key}]", said)
