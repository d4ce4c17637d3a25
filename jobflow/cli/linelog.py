"""Line log: what changed in a flow, one line a change, for pipes and CI.

In: two pictures of the same flow. Out: `12:00:03 ml-pipeline/train Running` and the like. Why a step waits for other
steps is left out: it changes with each of them and says nothing that their own lines do not.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from jobflow.cli.pictures import FlowPicture, StepPicture, duration, why
from jobflow.cli.tree import PLAIN_REASONS, with_attempt


def changes(old: FlowPicture | None, new: FlowPicture, now: datetime) -> list[str]:
    """A line for each step that changed, then for the flow. `now` is in the time zone to show."""
    before = {step.name: step for step in old.steps} if old else {}
    found = [
        _line(now, f"{new.title}/{step.name}", step.phase, _told(step, now))
        for step in new.steps
        if _heading(step) != _heading(before.get(step.name, StepPicture(step.name)))
    ]
    if old is None or (old.word, old.reason) != (new.word, new.reason):
        took = duration(new.started, new.ended, now) if new.finished else ""
        found.append(
            _line(now, new.title, new.word, [new.progress if new.finished else "", took, why(new), new.detail])
        )
    return found


def _heading(step: StepPicture) -> tuple[str, str, int]:
    attempt = step.attempt.number if step.attempt is not None else 0
    return step.phase, "" if step.reason in PLAIN_REASONS else step.reason, attempt


def _told(step: StepPicture, now: datetime) -> list[str]:
    took = duration(step.started, step.ended, now) if step.ended else ""
    said = "" if step.reason in PLAIN_REASONS else why(step)
    if step.attempt is not None:
        return [took, with_attempt(replace(step, detail=""), said, now), step.detail if step.phase.settled else ""]
    return [took, said, step.detail if step.phase.settled else ""]


def _line(now: datetime, subject: str, word: str, told: list[str]) -> str:
    return "  ".join([f"{now:%H:%M:%S} {subject} {word}", *(part for part in told if part)])
