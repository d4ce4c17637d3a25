"""YAML text -> values with the place of each.

In: the text of a file. Out: for every document a `Node` tree, which holds the JSON value that kubectl would
send and the line and column of each key and item; and what is wrong with the text, in a user's words. Built
from the parser's events and not by recursion, so that no file, however deep or however full of aliases, can
exhaust the process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from jobflow.cli import scalars
from jobflow.cli.yaml_errors import explain

MAX_DEPTH = 100  # the deepest field of a pod is at some 20; a stack of open brackets is an accident or an attack
MAX_COPIED_VALUES = 100_000  # what aliases may multiply to in one file; nested aliases grow without bound otherwise

Report = Callable[["Position", str], None]

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it: ten times faster
_PATH_PART = re.compile(r'\[(\d+)\]|\["([^"]*)"\]|\[([^\]]+)\]|([^.\[\]]+)')


class Position(NamedTuple):
    """A place in a file, both counted from 1; (0, 0) stands for the file as a whole."""

    line: int
    column: int


class TextError(Exception):
    """The text cannot be read on: what is wrong, and where."""

    def __init__(self, position: Position, message: str) -> None:
        super().__init__(message)
        self.position = position
        self.message = message


@dataclass(slots=True, eq=False)
class Node:
    """One value: what it is in JSON, where it stands, and as it was written if it is a scalar."""

    position: Position
    value: Any = None
    text: str | None = None
    fields: dict[str, tuple[Position, Node]] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)

    def find(self, path: str) -> tuple[Position, Node | None]:
        """Where the field at `path` stands, such as `spec.flows[2].name`, and its node.

        Where it is absent: the place of its nearest parent, and None.
        """
        node, position = self, self.position
        parts: list[str | int] = [
            int(index) if index else quoted or bracketed or name
            for index, quoted, bracketed, name in _PATH_PART.findall(path)
        ]
        while parts:
            step = node._step(parts)
            if step is None:
                return position, None
            position, node, used = step
            parts = parts[used:]
        return position, node

    def _step(self, parts: list[str | int]) -> tuple[Position, Node, int] | None:
        """One step down. A key may hold dots (`volcano.sh/name`), so that several parts may make one key."""
        first = parts[0]
        if isinstance(first, int):
            return (self.items[first].position, self.items[first], 1) if first < len(self.items) else None
        key = ""
        for used, part in enumerate(parts, start=1):
            if isinstance(part, int):
                return None
            key = f"{key}.{part}" if used > 1 else part
            if key in self.fields:
                return (*self.fields[key], used)
        return None


def read_documents(text: str, report: Report) -> Iterator[Node]:
    """The documents of a text that are not empty.

    What can be told without giving up goes to `report`. Raises TextError where the text cannot be read on;
    the documents before that place have been given by then.
    """
    builder = _Builder(report)
    parser = _Parser(text)
    try:
        while parser.check_event():
            node = builder.take(parser.get_event())
            if node is not None and not (node.value is None and not node.text):
                yield node
    except yaml.MarkedYAMLError as error:
        line, column, message = explain(error, text)
        raise TextError(Position(line, column), message) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        position = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise TextError(position, f"the character {_named(error.character)} is not allowed in YAML") from error
    finally:
        parser.dispose()


def _named(character: Any) -> str:
    return f"U+{character:04X}" if isinstance(character, int) else repr(character)


@dataclass(slots=True)
class _Open:
    """A mapping or a list whose end has not been read yet."""

    node: Node
    is_list: bool
    key: tuple[Position, str, bool] | None = None  # place, name, whether it is the merge key
    written: set[str] = field(default_factory=set)  # keys that the mapping itself has, not merged ones


class _Builder:
    """Makes Nodes of the parser's events."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.open: list[_Open] = []
        self.anchors: dict[str, Node] = {}
        self.copied = 0

    def take(self, event: yaml.Event) -> Node | None:
        """One event; the document's root when it ends the document."""
        if isinstance(event, yaml.DocumentStartEvent):
            self.anchors = {}
            return None
        if isinstance(event, yaml.ScalarEvent):
            return self._place(self._scalar(event), event)
        if isinstance(event, yaml.AliasEvent):
            return self._place(self._alias(event), event)
        if isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            return self._place(self.open.pop().node, event)
        return None

    def _begin(self, event: Any) -> None:
        is_list = isinstance(event, yaml.SequenceStartEvent)
        if len(self.open) >= MAX_DEPTH:
            raise TextError(_position(event), f"this is nested more than {MAX_DEPTH} levels deep")
        node = Node(_position(event), [] if is_list else {})
        if event.anchor:
            self.anchors[event.anchor] = node
        self.open.append(_Open(node, is_list))

    def _place(self, node: Node, event: Any) -> Node | None:
        """Put a finished value where it belongs: into what is open, or it is the document."""
        if not self.open:
            return node
        holder = self.open[-1]
        if holder.is_list:
            holder.node.items.append(node)
            holder.node.value.append(node.value)
        elif holder.key is None:
            holder.key = self._key(node, event)
        else:
            position, name, is_merge = holder.key
            holder.key = None
            if is_merge:
                self._merge(holder.node, node)
            else:
                self._put(holder, position, name, node)
        return None

    def _put(self, holder: _Open, position: Position, name: str, node: Node) -> None:
        if name in holder.written:
            first = holder.node.fields[name][0].line
            self.report(position, f'"{name}" is given twice; the first is in line {first}')
        holder.written.add(name)
        holder.node.fields[name] = (position, node)
        holder.node.value[name] = node.value

    def _merge(self, holder: Node, node: Node) -> None:
        """Merge where `<<` stands, as kubectl does: over what is written above it, below what follows."""
        parts = node.items if isinstance(node.value, list) else [node]
        if not all(isinstance(part.value, dict) for part in parts):
            raise TextError(node.position, "<< merges mappings: give it a mapping, or a list of mappings")
        for part in reversed(parts):  # the first of a list wins
            holder.fields.update(part.fields)
            holder.value.update(part.value)

    def _key(self, node: Node, event: Any) -> tuple[Position, str, bool]:
        if isinstance(node.value, dict | list):
            raise TextError(node.position, "a key must be a word or a number, not a mapping or a list")
        is_merge = node.text == "<<" and not getattr(event, "style", None) and not getattr(event, "tag", None)
        try:
            return node.position, scalars.key(node.value), is_merge
        except ValueError as error:
            raise TextError(node.position, str(error)) from error

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        quoted = bool(event.style)
        try:
            if event.tag is not None:
                value = scalars.tagged(event.value, event.tag, quoted)
            else:
                value = event.value if quoted else scalars.plain(event.value)
        except ValueError as error:
            raise TextError(_position(event), str(error)) from error
        node = Node(_position(event), value, event.value)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, event: yaml.AliasEvent) -> Node:
        meant = self.anchors.get(event.anchor or "")
        if meant is None:
            raise TextError(
                _position(event), f"*{event.anchor} stands for &{event.anchor}, which is not written above it"
            )
        if any(holder.node is meant for holder in self.open):
            raise TextError(_position(event), f"*{event.anchor} stands for something that it is itself a part of")
        return Node(_position(event), self._copy(meant.value, event), meant.text, meant.fields, meant.items)

    def _copy(self, value: Any, event: Any) -> Any:
        """A copy, so that whoever changes one place of the document does not change the other."""
        self.copied += 1
        if self.copied > MAX_COPIED_VALUES:
            raise TextError(_position(event), f"aliases stand for more than {MAX_COPIED_VALUES} values in this file")
        if isinstance(value, dict):
            return {name: self._copy(below, event) for name, below in value.items()}
        return [self._copy(below, event) for below in value] if isinstance(value, list) else value


def _position(event: Any) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)
