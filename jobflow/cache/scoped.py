"""Scoped: a sink for a reflector that sees only a part of a kind, such as one namespace of several.

In: that reflector's lists and events. Out: the same to the whole sink, where a list replaces only the part.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class WholeSink(Protocol[T_contra]):
    """What takes objects one by one."""

    def put(self, obj: T_contra) -> None:
        """An object as it is now."""

    def remove(self, obj: T_contra) -> None:
        """An object's end."""


class Scoped(Generic[T]):
    """The sink of one of several reflectors of a kind."""

    def __init__(self, whole: WholeSink[T], key: Callable[[T], Hashable]) -> None:
        self._whole = whole
        self._key = key
        self._mine: dict[Hashable, T] = {}

    def replace(self, objects: Sequence[T], resource_version: str) -> None:
        """Take the part's list."""
        listed = {self._key(obj) for obj in objects}
        for key in [key for key in self._mine if key not in listed]:
            self._whole.remove(self._mine.pop(key))
        for obj in objects:
            self.put(obj)

    def put(self, obj: T) -> None:
        """Take an object as it is now."""
        self._mine[self._key(obj)] = obj
        self._whole.put(obj)

    def remove(self, obj: T) -> None:
        """Take an object's end."""
        self._mine.pop(self._key(obj), None)
        self._whole.remove(obj)
