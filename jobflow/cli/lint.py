"""`jobflow lint`: what is wrong with files, with line and column, before anything runs.

In: names of files and folders. Out: findings on standard output, as text or JSON, and the exit code that a
build job needs: 0 where nothing keeps the files from working, 2 where something does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from jobflow.cli.exit_codes import ExitCode

if TYPE_CHECKING:  # the command line imports every verb: what only this one needs is imported when it runs
    from jobflow.cli.documents import Finding


class OutputFormat(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"


def lint(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Files, folders (*.yaml, *.yml, *.json), or - for stdin.")
    ],
    output: Annotated[OutputFormat, typer.Option("--output", "-o", help="Write text or json.")] = OutputFormat.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Count warnings as errors.")] = False,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="The namespace of objects that name none.")
    ] = "default",
) -> None:
    """Check JobFlow and JobTemplate files without a cluster."""
    from jobflow.cli.check import check
    from jobflow.cli.documents import Severity, load_documents

    documents = load_documents(files)
    findings = check(documents, namespace)
    if strict:
        findings = [replace(finding, severity=Severity.ERROR) for finding in findings]
    report = as_json if output is OutputFormat.JSON else as_text
    typer.echo(report(findings, len(documents)))
    if _count(findings, "error"):
        raise typer.Exit(ExitCode.BAD_INPUT)


def as_text(findings: Sequence[Finding], documents: int) -> str:
    """One line a finding, and a line that counts them."""
    return "\n".join([*map(str, findings), summary(findings, documents)])


def as_json(findings: Sequence[Finding], documents: int) -> str:
    """The same as one JSON object."""
    told = {
        "documents": documents,
        "errors": _count(findings, "error"),
        "warnings": _count(findings, "warning"),
        "findings": [asdict(finding) for finding in findings],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def summary(findings: Sequence[Finding], documents: int) -> str:
    """`3 documents, 1 error, 0 warnings`."""
    counts = (
        (documents, "document"),
        (_count(findings, "error"), "error"),
        (_count(findings, "warning"), "warning"),
    )
    return ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)


def _count(findings: Sequence[Finding], severity: str) -> int:
    return sum(1 for finding in findings if finding.severity == severity)
