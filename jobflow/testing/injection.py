"""Injection: the plan, asked at each place where something may go wrong.

In: a plan. Out: the fault that is due at a write, an event, a commit; each takes effect once, and is then noted.
Also what outlasts the moment: kinds whose watches lag, kinds whose events are being dropped, forbidden namespaces.
The state is the API server's and the network's, so it outlives the controller's crashes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from jobflow.testing.faults import Drop, Fault, Forbid
from jobflow.testing.recorder import Recorder, now

F = TypeVar("F", bound=Fault)

FORBIDDEN_SECONDS = 300.0
DROPPING_SECONDS = 60.0  # a dropped event that never happens, because the controller waits for it, ends the drop


@dataclass
class Lag:
    """Watches of a kind bring no event from number `first` on before `until`."""

    first: int
    until: float


@dataclass
class Dropping:
    """Watches of a kind are refused until event `last` has happened, or until `until`."""

    last: int
    until: float


@dataclass
class Injection:
    """What is still to go wrong, and what is wrong now."""

    plan: Iterable[Fault]
    recorder: Recorder
    crash: Callable[[Fault], None]  # kills the controller, which starts anew a second later
    before_write: Callable[[], None] = lambda: None  # told of each write that the controller is about to send
    writes: int = 0
    reads: int = 0
    steps: int = 0
    lists: Counter[str] = field(default_factory=Counter)
    lags: dict[str, Lag] = field(default_factory=dict)
    dropping: dict[str, Dropping] = field(default_factory=dict)
    forbidden: dict[str, float] = field(default_factory=dict)  # namespace -> until when
    compacting: set[str] = field(default_factory=set)  # kinds whose next list comes in small pages
    over_at: float = 0.0  # when the last effect that was begun has passed

    def __post_init__(self) -> None:
        self._left: dict[type[Fault], list[Fault]] = {}
        for fault in self.plan:
            self._left.setdefault(type(fault), []).append(fault)

    def close(self) -> None:
        """What has not happened by now will not happen any more."""
        self._left.clear()

    def waiting(self, kind: type[F]) -> list[F]:
        """Faults of a kind that have not taken effect."""
        return [fault for fault in self._left.get(kind, ()) if isinstance(fault, kind)]

    def take(self, kind: type[F], due: Callable[[F], bool], *, mark: bool = True) -> F | None:
        """The first fault of a kind that is due; it takes effect now, and never again."""
        left = self._left.get(kind)
        if not left:
            return None
        for fault in left:
            if isinstance(fault, kind) and due(fault):
                left.remove(fault)
                if mark:
                    self.recorder.inject(fault)
                return fault
        return None

    def lasts(self, seconds: float) -> float:
        """When an effect that begins now is over."""
        until = now() + seconds
        self.over_at = max(self.over_at, until)
        return until

    def held_until(self, kind: str, number: int) -> float:
        """When an event may be delivered at the earliest."""
        lag = self.lags.get(kind)
        return lag.until if lag is not None and number >= lag.first else 0.0

    def drop_from(self, kind: str, number: int) -> bool:
        """Whether the stream ends here because this event and others are never to be delivered."""
        fault = self.take(Drop, lambda drop: drop.kind == kind and drop.span.first <= number <= drop.span.last)
        if fault is not None:
            self.dropping[kind] = Dropping(fault.span.last, self.lasts(DROPPING_SECONDS))
        return fault is not None

    def is_dropping(self, kind: str) -> bool:
        """Whether events of the kind still happen that nobody may see."""
        dropping = self.dropping.get(kind)
        return dropping is not None and self.recorder.events[kind] < dropping.last and now() < dropping.until

    def forbids(self, path: str, *, write: bool) -> str:
        """The fault by which a request to this path is refused, or nothing."""
        for fault in self.waiting(Forbid):
            if write and f"/namespaces/{fault.namespace}/" in path:
                self.take(Forbid, lambda due, fault=fault: due is fault)  # type: ignore[misc]
                self.forbidden[fault.namespace] = self.lasts(FORBIDDEN_SECONDS)
        for namespace, until in self.forbidden.items():
            if f"/namespaces/{namespace}/" in path and now() < until:
                return f"{Forbid.NAME}:{namespace}"
        return ""
