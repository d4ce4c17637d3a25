"""Placeholders: `$(params.x)`, `$(steps.f.outputs.y)`, `$(context.name)` in the strings of a tree.

In: a tree as JSON has it, and what references resolve to. Out: where which references stand, or a new tree with their
values in place; the one given is not touched. Only what begins with one of our prefixes is a placeholder: `$(VAR)`,
`$$(VAR)` and everything else stays byte for byte, because Kubernetes and shells have a meaning of their own for it.
`$$(params.x)` is how the text `$(params.x)` itself is written. Values are never looked into for more placeholders, and
in a Job no kubelet finds a reference in them either (`expansion.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from jobflow.api.expansion import literal
from jobflow.api.guarded import brought, guarded_field
from jobflow.api.places import Path as Path
from jobflow.api.places import Place
from jobflow.api.status import Reason
from jobflow.api.trees import is_number, kind

PARAMS, STEPS, CONTEXT, LOOP = ROOTS = ("params", "steps", "context", "loop")
OUTPUTS = "outputs"
CONTEXT_NAMES = ("name", "namespace", "uid", "step", "attempt")  # of the flow, and of the step within it
EXIT_NAMES = ("phase", "reason")  # how the flow ended, and why: for the steps of onExit only

MAX_INSERTED_CHARACTERS = 512 * 1024  # a Job of a megabyte is about what etcd takes
SHOWN_CHARACTERS = 60  # of what is no placeholder: enough to find it by
NOT_TEXT = (Place.NUMBER, Place.BOOLEAN, Place.LIST, Place.MAPPING)

_BEGINNING = re.compile(r"(\$?)\$\((params|steps|context|loop)\.([^()]*)(\)?)")
_HINT = "$("  # what every placeholder has: most strings are done with after one look
_PART = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Reference:
    """One placeholder: `$(steps.f.outputs.y.field)` has root `steps` and path `("f", "outputs", "y", "field")`."""

    root: str
    path: tuple[str, ...]
    text: str

    @property
    def name(self) -> str:
        """The parameter, the step or the fact of the context."""
        return self.path[0]


@dataclass(frozen=True, slots=True)
class Value:
    """What a reference stands for.

    `tree` is the JSON value that takes the place of a string which is the placeholder alone; `text` is how it is
    written inside a longer one. `from_job` says that it came, also in part, out of a Job's output. `guess` is a text
    that stands for a value which is not known yet, when a flow is only looked at (`jobflow render`).
    """

    tree: Any
    text: str
    from_job: bool = False
    guess: bool = False


class PlaceholderProblem(Exception):
    """A placeholder cannot be replaced; `path` is where it stands in the tree, `reason` what the step fails with."""

    def __init__(self, path: Path, message: str, reason: Reason = Reason.PARAMETER_INVALID) -> None:
        super().__init__(f"{written(path)}: {message}" if path else message)
        self.path = path
        self.message = message
        self.reason = reason


Resolve = Callable[[Reference], Value]
PlaceOf = Callable[[Path], Place]


def value_of(tree: Any, *, from_job: bool = False) -> Value:
    """A JSON value as a Value, written as JSON writes it; a string is itself."""
    return Value(tree, as_text(tree), from_job)


def as_text(tree: Any) -> str:
    """A JSON value inside a longer text: `8`, `true`, `["a"]`; a string is itself."""
    return tree if isinstance(tree, str) else msgspec.json.encode(tree, enc_hook=str).decode()


def references(tree: Any, at: Path = ()) -> Iterator[tuple[Path, Reference]]:
    """Every placeholder and where it stands. Raises PlaceholderProblem for one that is none of ours in form."""
    for path, text in strings(tree, at):
        for piece in _pieces(text, path):
            if isinstance(piece, Reference):
                yield path, piece


def mentions(tree: Any) -> Iterator[tuple[Path, str]]:
    """Every place where one of our prefixes is written, also where it is escaped or no good, and the text there."""
    for path, text in strings(tree):
        for found in _BEGINNING.finditer(text):
            yield path, found[0]


def strings(tree: Any, at: Path = ()) -> Iterator[tuple[Path, str]]:
    """The strings of a tree that may hold placeholders. Raises PlaceholderProblem for a key that holds one."""
    if isinstance(tree, str):
        if _HINT in tree:
            yield at, tree
    elif isinstance(tree, list | tuple):
        for index, below in enumerate(tree):
            if not _is_plain(below):
                yield from strings(below, (*at, index))
    elif isinstance(tree, dict | Mapping):
        for key, below in tree.items():
            if not _is_plain(key):
                _refuse_key(key, at)
            if not _is_plain(below):
                yield from strings(below, (*at, key))


def _is_plain(value: Any) -> bool:
    """A text or a number with nothing to look for in it: most of what a template has."""
    return _HINT not in value if isinstance(value, str) else isinstance(value, int | float)


def whole(text: str) -> Reference | None:
    """The placeholder that the text is, where it is nothing else."""
    pieces = _pieces(text, ()) if _HINT in text else []
    return pieces[0] if len(pieces) == 1 and isinstance(pieces[0], Reference) else None


def evaluated(tree: Any, resolve: Resolve) -> Value:
    """A tree with its placeholders replaced, as one Value: a string that is one placeholder is that one's value.

    Raises PlaceholderProblem.
    """
    if isinstance(tree, str) and (alone := whole(tree)) is not None:
        return resolve(alone)
    work = _Substitution(resolve, _anything, of_job=False)
    replaced = work.of(tree, ())
    return Value(replaced, as_text(replaced), from_job=work.from_job, guess=work.guess)


def substituted(tree: Any, resolve: Resolve, place_of: PlaceOf | None = None) -> Any:
    """A new spec of a Job with the values in place of the placeholders. Raises PlaceholderProblem.

    `place_of` says what a place takes: where that is text, numbers and booleans are written out; a value of another
    kind than the place takes is refused. So is a value out of a Job that would decide on what `guarded.py` names.
    Where the kubelet expands a text, what is put in is written so that it comes out as it is.
    """
    return _Substitution(resolve, place_of or _anything, of_job=True).of(tree, ())


def written(path: Path) -> str:
    """The path as users read it: `tasks[0].template.spec`."""
    told = ""
    for part in path:
        told += f"[{part}]" if isinstance(part, int) else f".{part}" if told else part
    return told


def _anything(path: Path) -> Place:
    return Place.ANYTHING


class _Substitution:
    """One walk through a tree: what was used on the way, and how much more may be put in."""

    def __init__(self, resolve: Resolve, place_of: PlaceOf, *, of_job: bool) -> None:
        self._resolve = resolve
        self._place_of = place_of
        self._of_job = of_job  # else of an argument, which is put into a Job later
        self._left = MAX_INSERTED_CHARACTERS
        self.from_job = False
        self.guess = False

    def of(self, tree: Any, at: Path) -> Any:
        """The tree, with values in place of placeholders."""
        if isinstance(tree, str):
            return self._text(tree, at) if _HINT in tree else tree
        if isinstance(tree, list | tuple):
            return [one if _is_plain(one) else self.of(one, (*at, index)) for index, one in enumerate(tree)]
        if isinstance(tree, dict | Mapping):
            for key in tree:
                if not _is_plain(key):
                    _refuse_key(key, at)
            return {key: one if _is_plain(one) else self.of(one, (*at, key)) for key, one in tree.items()}
        return tree

    def _text(self, text: str, at: Path) -> Any:
        """One string: a value of any type where it is one placeholder, else text."""
        pieces = _pieces(text, at)
        place = self._place_of(at) if any(isinstance(piece, Reference) for piece in pieces) else Place.ANYTHING
        if len(pieces) == 1 and isinstance(pieces[0], Reference):
            return self._whole(pieces[0], place, at)
        if place in NOT_TEXT:
            raise PlaceholderProblem(at, f"takes {place.value}, and a placeholder within a longer text makes a text")
        return "".join(self._part(piece, at) if isinstance(piece, Reference) else piece for piece in pieces)

    def _whole(self, reference: Reference, place: Place, at: Path) -> Any:
        """What takes the place of a string that is the placeholder alone."""
        value = self._value(reference, at)
        fitting = _fitting(reference, value, place, at)
        if not self._of_job or value.guess:
            return fitting
        if value.from_job:
            _guard(reference, brought(fitting, at), at)
        return literal(fitting, at)

    def _part(self, reference: Reference, at: Path) -> str:
        """What takes the place of a placeholder within a longer text."""
        value = self._value(reference, at)
        return str(literal(value.text, at)) if self._of_job and not value.guess else value.text

    def _value(self, reference: Reference, at: Path) -> Value:
        try:
            value = self._resolve(reference)
        except PlaceholderProblem as problem:
            if problem.path or not at:
                raise
            raise PlaceholderProblem(at, problem.message, problem.reason) from problem
        if self._of_job and value.from_job:
            _guard(reference, guarded_field(at), at)
        self._left -= len(value.text)
        if self._left < 0:
            said = f"with {reference.text} more than {MAX_INSERTED_CHARACTERS // 1024} KiB would be put in"
            raise PlaceholderProblem(at, said)
        self.from_job |= value.from_job
        self.guess |= value.guess
        return value


def _fitting(reference: Reference, value: Value, place: Place, at: Path) -> Any:
    """The value as the place takes it. Raises PlaceholderProblem where it does not."""
    tree = value.tree
    parts = isinstance(tree, dict | list)
    match place:
        case _ if value.guess:
            return tree
        case Place.TEXT if not parts or _takes_json(at):
            return value.text
        case Place.ANYTHING:
            return _copied(tree)
        case Place.LIST if isinstance(tree, list):
            return _copied(tree)
        case Place.MAPPING if isinstance(tree, dict):
            return _copied(tree)
        case Place.BOOLEAN if isinstance(tree, bool):
            return tree
        case Place.NUMBER if is_number(tree):
            return _whole(tree)
        case Place.AMOUNT if is_number(tree) or isinstance(tree, str):
            return tree
    raise PlaceholderProblem(at, f"takes {place.value}, and {reference.text} is {_told(value)}")


def _whole(number: int | float) -> int | float:
    """4.0 is 4: Go reads no 4.0 into an integer, and programs that divide write it."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _takes_json(at: Path) -> bool:
    """Programs may read a list or a mapping as JSON; no other place that takes text has a use for it."""
    return any(part in ("value", "command", "args", "annotations") for part in at[-2:])


def _told(value: Value) -> str:
    """What a value is, for a message: values themselves may be secret, so they are not repeated."""
    if isinstance(value.tree, str) and _reads_as_number(value.tree):
        return "a number in quotes, which is a text: write it without quotes"
    return kind(value.tree)


def _reads_as_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdecimal()


def _refuse_key(key: str, at: Path) -> None:
    if _HINT in key and _BEGINNING.search(key):
        raise PlaceholderProblem(at, f'"{key}": a placeholder stands for a value, never for the name of a field')


def _guard(reference: Reference, decided: str | None, at: Path) -> None:
    """Raises PlaceholderProblem where a value that came out of a Job would decide on what a Job may not."""
    if decided:
        said = f"{reference.text} came out of a Job, and what comes out of a Job may not decide on {decided}"
        raise PlaceholderProblem(at, said)


def _pieces(text: str, at: Path) -> list[str | Reference]:
    """The text cut at its placeholders, escapes written out; nothing of it is lost."""
    pieces: list[str | Reference] = []
    kept = ""
    end = 0
    for found in _BEGINNING.finditer(text):
        kept += text[end : found.start()]
        end = found.end()
        if found[1]:
            kept += found[0][1:]
            continue
        if kept:
            pieces.append(kept)
            kept = ""
        pieces.append(_reference(found, at))
    kept += text[end:]
    return [*pieces, kept] if kept or not pieces else pieces


def _reference(found: re.Match[str], at: Path) -> Reference:
    root, inner, closed = found[2], found[3], found[4]
    path = _path(root, inner)
    if closed and path is not None:
        return Reference(root, path, found[0])
    shown = found[0] if len(found[0]) <= SHOWN_CHARACTERS else f"{found[0][:SHOWN_CHARACTERS]}..."
    if not closed:
        said = f"{shown} is not closed"
    elif root == STEPS:
        said = f"{shown} is no placeholder; write $(steps.<step>.outputs.<output>)"
    else:
        said = f"{shown} is no placeholder; write $({root}.<name>)"
    raise PlaceholderProblem(at, f"{said}. Where the text itself is meant, write ${shown}")


def _path(root: str, inner: str) -> tuple[str, ...] | None:
    """A step's name may have dots of its own; all other parts have none."""
    first: tuple[str, ...] = ()
    if root == STEPS:
        step, outputs, inner = inner.partition(f".{OUTPUTS}.")
        if not step or not outputs:
            return None
        first = (step, OUTPUTS)
    parts = tuple(inner.split("."))
    return (*first, *parts) if all(_PART.fullmatch(part) for part in parts) else None


def _copied(tree: Any) -> Any:
    """A tree of its own, since what is merged into it later must not show in the value."""
    if isinstance(tree, Mapping):
        return {key: _copied(below) for key, below in tree.items()}
    return [_copied(below) for below in tree] if isinstance(tree, list | tuple) else tree
