"""Audit: who wrote what and when, as the API server itself logs it.

In: kube-apiserver's audit log, a JSON line for each answered request. Out: writes in the order they were answered,
counts by verb and kind, latencies between one client's write and another's. All times are of one clock, the server's,
to the microsecond; objects' own timestamps have whole seconds only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from bench.shape import STEPS, flow_and_step, job_name

END_MARK = "fieldManager=volcano-end"  # on the driver's patch that says Completed
WRITES = frozenset({"create", "update", "patch", "delete"})
ACCOUNTS = "system:serviceaccount:"


class _User(msgspec.Struct, frozen=True):
    username: str = ""


class _Reference(msgspec.Struct, frozen=True):
    resource: str = ""
    name: str = ""
    subresource: str = ""


class _Answer(msgspec.Struct, frozen=True):
    code: int = 0


class _Line(msgspec.Struct, frozen=True):
    verb: str
    requestURI: str
    stageTimestamp: datetime
    user: _User = _User()
    objectRef: _Reference = _Reference()
    responseStatus: _Answer = _Answer()


@dataclass(frozen=True, slots=True)
class Write:
    """One answered write. `kind` is `jobs`, `jobflows/status`; `at` is when its answer was complete."""

    user: str
    verb: str
    kind: str
    name: str
    code: int
    at: datetime
    ends_job: bool = False

    @property
    def done(self) -> bool:
        """The server did it."""
        return 200 <= self.code < 300


_line = msgspec.json.Decoder(_Line)


class Audit:
    """Reads the log as it grows; `writes` is all that was read so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self.writes: list[Write] = []
        self.reads: Counter[str] = Counter()  # by user: GET and LIST; opened watches as well

    def read(self) -> None:
        """Take what was logged since; an unfinished line waits for its end."""
        with self._path.open("rb") as log:
            log.seek(self._offset)
            data = log.read()
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(_line.decode(line))

    def _take(self, line: _Line) -> None:
        if line.verb not in WRITES:
            self.reads[line.user.username] += 1
            return
        about = line.objectRef
        kind = f"{about.resource}/{about.subresource}" if about.subresource else about.resource
        code = line.responseStatus.code
        marked = END_MARK in line.requestURI
        self.writes.append(
            Write(line.user.username, line.verb, kind, about.name, code, line.stageTimestamp, ends_job=marked)
        )


def counts(writes: Iterable[Write]) -> dict[str, int]:
    """Writes that were done, as `create jobs`; those that were refused, as `refused (409)`."""
    found = Counter(f"{write.verb} {write.kind}" if write.done else f"refused ({write.code})" for write in writes)
    return dict(sorted(found.items()))


def dependency_seconds(writes: Iterable[Write], controller: str) -> list[float]:
    """From the answer to `Completed` of a step's last target to the answer to the create of its Job, for each step."""
    ended: dict[str, datetime] = {}
    found: list[float] = []
    for write in sorted(writes, key=lambda write: write.at):
        if not write.done:
            continue
        if write.ends_job:
            ended.setdefault(write.name, write.at)
        elif (write.user, write.verb, write.kind) == (controller, "create", "jobs"):
            found += _since_last_target(write, ended)
    return found


def submit_seconds(writes: Iterable[Write], controller: str) -> list[float]:
    """From the answer to a flow's create to the answer to the create of its first Job."""
    created: dict[str, datetime] = {}
    found: list[float] = []
    for write in sorted(writes, key=lambda write: write.at):
        if not write.done or write.verb != "create":
            continue
        if write.kind == "jobflows":
            created[write.name] = write.at
        elif write.kind == "jobs" and write.user == controller:
            owner = flow_and_step(write.name)
            since = created.pop(owner[0], None) if owner else None
            if since is not None:
                found.append((write.at - since).total_seconds())
    return found


def _since_last_target(create: Write, ended: dict[str, datetime]) -> list[float]:
    owner = flow_and_step(create.name)
    if owner is None:
        return []
    flow, step = owner
    ends = [ended.get(job_name(flow, target)) for target in STEPS[step]]
    known = [end for end in ends if end is not None]
    if not known or len(known) < len(ends):
        return []
    return [(create.at - max(known)).total_seconds()]
