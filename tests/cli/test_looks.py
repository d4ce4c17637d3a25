"""Which characters a terminal can show, and lines cut to its width."""

from __future__ import annotations

import pytest

from jobflow.api.status import StepPhase
from jobflow.cli.looks import LOOKS, Charset, Span, charset_for, cut, plain


@pytest.mark.parametrize(
    ("encoding", "unicode"),
    [("utf-8", True), ("UTF-8", True), ("ascii", False), ("latin-1", False), (None, False), ("no-such-code", False)],
)
def test_glyphs_are_drawn_only_where_the_encoding_has_them(encoding, unicode):
    assert charset_for(encoding).unicode is unicode


def test_every_phase_has_a_glyph_of_its_own_in_both_charsets():
    assert set(LOOKS) == set(StepPhase)
    for charset in (Charset(), Charset(unicode=False)):
        assert len({charset.glyph(phase) for phase in StepPhase}) == len(StepPhase)


def test_cut():
    line = (Span("abc", "bold"), Span("defgh"))

    assert plain(cut(line, 8, Charset())) == "abcdefgh"
    assert plain(cut(line, 6, Charset())) == "abcde…"
    assert plain(cut(line, 6, Charset(unicode=False))) == "abc..."
    assert plain(cut(line, 2, Charset(unicode=False))) == ".."
