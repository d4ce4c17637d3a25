"""The command line: verbs and their registration. `jobflow` and `kubectl jobflow` both start here.

In: arguments. Out: a verb runs, and the process ends with its exit code. What a verb needs is imported inside it, so
that `--help` and completion answer at once. No error that a user can cause leaves here as a traceback.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from jobflow import __version__
from jobflow.cli.controller import controller
from jobflow.cli.exit_codes import RUN_EXIT_CODES, SERVE_EXIT_CODES
from jobflow.cli.lint import lint
from jobflow.cli.manifests import manifests
from jobflow.cli.render import render
from jobflow.cli.run import run
from jobflow.cli.up import up
from jobflow.cli.webhook import webhook

PLUGIN_PREFIX = "kubectl-"

app = typer.Typer(
    help="Runs DAGs of Volcano Jobs: on this machine without a cluster, or as a controller in one.",
    epilog="Begin with: jobflow run FILE. Each verb has its own --help.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.command(epilog=RUN_EXIT_CODES)(run)
app.command(epilog=SERVE_EXIT_CODES)(up)
app.command()(lint)
app.command()(render)
app.command()(manifests)
app.command(epilog=SERVE_EXIT_CODES)(controller)
app.command(epilog=SERVE_EXIT_CODES)(webhook)


@app.callback(invoke_without_command=True)
def jobflow(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    """Options before any verb."""
    if version:
        typer.echo(f"jobflow {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Both entry points."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a message in another script must not end the run
    app(prog_name=program_name(sys.argv[0]))


def program_name(started_as: str) -> str:
    """As users type it: a kubectl plugin is a word of kubectl's."""
    name = os.path.basename(started_as)
    return f"kubectl {name.removeprefix(PLUGIN_PREFIX)}" if name.startswith(PLUGIN_PREFIX) else "jobflow"
