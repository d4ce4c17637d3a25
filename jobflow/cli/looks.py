"""Looks: the glyph, the word and the colour of each phase, and lines made of coloured spans.

In: phases, texts. Out: Lines, which know nothing of terminals: the live drawing gives them to rich, pipes and tests
take their plain text. A phase is always also a word, because colour alone can neither be searched nor seen by all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from jobflow.api.status import StepPhase


class Look(NamedTuple):
    """How one phase looks."""

    glyph: str
    plain: str  # where the terminal's encoding has no such glyph
    style: str


LOOKS: Mapping[StepPhase, Look] = {
    StepPhase.WAITING: Look("○", "o", "dim"),
    StepPhase.PENDING: Look("◌", ".", "yellow"),
    StepPhase.RUNNING: Look("●", "*", "cyan"),
    StepPhase.SUCCEEDED: Look("✔", "+", "green"),
    StepPhase.FAILED: Look("✖", "x", "bold red"),
    StepPhase.SKIPPED: Look("↷", ">", "dim"),
    StepPhase.UNREACHABLE: Look("–", "-", "dim"),
}


@dataclass(frozen=True, slots=True)
class Charset:
    """Which characters may be drawn with. Brackets hold together steps of one level: first, middle, last."""

    unicode: bool = True

    @property
    def brackets(self) -> tuple[str, str, str]:
        """What stands before the first, a middle and the last of the steps that run side by side."""
        return ("┌", "├", "└") if self.unicode else ("/", "|", "\\")

    @property
    def ellipsis(self) -> str:
        """Stands for what was cut off."""
        return "…" if self.unicode else "..."

    def glyph(self, phase: StepPhase) -> str:
        """One character for the phase."""
        look = LOOKS[phase]
        return look.glyph if self.unicode else look.plain


def charset_for(encoding: str | None) -> Charset:
    """Unicode where the encoding of the output has all that is drawn, else ASCII."""
    unicode = Charset()
    drawn = "".join(look.glyph for look in LOOKS.values()) + "".join(unicode.brackets) + unicode.ellipsis
    try:
        drawn.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return Charset(unicode=False)
    return unicode


class Span(NamedTuple):
    """Text in one style, a rich style's name."""

    text: str
    style: str = ""


Line = tuple[Span, ...]


def plain(line: Line) -> str:
    """The line's text without colours."""
    return "".join(span.text for span in line).rstrip()


def cut(line: Line, width: int, charset: Charset) -> Line:
    """The line within `width` characters; an ellipsis stands for the rest."""
    if sum(len(span.text) for span in line) <= width:
        return line
    mark = charset.ellipsis[: max(width, 0)]
    left = width - len(mark)
    kept: list[Span] = []
    for span in line:
        if left <= 0:
            break
        kept.append(Span(span.text[:left], span.style))
        left -= len(span.text)
    return (*kept, Span(mark, "dim"))
