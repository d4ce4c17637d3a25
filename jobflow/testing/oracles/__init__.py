"""Oracles: what must hold in every history of the simulated world, whatever faults it had.

In: a History, and the undisturbed one of the same scenario. Out: the promises that it breaks. Each oracle is a
function whose docstring is the rule that it checks, in a module of its family; docs/reliability.md lists them.

| family | module |
|---|---|
| safety of children: nothing twice, too early, too late, or of another | `safety.py` |
| safety of statuses: nothing forgotten, contradictory, untrue or malformed | `memory.py` |
| acting on what is so: nothing done as if one had not done something before | `views.py` |
| attempts: no more than may be, one after the other | `attempts.py` |
| endings: for a reason, in time, once | `endings.py`, `deadlines.py` |
| trouble: told, and kept from other steps and flows; counts of pods | `trouble.py` |
| liveness and quiescence | `liveness.py` |
| economy: writes, Events, passes | `economy.py` |
| equivalence with the undisturbed run | `equivalence.py` |
| hygiene: nothing is left of what was deleted, no error is logged | `hygiene.py` |
"""

from __future__ import annotations

from collections.abc import Mapping

from jobflow.testing.history import History
from jobflow.testing.oracles import (
    attempts,
    deadlines,
    economy,
    endings,
    equivalence,
    hygiene,
    liveness,
    memory,
    safety,
    trouble,
    views,
)
from jobflow.testing.oracles.verdict import Oracle, Violation

__all__ = ["ORACLES", "Oracle", "Violation", "judge"]

ORACLES: Mapping[str, Oracle] = {
    "one live child": safety.one_live_child,
    "finished never again": safety.finished_never_again,
    "gate was open": safety.gate_was_open,
    "nothing after the end": safety.nothing_after_the_end,
    "own objects only": safety.own_objects_only,
    "deletes name the UID": safety.deletes_name_the_uid,
    "deleted after the result": safety.deleted_after_the_result,
    "phase is final": memory.phase_is_final,
    "memory is kept": memory.memory_is_kept,
    "children in one list": memory.children_in_one_list,
    "results are true": memory.results_are_true,
    "complete means at rest": memory.complete_means_at_rest,
    "statuses fit": memory.statuses_fit,
    "attempts are few": attempts.attempts_are_few,
    "attempts are used": attempts.attempts_are_used,
    "one attempt after the other": attempts.one_attempt_after_the_other,
    "attempts are remembered": attempts.attempts_are_remembered,
    "ended for a reason": endings.ended_for_a_reason,
    "onExit comes last": endings.on_exit_comes_last,
    "onExit is done": endings.on_exit_is_done,
    "skipped has no child": endings.skipped_has_no_child,
    "nothing waits in vain": endings.nothing_waits_in_vain,
    "flows go in time": endings.flows_go_in_time,
    "deadlines are kept": deadlines.deadlines_are_kept,
    "deadlines are no sooner": deadlines.deadlines_are_no_sooner,
    "own writes are remembered": views.own_writes_are_remembered,
    "every write changes something": views.every_write_changes_something,
    "second child after a look": views.second_child_after_a_look,
    "cache is true": views.cache_is_true,
    "strangers are told of": trouble.strangers_are_told_of,
    "trouble stays where it is": trouble.trouble_stays_where_it_is,
    "counts are told": trouble.counts_are_told,
    "counts are kept": trouble.counts_are_kept,
    "every flow ends": liveness.every_flow_ends,
    "outcome is expected": liveness.outcome_is_expected,
    "quiet at rest": liveness.quiet_at_rest,
    "writes are few": economy.writes_are_few,
    "events are few": economy.events_are_few,
    "passes are few": economy.passes_are_few,
    "same end": equivalence.same_end,
    "same children": equivalence.same_children,
    "nothing leaks": hygiene.nothing_leaks,
    "no error is logged": hygiene.no_error_is_logged,
}


def judge(history: History, reference: History | None = None) -> list[Violation]:
    """Every promise that the history breaks, in the order in which they were broken."""
    found = [violation for oracle in ORACLES.values() for violation in oracle(history, reference)]
    return sorted(found, key=lambda violation: violation.at)
