"""How the pods of a Job that has failed ended: what is asked for it, and what is answered.

In: nothing. Out: values that a plan asks with and a snapshot brings back (`jobflow.probe` reads them). Only of steps
that may be tried again: whether they are depends on it, and users want to see it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExitsOf:
    """How did the containers of this Job, which has failed, end?"""

    namespace: str
    job: str
    job_uid: str


@dataclass(frozen=True, slots=True)
class ExitsFound:
    """The answer.

    `exit_code` is that of the first container that ended with an error. `by_itself`: its pod was neither being deleted
    nor evicted. `evicted` names a pod that the cluster took away, and why. With a `problem` it is not the last word:
    the pods could not be read now.
    """

    exit_code: int | None = None
    by_itself: bool = False
    evicted: str = ""
    problem: str = ""
