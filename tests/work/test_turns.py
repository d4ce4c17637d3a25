"""Which of the keys that are due comes next."""

from __future__ import annotations

from jobflow.work.turns import LONGEST_WAIT_EVERY, TAKEN_ENTRIES, Turns


def turns(*keys: tuple[str, float]) -> Turns[str]:
    made = Turns[str]()
    for key, age in keys:
        made.add(key, (age, key))
    return made


def taken(made: Turns[str]) -> list[str]:
    return [made.take() for _ in range(len(made))]


def test_the_lowest_rank_comes_first() -> None:
    assert taken(turns(("young", 3), ("old", 1), ("middle", 2))) == ["old", "middle", "young"]


def test_equal_ages_are_told_apart_by_name() -> None:
    assert taken(turns(("b", 1), ("a", 1))) == ["a", "b"]


def test_without_ranks_whoever_was_added_first_comes_first() -> None:
    made = Turns[str]()
    names = [f"key-{number}" for number in range(20)]
    for name in reversed(names):
        made.add(name, (0.0, ""))
    assert taken(made) == names[::-1]


def test_every_fourth_turn_is_for_the_one_that_has_waited_longest() -> None:
    made = turns(("young", 9))
    order = []
    for number in range(LONGEST_WAIT_EVERY):
        made.add(f"old-{number}", (1.0, str(number)))
        order.append(made.take())
    assert order[:-1] == ["old-0", "old-1", "old-2"]
    assert order[-1] == "young"


def test_a_key_is_handed_out_once_whichever_way_it_was_taken() -> None:
    keys = [(f"key-{number}", float(number * 7 % 50)) for number in range(50)]
    found = taken(turns(*keys))
    assert sorted(found) == sorted(key for key, _ in keys)
    assert len(found) == len(set(found)) == 50


def test_a_key_that_comes_again_stands_at_its_new_place() -> None:
    made = turns(("a", 1), ("b", 2), ("c", 3))
    assert made.take() == "a"
    made.add("a", (4.0, "a"))
    assert [made.take(), made.take(), made.take()] == ["b", "c", "a"]


def test_a_key_that_is_discarded_has_no_turn() -> None:
    made = turns(("a", 1), ("b", 2), ("c", 3))
    made.discard("a")
    made.discard("c")
    assert taken(made) == ["b"]


def test_what_was_taken_leaves_nothing_behind_for_long() -> None:
    made = turns(("always there", 99))
    for number in range(20 * TAKEN_ENTRIES):
        made.add("busy", (1.0, str(number)))
        if made.take() == "always there":
            made.add("always there", (99.0, ""))
            made.take()
    assert len(made) == 1
    assert len(made._ranked) + len(made._waiting) <= 2 * (TAKEN_ENTRIES + 4)
