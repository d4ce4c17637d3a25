"""ServerClock: whose wall clock is used, and that one second more or less is nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from structlog.testing import capture_logs

from jobflow.kube.server_time import ServerClock, TimedTransport
from jobflow.kube.transport import Request, Response

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class Machine:
    """A clock that is set by hand."""

    def __init__(self, now: datetime) -> None:
        self.wall = now

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return 7.0

    async def sleep(self, seconds: float) -> None:
        """Not at all."""


def date(when: datetime) -> str:
    return format_datetime(when, usegmt=True)


@pytest.mark.parametrize(
    ("machine_is", "server_is_used", "warned"),
    [
        (timedelta(0), False, False),
        (timedelta(seconds=4), False, False),
        (timedelta(seconds=-4), False, False),
        (timedelta(hours=5), True, True),
        (timedelta(hours=-5), True, True),
        (timedelta(days=-9000), True, True),
    ],
)
def test_the_servers_clock_is_used_where_ours_is_far_off(machine_is, server_is_used, warned):
    machine = Machine(NOON + machine_is)
    clock = ServerClock(machine)
    with capture_logs() as logs:
        for _ in range(3):
            clock.heard(date(NOON))
    off = abs((clock.now() - NOON).total_seconds())
    assert off <= 1 if server_is_used else clock.now() == machine.wall
    assert len(logs) == warned, "told once"
    if warned:
        assert abs(logs[0]["ahead_seconds"] - machine_is.total_seconds()) <= 1


def test_once_the_machines_clock_is_set_right_it_is_used_again():
    machine = Machine(NOON + timedelta(hours=1))
    clock = ServerClock(machine)
    clock.heard(date(NOON))
    machine.wall = NOON
    clock.heard(date(NOON))
    assert clock.now() == NOON


def test_rounding_and_slow_answers_do_not_move_it():
    machine = Machine(NOON + timedelta(hours=1))
    clock = ServerClock(machine)
    clock.heard(date(NOON))
    first = clock.now()
    for late in (1, 2, 3, 0, 1):
        clock.heard(date(NOON - timedelta(seconds=late)))
        assert clock.now() == first


@pytest.mark.parametrize("header", ["", "yesterday", "Mon, 99 Foo 2026"])
def test_a_date_that_is_none_changes_nothing(header):
    clock = ServerClock(Machine(NOON))
    clock.heard(header)
    assert clock.now() == NOON


async def test_each_answer_is_heard():
    class Server:
        async def request(self, request, timeout):
            return Response(200, b"", {"date": date(NOON + timedelta(hours=3))})

    clock = ServerClock(Machine(NOON))
    await TimedTransport(Server(), clock).request(Request("GET", "/x"), 1)
    assert abs((clock.now() - NOON).total_seconds() - 3 * 3600) <= 1
    assert clock.monotonic() == 7.0
