"""Record: the tries of one probe so far, and when they are worth telling.

In: one try after another. Out: the Verdict where it should be told, and the time until the next try. A change from
bad to good, or the failure that reaches the threshold, is told at once; other words, or more of the same, at most
every ten seconds and ever more rarely (at four times as many tries), because each telling may become a write of a
flow's status, and thousands of flows may wait for one service that is down. A probe that goes
on failing is asked less often, down to every 30 seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobflow.api.probes import Probe, Verdict
from jobflow.probe.dial import Tried

QUIET_SECONDS = 10.0
MORE_OF_THE_SAME = 4  # times as many tries as were told
LONGEST_PERIOD = 30.0


@dataclass
class Record:
    """What one probe has seen."""

    probe: Probe
    passes: int = 0  # in a row
    failures: int = 0  # in a row
    said: str = ""
    since: float = 0.0  # when what is said now was first said; monotonic seconds
    times: int = 0  # how often it was said
    told: Verdict | None = None
    told_at: float = 0.0
    told_times: int = 0

    def take(self, tried: Tried, now: float) -> Verdict | None:
        """Count one try; the verdict if somebody should know."""
        self.passes = self.passes + 1 if tried.passed else 0
        self.failures = 0 if tried.passed else self.failures + 1
        if tried.said != self.said:
            self.said, self.since, self.times = tried.said, now, 0
        self.times += 1
        verdict = self._verdict(now)
        if not self._worth_telling(verdict, now):
            return None
        self.told, self.told_at, self.told_times = verdict, now, self.times
        return verdict

    @property
    def period(self) -> float:
        """Seconds until the next try: the probe's own, doubled after each `failures` failures in a row."""
        timing = self.probe.timing
        doublings = min(max(self.failures // timing.failures - 1, 0), 10)
        return max(min(timing.period * 2.0**doublings, LONGEST_PERIOD), timing.period)

    def _verdict(self, now: float) -> Verdict:
        timing = self.probe.timing
        message = f"{self.probe.told} -> {self.said}"
        if self.times > 1:
            message += f", {self.times} times, {now - self.since:.0f} s"
        return Verdict(self.passes >= timing.successes, message, self.failures >= timing.failures)

    def _worth_telling(self, verdict: Verdict, now: float) -> bool:
        if self.told is None or (verdict.passed, verdict.failed) != (self.told.passed, self.told.failed):
            return True
        if verdict.passed or now - self.told_at < QUIET_SECONDS:
            return False
        return self.times == 1 or self.times >= MORE_OF_THE_SAME * self.told_times
