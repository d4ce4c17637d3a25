"""The option `-p name=value` of the verbs that take flows.

In: nothing. Out: its declaration. What it does is in `parameters.py`, which is imported when a verb runs.
"""

from __future__ import annotations

from typing import Annotated

import typer

ParameterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        "-p",
        metavar="NAME=VALUE",
        help="The value of a parameter of the flows, in place of the one in the file; may be repeated.",
    ),
]
