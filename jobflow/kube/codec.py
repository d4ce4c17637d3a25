"""Codec: bytes of one kind to what the cache keeps of its objects; the one place of hot decoding.

In: the body of a list page or a line of a watch. Out: a Page or an Event that hold views. One msgspec pass
skips what is not needed (5 us for a Volcano Job where json.loads takes 35); whatever does not fit that pass
(bookmarks, errors, an object somebody wrote past its schema) is looked at a second time, slowly. One object
that cannot be read must not stop the watch of ten thousand others: it is logged once by name, left out, and
counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, NoReturn, Protocol, TypeVar

import msgspec
import structlog

from jobflow.api.metadata import ObjectMeta
from jobflow.kube.errors import StatusBody, Unavailable, error_for

T = TypeVar("T")

SHOWN_BYTES = 80  # of a line that is no event: enough to know a proxy's HTML page, too little to leak much
MAX_LOGGED_NAMES = 1024  # which undecodable objects were logged already; forgotten when there are more

log = structlog.get_logger(__name__)


class Wire(Protocol):
    """What a wire Struct must have: the rest is its kind's own. Give every field but metadata a default."""

    @property
    def metadata(self) -> ObjectMeta:
        """The object's metadata."""


W = TypeVar("W", bound=Wire)


class EventType(StrEnum):
    """What a line of a watch says."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    ERROR = "ERROR"  # never leaves the codec: it is raised


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list; an empty `continue_token` says it is the last."""

    items: list[T]
    resource_version: str
    continue_token: str


class Event(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """One change. `object` is None for bookmarks, and for an object that could not be read."""

    type: EventType
    object: T | None
    resource_version: str


class _Envelope(msgspec.Struct, Generic[W], frozen=True, gc=False):
    type: EventType
    object: W


class _RawEnvelope(msgspec.Struct, frozen=True, gc=False):
    type: EventType
    object: msgspec.Raw


class _ListMeta(msgspec.Struct, frozen=True, gc=False):
    version: str = msgspec.field(name="resourceVersion", default="")
    continue_token: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct, Generic[W], frozen=True, gc=False):
    metadata: _ListMeta
    items: list[W] | None = None  # Go encodes an empty list as null now and then


class _Naming(msgspec.Struct, frozen=True, gc=False):
    namespace: str = ""
    name: str = ""
    version: str = msgspec.field(name="resourceVersion", default="")


class _Identity(msgspec.Struct, frozen=True, gc=False):
    """As much of an object as is needed to name it, or to read the version of a bookmark."""

    metadata: _Naming = _Naming()


_RAW_ENVELOPE = msgspec.json.Decoder(_RawEnvelope)
_RAW_LIST: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_List[msgspec.Raw])  # type: ignore[type-var]
_IDENTITY = msgspec.json.Decoder(_Identity)
_STATUS = msgspec.json.Decoder(StatusBody)


class Codec(Generic[T]):
    """Decodes one watched kind.

    `wire` is the Struct of the object as it travels, `view` makes of it what the cache keeps. What `view`
    raises concerns that object alone, which is then left out; `left_out` counts them.
    """

    def __init__(self, wire: type[W], view: Callable[[W], T]) -> None:
        self._view: Callable[[Any], T] = view
        self._object: msgspec.json.Decoder[Any] = msgspec.json.Decoder(wire)
        self._event: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Envelope[wire])  # type: ignore[valid-type]
        self._list: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_List[wire])  # type: ignore[valid-type]
        self._logged: set[str] = set()
        self.left_out = 0

    def page(self, body: bytes) -> Page[T]:
        """A page of a list. Raises Unavailable, or the error of a Status body, where it is none."""
        try:
            page = self._list.decode(body)
            items = [self._view(item) for item in page.items or ()]
        except Exception:  # one item does not decode, or its view refuses it: find out which, keep the others
            page = _decode(_RAW_LIST, body, "a list")
            items = [obj for item in page.items or () if (obj := self._readable(item)) is not None]
        return Page(items, page.metadata.version, page.metadata.continue_token)

    def event(self, line: bytes) -> Event[T]:
        """A line of a watch.

        Raises the error that an ERROR event or a bare Status body tells; Unavailable where it is no event.
        """
        try:
            told = self._event.decode(line)
            if told.type is not EventType.BOOKMARK and told.type is not EventType.ERROR:
                return Event(told.type, self._view(told.object), told.object.metadata.resourceVersion)
        except Exception:  # no event at all, an error, a bookmark, an object we cannot read: told apart slowly
            return self._rare_event(line)
        return self._rare_event(line)

    def _rare_event(self, line: bytes) -> Event[T]:
        envelope: _RawEnvelope = _decode(_RAW_ENVELOPE, line, "a watch event")
        if envelope.type is EventType.ERROR:
            _refuse(bytes(envelope.object), "an error event's Status")
        version = _naming(envelope.object).version
        if envelope.type is EventType.BOOKMARK:
            return Event(envelope.type, None, version)
        return Event(envelope.type, self._readable(envelope.object), version)

    def _readable(self, item: msgspec.Raw) -> T | None:
        try:
            return self._view(self._object.decode(item))
        except Exception as error:  # whatever is wrong with one object stays with that object
            self._leave_out(_naming(item), error)
            return None

    def _leave_out(self, naming: _Naming, error: Exception) -> None:
        self.left_out += 1
        name = f"{naming.namespace}/{naming.name}"
        if name in self._logged:
            return
        if len(self._logged) >= MAX_LOGGED_NAMES:
            self._logged.clear()
        self._logged.add(name)
        log.error("object cannot be read, left out", object=name, version=naming.version, error=str(error))


def _naming(item: msgspec.Raw) -> _Naming:
    try:
        return _IDENTITY.decode(item).metadata
    except msgspec.MsgspecError:
        return _Naming()


def _decode(decoder: msgspec.json.Decoder[Any], data: bytes, wanted: str) -> Any:
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError:
        _refuse(data, wanted)


def _refuse(body: bytes, wanted: str) -> NoReturn:
    """Raise what `body` tells: the error of a Status, else that it is not what was wanted."""
    try:
        status = _STATUS.decode(body)
    except msgspec.MsgspecError:
        status = StatusBody()
    if status.kind == "Status":
        raise error_for(status.code, body, {}) from None
    shown = body[:SHOWN_BYTES].decode(errors="replace")
    raise Unavailable(f"the API server sent {len(body)} bytes that are not {wanted}: {shown!r}") from None
