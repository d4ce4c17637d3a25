"""Sets of fields, in the form in which `fieldsV1` tells them, and what can be done with them.

A set is a tree of dicts: `f:NAME` is a field, `k:{"name":"a"}` an item of a map list by its keys, `v:1` one of a set
list. A leaf `{}` is a member; a branch is one only where it holds `.`. The empty dict as a whole is the empty set.
Trees are shared, never changed: every function gives a new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

Fields = dict[str, Any]

MEMBER = "."
LEAF: Fields = {}


def is_member(tree: Fields) -> bool:
    """Whether the field itself is in the set, and not only fields below it."""
    return not tree or MEMBER in tree


def below(tree: Fields) -> Fields:
    """The fields beneath, without the field itself."""
    return {name: child for name, child in tree.items() if name != MEMBER} if MEMBER in tree else tree


def branch(member: bool, children: Fields) -> Fields | None:
    """A tree of its parts; None for what is not in the set at all."""
    if not children:
        return LEAF if member else None
    return {MEMBER: LEAF, **children} if member else children


def union(one: Fields, other: Fields) -> Fields:
    """Fields that are in either."""
    if not one or not other:
        return one or other
    found = dict(one)
    for name, tree in other.items():
        held = found.get(name)
        if held is None:
            found[name] = tree
        elif name != MEMBER and held != tree:
            member = is_member(held) or is_member(tree)
            found[name] = branch(member, union(below(held), below(tree))) or LEAF
    return found


def difference(one: Fields, other: Fields) -> Fields:
    """Fields of the first that are not in the second. A field that goes leaves those below it."""
    if not other:
        return one
    found: Fields = {}
    for name, tree in one.items():
        taken = other.get(name)
        if taken is None:
            found[name] = tree
            continue
        member = is_member(tree) and not is_member(taken)
        left = branch(member, difference(below(tree), below(taken)))
        if left is not None:
            found[name] = left
    return found


def intersection(one: Fields, other: Fields) -> Fields:
    """Fields that are in both."""
    found: Fields = {}
    for name, tree in one.items():
        also = other.get(name)
        if also is None:
            continue
        both = branch(is_member(tree) and is_member(also), intersection(below(tree), below(also)))
        if both is not None:
            found[name] = both
    return found


def without(one: Fields, excluded: Fields) -> Fields:
    """Fields of the first but for those of the second and all below them."""
    if not excluded:
        return one
    found: Fields = {}
    for name, tree in one.items():
        taken = excluded.get(name)
        if taken is None:
            found[name] = tree
        elif not is_member(taken):
            left = branch(is_member(tree), without(below(tree), taken))
            if left is not None:
                found[name] = left
    return found


def paths(tree: Fields, start: str = "") -> Iterator[str]:
    """The members in words, such as `.spec.containers[name="main"].image`: each before those below it."""
    for name in sorted(tree, key=_place):
        if name == MEMBER:
            continue
        here = start + _word(name)
        if is_member(tree[name]):
            yield here
    for name in sorted(tree, key=_place):
        if name != MEMBER:
            yield from paths(below(tree[name]), start + _word(name))


_ORDER = {"f": 0, "k": 1, "v": 2, "i": 3}


def _place(name: str) -> tuple[int, str]:
    return _ORDER.get(name[:1], 4), name


def _word(name: str) -> str:
    what, told = name[:2], name[2:]
    if what == "f:":
        return f".{told}"
    if what == "k:":
        keys = msgspec.json.decode(told)
        return "[" + ",".join(f"{key}={msgspec.json.encode(value).decode()}" for key, value in keys.items()) + "]"
    return f"[={told}]" if what == "v:" else f"[{told}]"


def is_fields(tree: object) -> bool:
    """Whether a JSON value has the form of fieldsV1."""
    return isinstance(tree, dict) and all(
        (name == MEMBER or (name[:2] in ("f:", "k:", "v:", "i:") and _readable(name))) and is_fields(child)
        for name, child in tree.items()
    )


def _readable(name: str) -> bool:
    if name[0] == "f":
        return True
    try:
        value = msgspec.json.decode(name[2:])
    except msgspec.DecodeError:
        return False
    return isinstance(value, dict) if name[0] == "k" else name[0] == "v" or isinstance(value, int)
