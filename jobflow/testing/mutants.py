"""Mutants: controllers with a known bug, which the simulation has to catch; else its silence says nothing.

In: nothing, or names. Out: which oracle caught each, and in which history. A mutant is the shipped controller with one
part replaced, through constructors; nothing is patched. Each is tried in the history that is known to show it, then in
a few drawn from all; the rule that it breaks is told with it. (Bugs that no part can be replaced for are put
into copies of the source: docs/mutation.md.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from random import Random

from jobflow.term import Parts
from jobflow.testing import broken_parts as part
from jobflow.testing import broken_policies as policy
from jobflow.testing.control_mutants import CONTROL_MUTANTS
from jobflow.testing.enumeration import plans
from jobflow.testing.faults import Plan, parse_plan
from jobflow.testing.history import History
from jobflow.testing.mutant import Mutant, deciding
from jobflow.testing.oracles import ORACLES
from jobflow.testing.scenarios import STANDARD
from jobflow.testing.sweep import Failure, Run, check
from jobflow.testing.world import play

__all__ = ["KNOWN_SEEDS", "MUTANTS", "Mutant", "Verdict", "judge_mutant", "judge_mutants"]

KNOWN_SEEDS = 20  # a bug that is a race shows in some schedules
HUNTED_HISTORIES = 80  # drawn for a mutant that the history known to show it does not show


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant; `oracle` is empty where nothing caught it."""

    mutant: Mutant
    oracle: str = ""
    run: Run | None = None
    histories: int = 0

    @property
    def caught(self) -> bool:
        """Some promise was seen broken."""
        return self.run is not None

    def line(self) -> str:
        """For people."""
        if self.run is None:
            return f"NOT CAUGHT  {self.mutant.name}: no oracle says: {self.mutant.breaks}"
        where = f"{self.run.scenario.name}{f': {self.run.plan}' if self.run.plan else ''}"
        where += f", seed {self.run.seed}" if self.run.seed else ""
        return f"caught      {self.mutant.name:32s} {self.oracle:30s} {where}"


_ALL = (
    # Nothing twice.
    Mutant(
        "adopt what has the name",
        "A Job with the child's name that is not the flow's is never adopted.",
        "chain:foreign-job:chain-b",
        client=part.AdoptsTheName,
    ),
    Mutant(
        "take a label for an owner",
        "A Job is a flow's child by its controller owner, never by its labels.",
        "chain:copied-job:chain-b",
        Parts(snapshots=part.TakesALabelForAnOwner),
    ),
    Mutant(
        "remember results by name",
        "What is known of a flow is known of its UID.",
        "chain:recreate-flow:14",
        Parts(snapshots=part.RemembersResultsByName),
    ),
    Mutant(
        "compile by name",
        "Another flow under the same name is another flow.",
        "chain:remake-flow:14",
        Parts(snapshots=part.CompilesByName),
    ),
    Mutant(
        "forget vanished children",
        "A child that finished and vanished before its result was committed has finished.",
        "chain:stranger-deletes:chain-a:12",
        Parts(snapshots=part.ForgetsTheVanished),
    ),
    deciding(
        "create again without a look",
        "Before a step gets another Job in the place of one that is gone, the API server is asked how the flow stands.",
        "chain:stranger-deletes:chain-b:14",
        policy.creates_again_without_a_look,
    ),
    Mutant(
        "no expectation after a create",
        "Until the watch has brought a child back it is not created again.",
        "chain:touch-flow:12",
        Parts(expectations=part.ForgetsCreates),
    ),
    Mutant(
        "no expectation after a delete",
        "Until the watch has brought a deletion back it is not asked for again.",
        "ttl:delay:Job:14:10 touch-flow:31",
        Parts(expectations=part.ForgetsDeletes),
    ),
    Mutant(
        "no expectation after a status",
        "Until the watch has brought a status back none is written from an older one.",
        "chain:delay:JobFlow:3:10",
        Parts(expectations=part.ForgetsStatuses),
    ),
    Mutant(
        "hand a key out twice",
        "A key is in one hand at a time.",
        "chain:touch-flow:9",
        Parts(queue=part.HandsOutTwice),
    ),
    # Nothing too early or too late.
    deciding(
        "open gates early",
        "A step starts when all its targets have succeeded.",
        "diamond",
        policy.opens_gates_early,
    ),
    deciding(
        "create after the outcome",
        "Once the outcome is decided no step starts.",
        "failing",
        policy.starts_after_the_outcome,
    ),
    deciding(
        "create while being deleted",
        "Of a flow that is being deleted no step starts.",
        "chain:held-delete:12",
        policy.starts_while_being_deleted,
    ),
    deciding(
        "delete before the commit",
        "A child is deleted only after its result stands in the flow's status.",
        "delete",
        policy.deletes_before_the_commit,
    ),
    deciding(
        "leave the TTL to Volcano",
        "ttlSecondsAfterFinished is taken off the child and applied after the commit.",
        "ttl:drop:Job:12-17",
        policy.leaves_the_ttl_to_volcano,
    ),
    Mutant(
        "delete by name",
        "What is deleted is named by its UID.",
        "delete",
        client=part.DeletesByName,
    ),
    # Nothing lost.
    Mutant(
        "swallow a Conflict",
        "A Conflict is not the end of the work.",
        "ttl:answer:22:409",
        Parts(actor=part.SwallowsConflicts),
    ),
    Mutant(
        "drop a key after five retries", "A key is never dropped.", "chain:forbid:default", Parts(queue=part.DropsKeys)
    ),
    Mutant(
        "lose a wake-up",
        "A key that becomes due while it is held is handed out again.",
        "delete:drop:Job:11-15",
        Parts(queue=part.LosesWakeUps),
    ),
    Mutant(
        "templates wake nobody",
        "A flow that waits for a template is due when it comes.",
        "chain:template-late:b:60",
        Parts(interests=part.WakesNobody),
    ),
    Mutant(
        "take a refusal for final",
        "Only a create that is refused as invalid fails its step.",
        "chain:answer:1:403",
        Parts(actor=part.TakesRefusalsForFinal),
    ),
    # Statuses.
    deciding(
        "write what is written",
        "A status is written only when it differs from the committed one.",
        "chain",
        policy.writes_what_is_written,
    ),
    deciding(
        "change what is cached",
        "Cached objects are immutable.",
        "chain",
        policy.changes_what_is_cached,
    ),
    Mutant(
        "write over what is there",
        "A status write carries the version that it was made from.",
        "chain:delay:JobFlow:3:600",
        Parts(actor=part.OverwritesStatuses),
    ),
    deciding(
        "let counts be zeroed",
        "Counts of a finished child stay as they were before Volcano zeroed them.",
        "chain:delay:Job:5:10",
        policy.lets_counts_be_zeroed,
    ),
    deciding(
        "change the end",
        "A final phase never changes.",
        "failing:held-delete:29",
        policy.changes_the_end,
    ),
    # Troubles stay small.
    deciding(
        "let one trouble keep all back",
        "What keeps one step from starting delays no other.",
        "diamond:template-absent:b",
        policy.lets_one_trouble_keep_all_back,
    ),
    Mutant(
        "one call after another",
        "A call without an answer keeps back no other.",
        "diamond:lost-answer:6",
        Parts(actor=part.OneCallAfterAnother),
    ),
    Mutant(
        "retry without waiting",
        "A key that failed waits, longer with each failure.",
        "chain:delay:JobFlow:3:10 touch-flow:7",
        Parts(queue=part.RetriesAtOnce),
    ),
    Mutant(
        "never forget a flow",
        "Nothing of a flow outlives it.",
        "chain",
        Parts(snapshots=part.NeverForgets),
    ),
    *CONTROL_MUTANTS,
)

MUTANTS: Mapping[str, Mutant] = {mutant.name: mutant for mutant in _ALL}


def judge_mutants(chosen: Iterable[Mutant] = _ALL) -> Iterator[Verdict]:
    """Try each, up to the first history in which a promise is broken."""
    return map(judge_mutant, chosen)


def judge_mutant(mutant: Mutant) -> Verdict:
    """Try one mutant."""
    for number, run in enumerate(_runs(mutant), start=1):
        failure = check(run, _reference(run.scenario.name), app_factory=mutant.app)
        if failure is not None:
            return Verdict(mutant, _foremost(failure), run, number)
    return Verdict(mutant)


def _foremost(failure: Failure) -> str:
    """Of the oracles that say something, the first in their own order, which is: safety before cost."""
    broken = {violation.oracle for violation in failure.violations}
    return next((oracle for oracle in ORACLES if oracle in broken), failure.error.partition(":")[0])


def _runs(mutant: Mutant) -> Iterator[Run]:
    name, _, plan = mutant.shown_in.partition(":")
    yield from (Run(STANDARD[name], parse_plan(plan), seed) for seed in range(KNOWN_SEEDS))
    random = Random(mutant.name)
    each = HUNTED_HISTORIES // len(STANDARD)
    drawn = [(scenario, one) for scenario in STANDARD for one in random.sample(_plans(scenario), each)]
    random.shuffle(drawn)
    yield from (Run(STANDARD[scenario], one, 0) for scenario, one in drawn)


@cache
def _reference(name: str) -> History:
    """The undisturbed run of the shipped controller."""
    return play(STANDARD[name])


@cache
def _plans(name: str) -> list[Plan]:
    return plans(_reference(name))
