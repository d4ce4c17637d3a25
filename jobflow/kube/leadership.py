"""Leadership: one term of holding the lease, and how much of it is left.

In: when each renewal was sent. Out: `has_more_than`, the question before every write. Nothing here asks the API server
and no replica's clock is compared with another's: others wait a whole duration from when they saw our last renewal,
which was after we sent it, so the lease is ours for a duration from the sending.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jobflow.clock import Clock


@dataclass(frozen=True)
class Timing:
    """How long an election waits for what, in seconds. The defaults are those of Kubernetes' own controllers.

    `duration`: how long after its last renewal a dead leader is still respected. Shorter means faster failover, and
    that a slow API server costs leadership. `renew_deadline`: when a leader that could not renew stops, by itself; the
    third of the duration behind it is for ending the work, and for clocks that do not run equally fast. `retry`:
    between two tries; with the duration it bounds the time without a leader.
    """

    duration: int = 15
    renew_deadline: float = 10.0
    retry: float = 2.0

    @classmethod
    def of(cls, seconds: int) -> Timing:
        """The default proportions for another duration."""
        return cls(seconds, seconds * 2 / 3, seconds * 2 / 15)

    @property
    def renew_every(self) -> float:
        """Between two renewals that work: half of the deadline is left for mending one that does not."""
        return self.duration / 3

    @property
    def reserve(self) -> float:
        """What is left of the lease when the renew deadline passes: no write starts in it."""
        return self.duration - self.renew_deadline


@dataclass(frozen=True, slots=True)
class Sent:
    """When a renewal was sent, by both of our own clocks."""

    monotonic: float
    wall: datetime

    @classmethod
    def now(cls, clock: Clock) -> Sent:
        """This moment."""
        return cls(clock.monotonic(), clock.now())

    def elapsed(self, clock: Clock) -> float:
        """Seconds since then, by whichever clock went further: a paused virtual machine stops the monotonic one."""
        return max(clock.monotonic() - self.monotonic, (clock.now() - self.wall).total_seconds())


class Leadership:
    """One term. It ends for good; the next one is another object."""

    def __init__(self, clock: Clock, timing: Timing, sent: Sent) -> None:
        self._clock = clock
        self._timing = timing
        self._sent = sent
        self._ended = False

    def has_more_than(self, seconds: float) -> bool:
        """The lease is ours for longer than `seconds` from now, whatever others do."""
        return self.remaining > seconds

    @property
    def remaining(self) -> float:
        """Seconds for which the lease is ours; a wall clock set forward costs a pause until the next renewal."""
        return 0.0 if self._ended else self._timing.duration - self._sent.elapsed(self._clock)

    @property
    def until_deadline(self) -> float:
        """Seconds until the work has to stop, unless a renewal succeeds."""
        return self._sent.monotonic + self._timing.renew_deadline - self._clock.monotonic()

    def renewed(self, sent: Sent) -> None:
        """A renewal that was sent then has succeeded."""
        self._sent = sent

    def end(self) -> None:
        """It is over: nothing may be written on it any more."""
        self._ended = True
