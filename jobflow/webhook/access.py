"""Access: whether the requester could do by hand what the flow will do for them.

In: who asks, and where. Out: a refusal in words, or none. The controller makes Jobs with its own rights; without this
question, who may write a JobFlow could have any Job made. The API server's authorizers are asked (SubjectAccessReview),
and a yes is remembered for some seconds, as kube-apiserver itself remembers those of its authorizers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from jobflow.api.access import Rule, Scope
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, VOLCANO_JOB, Resource
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.webhook.flows import TemplateName
from jobflow.webhook.wire import UserInfo

SUBJECT_ACCESS_REVIEW = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)
ACCESS = (Rule(SUBJECT_ACCESS_REVIEW, ("create",), scope=Scope.CLUSTER),)

REMEMBERED_SECONDS = 10.0  # a right that is taken away counts this long at most; a burst of flows asks once
MOST_REMEMBERED = 4096
USE = "use"  # the verb by which RBAC lets somebody run a ClusterJobTemplate


class Wish(NamedTuple):
    """What somebody wants to do. An empty name means any."""

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        what = f"{self.resource} {self.name}".rstrip()
        return f"{self.verb} {what}" + (f" in namespace {self.namespace}" if self.namespace else "")


def wishes(namespace: str, templates: Iterable[TemplateName]) -> list[Wish]:
    """What a flow will do: make Jobs in its namespace, and use templates of the cluster."""
    used = sorted({template.name for template in templates if template.cluster})
    return [
        Wish("create", VOLCANO_JOB, namespace),
        *(Wish(USE, CLUSTER_JOB_TEMPLATE, "", name) for name in used),
    ]


class _Status(msgspec.Struct):
    allowed: bool = False
    reason: str = ""


class _Answer(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


_decode = msgspec.json.Decoder(_Answer).decode


class Access:
    """Asks the API server for others."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._allowed: dict[bytes, float] = {}  # what was asked -> until when it counts

    async def refusal(self, user: UserInfo, wanted: Iterable[Wish]) -> str:
        """Why the user may not do one of these; nothing where all are allowed. Raises ApiError."""
        for wish in wanted:
            if not await self._may(user, wish):
                return (
                    f'user "{user.username}" cannot {wish}, which this flow would do on their behalf; '
                    "ask an administrator of the cluster for that right"
                )
        return ""

    async def _may(self, user: UserInfo, wish: Wish) -> bool:
        body = _body(user, wish)
        asked = msgspec.json.encode(body, order="deterministic")
        now = self._clock.monotonic()
        if self._allowed.get(asked, 0.0) > now:
            return True
        answer = _decode(await self._client.create(SUBJECT_ACCESS_REVIEW, None, body))
        if answer.status.allowed:
            if len(self._allowed) >= MOST_REMEMBERED:
                self._allowed.clear()
            self._allowed[asked] = now + REMEMBERED_SECONDS
        return answer.status.allowed


def _body(user: UserInfo, wish: Wish) -> dict[str, Any]:
    attributes = {
        "verb": wish.verb,
        "group": wish.resource.group,
        "version": wish.resource.version,
        "resource": wish.resource.plural,
        "namespace": wish.namespace,
        "name": wish.name,
    }
    spec: dict[str, Any] = {
        "user": user.username,
        "groups": user.groups or (),
        "resourceAttributes": {name: value for name, value in attributes.items() if value},
    }
    if user.uid:
        spec["uid"] = user.uid
    if user.extra:
        spec["extra"] = user.extra
    kind = SUBJECT_ACCESS_REVIEW
    return {"apiVersion": kind.api_version, "kind": kind.kind, "spec": spec}
