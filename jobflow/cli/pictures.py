"""Pictures: what a user is shown of one flow or job at one moment, whoever shows it and how.

In: a flow or Job as the watch brought it, its children, its pods. Out: frozen values in the order of the spec, with
steps placed in levels. The live drawing, the line log, the final report and the exit code all read these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobflow.api.status import StepPhase
from jobflow.cli.attempts import Tried

DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class StepPicture:
    """One step. `detail` is what its Job and pods add to the flow's own words."""

    name: str
    phase: StepPhase = StepPhase.WAITING
    targets: tuple[str, ...] = ()
    level: int = 0
    reason: str = ""
    message: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    detail: str = ""
    job: str = ""
    job_uid: str = ""
    outputs: tuple[tuple[str, str], ...] = ()  # names, and values as JSON writes them
    attempt: Tried | None = None  # where it is not the first
    earlier: tuple[tuple[int, str], ...] = ()  # attempts before it, from 1, with the UIDs of their Jobs
    on_exit: bool = False  # it runs when the end of the flow is decided


@dataclass(frozen=True, slots=True)
class FlowPicture:
    """One flow with its steps, or one bare Job without any.

    `word` is the object's own word for its phase (a flow says Succeed); `phase` says what that means.
    """

    kind: str
    namespace: str
    name: str
    word: str
    phase: StepPhase
    reason: str = ""
    message: str = ""
    progress: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    finished: bool = False
    steps: tuple[StepPicture, ...] = ()
    detail: str = ""
    uid: str = ""

    @property
    def title(self) -> str:
        """The name by which it is shown."""
        return self.name if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}/{self.name}"

    @property
    def succeeded(self) -> bool:
        """It has ended, and well."""
        return self.finished and self.phase is StepPhase.SUCCEEDED


def levels(targets: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The level of each step: 0 without targets, else one below its lowest target.

    Steps on a cycle, which no valid flow has, come last together.
    """
    known = {name: [target for target in needs if target in targets] for name, needs in targets.items()}
    found: dict[str, int] = {}
    waiting = list(known)
    while waiting:
        ready = [name for name in waiting if all(target in found for target in known[name])]
        if not ready:
            last = max(found.values(), default=-1) + 1
            return found | dict.fromkeys(waiting, last)
        found |= {name: max((found[target] + 1 for target in known[name]), default=0) for name in ready}
        waiting = [name for name in waiting if name not in found]
    return found


def one_line(text: str) -> str:
    """Text that others wrote, safe for a terminal: no line ends, no control characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def duration(started: datetime | None, ended: datetime | None, now: datetime) -> str:
    """`4s`, `1m02s`, `2h05m`, `3d04h`; nothing where it has not started."""
    if started is None:
        return ""
    seconds = max(0, int(((ended or now) - started).total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    if seconds < 86400:
        return f"{seconds // 3600}h{seconds // 60 % 60:02}m"
    return f"{seconds // 86400}d{seconds // 3600 % 24:02}h"


def why(picture: StepPicture | FlowPicture) -> str:
    """Reason and message as one phrase."""
    return ": ".join(part for part in (picture.reason, one_line(picture.message)) if part)
