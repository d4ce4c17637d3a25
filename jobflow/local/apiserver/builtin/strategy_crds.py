"""CustomResourceDefinitions: what is checked of them, and their conditions: a kind is established at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from jobflow.local.apiserver.builtin.strategy import BuiltinStrategy, Object
from jobflow.local.apiserver.schema.nodes import Validation, read
from jobflow.local.apiserver.schema.rules import problem, written_rules
from jobflow.local.apiserver.statuses import Cause, invalid
from jobflow.local.apiserver.types import ServedType, types_of_crd
from jobflow.local.apiserver.writes.names import service_problem

CRD_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


class CrdStrategy(BuiltinStrategy):
    """CustomResourceDefinitions: accepted names and Established at once, cleanup of their objects at the end."""

    holds_others = True

    def holding(self, finalizers: list[str]) -> list[str]:
        """Held until its objects are gone."""
        return sorted({*finalizers, CRD_CLEANUP})

    def default(self, obj: Object) -> None:
        """Name its list and one of it, and say that versions differ in nothing but their names."""
        spec = obj.get("spec")
        if not isinstance(spec, dict):
            return
        names = spec.get("names")
        if isinstance(names, dict) and isinstance(names.get("kind"), str) and names["kind"]:
            defaults = {"listKind": f"{names['kind']}List", "singular": names["kind"].lower()}
            obj["spec"] = {"conversion": {"strategy": "None"}, **spec, "names": {**defaults, **names}}

    def created(self, served: ServedType, obj: Object, now: str) -> None:
        """Check the schema, and establish the kind at once."""
        _check_crd(served, obj)
        _establish(obj, {}, now)

    def replaced(self, served: ServedType, obj: Object, old: Object, now: str) -> None:
        """Check the schema, and establish what changed."""
        causes = [
            Cause(path, f'Invalid value: "{new}": field is immutable')
            for path, new, was in (
                ("spec.group", obj["spec"].get("group"), old["spec"]["group"]),
                ("spec.scope", obj["spec"].get("scope"), old["spec"]["scope"]),
                ("spec.names.kind", (obj["spec"].get("names") or {}).get("kind"), old["spec"]["names"]["kind"]),
            )
            if new and new != was
        ]
        if causes:
            raise invalid(served.resource, obj["metadata"]["name"], causes)
        _check_crd(served, obj)
        if "deletionTimestamp" not in obj["metadata"]:
            _establish(obj, old, now)

    def terminating(self, obj: Object) -> None:
        """Say so in a condition."""
        status = obj.setdefault("status", {})
        status["conditions"] = [
            *(one for one in status.get("conditions") or () if one.get("type") != "Terminating"),
            {
                "type": "Terminating",
                "status": "True",
                "reason": "InstanceDeletionPending",
                "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
                "lastTransitionTime": obj["metadata"]["deletionTimestamp"],
            },
        ]


def _check_crd(served: ServedType, obj: Object) -> None:
    name = obj["metadata"]["name"]
    causes = list(_early_problems(obj))
    if not causes:
        try:
            types_of_crd(obj)
        except ValueError as error:
            path, _, message = str(error).partition(": ")
            reason = next((reason for start, reason in _REASONS.items() if message.startswith(start)), _INVALID)
            causes = [Cause(_hoisted(path, obj), message or "Invalid value", reason)]
    if not causes:
        causes = [cause for version in obj["spec"]["versions"] for cause in _rule_problems(version)]
    if causes:
        raise invalid(served.resource, name, causes)
    strategy = (obj["spec"].get("conversion") or {}).get("strategy") or "None"
    if strategy != "None":
        message = f'Unsupported value: "{strategy}": supported values: "None"'
        cause = Cause("spec.conversion.strategy", message, "FieldValueNotSupported")
        raise invalid(served.resource, name, [cause])
    expected = f"{obj['spec']['names']['plural']}.{obj['spec']['group']}"
    if name != expected:
        message = f'Invalid value: "{name}": must be spec.names.plural+"."+spec.group'
        raise invalid(served.resource, name, [Cause("metadata.name", message)])


_INVALID = "FieldValueInvalid"
_REASONS = {
    "Required value": "FieldValueRequired",
    "Unsupported value": "FieldValueNotSupported",
    "Forbidden": "FieldValueForbidden",
}
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")


def _hoisted(path: str, crd: Object) -> str:
    """The path as kube-apiserver tells it: what all versions share stands at the top, and one version is all."""
    if len(crd["spec"].get("versions") or ()) != 1:
        return path
    return path.replace("spec.versions[0].schema.openAPIV3Schema.", "spec.validation.openAPIV3Schema.").replace(
        "spec.versions[0].additionalPrinterColumns", "spec.additionalPrinterColumns"
    )


def _early_problems(crd: Object) -> Iterator[Cause]:
    """Of names, versions and columns, before anything is read as a schema."""
    spec = crd.get("spec")
    if not isinstance(spec, dict):
        return
    names, versions = spec.get("names"), spec.get("versions")
    if isinstance(names, dict) and not names.get("kind"):
        for field in ("kind", "listKind", "singular"):
            if not names.get(field):
                yield Cause(f"spec.names.{field}", "Required value", "FieldValueRequired")
    if versions is None or not isinstance(versions, list) or not all(isinstance(one, dict) for one in versions):
        return
    if sum(1 for version in versions if version.get("storage")) != 1:
        told = msgspec.json.encode(versions).decode()
        yield Cause("spec.versions", f"Invalid value: {told}: must have exactly one version marked as storage version")
        yield Cause("status.storedVersions", "Invalid value: null: must have at least one stored version")
    for index, version in enumerate(versions):
        name = version.get("name")
        if isinstance(name, str) and name and (wrong := service_problem(name)):
            yield Cause(f"spec.versions[{index}].name", f'Invalid value: "{name}": {wrong}')
            if index == 0:
                yield Cause("spec.version", f'Invalid value: "{name}": {wrong}')
        for place, column in enumerate(version.get("additionalPrinterColumns") or ()):
            path = _hoisted(f"spec.versions[{index}].additionalPrinterColumns[{place}]", crd)
            yield from _column_problems(column, path)


def _column_problems(column: Any, path: str) -> Iterator[Cause]:
    if not isinstance(column, dict):
        return
    kind, where = column.get("type"), column.get("jsonPath")
    if isinstance(kind, str) and kind and kind not in _COLUMN_TYPES:
        told = f'Invalid value: "{kind}": must be one of {",".join(_COLUMN_TYPES)}'
        yield Cause(f"{path}.type", told)
    if isinstance(where, str) and where and not where.startswith("."):
        told = f'Invalid value: "{where}": must be a simple json path starting with .'
        yield Cause(f"{path}.JSONPath", told)


def _rule_problems(version: Object) -> Iterator[Cause]:
    """Rules in CEL that cannot be compiled."""
    schema = version["schema"]["openAPIV3Schema"]
    if b"x-kubernetes-validations" not in msgspec.json.encode(schema):
        return
    for path, validation in written_rules(read(schema), "spec.validation.openAPIV3Schema"):
        if not validation.rule.strip():
            yield Cause(f"{path}.rule", "Required value: rule is not specified", "FieldValueRequired")
        for name, expression in (("rule", validation.rule), ("messageExpression", validation.message_expression)):
            if expression.strip() and (why := problem(expression)):
                told = msgspec.json.encode(_in_go(validation)).decode()
                yield Cause(f"{path}.{name}", f"Invalid value: {told}: compilation failed: {_indented(why)}")


def _indented(told: str) -> str:
    """The lines that show where, as Go's parser draws them."""
    return told.replace("\n|", "\n |")


def _in_go(validation: Validation) -> Object:
    """The rule as kube-apiserver's messages show it."""
    return {
        "Rule": validation.rule,
        "Message": validation.message,
        "MessageExpression": validation.message_expression,
        "Reason": validation.reason or None,
        "FieldPath": validation.child_path,
        "OptionalOldSelf": validation.optional_old_self or None,
    }


def _establish(obj: Object, old: Object, now: str) -> None:
    spec = obj["spec"]
    names = spec["names"]
    before = old.get("status") or {}
    since = {one["type"]: one.get("lastTransitionTime", now) for one in before.get("conditions") or ()}
    conditions = [
        {
            "type": type,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastTransitionTime": since.get(type, now),
        }
        for type, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    storing = next(version["name"] for version in spec["versions"] if version.get("storage"))
    kept = [name for name in before.get("storedVersions") or () if name != storing]
    obj["status"] = {"conditions": conditions, "acceptedNames": names, "storedVersions": [*kept, storing]}
