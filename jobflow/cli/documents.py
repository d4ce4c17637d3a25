"""The files users give us, as documents that know where each of their fields is written.

In: names of files, folders or `-` for standard input. Out: one Document for each object, with its source and
the line and column of any field; and Findings for what could not be read. Every verb that takes files reads
them here, so that they all find the same objects and point at mistakes in the same way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from jobflow.cli.yaml_nodes import Node, Position, TextError, read_documents

__all__ = ["Document", "Documents", "Finding", "Position", "Severity", "load_documents"]

SUFFIXES = frozenset((".yaml", ".yml", ".json"))
STANDARD_INPUT = "<stdin>"
LIST_SUFFIX = "List"


class Severity(StrEnum):
    """Whether a finding keeps the files from working."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with what was read. Line and column count from 1; 0 means the file as a whole."""

    source: str
    line: int
    column: int
    severity: Severity
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        subject = f"{self.path}: " if self.path else ""
        return f"{place}: {self.severity}: {subject}{self.message}"


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One object as written: where it comes from, its data, and its text's places."""

    source: str
    data: dict[str, Any]
    node: Node

    def position(self, path: str = "") -> Position:
        """Where the field is written; where it is absent, its nearest parent's place."""
        return self.node.find(path)[0]

    def text(self, path: str) -> str | None:
        """The scalar at the path as it was written, `on` for true; None where there is none."""
        node = self.node.find(path)[1]
        return node.text if node else None

    def finding(self, severity: Severity, path: str, message: str) -> Finding:
        """A finding about one field of this document."""
        return Finding(self.source, *self.position(path), severity, path, message)


@dataclass(slots=True)
class Documents:
    """All documents of the sources in the order given, and what was wrong with the text of any."""

    documents: list[Document] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)

    def __len__(self) -> int:
        return len(self.documents)


def load_documents(sources: Sequence[str]) -> Documents:
    """Read files, folders (their *.yaml, *.yml and *.json, and those of folders below, in order) and `-`.

    Never raises for what a file holds or for a file that is not there: that is a Finding.
    """
    loaded = Documents()
    for source in sources:
        for name, text in _texts(source, loaded.findings):
            _read(name, text, loaded)
    return loaded


def _texts(source: str, findings: list[Finding]) -> Iterator[tuple[str, str]]:
    """Each file's name, as the user would write it, and its text."""
    if source == "-":
        yield from _decoded(STANDARD_INPUT, sys.stdin.buffer.read(), findings)
        return
    path = Path(source)
    files = _files_below(path) if path.is_dir() else [path]
    if not files:
        findings.append(_of_file(source, "this folder has no *.yaml, *.yml or *.json files"))
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            findings.append(_of_file(str(file), _cannot_read(error)))
        else:
            yield from _decoded(str(file), content, findings)


def _files_below(folder: Path) -> list[Path]:
    """The folder's files in the order of their names; hidden ones are not meant."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _decoded(name: str, content: bytes, findings: list[Finding]) -> Iterator[tuple[str, str]]:
    try:
        yield name, content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        message = f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        findings.append(Finding(name, line, 1, Severity.ERROR, "", message))


def _cannot_read(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file or folder"
    return f"cannot be read: {error.strerror or error}"


def _of_file(source: str, message: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(source, 0, 0, severity, "", message)


def _read(source: str, text: str, loaded: Documents) -> None:
    before = len(loaded.documents), len(loaded.findings)

    def report(position: Position, message: str) -> None:
        loaded.findings.append(Finding(source, *position, Severity.ERROR, "", message))

    try:
        for node in read_documents(text, report):
            if isinstance(node.value, dict):
                loaded.documents += _objects(source, node, report)
            else:
                report(node.position, "a document must be a mapping with apiVersion, kind and metadata")
    except TextError as error:
        report(error.position, error.message)
    if (len(loaded.documents), len(loaded.findings)) == before:
        loaded.findings.append(_of_file(source, "nothing is in it", Severity.WARNING))


def _objects(source: str, node: Node, report: Any) -> list[Document]:
    """The document itself, or what it holds if it is a list, as `kubectl get -o yaml` writes one."""
    kind = node.value.get("kind")
    if not (isinstance(kind, str) and kind.endswith(LIST_SUFFIX) and "items" in node.value):
        return [Document(source, node.value, node)]
    items = node.fields["items"][1]
    if not isinstance(items.value, list):
        report(node.fields["items"][0], f"the items of a {kind} must be a list of objects")
        return []
    found = []
    for item in items.items:
        if not isinstance(item.value, dict):
            report(item.position, f"an item of a {kind} must be an object with apiVersion, kind and metadata")
            continue
        if kind != LIST_SUFFIX:  # a JobFlowList's items need not say what they are
            item.value.setdefault("kind", kind.removesuffix(LIST_SUFFIX))
            item.value.setdefault("apiVersion", node.value.get("apiVersion"))
        found.append(Document(source, item.value, item))
    return found
