"""Hooks: the admission that an installed product adds to the API server's own.

In: an object that is about to be stored, the one it replaces, a way to look at others. Out: the same object changed in
place (`mutate`, before it is validated), warnings for the client, or a StatusError (`judge`, after it is known to be
valid). In a cluster these are webhooks, called in this order; here they are called in the writer's own step, so they
may not wait. Writes of `status` pass by them, as they do where a webhook is registered for the kind alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jobflow.api.resources import Resource
from jobflow.local.apiserver.statuses import StatusError

Find = Callable[[Resource, str, str], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Review:
    """One object under review. `old` is None for a create; `find` reads by resource, namespace ("" if none), name."""

    resource: Resource
    obj: dict[str, Any]
    old: dict[str, Any] | None
    find: Find


class Admission(Protocol):
    """What is asked before an object is stored."""

    def mutate(self, review: Review) -> None:
        """Fill in what the client left out. The object has its schema's defaults and is not validated yet."""

    def judge(self, review: Review) -> Sequence[str]:
        """Warnings for the client. Raises StatusError where the object may not be stored."""


def denied(webhook: str, message: str) -> StatusError:
    """400 in the words of kube-apiserver for a webhook that said no."""
    return StatusError(400, "", f'admission webhook "{webhook}" denied the request: {message}')
