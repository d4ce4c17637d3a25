"""Settings of the controller.

In: what the command line was given. Out: a frozen value that `app.py` is built from.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """How one controller runs."""

    model_config = ConfigDict(frozen=True)

    namespaces: tuple[str, ...] = Field((), description="Namespaces to work in; none means all.")
    workers: int = Field(
        32, ge=1, le=1024, description="Keys handled at once; each waits on the network most of its time."
    )
