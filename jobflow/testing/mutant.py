"""Mutant: a controller with one bug, as a value.

In: a name, the rule that it breaks, the history that shows it, the part that stands in for the shipped one. Out: an App
of that part. The tables are in `mutants.py` and `control_mutants.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from jobflow.app import App
from jobflow.clock import Clock
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.term import SHIPPED, Parts, Term
from jobflow.testing.world import WORKERS


@dataclass(frozen=True)
class Mutant:
    """A controller with one bug. `shown_in` is `SCENARIO` or `SCENARIO:PLAN`."""

    name: str
    breaks: str
    shown_in: str
    parts: Parts = SHIPPED
    client: type[Client] = Client

    def app(self, client: Client, clock: Clock, random: Random) -> App:
        """As `world.real_app`, with the bug."""
        broken = self.client(client._transport, clock, random=client.random)
        return _MutatedApp(broken, clock, self.parts, random)


class _MutatedApp(App):
    """The controller, of other parts."""

    def __init__(self, client: Client, clock: Clock, parts: Parts, random: Random) -> None:
        self._parts = parts
        super().__init__(client, clock, Settings(workers=WORKERS), random)

    def _new_term(self) -> Term:
        return Term(self._means, self._ownership, self._parts)


def deciding(name: str, breaks: str, shown_in: str, reconcile: Callable[..., object]) -> Mutant:
    """A mutant of which only `reconcile_flow` is another."""
    return Mutant(name, breaks, shown_in, Parts(reconcile=reconcile))  # type: ignore[arg-type]
