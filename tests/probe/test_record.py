"""When is what a probe found worth telling, and when does it ask again?"""

from __future__ import annotations

import pytest

from jobflow.api.probes import PodAddress, Probe, TcpCheck, Timing, Verdict
from jobflow.probe.dial import Tried
from jobflow.probe.record import Record

GOOD, BAD, SLOW = Tried(True, "connected"), Tried(False, "connection refused"), Tried(False, "no answer within 1 s")
TOLD = "connect 10.0.0.7:5432"


def record(**timing: int) -> Record:
    return Record(Probe("default", PodAddress("u", "10.0.0.7"), TcpCheck(5432), Timing(**timing)))


def tell(tries: list[tuple[float, Tried]], **timing: int) -> list[Verdict]:
    one = record(**timing)
    return [verdict for now, tried in tries if (verdict := one.take(tried, now)) is not None]


def test_the_first_answer_is_told():
    assert tell([(0, GOOD)]) == [Verdict(True, f"{TOLD} -> connected")]
    assert tell([(0, BAD)]) == [Verdict(False, f"{TOLD} -> connection refused")]


def test_more_of_the_same_is_told_every_half_minute():
    verdicts = tell([(5.0 * n, BAD) for n in range(20)], failures=1000)
    assert [verdict.message.partition("refused")[2] for verdict in verdicts] == [
        "",
        ", 7 times, 30 s",
        ", 13 times, 60 s",
        ", 19 times, 90 s",
    ]


def test_more_of_the_same_is_told_when_it_may_be():
    one = record(failures=1000)
    one.may_repeat = lambda now: now >= 300
    told = [now for now in range(0, 330, 5) if one.take(BAD, now) is not None]
    assert told == [0, 300]


def test_the_first_answer_other_words_and_turns_need_nobodys_leave():
    one = record(failures=3)
    one.may_repeat = lambda now: False
    tries = [(0, BAD), (5, BAD), (10, BAD), (20, SLOW), (30, GOOD), (31, BAD)]
    assert [now for now, tried in tries if one.take(tried, now) is not None] == [0, 10, 20, 30, 31]


def test_other_words_that_come_too_soon_are_told_later():
    tries = [(0.0, BAD), *((5.0 * n, SLOW) for n in range(1, 5))]
    assert [verdict.message.partition("-> ")[2] for verdict in tell(tries, failures=1000)] == [
        "connection refused",
        "no answer within 1 s, 2 times, 5 s",
    ]


def test_the_threshold_is_told_at_once():
    verdicts = tell([(n, BAD) for n in range(3)], failures=3)
    assert [verdict.failed for verdict in verdicts] == [False, True]


def test_the_turn_to_good_is_told_at_once():
    assert [verdict.passed for verdict in tell([(0, BAD), (1, GOOD)])] == [False, True]


def test_good_answers_are_counted_in_a_row():
    tries = [(0, GOOD), (5, BAD), (10, GOOD), (15, GOOD)]
    assert [verdict.passed for verdict in tell(tries, successes=2)][-1]
    assert not [verdict.passed for verdict in tell(tries[:3], successes=2)][-1]


def test_failures_are_counted_in_a_row():
    tries = [(0, BAD), (1, BAD), (2, GOOD), (3, BAD), (4, BAD)]
    assert not any(verdict.failed for verdict in tell(tries, failures=3))


def test_words_that_change_all_the_time_are_not_told_all_the_time():
    tries = [(float(n), (BAD, SLOW)[n % 2]) for n in range(3600)]
    one = record(failures=10_000)
    one.may_repeat = lambda now: False
    assert 6 <= sum(one.take(tried, now) is not None for now, tried in tries) <= 6 + 3600 / 320


@pytest.mark.parametrize(("failures", "period"), [(0, 5), (2, 5), (3, 5), (6, 10), (9, 20), (12, 30), (300, 30)])
def test_a_probe_that_fails_for_long_is_asked_less_often(failures, period):
    one = record()
    for n in range(failures):
        one.take(BAD, n)
    assert one.period == period


def test_a_long_period_is_never_made_shorter():
    one = record(period=60)
    for n in range(50):
        one.take(BAD, n)
    assert one.period == 60
