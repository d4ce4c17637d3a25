"""The work queue beside a model of it: whatever is done in whatever order, they agree. All in virtual time."""

from __future__ import annotations

import asyncio
from random import Random

import looptime
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jobflow.testing.clock import VirtualClock
from jobflow.work.queue import NEWS_AT_ONCE, NEWS_EVERY, WorkQueue

KEYS = st.sampled_from(["a/1", "a/2", "a/3", "b/1", "c/1"])


class QueueMachine(RuleBasedStateMachine):
    """The queue beside a model of it: keys that are due, keys that are held, and the earliest delay of each."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = looptime.new_event_loop()
        self.queue = WorkQueue(VirtualClock(), lambda key: key.split("/", maxsplit=1)[0], Random(1))
        self.due: set[str] = set()
        self.news: set[str] = set()
        self.held_for_news: set[str] = set()
        self.again_for_news: set[str] = set()
        self.delayed_news: dict[str, float] = {}
        self.held: set[str] = set()
        self.again: set[str] = set()
        self.delayed: dict[str, float] = {}
        self.failures: dict[str, int] = {}

    def teardown(self) -> None:
        self.run(self.stop())
        self.loop.close()

    async def stop(self) -> None:
        self.queue.close()
        await asyncio.sleep(0)

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    def now_due(self, key: str) -> None:
        self.delayed.pop(key, None)
        self.delayed_news.pop(key, None)
        self.news.discard(key)
        (self.again if key in self.held else self.due).add(key)

    def news_now_due(self, key: str) -> None:
        self.delayed_news.pop(key, None)
        if key in self.held:
            self.again_for_news.add(key)
        elif key not in self.due:
            self.news.add(key)

    @rule(key=KEYS)
    def add(self, key):
        async def add():
            self.queue.add(key)

        self.run(add())
        self.now_due(key)

    @rule(key=KEYS)
    def add_news(self, key):
        async def add():
            self.queue.add_news(key)

        self.run(add())
        self.news_now_due(key)

    @rule(key=KEYS, delay=st.integers(1, 50))
    def add_news_after(self, key, delay):
        async def add():
            self.queue.add_news_after(key, delay)
            return asyncio.get_running_loop().time()

        at = self.run(add()) + delay
        self.delayed_news[key] = min(at, self.delayed_news.get(key, at))

    @rule(key=KEYS, delay=st.integers(1, 50))
    def add_after(self, key, delay):
        async def add():
            self.queue.add_after(key, delay)
            return asyncio.get_running_loop().time()

        at = self.run(add()) + delay
        self.delayed[key] = min(at, self.delayed.get(key, at))

    @rule(key=KEYS)
    def retry(self, key):
        async def retry():
            return asyncio.get_running_loop().time() + self.queue.retry(key)

        at = self.run(retry())
        self.delayed[key] = min(at, self.delayed.get(key, at))

    @precondition(lambda self: self.due or (self.news and len(self.held_for_news) < NEWS_AT_ONCE))
    @rule()
    def get(self):
        key = self.run(asyncio.wait_for(self.queue.get(), 1))
        assert key in self.due | self.news, "a key that was not due, or twice"
        assert key not in self.held, "a key in two hands"
        if key in self.news:
            assert not self.due or self.queue.taken % NEWS_EVERY == 0, "news before what somebody waits for"
            self.held_for_news.add(key)
        self.due.discard(key)
        self.news.discard(key)
        self.held.add(key)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def done(self, data):
        key = data.draw(st.sampled_from(sorted(self.held)))

        async def done():
            self.queue.done(key)

        self.run(done())
        self.held.remove(key)
        self.held_for_news.discard(key)
        for_news = key in self.again_for_news
        self.again_for_news.discard(key)
        if key in self.again:
            self.again.remove(key)
            self.now_due(key)
        elif for_news:
            self.news_now_due(key)

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds):
        async def sleep():
            await asyncio.sleep(seconds + 0.5)
            return asyncio.get_running_loop().time()

        now = self.run(sleep())
        for key in [key for key, at in self.delayed.items() if at <= now]:
            self.now_due(key)
        for key in [key for key, at in self.delayed_news.items() if at <= now]:
            self.news_now_due(key)

    @invariant()
    def the_queue_is_the_model(self):
        assert len(self.queue) == len(self.due) + len(self.news)
        assert self.queue.held == len(self.held)
        assert self.queue.delayed == len(self.delayed) + len(self.delayed_news)
        next_due = min((*self.delayed.values(), *self.delayed_news.values()), default=None)
        assert self.queue.next_due == (pytest.approx(next_due) if next_due is not None else None)


TestTheQueueIsItsModel = QueueMachine.TestCase
TestTheQueueIsItsModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
