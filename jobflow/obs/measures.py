"""Measures: what the parts of the controller report while they work, and what can be read off them at any time.

In: calls from the loop, the queue, the wire and the election, each a few hundred nanoseconds. Out: nothing here,
which is what a run without a metrics endpoint wants; `jobflow.obs.metrics` makes Prometheus series of the same calls.
So no part knows how it is measured, and nothing is measured through a global.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class Measures:
    """Takes reports and drops them. All durations are seconds."""

    def key_waited(self, seconds: float) -> None:
        """A key was handed to a worker so long after it became due."""

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """A pass over one key, its calls included; `result` is done, again or retry."""

    def called(self, verb: str, resource: str, code: str, seconds: float) -> None:
        """A request to the API server ended; `code` is the HTTP status, or `none` where there was no answer."""

    def watch_began(self, resource: str, code: str) -> None:
        """A watch was opened, or refused; each one after the first of its kind is a restart."""

    def dependency_seen(self, seconds: float) -> None:
        """A step's child was seen so long after the last of its targets was seen to complete."""

    def flow_ended(self, namespace: str, phase: str) -> None:
        """A flow was seen to reach Succeed or Failed, while it was ours."""

    def probed(self, kind: str, passed: bool) -> None:
        """One try of a probe ended; `kind` is http or tcp."""

    def lease_round(self, result: str) -> None:
        """One try to take or renew the lease: held, lost, waiting or error."""

    def loop_lagged(self, seconds: float) -> None:
        """A timer of the event loop rang so late."""


@dataclass(frozen=True)
class Readings:
    """What an observer finds at one moment, without anybody having counted."""

    leading: bool = False
    synced: bool = False
    keys_ready: int = 0
    keys_held: int = 0
    keys_delayed: int = 0
    flows: Mapping[str, int] = field(default_factory=dict)  # by phase
    cached: Mapping[str, int] = field(default_factory=dict)  # objects by resource
    undecodable: Mapping[str, int] = field(default_factory=dict)  # since the start, by resource
    probes: int = 0  # questions that are being asked
    troubled: int = 0  # watches that are not in sync now
    paused: Mapping[str, int] = field(default_factory=dict)  # flows that are left alone, by reason
    fields_missing: Mapping[str, int] = field(default_factory=dict)  # of ours in the installed CRDs, by resource
    events_dropped: int = 0  # since the start
    requests_in_flight: int = 0
    requests_limit: int = 0
