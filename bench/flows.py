"""Flows: creates them as users do, and sees them end.

In: names. Out: JobFlows; when each was seen to succeed. A flow that fails ends the measurement: here none may.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import msgspec

from bench.errors import BenchError
from bench.shape import NAMESPACE, flow_body
from bench.wire import Wire
from jobflow.api.resources import JOB_FLOW

_encode = msgspec.json.Encoder().encode


class _Meta(msgspec.Struct, frozen=True):
    name: str = ""


class _State(msgspec.Struct, frozen=True):
    phase: str = ""
    message: str = ""


class _Status(msgspec.Struct, frozen=True):
    state: _State = _State()


class _Flow(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()
    status: _Status = _Status()


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: _Flow


_event = msgspec.json.Decoder(_Event)


class Flows:
    """All JobFlows of the namespace."""

    def __init__(self, wire: Wire, retain: str) -> None:
        self._wire = wire
        self._retain = retain
        self.ended: dict[str, float] = {}  # monotonic

    async def run(self) -> None:
        """Watch until cancelled. Raises BenchError where a flow fails."""
        async for line in self._wire.follow(JOB_FLOW.path(NAMESPACE)):
            event = _event.decode(line)
            name, state = event.object.metadata.name, event.object.status.state
            if state.phase == "Succeed":
                self.ended.setdefault(name, time.monotonic())
            elif state.phase == "Failed":
                raise BenchError(f"JobFlow {name} failed, which none may here: {state.message}")

    async def create(self, names: Sequence[str]) -> None:
        """All at once: as fast as the connections allow."""
        path = JOB_FLOW.path(NAMESPACE)
        await asyncio.gather(*(self._wire.post(path, _encode(flow_body(name, self._retain))) for name in names))

    async def create_at(self, names: Sequence[str], rate: float) -> None:
        """One by one, `rate` a second, whether earlier ones have ended or not."""
        path = JOB_FLOW.path(NAMESPACE)
        started = time.monotonic()
        async with asyncio.TaskGroup() as creates:
            for number, name in enumerate(names):
                await asyncio.sleep(max(started + number / rate - time.monotonic(), 0.0))
                creates.create_task(self._wire.post(path, _encode(flow_body(name, self._retain))))
