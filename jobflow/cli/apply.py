"""Apply: the documents of the user's files become objects on the API server.

In: documents that passed the checks. Out: the JobFlows and bare Jobs among them, to follow; or Refused, with a Finding
that points at the line of the field the server did not like. Namespaces go first, then templates and what pods read,
then Jobs, flows last, so that nothing starts before what it needs is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE, NAMESPACE, VOLCANO_JOB, Resource
from jobflow.cli.check import ACCEPTED
from jobflow.cli.documents import Document, Finding, Severity
from jobflow.cli.following import Target
from jobflow.cli.inputs import namespace_of
from jobflow.kube.client import Client
from jobflow.kube.errors import AlreadyExists, ApiError, NotFound

LATER = (CLUSTER_JOB_TEMPLATE, JOB_TEMPLATE, VOLCANO_JOB, JOB_FLOW)  # in this order, after what they may refer to


class Refused(Exception):
    """The API server did not take an object; the findings say which and why."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Applied:
    """One object that is to be followed; `ended` says that an earlier run had finished it."""

    target: Target
    resource: Resource
    ended: bool


async def apply(client: Client, documents: Iterable[Document]) -> list[Applied]:
    """Create each object, or replace it where it exists. Raises Refused at the first that is not taken."""
    ordered = sorted(documents, key=lambda document: _rank(_resource(document)))
    for namespace in dict.fromkeys(namespace_of(doc) for doc in ordered if _resource(doc).namespaced):
        await _ensure_namespace(client, namespace)
    applied = []
    for document in ordered:
        try:
            stored = await _write(client, document)
        except ApiError as error:
            raise Refused(_findings(document, error)) from error
        if _resource(document) in (JOB_FLOW, VOLCANO_JOB):
            applied.append(_applied(document, stored))
    return applied


def _resource(document: Document) -> Resource:
    return ACCEPTED[str(document.data["kind"])]


def _rank(resource: Resource) -> int:
    if resource == NAMESPACE:
        return -1
    return LATER.index(resource) + 1 if resource in LATER else 0


async def _ensure_namespace(client: Client, name: str) -> None:
    body = {"apiVersion": NAMESPACE.api_version, "kind": NAMESPACE.kind, "metadata": {"name": name}}
    try:
        await client.create(NAMESPACE, None, body)
    except AlreadyExists:
        return


async def _write(client: Client, document: Document) -> dict[str, Any]:
    resource = _resource(document)
    namespace = namespace_of(document) if resource.namespaced else None
    body = dict(document.data)
    body["metadata"] = {**body["metadata"], **({"namespace": namespace} if namespace else {})}
    name = body["metadata"].get("name")
    current = await _current(client, resource, namespace, name) if name else None
    if current is None:
        answer = await client.create(resource, namespace, body)
    else:
        answer = await client.replace(resource, namespace, str(name), _over(current, body))
    stored: dict[str, Any] = msgspec.json.decode(answer)
    return stored


async def _current(client: Client, resource: Resource, namespace: str | None, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = msgspec.json.decode(await client.get(resource, namespace, name))
    except NotFound:
        return None
    return found


def _over(current: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """What the file says in place of what was there; what the server or others put into metadata stays."""
    metadata = dict(current["metadata"])
    for part in ("labels", "annotations"):
        if body["metadata"].get(part):
            metadata[part] = {**metadata.get(part, {}), **body["metadata"][part]}
    return {**body, "metadata": metadata}


def _applied(document: Document, stored: dict[str, Any]) -> Applied:
    meta = stored["metadata"]
    resource = _resource(document)
    target = Target(resource.kind, meta["namespace"], meta["name"], meta["uid"])
    status = stored.get("status") or {}
    return Applied(target, resource, ended=bool(status.get("completionTime")))


def _findings(document: Document, error: ApiError) -> list[Finding]:
    """One finding for each field the server names, else one for the object."""
    causes = error.details.get("causes") or ()
    found = [
        document.finding(Severity.ERROR, str(cause.get("field") or ""), str(cause.get("message") or error.message))
        for cause in causes
        if isinstance(cause, dict)
    ]
    metadata = document.data["metadata"]
    name = metadata.get("name") or metadata.get("generateName")
    said = f"the API server refused {document.data['kind']} {name}: {error.message}"
    return found or [document.finding(Severity.ERROR, "", said)]
