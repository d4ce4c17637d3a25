"""Many questions at once, in virtual time."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from jobflow.api.exits import ExitsFound, ExitsOf
from jobflow.api.outputs import Absent, OfMessage, OutputsFound, OutputsOf
from jobflow.api.probes import HttpCheck, OfHost, PodAddress, PodList, PodsFound, Probe, TcpCheck, Timing, Verdict
from jobflow.api.resources import Key
from jobflow.clock import SystemClock
from jobflow.obs.measures import Measures
from jobflow.probe.dial import Tried
from jobflow.probe.news import PER_SECOND, SAVED
from jobflow.probe.runner import Runner, World

pytestmark = pytest.mark.looptime

A, B = Key("JobFlow", "default", "a"), Key("JobFlow", "default", "b")


def probe(host: str = "db", period: int = 5, namespace: str = "default", **timing: int) -> Probe:
    return Probe(namespace, OfHost(host), TcpCheck(5432), Timing(period=period, **timing))


class Net:
    """Hosts that open at some time, and hosts that never answer."""

    def __init__(self) -> None:
        self.open_at: dict[str, float] = {}
        self.dead: set[str] = set()
        self.tries: list[tuple[float, str]] = []
        self.under_way: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.closed = False

    async def dial(self, asked: Probe) -> Tried:
        host = asked.address.host if isinstance(asked.address, OfHost) else asked.address.ip
        loop = asyncio.get_running_loop()
        self.tries.append((loop.time(), host))
        self.under_way[host] = self.under_way.get(host, 0) + 1
        self.most[host] = max(self.most.get(host, 0), self.under_way[host])
        try:
            if host in self.dead:
                await asyncio.sleep(asked.timing.timeout)
                return Tried(False, "no answer")
            await asyncio.sleep(0.001)
            return Tried(True, "connected") if loop.time() >= self.open_at.get(host, 0) else Tried(False, "refused")
        finally:
            self.under_way[host] -= 1

    async def pods(self, question: PodList) -> PodsFound:
        self.tries.append((asyncio.get_running_loop().time(), question.job))
        return PodsFound()

    async def outputs(self, question: OutputsOf) -> OutputsFound:
        loop = asyncio.get_running_loop()
        self.tries.append((loop.time(), question.job))
        if loop.time() < self.open_at.get(question.job, 0):
            return OutputsFound(problem="pods is forbidden")
        return OutputsFound((Absent(f"read at {loop.time():.0f}"),))

    async def exits(self, question: ExitsOf) -> ExitsFound:
        loop = asyncio.get_running_loop()
        self.tries.append((loop.time(), question.job))
        if loop.time() < self.open_at.get(question.job, 0):
            return ExitsFound(problem="try later")
        return ExitsFound(exit_code=3, by_itself=True)

    async def close(self) -> None:
        self.closed = True


class Watcher:
    """A runner over a net, and who was told."""

    def __init__(self) -> None:
        self.net = Net()
        self.told: list[tuple[float, Key]] = []
        self.measured: list[tuple[str, bool]] = []
        measures = Measures()
        measures.probed = lambda kind, passed: self.measured.append((kind, passed))  # type: ignore[method-assign]
        self.runner = Runner(SystemClock(), World(self.net, self.net), measures, Random(1))
        self.news: list[tuple[float, Key]] = []
        self.runner.begin(self.tell, self.tell_news)

    def tell_news(self, key: Key) -> None:
        self.news.append((asyncio.get_running_loop().time(), key))

    def tell(self, key: Key) -> None:
        self.told.append((asyncio.get_running_loop().time(), key))


@pytest.fixture
async def world():
    watcher = Watcher()
    yield watcher
    await watcher.runner.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in others if task.get_name().startswith("probe ")]


async def test_an_answer_is_told_once_and_found_by_who_asked(world):
    question = probe()
    world.runner.ask(A, frozenset({question}))
    assert world.runner.answers(A) == {}
    await asyncio.sleep(60)
    assert world.runner.answers(A) == {question: Verdict(True, "connect db:5432 -> connected")}
    assert world.runner.answers(B) == {}
    assert [key for _, key in world.told] == [A]


async def test_a_server_that_starts_late_is_noticed_within_a_period(world):
    world.net.open_at["db"] = 23.0
    question = probe()
    world.runner.ask(A, frozenset({question}))
    await asyncio.sleep(40)
    answer = world.runner.answers(A)[question]
    assert answer.passed
    assert 23.0 <= world.told[-1][0] <= 23.0 + 10 * 1.1  # a period that had doubled after six failures


async def test_that_it_fails_is_news_and_that_it_holds_is_more(world):
    world.net.open_at["db"] = 100.0
    world.runner.ask(A, frozenset({probe(failures=1000)}))
    await asyncio.sleep(99)
    assert (world.told, len(world.news)) == ([], 4)
    await asyncio.sleep(10)
    assert ([key for _, key in world.told], len(world.news)) == ([A], 4)


async def test_that_it_has_failed_too_often_is_more_than_news(world):
    world.net.open_at["db"] = 1000.0
    world.runner.ask(A, frozenset({probe(failures=2)}))
    await asyncio.sleep(9)
    assert [key for _, key in world.told] == [A]


async def test_many_flows_that_wait_in_vain_tell_little_of_it(world):
    keys = [Key("JobFlow", "default", str(number)) for number in range(200)]
    for number, key in enumerate(keys):
        world.net.open_at[f"db-{number}"] = 10_000.0
        world.runner.ask(key, frozenset({probe(f"db-{number}", failures=1000)}))
    await asyncio.sleep(20)
    assert {key for _, key in world.news} == set(keys), "each has told that it fails"
    since = len(world.news)
    await asyncio.sleep(200)
    assert len(world.news) - since <= PER_SECOND * 200 + SAVED
    assert len(world.news) - since >= PER_SECOND * 150


async def test_the_same_question_of_two_flows_is_asked_once(world):
    question = probe()
    world.runner.ask(A, frozenset({question}))
    world.runner.ask(B, frozenset({question}))
    await asyncio.sleep(51)
    assert len(world.net.tries) <= 12
    assert sorted(key for _, key in world.told) == [A, B]


async def test_the_same_host_of_two_namespaces_is_two_questions(world):
    world.runner.ask(A, frozenset({probe(), probe(namespace="other")}))
    assert len(world.runner) == 2


async def test_a_question_ends_when_nobody_asks_it_any_more(world):
    question = probe()
    world.runner.ask(A, frozenset({question}))
    world.runner.ask(B, frozenset({question}))
    await asyncio.sleep(6)
    world.runner.ask(A, frozenset())
    assert len(world.runner) == 1
    world.runner.ask(B, frozenset())
    assert len(world.runner) == 0
    before = len(world.net.tries)
    await asyncio.sleep(60)
    assert len(world.net.tries) == before


async def test_a_question_is_ended_in_the_middle_of_a_try(world):
    world.net.dead.add("db")
    world.runner.ask(A, frozenset({probe(timeout=30)}))
    await asyncio.sleep(5)
    assert world.net.under_way["db"] == 1
    world.runner.ask(A, frozenset())
    await asyncio.sleep(0)
    assert world.net.under_way["db"] == 0


async def test_an_initial_delay_is_kept(world):
    world.runner.ask(A, frozenset({probe(initial_delay=30)}))
    await asyncio.sleep(60)
    assert world.net.tries[0][0] >= 30


async def test_dead_hosts_delay_nobody_else(world):
    """Two thousand that swallow connections, and one that answers."""
    dead = {f"dead-{n}" for n in range(2000)}
    world.net.dead |= dead
    world.runner.ask(B, frozenset(probe(host, timeout=10) for host in dead))
    await asyncio.sleep(60)
    started = asyncio.get_running_loop().time()
    question = probe("db")
    world.runner.ask(A, frozenset({question}))
    await asyncio.sleep(5)
    assert world.runner.answers(A)[question].passed
    assert next(when for when, key in world.told if key == A) - started < 5


async def test_one_host_has_only_so_many_connections_at_once(world):
    world.net.dead.add("db")
    questions = frozenset(Probe("default", OfHost("db"), TcpCheck(port), Timing(timeout=5)) for port in range(1, 101))
    world.runner.ask(A, questions)
    await asyncio.sleep(120)
    assert world.net.most["db"] == 8


async def test_connections_begin_at_a_bounded_rate(world):
    questions = frozenset(
        Probe("default", PodAddress(f"u{n}", f"10.0.{n // 250}.{n % 250}"), TcpCheck(1), Timing()) for n in range(5000)
    )
    world.runner.ask(A, questions)
    await asyncio.sleep(30)
    seconds: dict[int, int] = {}
    for when, _ in world.net.tries:
        seconds[int(when)] = seconds.get(int(when), 0) + 1
    assert max(seconds.values()) <= 501


async def test_pods_are_listed_again_each_period(world):
    question = PodList("default", "a-ps", "uid", 5)
    world.runner.ask(A, frozenset({question}))
    await asyncio.sleep(28)
    assert 5 <= len(world.net.tries) <= 6
    assert world.runner.answers(A) == {question: PodsFound()}
    assert len(world.told) == 1


async def test_tries_are_measured_by_kind_and_result(world):
    world.net.open_at["db"] = 7.0
    world.runner.ask(A, frozenset({probe(), Probe("default", OfHost("web"), HttpCheck("http", 80, "/"), Timing())}))
    await asyncio.sleep(12)
    assert set(world.measured) == {("tcp", False), ("tcp", True), ("http", True)}


async def test_a_bug_in_one_probe_ends_that_probe_only(world):
    class Broken(Net):
        async def dial(self, asked: Probe) -> Tried:
            if asked.address == OfHost("bad"):
                raise RuntimeError("a bug")
            return Tried(True, "connected")

    runner = Runner(SystemClock(), World(Broken(), Broken()), Measures(), Random(1))
    runner.begin(world.tell, world.tell_news)
    good = probe("good")
    runner.ask(A, frozenset({probe("bad"), good}))
    await asyncio.sleep(10)
    assert set(runner.answers(A)) == {good}
    await runner.close()


LEFT = OutputsOf("default", "a-count", "uid", ("main",), (OfMessage(),))


async def test_what_a_job_left_is_read_once(world):
    world.runner.ask(A, frozenset({LEFT}))
    await asyncio.sleep(3600)
    assert world.net.tries == [(0.0, "a-count")]
    assert world.runner.answers(A) == {LEFT: OutputsFound((Absent("read at 0"),))}
    assert [key for _, key in world.told] == [A]


async def test_readings_are_not_counted_as_probes(world):
    world.runner.ask(A, frozenset({LEFT, probe()}))
    assert (len(world.runner), world.runner.probes) == (2, 1)


async def test_a_reading_that_is_refused_is_told_once_and_tried_ever_more_rarely(world):
    world.net.open_at["a-count"] = 300.0
    world.runner.ask(A, frozenset({LEFT}))
    await asyncio.sleep(299)
    assert world.runner.answers(A) == {LEFT: OutputsFound(problem="pods is forbidden")}
    assert len(world.told) == 1
    assert 8 <= len(world.net.tries) <= 11  # after 1, 2, 4 ... 32 s, then each minute
    await asyncio.sleep(67)
    assert not world.runner.answers(A)[LEFT].problem
    assert len(world.told) == 2


async def test_nobody_reads_on_for_a_flow_that_does_not_ask_any_more(world):
    world.net.open_at["a-count"] = 300.0
    world.runner.ask(A, frozenset({LEFT}))
    await asyncio.sleep(10)
    world.runner.ask(A, frozenset())
    before = len(world.net.tries)
    await asyncio.sleep(600)
    assert len(world.net.tries) == before


FAILED = ExitsOf("default", "a-count", "uid")


@pytest.mark.parametrize(("open_at", "tries"), [(0.0, 1), (10.0, 5)])
async def test_the_exit_code_of_a_job_is_read_once_and_tried_until_it_can_be(world, open_at, tries):
    world.net.open_at["a-count"] = open_at
    world.runner.ask(A, frozenset({FAILED}))
    await asyncio.sleep(3600)
    assert len(world.net.tries) == tries
    assert world.runner.answers(A) == {FAILED: ExitsFound(exit_code=3, by_itself=True)}
