"""Audit: what the API server wrote down of every answered request.

In: its audit log at metadata level, which is written before the answer is sent. Out: rows of who asked what and how it
was answered, and what tests ask about them: creates by name, terms of leading, writes out of turn. All times are the
API server's. What it had committed but not answered when it was killed is not in the log.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

import msgspec

GATEWAY_TIMEOUT = 504  # what is written down where the client went away before the answer
READS = frozenset({"get", "list", "watch"})


@dataclass(frozen=True, slots=True)
class Row:
    """One answered request; `received` and `answered` are seconds since 1970."""

    user: str
    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    received: float
    answered: float

    @property
    def succeeded(self) -> bool:
        """It was carried out."""
        return 200 <= self.code < 300

    @property
    def abandoned(self) -> bool:
        """Nobody waited for the answer, so there was none: it may have been carried out."""
        return self.code == GATEWAY_TIMEOUT

    @property
    def is_write(self) -> bool:
        """It may have changed something."""
        return self.verb not in READS

    @property
    def what(self) -> str:
        """Its object."""
        kind = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Reign:
    """One time of leading: from the first answered write of the Lease until another user's."""

    user: str
    began: float
    last_write: float  # of the Lease
    ended: float


class Audit:
    """Questions about one log file, which goes on growing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rows: list[Row] = []

    def rows(self, *users: str, since: float = 0.0) -> list[Row]:
        """All requests, or those of some users, received since then; in the order in which they were answered."""
        return [row for row in self._read(since) if not users or row.user in users]

    def writes(self, *users: str, since: float = 0.0) -> list[Row]:
        """Writes that were carried out, or may have been; those of Leases left out."""
        rows = [row for row in self.rows(*users, since=since) if row.is_write and row.resource != "leases"]
        return [row for row in rows if row.succeeded or row.abandoned]

    def children_created(self, *namespaces: str) -> tuple[Counter[str], Counter[str]]:
        """How often a Job was created under each `namespace/name`, and how often it may have been."""
        rows = [row for row in self._read() if (row.verb, row.resource) == ("create", "jobs")]
        rows = [row for row in rows if row.namespace in namespaces]
        created = Counter(f"{row.namespace}/{row.name}" for row in rows if row.succeeded)
        return created, Counter(f"{row.namespace}/{row.name}" for row in rows if row.abandoned)

    def refusals(self, *users: str) -> Counter[str]:
        """How many requests of these users were answered with an error, by verb, kind and code."""
        return Counter(f"{row.verb} {row.resource} {row.code}" for row in self.rows(*users) if row.code >= 400)

    def reigns(self, lease: str) -> list[Reign]:
        """Who held the Lease when, by who wrote it: only who leads or takes over writes it."""
        rows = [row for row in self._read() if (row.resource, row.name) == ("leases", lease)]
        writes = [row for row in rows if row.is_write and row.succeeded]
        terms = [list(term) for _, term in groupby(writes, key=lambda row: row.user)]
        ends = [*(term[0].answered for term in terms[1:]), float("inf")]
        return [
            Reign(term[0].user, term[0].answered, term[-1].answered, end) for term, end in zip(terms, ends, strict=True)
        ]

    def out_of_turn(self, lease: str, *users: str) -> list[Row]:
        """Writes of users who had not the Lease when the API server received them."""
        reigns = self.reigns(lease)
        return [
            row
            for row in self.writes(*users)
            if not any(one.user == row.user and one.began <= row.received <= one.ended for one in reigns)
        ]

    def _read(self, since: float = 0.0) -> list[Row]:
        """All rows; the log is read on from where it was read to."""
        with self._path.open("rb") as log:
            log.seek(self._offset)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        self._rows += [row for line in whole.splitlines() if (row := _row(line)) is not None]
        return [row for row in self._rows if row.received >= since]


class _User(msgspec.Struct):
    username: str = ""


class _Object(msgspec.Struct):
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class _Status(msgspec.Struct):
    code: int = 0


class _Line(msgspec.Struct):
    """The fields of an audit.k8s.io/v1 Event that are asked about."""

    user: _User
    verb: str
    received: datetime = msgspec.field(name="requestReceivedTimestamp")
    answered: datetime = msgspec.field(name="stageTimestamp")
    about: _Object = msgspec.field(name="objectRef", default_factory=_Object)
    status: _Status = msgspec.field(name="responseStatus", default_factory=_Status)


_LINE = msgspec.json.Decoder(_Line)


def _row(line: bytes) -> Row | None:
    try:
        told = _LINE.decode(line)
    except msgspec.MsgspecError:
        return None  # cut short when the API server was killed
    about = told.about
    return Row(
        user=told.user.username,
        verb=told.verb,
        resource=about.resource,
        subresource=about.subresource,
        namespace=about.namespace,
        name=about.name,
        code=told.status.code,
        received=told.received.timestamp(),
        answered=told.answered.timestamp(),
    )
