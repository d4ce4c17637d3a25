"""WebhookGate: the Gate that asks the hooks which are configured now.

In: a write. Out: the object as the hooks want it, or their refusal. Mutating hooks are asked one after another, each
about what the one before made; validating ones all at once. Configurations are parsed once for each stored version.
"""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import msgspec

from jobflow.local.apiserver.calls import Call
from jobflow.local.apiserver.registry import NAMESPACES, Registry
from jobflow.local.apiserver.schema.rules import compiled
from jobflow.local.apiserver.statuses import StatusError, internal
from jobflow.local.apiserver.storage.store import Collection, Store, Stored
from jobflow.local.apiserver.webhooks.calling import Caller, Unreachable
from jobflow.local.apiserver.webhooks.configurations import (
    ADMISSION_GROUP,
    Configuration,
    Hook,
    Object,
    Target,
    selects,
    version_for,
)
from jobflow.local.apiserver.webhooks.reviews import (
    Answer,
    Question,
    Unusable,
    denial,
    no_answer,
    read_answer,
    unsupported_dry_run,
)
from jobflow.local.apiserver.writes.patches import PatchError, json_patch

MUTATING = Collection(ADMISSION_GROUP, "mutatingwebhookconfigurations")
VALIDATING = Collection(ADMISSION_GROUP, "validatingwebhookconfigurations")
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}

_log = logging.getLogger(__name__)


class _Write(NamedTuple):
    """One write under admission."""

    call: Call
    target: Target
    obj: Object | None
    old: Object | None


class WebhookGate:
    """Admission by the hooks of one store."""

    def __init__(self, store: Store, registry: Registry, caller: Caller, random: Random) -> None:
        self._store = store
        self._registry = registry
        self._caller = caller
        self._random = random
        self._parsed: dict[tuple[Collection, str], tuple[Stored, tuple[Hook, ...]]] = {}

    def mutates(self, call: Call, operation: str) -> bool:
        """Whether a mutating hook may be about the call."""
        return self._concerns(MUTATING, call, operation)

    def validates(self, call: Call, operation: str) -> bool:
        """Whether a validating hook may be about the call."""
        return self._concerns(VALIDATING, call, operation)

    def _concerns(self, collection: Collection, call: Call, operation: str) -> bool:
        if not self._store.shelf(collection).objects or call.served.resource.group == ADMISSION_GROUP:
            return False  # hooks on hooks could never be mended
        target = self._target(call, operation)
        return any(version_for(hook, target) for hook in self._hooks(collection))

    async def mutate(self, call: Call, operation: str, obj: Object, old: Object | None) -> tuple[Object, list[str]]:
        """The object as the mutating hooks make it, and their warnings. Raises StatusError."""
        write = _Write(call, self._target(call, operation), obj, old)
        warnings: list[str] = []
        again: list[Hook] = []
        for hook in self._hooks(MUTATING):
            before = write.obj
            write = await self._changed(hook, write, warnings)
            if write.obj != before:
                first, again = again, []
                for earlier in first:
                    write = await self._changed(earlier, write, warnings)
            if hook.reinvocationPolicy == "IfNeeded":
                again.append(hook)
        assert write.obj is not None
        return write.obj, warnings

    async def _changed(self, hook: Hook, write: _Write, warnings: list[str]) -> _Write:
        answer = await self._ask(hook, write, changes=True)
        if answer is None:
            return write
        warnings += answer.warnings
        if not answer.patch:
            return write
        try:
            changed = json_patch(write.obj, answer.patch)
        except PatchError as error:
            raise internal(_in_go(str(error))) from error
        if not isinstance(changed, dict) or not isinstance(changed.get("metadata"), dict):
            raise internal(f'admission webhook "{hook.name}" made of the object what is none')
        return write._replace(obj=changed)

    async def check(self, call: Call, operation: str, obj: Object | None, old: Object | None) -> list[str]:
        """Warnings of the validating hooks. Raises the refusal of the first that refuses."""
        write = _Write(call, self._target(call, operation), obj, old)
        answers = await asyncio.gather(
            *(self._ask(hook, write, changes=False) for hook in self._hooks(VALIDATING)), return_exceptions=True
        )
        warnings: list[str] = []
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            warnings += answer.warnings if answer is not None else []
        return warnings

    async def _ask(self, hook: Hook, write: _Write, *, changes: bool) -> Answer | None:
        """The answer of one hook that allows it; None where it is not about the write, or may be silent."""
        version = version_for(hook, write.target)
        objects = (write.obj, write.old)
        if version is None or not selects(hook, objects, self._namespace_labels(write)):
            return None
        question = self._question(write, version)
        try:
            if not _conditions_hold(hook, question):
                return None
            if question.dry_run and hook.sideEffects not in ("None", "NoneOnDryRun"):
                raise unsupported_dry_run(hook.name)
            body = msgspec.json.encode(question.review())
            told = await self._caller.ask(hook.clientConfig, body, hook.timeoutSeconds)
            answer = read_answer(told, question.uid, may_change=changes)
        except (Unreachable, Unusable) as error:
            if hook.must_answer:
                raise no_answer(hook.name, str(error)) from error
            _log.warning("webhook %s gave no answer and is passed over: %s", hook.name, error)
            return None
        if not answer.allowed:
            raise denial(hook.name, answer.status)
        return answer

    def _question(self, write: _Write, version: str) -> Question:
        call, operation = write.call, write.target.operation
        subject = write.obj or write.old or {}
        options: Object = {"kind": _OPTIONS[operation], "apiVersion": "meta.k8s.io/v1"}
        for name in ("fieldManager", "fieldValidation"):
            if value := call.query.text(name):
                options[name] = value
        if call.query.dry_run:
            options["dryRun"] = ["All"]
        return Question(
            uid=str(uuid.UUID(int=self._random.getrandbits(128), version=4)),
            target=write.target,
            version=version,
            namespace=_namespace(call, subject),
            name=subject.get("metadata", {}).get("name") or call.route.name or "",
            caller=call.caller,
            obj=write.obj,
            old=write.old,
            dry_run=call.query.dry_run,
            options=options,
        )

    def _target(self, call: Call, operation: str) -> Target:
        resource = call.served.resource
        versions = tuple(
            one.resource.version
            for one in self._registry.types()
            if (one.resource.group, one.resource.plural) == (resource.group, resource.plural)
        )
        return Target(resource, call.route.subresource or "", operation, versions, resource.namespaced)

    def _namespace_labels(self, write: _Write) -> dict[str, str] | None:
        """Labels of the namespace that a write is in, or is about; None where there is none."""
        subject = write.obj or write.old or {}
        if write.call.collection == NAMESPACES:
            return dict((subject.get("metadata") or {}).get("labels") or {})
        if not write.target.namespaced:
            return None
        stored = self._store.get(NAMESPACES, "", write.call.namespace)
        return stored.labels if stored is not None else {}

    def _hooks(self, collection: Collection) -> Iterator[Hook]:
        for stored in self._store.list(collection, None, None, self._store.revision):
            key = (collection, stored.name)
            held = self._parsed.get(key)
            if held is None or held[0] is not stored:
                hooks = msgspec.json.decode(stored.data, type=Configuration).webhooks or ()
                held = self._parsed[key] = stored, hooks
            yield from held[1]


def _namespace(call: Call, subject: Object) -> str:
    if call.collection == NAMESPACES:
        return (subject.get("metadata") or {}).get("name") or call.route.name or ""
    return call.namespace


def _conditions_hold(hook: Hook, question: Question) -> bool:
    """Whether all conditions are true; one that cannot be judged counts as a hook that gives no answer."""
    if not hook.matchConditions:
        return True
    import cel

    variables: dict[str, Any] = {
        "object": question.obj,
        "oldObject": question.old,
        "request": question.review()["request"],
    }
    for condition in hook.matchConditions:
        try:
            holds = compiled(condition.expression).execute(cel.Context(variables=variables))
        except Exception as error:  # whatever a user's expression runs into
            raise Unreachable(f"match condition {condition.name!r} cannot be judged: {error}") from error
        if holds is not True:
            return False
    return True


__all__ = ["MUTATING", "VALIDATING", "StatusError", "WebhookGate"]


_ABSENT = re.compile(r"operation \d+ \(remove (\S*)\): can't \w+ a non-existent object '(.*)'")


def _in_go(told: str) -> str:
    """What is wrong with a hook's patch, where it is the usual thing, in the words of kube-apiserver."""
    found = _ABSENT.fullmatch(told)
    if found is None:
        return told
    return f"error in remove for path: '{found[1]}': Unable to remove nonexistent key: {found[2]}: missing value"
