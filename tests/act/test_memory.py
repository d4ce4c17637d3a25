"""What is remembered of a flow between two passes."""

from __future__ import annotations

import pytest

from jobflow.act.memory import FlowMemory
from jobflow.api.status import Reason
from jobflow.testing.builders import flow
from jobflow.testing.clock import EPOCH


@pytest.fixture
def memory():
    return FlowMemory("uid", flow("f").frozen().compiled, 1)


def refuse(memory, name="f-a"):
    memory.refused(name, "basis", Reason.CHILD_REJECTED, "quota", False, EPOCH)
    return (memory.refusals[name].retry_at - EPOCH).total_seconds()


def test_each_try_waits_twice_as_long_up_to_a_minute(memory):
    assert [refuse(memory) for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_children_are_tried_each_in_its_own_time(memory):
    refuse(memory)
    assert refuse(memory, "f-b") == 1


def test_an_accepted_child_is_forgotten(memory):
    refuse(memory)
    memory.accepted("f-a")
    assert memory.refusals == {}
    assert refuse(memory) == 1
