"""Builders of what the command line shows: they read as the sentence they stand for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from jobflow.api.status import StepPhase
from jobflow.cli.pictures import FlowPicture, StepPicture, levels

NOON = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


class Pictures:
    """Makes pictures; `ran=(5, 12)` is from five to twelve seconds past noon, `ran=(5, None)` still goes on."""

    now = NOON + timedelta(seconds=60)

    def step(self, name: str, phase: str = "Waiting", *, after: str = "", ran=None, **more) -> StepPicture:
        started, ended = (NOON + timedelta(seconds=at) if at is not None else None for at in ran or (None, None))
        return StepPicture(
            name, StepPhase(phase), tuple(after.split()), started=started, ended=ended, job_uid=f"job-{name}", **more
        )

    def flow(self, name: str, word: str, *steps: StepPicture, **more) -> FlowPicture:
        placed = levels({step.name: step.targets for step in steps})
        phase = {"Succeed": "Succeeded"}.get(word, word)
        return FlowPicture(
            "JobFlow",
            more.pop("namespace", "default"),
            name,
            word,
            StepPhase(phase),
            progress=more.pop("progress", f"0/{len(steps)}"),
            finished=more.pop("finished", word in ("Succeed", "Failed")),
            started=more.pop("started", NOON),
            steps=tuple(
                StepPicture(**{**{f: getattr(step, f) for f in step.__slots__}, "level": placed[step.name]})
                for step in steps
            ),
            **more,
        )


@pytest.fixture
def pictures() -> Pictures:
    return Pictures()


@pytest.fixture
def drawn() -> Callable[..., list[str]]:
    """Lines as plain text."""
    from jobflow.cli.looks import plain

    return lambda lines: [plain(line) for line in lines]
