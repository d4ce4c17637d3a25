"""Exit codes: what a script learns from a verb, and the words in which `--help` says it.

In: how the followed flows ended, or which signal came. Out: the number that the process ends with. They are those of
`timeout`, `test` and the shell, so that nobody has to learn new ones.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobflow.cli.pictures import FlowPicture


class ExitCode(IntEnum):
    """How a verb ended."""

    OK = 0
    FAILED = 1
    BAD_INPUT = 2
    BUG = 70  # EX_SOFTWARE of <sysexits.h>
    TIMEOUT = 124  # as `timeout` of coreutils
    INTERRUPTED = 128 + signal.SIGINT
    TERMINATED = 128 + signal.SIGTERM


# \b keeps the lines as they are in click's help.
RUN_EXIT_CODES = """\b
Exit codes:
  0    every flow and job succeeded
  1    at least one failed, or waits for what nobody mends: its Job is refused, a ConfigMap is missing
  2    the files or options cannot be used, or a template is not in them; nothing was run
  70   a bug in jobflow
  124  --timeout passed first
  130  Ctrl-C; 143 SIGTERM (processes were stopped)
"""

SERVE_EXIT_CODES = """\b
Exit codes:
  0    stopped by Ctrl-C or SIGTERM
  2    it could not start with these options
  70   a bug in jobflow
"""


def of_flows(flows: Iterable[FlowPicture]) -> ExitCode:
    """What flows that have all ended amount to."""
    return ExitCode.OK if all(flow.succeeded for flow in flows) else ExitCode.FAILED


def of_signal(number: int) -> ExitCode:
    """What a shell shows for a process that this signal ended."""
    return ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED
