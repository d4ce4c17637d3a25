"""In which order a controller that starts comes to know its cluster."""

from __future__ import annotations

from jobflow.testing.faults import parse_plan
from jobflow.testing.scenarios import STANDARD
from jobflow.testing.world import play


def test_flows_are_listed_when_all_children_are_known():
    history = play(STANDARD["chain"], parse_plan("slow-list:Job:1:20"))
    lists = {call.path.rsplit("/", 1)[-1]: call for call in reversed(history.calls) if call.verb == "list"}
    assert lists["jobs"].at == 20.0
    assert lists["jobflows"].number > lists["jobs"].number
    assert lists["jobflows"].at >= lists["jobs"].at


def test_nothing_is_written_before_all_lists_are_in_the_cache():
    history = play(STANDARD["chain"], parse_plan("slow-list:JobTemplate:1:20"))
    writes = [call.at for call in history.calls if call.verb not in ("list", "watch", "get")]
    assert min(writes) >= 20.0
