"""PatchError: a patch that cannot be carried out, in words for who sent it."""

from __future__ import annotations


class PatchError(ValueError):
    """The patch is malformed, or does not fit the object it is for."""
