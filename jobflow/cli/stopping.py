"""Stopping: what a user is told when a verb cannot start or breaks, and where logs go meanwhile.

In: an exception. Out: one clear line and an exit code; a traceback only into the log, and only for what is a bug.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog
import typer

from jobflow.cli.apply import Refused
from jobflow.cli.exit_codes import ExitCode
from jobflow.cli.interrupts import Interrupted
from jobflow.obs.log import configure

NO_BUG = (BrokenPipeError, Interrupted)  # whoever reads the output has gone, or the user ended it

log = structlog.get_logger(__name__)


@contextmanager
def logged_to(path: Path, *, verbose: bool) -> Iterator[None]:
    """Logs go to the file, where they do not disturb a drawing; with `verbose` to stderr."""
    with ExitStack() as stack:
        stream = sys.stderr if verbose else stack.enter_context(path.open("a", encoding="utf-8"))
        configure("info", stream=stream)
        try:
            yield
        except Exception as error:
            if explained(error) is None and not isinstance(error, NO_BUG):
                log.exception("a bug", error=str(error))
                error.add_note(f"the log has the details: {path}" if not verbose else "the log above has the details")
            raise
        finally:
            configure("critical")  # the file is closed; what ends now has nothing more to say


def refusal_of(error: Exception) -> ExitCode:
    """Tell the user on stderr; the exit code for it."""
    told = explained(error)
    if told is not None:
        typer.echo(told, err=True)
        return ExitCode.BAD_INPUT
    typer.echo(f"jobflow has a bug: {type(error).__name__}: {error}", err=True)
    for note in getattr(error, "__notes__", ()):
        typer.echo(note, err=True)
    return ExitCode.BUG


def explained(error: BaseException) -> str | None:
    """The error in a user's words; None where it is none that users can do something about."""
    from jobflow.local.apiserver.storage.sqlite import DataDirectoryLocked, StoreCorrupted
    from jobflow.local.apiserver.wire.http import PortTaken  # with TLS and a web server: not at every start

    match error:
        case Refused() | DataDirectoryLocked() | StoreCorrupted() | PortTaken():
            return str(error)
        case OSError(filename=name) if name is not None:
            return f"{name}: {error.strerror}"
        case ExceptionGroup(exceptions=errors) if len(errors) == 1:
            return explained(errors[0])
    return None
