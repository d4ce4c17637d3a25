"""Verb: a command whose options are the fields of one dataclass.

In: a function of one frozen dataclass, whose fields say what the command line takes (`Annotated[..., typer.Option]`).
Out: the command as Typer registers it, one argument a field. So each option is written once, and what the command line
said travels as one value.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import Any, TypeVar

Options = TypeVar("Options")


def verb(body: Callable[[Options], None]) -> Callable[..., None]:
    """The command that calls `body` with its options. Names and help are those of `body` and of the fields."""
    (taken,) = inspect.signature(body).parameters.values()
    options = typing.get_type_hints(body)[taken.name]
    hints = typing.get_type_hints(options, include_extras=True)

    def command(**given: Any) -> None:
        body(options(**given))

    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(options)
    ]
    command.__name__, command.__doc__ = body.__name__, body.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command
