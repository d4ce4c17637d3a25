"""Which flows wait for which objects."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobflow.api.resources import Key
from jobflow.work.interests import Interests

F, G = Key("JobFlow", "ns", "f"), Key("JobFlow", "ns", "g")
T, U = Key("JobTemplate", "ns", "t"), Key("JobTemplate", "ns", "u")


def test_flows_are_found_by_what_they_wait_for():
    interests = Interests()
    interests.set(G, frozenset({T}))
    interests.set(F, frozenset({T, U}))
    assert (interests.of(T), interests.of(U)) == ([F, G], [F])


def test_the_last_word_counts():
    interests = Interests()
    interests.set(F, frozenset({T}))
    interests.set(F, frozenset({U}))
    assert (interests.of(T), interests.of(U)) == ([], [F])


@given(st.lists(st.tuples(st.sampled_from([F, G]), st.frozensets(st.sampled_from([T, U])))))
def test_it_is_a_relation_and_nothing_is_left_when_nobody_waits(story):
    interests, model = Interests(), {}
    for flow, awaits in story:
        interests.set(flow, awaits)
        model[flow] = awaits
        for key in (T, U):
            assert interests.of(key) == sorted(flow for flow, keys in model.items() if key in keys)
    for flow in (F, G):
        interests.set(flow, frozenset())
    assert len(interests) == 0
    assert not interests.of(T)
