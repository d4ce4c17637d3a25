"""What ends a measurement early: said in one line, without a traceback."""

from __future__ import annotations


class BenchError(Exception):
    """The measurement cannot be taken, or was not done in time; the message says what to do."""
