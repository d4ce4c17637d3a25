"""Record: the tries of one probe so far, and when they are worth telling.

In: one try after another. Out: the Verdict where it should be told, and the time until the next try. The first answer,
a change from bad to good, or the failure that reaches the threshold is told at once. Another kind of bad answer is told
after ten seconds, and after ever longer where the kinds go on changing. That it is the same as before is told every
half minute, as far as the allowance of the whole controller goes (`news.py`): each telling may become a write of a
flow's status, and thousands of flows may wait for servers that are down. A probe that goes on failing is asked less
often, down to every 30 seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jobflow.api.probes import Probe, Verdict
from jobflow.probe.dial import Tried

OTHER_WORDS_SECONDS = 10.0  # doubled with each time
OTHER_WORDS_DOUBLINGS = 5
SAME_WORDS_SECONDS = 30.0  # whoever looks at a flow wants to see that somebody still tries
LONGEST_PERIOD = 30.0


@dataclass
class Record:
    """What one probe has seen. `may_repeat`, given the time, says whether the same may be told once more."""

    probe: Probe
    may_repeat: Callable[[float], bool] = lambda now: True
    passes: int = 0  # in a row
    failures: int = 0  # in a row
    said: str = ""
    since: float = 0.0  # when what is said now was first said; monotonic seconds
    times: int = 0  # how often it was said
    told: Verdict | None = None
    told_at: float = 0.0
    told_words: str = ""
    others: int = 0  # how often other words were told since it last turned

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
        self.told, self.told_at, self.told_words = verdict, now, self.said
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
            self.others = 0
            return True
        if verdict.passed:
            return False
        quiet = now - self.told_at
        if self.said == self.told_words:
            return quiet >= SAME_WORDS_SECONDS and self.may_repeat(now)
        if quiet < OTHER_WORDS_SECONDS * 2.0 ** min(self.others, OTHER_WORDS_DOUBLINGS):
            return False
        self.others += 1
        return True
