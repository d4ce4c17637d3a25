"""Control mutants: controllers that branch, try again, keep time or clean up wrongly, each in one way.

In: nothing. Out: CONTROL_MUTANTS, which `mutants.py` tries with all others.
"""

from __future__ import annotations

from jobflow.term import Parts
from jobflow.testing import broken_control as control
from jobflow.testing.mutant import Mutant, deciding

CONTROL_MUTANTS = (
    # Branches.
    deciding(
        "take Any for All",
        "With strategy Any one target that succeeded is enough, whatever the others do.",
        "any",
        control.takes_any_for_all,
    ),
    deciding(
        "look at one group",
        "A step starts when one of its orGroups holds.",
        "or-groups",
        control.looks_at_one_group,
    ),
    deciding(
        "ask no conditions",
        "A step whose condition does not hold is skipped.",
        "switch",
        control.asks_no_conditions,
    ),
    deciding(
        "take skipped for failed",
        "A step that is skipped fails nothing.",
        "when",
        control.takes_skipped_for_failed,
    ),
    # Attempts.
    deciding(
        "try once too often",
        "A step has at most as many attempts as its retry allows, and the first.",
        "exhausted",
        control.tries_once_too_often,
    ),
    deciding(
        "never try again",
        "A step whose Job failed is tried again while it has attempts left.",
        "retry",
        control.never_tries_again,
    ),
    deciding(
        "try again at once",
        "The next attempt waits for its back-off.",
        "retry",
        control.tries_again_at_once,
    ),
    deciding(
        "try again before the commit",
        "The next attempt comes after the end of the last one is committed.",
        "retry",
        control.tries_again_before_the_commit,
    ),
    Mutant(
        "count attempts anew",
        "How many attempts there were outlives the controller.",
        "exhausted:crash-after:9",
        Parts(snapshots=control.CountsAttemptsAnew),
    ),
    deciding(
        "take each failure for the last",
        "A failure after which the step is tried again starts nothing.",
        "retried-rescue",
        control.takes_each_failure_for_the_last,
    ),
    # Time.
    Mutant(
        "count deadlines from its start",
        "A deadline counts from what is committed, whoever looks after it.",
        "deadline:crash-after:10",
        Parts(snapshots=control.CountsFromItsStart),
    ),
    deciding(
        "end before the commit",
        "A Job is ended after the reason is committed.",
        "step-deadline",
        control.ends_before_the_commit,
    ),
    deciding(
        "let go on what is too late",
        "What has passed its deadline is ended.",
        "uncommanded",
        control.ends_nothing,
    ),
    deciding(
        "let go on what FailFast ends",
        "With failurePolicy FailFast what runs is ended when the end is decided.",
        "fail-fast",
        control.ends_nothing,
    ),
    deciding(
        "delete the flow at its end",
        "A flow is deleted its ttlSecondsAfterFinished after its end, not before.",
        "flow-ttl",
        control.goes_at_once,
    ),
    # Ends.
    deciding(
        "do not continue on failure",
        "The failure of a step with continueOnFail fails nothing.",
        "continue",
        control.forgets_to_go_on,
    ),
    deciding(
        "take some for all",
        "With successPolicy Critical only the failure of a critical step fails the flow.",
        "critical",
        control.takes_some_for_all,
    ),
    deciding(
        "stop at the first failure",
        "With failurePolicy RunIndependent what does not wait for a failed step goes on.",
        "independent",
        control.stops_at_the_first_failure,
    ),
    deciding(
        "clean up beside the others",
        "onExit begins when no other Job of the flow lives.",
        "on-exit-failed",
        control.cleans_up_beside_the_others,
    ),
    Mutant(
        "clean up once more",
        "An onExit step that has ended does not run again.",
        "on-exit:crash-after:19",
        Parts(snapshots=control.CleansUpOnceMore),
    ),
)
