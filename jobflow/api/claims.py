"""Claims: fields that somebody wrote into a flow's spec and that are not in it any more.

In: metadata.managedFields, which says who wrote which fields, and the spec as it was read. Out: fields of ours that
were written and are gone without anybody having taken them out. That is what an API server makes of an object whose
CRD lost them: it drops them from what it reads, and from what it stores at the next write, but the record of who wrote
them stays. So a controller that starts after the CRD was replaced still knows that the flow it sees is not the flow
that was meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from jobflow.api.fields import ITEM, VALUE, Path, outermost, places, words

ITEM_KEYS = ("k:", "v:", "i:")  # of a list: by key, by value, by index
EVERYWHERE = frozenset({"metadata", "spec", "status", "flows", "name"})  # names that every record has


@dataclass(frozen=True)
class _Search:
    """What is looked for: a quick look at the bytes, then the outermost fields, then those within them."""

    quick: re.Pattern[bytes]
    within: Mapping[Path, tuple[Path, ...]]  # by the outermost


def lost(spec: bytes, records: Iterable[bytes], added: frozenset[Path]) -> tuple[str, ...]:
    """Fields among `added` that the records (fieldsV1) have and the spec has not, the outermost ones, in words."""
    search = _search(added)
    suspicious = [record for record in records if search is not None and search.quick.search(record)]
    if search is None or not suspicious:
        return ()
    tree = {"spec": msgspec.json.decode(spec)}
    trees = [msgspec.json.decode(record) for record in suspicious]

    def is_gone(path: Path) -> bool:
        return any(_claims(one, path) for one in trees) and next(places(tree, path), None) is None

    gone: set[Path] = set()
    for outer, inner in search.within.items():
        gone |= {outer} if is_gone(outer) else {path for path in inner if is_gone(path)}
    return tuple(sorted(words(path) for path in outermost(gone)))


@lru_cache(maxsize=8)
def _search(added: frozenset[Path]) -> _Search | None:
    of_spec = [path for path in added if path[0] == "spec"]
    if not of_spec:
        return None
    outer = sorted(outermost(of_spec))
    within = {top: tuple(sorted(p for p in of_spec if p != top and p[: len(top)] == top)) for top in outer}
    telling = {next((name for name in reversed(top) if name not in EVERYWHERE), top[-1]) for top in outer}
    names = b"|".join(re.escape(name.encode()) for name in sorted(telling))
    return _Search(re.compile(b'"f:(?:' + names + b')"'), within)


def _claims(tree: Any, path: Path) -> bool:
    if not path:
        return True
    name, rest = path[0], path[1:]
    if not isinstance(tree, dict):
        return False
    if name == ITEM:
        return any(_claims(below, rest) for key, below in tree.items() if key.startswith(ITEM_KEYS))
    if name == VALUE:
        return any(_claims(below, rest) for key, below in tree.items() if key.startswith("f:"))
    return f"f:{name}" in tree and _claims(tree[f"f:{name}"], rest)
