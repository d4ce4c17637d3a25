"""Runner: asks the questions of all flows, each for as long as a flow wants to know.

In: `ask(key, questions)`, from each plan. Out: `answers(key)`, for the next snapshot, and `changed(key)` when one of
them may let a step start, or fail; `news(key)` when it only has other words for the same. One coroutine a live
question, however many flows ask it; none when nobody does any more.
Nothing here blocks: a host that never answers costs its own coroutine's time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import structlog

from jobflow.api.config_keys import ConfigFound, ConfigKeys
from jobflow.api.exits import ExitsFound, ExitsOf
from jobflow.api.outputs import OutputsFound, OutputsOf
from jobflow.api.probes import Answer, OfHost, PodAddress, PodList, PodsFound, Probe, Question, Verdict
from jobflow.api.resources import Key
from jobflow.clock import Clock
from jobflow.obs.measures import Measures
from jobflow.probe.dial import Tried
from jobflow.probe.news import Allowance
from jobflow.probe.pace import Limits, Pace
from jobflow.probe.record import Record

log = structlog.get_logger(__name__)

FIRST_TRY_SECONDS = 0.5  # questions that come up together are not asked in the same moment
PERIOD_JITTER = 0.1
READ_AGAIN_SECONDS = 1.0  # twice as long after each reading that was refused or got no answer
READ_AGAIN_MAX_SECONDS = 60.0  # a right that is given is noticed within a minute
EXIT_TRIES = 6  # in about half a minute; how a Job failed is worth no longer wait
UNANSWERED = Verdict(False, "")

Tell = Callable[[Key], None]


class Dials(Protocol):
    """One try of a network probe."""

    async def dial(self, probe: Probe) -> Tried:
        """Ask once; does not raise."""

    async def close(self) -> None:
        """Let go of sockets."""


class ListsPods(Protocol):
    """What there is of a Job, asked of the API server."""

    async def pods(self, question: PodList) -> PodsFound:
        """List once; does not raise."""

    async def outputs(self, question: OutputsOf) -> OutputsFound:
        """Read once; does not raise."""

    async def exits(self, question: ExitsOf) -> ExitsFound:
        """Read once; does not raise."""

    async def keys(self, question: ConfigKeys, before: ConfigFound) -> ConfigFound:
        """Read once; does not raise."""


@dataclass
class _Live:
    """A question that somebody asks."""

    task: asyncio.Task[None]
    waiting: set[Key] = field(default_factory=set)
    answer: Answer | None = None


@dataclass(frozen=True)
class World:
    """Whom the questions go to."""

    dialer: Dials
    pods: ListsPods


class Runner:
    """All live questions. `world` may be another, as long as nothing is asked."""

    def __init__(self, clock: Clock, world: World, measures: Measures, random: Random) -> None:
        self.world = world
        self._clock = clock
        self._changed: Tell = _nobody
        self._news: Tell = _nobody
        self._allowance = Allowance()
        self._measures = measures
        self._random = random
        self._pace = Pace(clock, Limits())
        self._live: dict[Question, _Live] = {}
        self._asked: dict[Key, frozenset[Question]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._live)

    @property
    def probes(self) -> int:
        """Live questions of probes: what is asked of a Job that has ended, or of a ConfigMap, is none."""
        return sum(isinstance(question, Probe | PodList) for question in self._live)

    def ask(self, key: Key, questions: frozenset[Question]) -> None:
        """From now on `key` wants to know exactly these."""
        before = self._asked.get(key, frozenset())
        if questions == before:
            return
        for question in questions - before:
            self._begin(question).waiting.add(key)
        for question in before - questions:
            self._leave(key, question)
        if questions:
            self._asked[key] = questions
        else:
            self._asked.pop(key, None)

    def answers(self, key: Key) -> Mapping[Question, Answer]:
        """What is known by now of what `key` asked."""
        found = ((question, self._live[question].answer) for question in self._asked.get(key, ()))
        return {question: answer for question, answer in found if answer is not None}

    def begin(self, changed: Tell, news: Tell, waiting: Callable[[], int] = lambda: 0) -> None:
        """From now on `changed` is told of flows for which an answer may decide, `news` of those that may tell it.

        While any flows are `waiting` for a worker, fewer probes are tried.
        """
        self._changed, self._news, self._pace.waiting = changed, news, waiting

    async def end(self) -> None:
        """Ask nothing any more; returns once every coroutine has ended."""
        tasks = [live.task for live in self._live.values()] + list(self._ending)
        self._live.clear()
        self._asked.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Ask nothing any more, and let go of sockets."""
        await self.end()
        await self.world.dialer.close()

    def _begin(self, question: Question) -> _Live:
        live = self._live.get(question)
        if live is None:
            task = asyncio.create_task(self._answer(question), name=f"probe {question}")
            live = self._live[question] = _Live(task)
        return live

    def _leave(self, key: Key, question: Question) -> None:
        live = self._live[question]
        live.waiting.discard(key)
        if not live.waiting:
            del self._live[question]
            live.task.cancel()
            self._ending.add(live.task)
            live.task.add_done_callback(self._ending.discard)

    async def _answer(self, question: Question) -> None:
        try:
            match question:
                case Probe():
                    await self._probe(question)
                case PodList():
                    await self._list(question)
                case OutputsOf():
                    await self._read(question)
                case ExitsOf():
                    await self._read_exits(question)
                case ConfigKeys():
                    await self._read_keys(question)
        except Exception:  # a bug of ours: the flow waits, and says so, but nobody else does
            log.exception("a probe ended", question=str(question))

    async def _probe(self, probe: Probe) -> None:
        record = Record(probe, lambda now: self._may_repeat(probe, now))
        await self._clock.sleep(probe.timing.initial_delay + self._random.uniform(0.0, FIRST_TRY_SECONDS))
        while True:
            async with self._pace.turn(_host(probe)):
                tried = await self.world.dialer.dial(probe)
            self._measures.probed(_kind(probe), tried.passed)
            told = record.take(tried, self._clock.monotonic())
            if told is not None:
                self._tell(probe, told)
            jitter = self._random.uniform(-PERIOD_JITTER, PERIOD_JITTER)
            await self._clock.sleep(record.period * (1.0 + jitter))

    async def _list(self, question: PodList) -> None:
        while True:
            async with self._pace.turn(""):
                found = await self.world.pods.pods(question)
            self._tell(question, found)
            await self._clock.sleep(question.period * (1.0 + self._random.uniform(0.0, PERIOD_JITTER)))

    async def _read(self, question: OutputsOf) -> None:
        """Until it has been read: a Job that has ended leaves nothing more. The client paces its own requests."""
        seconds = READ_AGAIN_SECONDS
        while True:
            found = await self.world.pods.outputs(question)
            self._tell(question, found)
            if not found.problem:
                return
            log.warning("outputs not read", job=f"{question.namespace}/{question.job}", problem=found.problem)
            await self._clock.sleep(seconds * (1.0 + self._random.uniform(0.0, PERIOD_JITTER)))
            seconds = min(seconds * 2.0, READ_AGAIN_MAX_SECONDS)

    async def _read_exits(self, question: ExitsOf) -> None:
        """Until they are read, or have been asked for often enough: a flow goes on without."""
        seconds = READ_AGAIN_SECONDS
        for left in reversed(range(EXIT_TRIES)):
            found = await self.world.pods.exits(question)
            self._tell(question, found if left else ExitsFound(found.exit_code, found.by_itself, found.evicted))
            if not found.problem:
                return
            log.warning("exit code not read", job=f"{question.namespace}/{question.job}", problem=found.problem)
            await self._clock.sleep(seconds * (1.0 + self._random.uniform(0.0, PERIOD_JITTER)))
            seconds *= 2.0

    async def _read_keys(self, question: ConfigKeys) -> None:
        """Until all that is waited for is there; what has been read is never read again."""
        seconds = READ_AGAIN_SECONDS
        found = ConfigFound()
        while True:
            found = await self.world.pods.keys(question, found)
            self._tell(question, found)
            if not found.problem:
                return
            name = f"{question.namespace}/{question.config_map}"
            log.warning("parameters not read", config_map=name, problem=found.problem)
            await self._clock.sleep(seconds * (1.0 + self._random.uniform(0.0, PERIOD_JITTER)))
            seconds = min(seconds * 2.0, READ_AGAIN_MAX_SECONDS)

    def _tell(self, question: Question, answer: Answer) -> None:
        live = self._live.get(question)
        if live is None or live.answer == answer:
            return
        tell = self._changed if _decides(live.answer, answer) else self._news
        live.answer = answer
        if isinstance(answer, Verdict):
            log.info("probe", passed=answer.passed, said=answer.message)
        for key in sorted(live.waiting):
            tell(key)

    def _may_repeat(self, probe: Probe, now: float) -> bool:
        """Whether its flows may tell now that it goes on as before."""
        live = self._live.get(probe)
        return live is not None and self._allowance.take(len(live.waiting), now)


def _decides(before: Answer | None, answer: Answer) -> bool:
    """Whether a step may start now, or fail, that could not before. A first answer that is bad decides nothing."""
    if not isinstance(answer, Verdict):
        return True
    known = before if isinstance(before, Verdict) else UNANSWERED
    return (answer.passed, answer.failed) != (known.passed, known.failed)


def _nobody(key: Key) -> None:
    """Before a term has begun nothing is asked, and nobody listens."""


def _host(probe: Probe) -> str:
    match probe.address:
        case PodAddress():
            return probe.address.ip
        case OfHost(host):
            return host.lower()


def _kind(probe: Probe) -> str:
    return type(probe.check).__name__.removesuffix("Check").lower()
