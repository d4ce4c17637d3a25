"""Inputs: the objects that `jobflow run` is to run, checked before anything starts.

In: names of files, folders and `-`. Out: documents and findings; an error among them means that nothing is run. To
what `jobflow lint` checks, this adds what only matters here: there must be something to run, and where no objects
are kept from earlier runs, a template that is not in the files would be waited for in vain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jobflow.api.resources import JOB_FLOW, VOLCANO_JOB, Resource
from jobflow.cli.check import check
from jobflow.cli.check_parameters import unset_findings
from jobflow.cli.check_references import TEMPLATES, steps_of
from jobflow.cli.documents import STANDARD_INPUT, Document, Documents, Finding, Severity, load_documents
from jobflow.cli.parameters import override
from jobflow.cli.pictures import DEFAULT_NAMESPACE


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was read, and everything to say about it."""

    documents: Documents
    findings: list[Finding]

    @property
    def usable(self) -> bool:
        """No finding keeps the files from being run."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)


def read_inputs(files: Sequence[str], *, kept: bool, parameters: Sequence[str] = ()) -> Inputs:
    """Read and check; `kept` says that there are objects of earlier runs, `parameters` are values as `n=8`."""
    documents = load_documents(files)
    given = override(documents, parameters)
    found = given + check(documents)
    unset = list(unset_findings(documents))
    found = [finding for finding in found if _place(finding) not in set(map(_place, unset))] + unset
    if not kept:
        missing = list(_missing_templates(documents))
        places = {_place(finding) for finding in missing}
        found = [finding for finding in found if _place(finding) not in places] + missing
    if not any(is_a(document, JOB_FLOW) or is_a(document, VOLCANO_JOB) for document in documents):
        found += _nothing_to_run(files, documents, found)
    return Inputs(documents, found)


def is_a(document: Document, resource: Resource) -> bool:
    """The document says it is of this kind."""
    data = document.data
    return data.get("kind") == resource.kind and data.get("apiVersion") == resource.api_version


def namespace_of(document: Document) -> str:
    """Where the object goes."""
    metadata = document.data.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    return str(namespace or DEFAULT_NAMESPACE)


def _missing_templates(documents: Documents) -> Iterator[Finding]:
    """Steps of files that hold no template of its kind; where they hold some, `check` has said it better."""
    there = {kind.kind for kind in TEMPLATES if any(is_a(document, kind) for document in documents)}
    for document in documents:
        for step in steps_of(document.data) if is_a(document, JOB_FLOW) else ():
            if step.kind not in there:
                said = f'there is no {step.kind} "{step.template}" in these files; name the file that has it as well'
                yield document.finding(Severity.ERROR, step.path, said)


def _nothing_to_run(files: Sequence[str], documents: Documents, found: Sequence[Finding]) -> list[Finding]:
    """Said only where no error explains it."""
    if any(finding.severity is Severity.ERROR for finding in found):
        return []
    kinds = ", ".join(sorted({str(document.data.get("kind")) for document in documents}))
    holds = f"the kinds in there are {kinds}" if kinds else "there are no objects in there"
    said = f'nothing to run: {holds}; add a JobFlow ("apiVersion: {JOB_FLOW.api_version}") or a Volcano Job'
    sources = ", ".join(STANDARD_INPUT if file == "-" else file for file in files)
    return [Finding(sources, 0, 0, Severity.ERROR, "", said)]


def _place(finding: Finding) -> tuple[str, int, int, str]:
    return finding.source, finding.line, finding.column, finding.path
