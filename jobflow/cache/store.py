"""Store: the objects of one kind by key, as the API server last told us.

In: a reflector's lists and events. Out: look-ups, and one notice `on_change(old, new)` for each object that really
changed; a relist that finds everything as it was gives no notice. Objects are immutable: a changed object is
another object.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Store(Generic[K, T]):
    """Objects by key; the sink of one reflector."""

    def __init__(
        self,
        key: Callable[[T], K],
        on_change: Callable[[T | None, T | None], None],
    ) -> None:
        self._key = key
        self._on_change = on_change
        self._objects: dict[K, T] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: K) -> bool:
        return key in self._objects

    def get(self, key: K) -> T | None:
        """The object as last seen, or None."""
        return self._objects.get(key)

    def values(self) -> Iterable[T]:
        """All objects, in no particular order."""
        return self._objects.values()

    def replace(self, objects: Sequence[T], resource_version: str) -> None:
        """Take a whole list: put what is in it, remove what is not."""
        listed = {self._key(obj): obj for obj in objects}
        for key in [key for key in self._objects if key not in listed]:
            self._on_change(self._objects.pop(key), None)
        for obj in listed.values():
            self.put(obj)

    def put(self, obj: T) -> None:
        """Take an object as it is now."""
        key = self._key(obj)
        old = self._objects.get(key)
        if old == obj:
            return  # a replayed event, or a relist that found it unchanged: an object's version is a part of it
        self._objects[key] = obj
        self._on_change(old, obj)

    def remove(self, obj: T) -> None:
        """Take an object's end; `obj` is its last state, which the notice gives as `old`."""
        if self._objects.pop(self._key(obj), None) is not None:
            self._on_change(obj, None)
