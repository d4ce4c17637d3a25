"""Route: which collection, object or subresource a URL path names, and the query as typed options.

In: a Request's path and query. Out: a Route, or None for a path that is not of a resource (discovery,
health). It knows the grammar of paths only; whether the kind is served is the registry's to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from jobflow.kube.transport import Request
from jobflow.local.apiserver.statuses import Cause, bad_request, invalid_options

_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True", ""))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))


@dataclass(frozen=True, slots=True)
class Route:
    """A path taken apart. `plural` is "" for the root of a group-version (its discovery document)."""

    group: str
    version: str
    plural: str
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None


def parse_path(path: str) -> Route | None:
    """The route of a path below /api/v1 or /apis/GROUP/VERSION; None where it names no resource."""
    parts = [unquote(part) for part in path.split("?", 1)[0].strip("/").split("/")]
    match parts:
        case ["api", version, *rest] if rest:
            return _resource("", version, rest)
        case ["apis", group, version, *rest] if rest:
            return _resource(group, version, rest)
    return None


def _resource(group: str, version: str, rest: list[str]) -> Route | None:
    match rest:
        case ["namespaces", namespace, plural] if plural not in ("status", "finalize"):
            return Route(group, version, plural, namespace)
        case ["namespaces", namespace, plural, name]:
            return Route(group, version, plural, namespace, name)
        case ["namespaces", namespace, plural, name, subresource]:
            return Route(group, version, plural, namespace, name, subresource)
        case [plural]:
            return Route(group, version, plural)
        case [plural, name]:
            return Route(group, version, plural, None, name)
        case [plural, name, subresource]:
            return Route(group, version, plural, None, name, subresource)
    return None


class Query(Mapping[str, str]):
    """The query of a request: the last value of each name, with typed readings that refuse nonsense with 400."""

    def __init__(self, pairs: tuple[tuple[str, str], ...]) -> None:
        self._values = dict(pairs)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def text(self, name: str) -> str:
        """The value, or the empty string."""
        return self._values.get(name, "")

    def flag(self, name: str) -> bool:
        """A boolean as Go's ParseBool reads it; given without a value it is true."""
        value = self._values.get(name)
        if value is None or value in _FALSE:
            return False
        if value in _TRUE:
            return True
        raise bad_request(f"{name}: Invalid value: {value!r}: must be a boolean")

    def number(self, name: str) -> int | None:
        """A whole number, zero or more; None where it is not given."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if value.startswith("-") and value[1:].isdigit():
            raise bad_request(f"{name}: Invalid value: {value}: must be zero or more")
        if not value.isascii() or not value.isdigit():
            raise bad_request(f'strconv.ParseInt: parsing "{value}": invalid syntax')
        return int(value)

    @property
    def dry_run(self) -> bool:
        """Whether the write is only to be tried."""
        return self._values.get("dryRun") == "All"

    @property
    def field_validation(self) -> str:
        """Strict, Warn (the default) or Ignore: what becomes of fields the schema does not know."""
        return self._values.get("fieldValidation") or "Warn"

    def check_write(self, options: str) -> None:
        """Refuse options of a write that are none; `options` is their kind, such as CreateOptions. Raises 422."""
        causes = []
        dry_run = self._values.get("dryRun", "All")
        if dry_run != "All":
            message = f'Unsupported value: ["{dry_run}"]: supported values: "All"'
            causes.append(Cause("dryRun", message, "FieldValueNotSupported"))
        if options != "DeleteOptions" and self.field_validation not in ("Strict", "Warn", "Ignore"):
            message = f'Unsupported value: "{self.field_validation}": supported values: "", "Ignore", "Strict", "Warn"'
            causes.append(Cause("fieldValidation", message, "FieldValueNotSupported"))
        if causes:
            raise invalid_options(options, causes)


def is_watch(request: Request) -> bool:
    """Whether the answer goes on: a watch, or a log that is followed."""
    if request.method != "GET":
        return False
    query = Query(request.query)
    return ("watch" in query and query.flag("watch")) or (
        request.path.endswith("/log") and "follow" in query and query.flag("follow")
    )
