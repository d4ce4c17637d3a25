"""What is wrong with a text that is no YAML, in the words of who wrote it.

In: PyYAML's error and the text. Out: line, column and a sentence. A parser says which token it expected; a
person wants to hear of the tab, the missing quote or the line that is one space off.
"""

from __future__ import annotations

import yaml


def explain(error: yaml.MarkedYAMLError, text: str) -> tuple[int, int, str]:
    """Line and column (from 1) to look at, and what is wrong there."""
    problem = error.problem or "this cannot be read"
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return 1, 1, problem
    line, column = mark.line, mark.column
    began = error.context_mark.line + 1 if error.context_mark else line + 1
    lines = text.splitlines()
    here = lines[line] if line < len(lines) else ""
    indent = here[: len(here) - len(here.lstrip())]
    if "cannot start any token" in problem and "\t" in indent:
        return line + 1, indent.index("\t") + 1, "a tab indents this line; YAML wants spaces"
    if error.context_mark and ("end of stream" in problem or "could not find expected ':'" in problem):
        line, column = error.context_mark.line, error.context_mark.column  # the end of the file tells nobody anything
    return line + 1, column + 1, _sentence(problem, error.context or "", here[column : column + 1], began)


def _sentence(problem: str, context: str, character: str, began: int) -> str:
    if "cannot start any token" in problem:
        return f'a value cannot begin with "{character}"; put it in quotes'
    if "mapping values are not allowed" in problem:
        return 'a ": " is not expected here; put the value in quotes, or indent the line as its neighbours'
    if "end of stream" in problem and "quoted scalar" in context:
        return "the quote that opens here is never closed"
    if "unknown escape" in problem:
        return "a backslash in double quotes begins an escape, and this is none; use single quotes, or write \\\\"
    if "could not find expected ':'" in problem:
        return 'this is neither "key: value" nor part of the text above; check the colon and the indentation'
    if "expected node content" in problem:
        return "a value is missing here, or a bracket above is not closed"
    if "flow sequence" in context:
        return f'the list opened with "[" in line {began} is not closed, or lacks a comma'
    if "flow mapping" in context:
        return f'the mapping opened with "{{" in line {began} is not closed, or lacks a comma'
    if "block mapping" in context:
        return f"this does not belong to the mapping that begins in line {began}; check the indentation"
    if "block collection" in context or "block sequence" in context:
        return (
            f'this is not an item of the list that begins in line {began}; begin it with "-", or check the indentation'
        )
    return f"{context}: {problem}" if context else problem
