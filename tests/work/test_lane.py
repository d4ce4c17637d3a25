"""Keys that are due now, from one namespace after another."""

from __future__ import annotations

from jobflow.work.lane import Lane


def lane(*keys: str) -> Lane[str]:
    made = Lane[str](lambda key: key.split("/", maxsplit=1)[0], lambda key: (0.0, key))
    for key in keys:
        made.add(key)
    return made


def taken(made: Lane[str]) -> list[str]:
    return [made.take() for _ in range(len(made))]


def test_namespaces_take_turns_and_ranks_decide_within_one() -> None:
    assert taken(lane("big/3", "big/1", "big/2", "small/1")) == ["big/1", "small/1", "big/2", "big/3"]


def test_what_is_taken_is_no_longer_in_it() -> None:
    made = lane("n/a")
    assert "n/a" in made
    made.take()
    assert ("n/a" in made, len(made)) == (False, 0)


def test_a_key_that_is_discarded_is_not_handed_out() -> None:
    made = lane("n/a", "n/b", "m/a")
    made.discard("n/a")
    made.discard("m/a")
    made.discard("m/z")
    assert taken(made) == ["n/b"]
    made.add("n/a")
    assert taken(made) == ["n/a"]
