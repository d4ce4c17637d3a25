"""Enumeration: every single fault that can happen to a run, and samples of two at once.

In: the History of an undisturbed run, which says how many writes, awaits, events and commits there are, and how its
objects are called. Out: plans. What is enumerated is told by the functions below, one for each family of
faults; a run of ten writes has about a thousand plans.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from jobflow.testing.faults import (
    Answer,
    AnswerRead,
    ClockJump,
    CompactList,
    CopiedJob,
    CrashAfter,
    CrashAtAwait,
    CrashBefore,
    Cut,
    Delay,
    DeleteFlow,
    Drop,
    Duplicate,
    Fault,
    Forbid,
    ForegroundDelete,
    ForeignJob,
    HeldDelete,
    LostAnswer,
    Plan,
    RecreateFlow,
    RemakeFlow,
    Reorder,
    SlowList,
    Stale,
    StrangerDeletes,
    StrangerTouches,
    TemplateAbsent,
    TemplateDeleted,
    TemplateEdited,
    TemplateLate,
    TouchFlow,
)
from jobflow.testing.history import USER, History, is_controller
from jobflow.testing.words import ENDS, WATCHED_KINDS, Span

WRITE_STATUSES = (403, 404, 409, 413, 422, 429, 500, 503, 504)
READ_STATUSES = (403, 410, 429, 500, 503)
RETRY_AFTER_SECONDS = 2.0
DELAYS = (10.0, 600.0)  # shorter and longer than the controller waits for what it wrote
SLOW_SECONDS = 20.0  # a list may take that long and still be answered
JUMPS = (3600.0, -3600.0)
LATE_SECONDS = 60.0
LONGEST_DROP = 6  # events missed in a row; longer spans show nothing new
MANY_AWAITS = 1000  # beyond which only awaits are crashed at before which something had happened outside


def plans(reference: History) -> list[Plan]:
    """Every single fault; and restarts against a slow list, which take a crash and a delay."""
    singles = (
        *_crashes(reference),
        *_answers(reference),
        *_watches(reference),
        *_views(reference),
        *_people(reference),
    )
    return [*(Plan((fault,)) for fault in singles), *_skewed_restarts(reference)]


def pairs(reference: History, random: Random, count: int) -> list[Plan]:
    """`count` plans of two different single faults."""
    singles = [plan[0] for plan in plans(reference) if len(plan) == 1]
    return [Plan(random.sample(singles, 2)) for _ in range(count)]


def _crashes(reference: History) -> Iterator[Fault]:
    """Before and after the commit of every write; at every await."""
    for write in _upto(reference.reach.writes):
        yield CrashBefore(write)
        yield CrashAfter(write)
    few = reference.reach.awaits <= MANY_AWAITS
    yield from map(CrashAtAwait, _upto(reference.reach.awaits) if few else reference.reach.turns)


def _answers(reference: History) -> Iterator[Fault]:
    """Every write and every read refused in every way; every answer to a write lost."""
    for write in _upto(reference.reach.writes):
        for status in WRITE_STATUSES:
            yield Answer(write, status)
        yield Answer(write, 429, RETRY_AFTER_SECONDS)
        yield LostAnswer(write)
    for read in _upto(reference.reach.reads):
        for status in READ_STATUSES:
            yield AnswerRead(read, status)
    yield from map(Forbid, _named(reference, "JobFlow", 1))


def _watches(reference: History) -> Iterator[Fault]:
    """Every event twice, swapped, late, and as the place of every kind of cut; every span of events missed."""
    for kind in WATCHED_KINDS:
        count = reference.reach.events.get(kind, 0)
        for event in _upto(count):
            yield Duplicate(kind, event)
            yield Reorder(kind, event)
            for seconds in DELAYS:
                yield Delay(kind, event, seconds)
            for how in ENDS:
                yield Cut(kind, event, how)
            for last in range(event, min(event + LONGEST_DROP, count + 1)):
                yield Drop(kind, Span(event, last))


def _views(reference: History) -> Iterator[Fault]:
    """A restart against a replica that lags, or whose list expires between two pages; a first list that is slow."""
    for kind in WATCHED_KINDS:
        for event in _upto(reference.reach.events.get(kind, 0)):
            yield Stale(kind, event)
        yield CompactList(kind)
        yield SlowList(kind, 1, SLOW_SECONDS)


def _skewed_restarts(reference: History) -> Iterator[Plan]:
    """A crash after each write, and then a list of one kind that is older than those of the others when it comes."""
    for write in _upto(reference.reach.writes):
        for kind in WATCHED_KINDS:
            yield Plan((CrashAfter(write), SlowList(kind, 2, SLOW_SECONDS)))


def _people(reference: History) -> Iterator[Fault]:
    """Flows deleted and made again, templates that come late, change and go, strangers, clocks: at every commit."""
    children = [commit.name for commit in reference.of("Job") if commit.before is None and is_controller(commit.who)]
    templates = _named(reference, "JobTemplate", 2)
    for child in children:
        yield ForeignJob(child)
        yield CopiedJob(child)
    for template in templates:
        yield TemplateAbsent(template)
        yield TemplateLate(template, LATE_SECONDS)
    first = next((commit.number for commit in reference.of("JobFlow")), 1)
    for commit in range(first, reference.reach.commits + 1):
        for happens in (RecreateFlow, RemakeFlow, DeleteFlow, ForegroundDelete, HeldDelete, TouchFlow):
            yield happens(commit)
        for seconds in JUMPS:
            yield ClockJump(commit, seconds)
        for template in templates:
            yield TemplateEdited(template, commit)
            yield TemplateDeleted(template, commit)
    for created in reference.of("Job"):
        if created.before is None and created.name in children:
            for number in range(created.number, reference.reach.commits + 1):
                yield StrangerDeletes(created.name, number)
                yield StrangerTouches(created.name, number)


def _named(reference: History, kind: str, part: int) -> list[str]:
    """Names (part 2) or namespaces (part 1) of what the user created of a kind."""
    made = [commit for commit in reference.of(kind) if commit.before is None and commit.who == USER]
    return sorted({commit.place[part] for commit in made})


def _upto(count: int) -> range:
    return range(1, count + 1)
