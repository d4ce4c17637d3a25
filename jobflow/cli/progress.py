"""Progress: shows what happens while flows run.

In: what changed and all pictures, some times a second. Out: on a terminal a drawing that is redrawn in place; anywhere
else one plain line a change. The drawing never grows beyond the terminal, so that it does not scroll. rich is only
loaded where there is a terminal.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from jobflow.cli.linelog import changes
from jobflow.cli.looks import Charset, Line, charset_for, plain
from jobflow.cli.pictures import FlowPicture
from jobflow.cli.screen import Size, screen
from jobflow.clock import Clock

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

Changes = Sequence[tuple[FlowPicture, FlowPicture]]

CURSOR_LINE = 1  # a drawing as high as the terminal would scroll by one line


class Progress(Protocol):
    """Shows flows until it is closed. `charset` is what it draws with."""

    charset: Charset

    def begin(self) -> None:
        """Before the first `show`."""

    def show(self, pictures: Sequence[FlowPicture], changed: Changes) -> None:
        """What there is now, and what of it is new."""

    def end(self, *, keep: bool) -> None:
        """The last drawing stays where `keep`; called any number of times, also before `begin`."""

    def say(self, lines: Iterable[Line]) -> None:
        """Print lines that stay."""


def progress_on(stream: TextIO, clock: Clock, *, plain_lines: bool = False) -> Progress:
    """A live drawing where `stream` is a terminal that can move its cursor, else a line log."""
    if plain_lines or not stream.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return LineLog(stream, clock)
    from rich.console import Console

    return Drawing(Console(file=stream, highlight=False), clock, charset_for(stream.encoding))


class LineLog:
    """One line a change."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self.charset = charset_for(stream.encoding)

    def begin(self) -> None:
        """Nothing to prepare."""

    def show(self, pictures: Sequence[FlowPicture], changed: Changes) -> None:
        """Print what is new."""
        now = self._clock.now().astimezone()
        for old, new in changed:
            for line in changes(old, new, now):
                print(line, file=self._stream, flush=True)

    def end(self, *, keep: bool) -> None:
        """Nothing to clear."""

    def say(self, lines: Iterable[Line]) -> None:
        """Print lines that stay."""
        for line in lines:
            print(plain(line), file=self._stream)
        self._stream.flush()


class Drawing:
    """Trees that are redrawn in place."""

    def __init__(self, console: Console, clock: Clock, charset: Charset) -> None:
        self._console = console
        self._clock = clock
        self._live: Live | None = None
        self.charset = charset

    def begin(self) -> None:
        """Take the bottom of the terminal."""
        from rich.live import Live

        self._live = Live(console=self._console, auto_refresh=False)
        self._live.start()

    def show(self, pictures: Sequence[FlowPicture], changed: Changes) -> None:
        """Draw everything anew: durations change even where nothing else does."""
        if self._live is None:
            return
        size = Size(self._console.width, self._console.height - CURSOR_LINE)
        lines = screen(pictures, size, self._clock.now(), self.charset)
        self._live.update(_renderable(lines), refresh=True)

    def end(self, *, keep: bool) -> None:
        """Give the terminal back, with or without the last drawing."""
        if self._live is not None:
            self._live.transient = not keep
            self._live.stop()
            self._live = None

    def say(self, lines: Iterable[Line]) -> None:
        """Print lines that stay; long ones are left to the terminal to wrap, so that paths can be copied."""
        self._console.print(_renderable(lines, whole=True), soft_wrap=True)


def _renderable(lines: Iterable[Line], *, whole: bool = False) -> RenderableType:
    from rich.text import Text

    drawn = Text(no_wrap=True, overflow="ignore" if whole else "crop")
    for at, line in enumerate(lines):
        if at:
            drawn.append("\n")
        for span in line:
            drawn.append(span.text, style=span.style or None)
    return drawn
