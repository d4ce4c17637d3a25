"""What a reading is worth, how it is committed, and what a placeholder makes of it."""

from __future__ import annotations

import msgspec
import pytest

from jobflow.api.output_values import Missing, TooLarge, at_path, chosen, entry_of, of_message, value_in
from jobflow.api.outputs import Absent, OfMessage, Said, Seen, Wanted
from jobflow.api.placeholders import PlaceholderProblem, Reference, Value
from jobflow.api.status import OutputStatus, Reason

N = Wanted("n", OfMessage())
WITH_DEFAULT = Wanted("n", OfMessage(), {"a": 1})


@pytest.mark.parametrize(
    ("said", "message", "value"),
    [
        ("a number", "8\n", 8),
        ("a fraction", "0.25", 0.25),
        ("a boolean", "true", True),
        ("a quoted text", '"8"', "8"),
        ("a list", ' ["a", 1] ', ["a", 1]),
        ("an object", '{"rows": 12}', {"rows": 12}),
        ("a text", "s3://bucket/key\n", "s3://bucket/key"),
        ("two lines", "a\nb", "a\nb"),
        ("almost JSON", '{"rows": 12', '{"rows": 12'),
        ("null is no value", "null", "null"),
        ("a number with a zero in front", "007", "007"),
        ("a number that an API server would round", "12345678901234567890", "12345678901234567890"),
        ("the greatest that it keeps", "[9223372036854775807]", [9223372036854775807]),
        ("an object with one that it would round", '{"a": [18446744073709551615]}', '{"a": [18446744073709551615]}'),
        ("a list with a small one that it would", "[-9223372036854775809]", "[-9223372036854775809]"),
        ("an object with one that it would refuse", '{"a": 1' + "0" * 308 + "}", '{"a": 1' + "0" * 308 + "}"),
        ("a number beyond all", "1e999", "1e999"),
        ("a list with one", "[1e999]", "[1e999]"),
        ("what is nested beyond use", "[" * 100 + "]" * 100, "[" * 100 + "]" * 100),
        ("what would break who walks it", "[" * 2000 + "]" * 2000, "[" * 2000 + "]" * 2000),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 50 else "",
)
def test_messages(said, message, value):
    found = of_message(message)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("said", "wanted", "reading", "entry"),
    [
        ("a value", N, Said("8"), OutputStatus("n", 8)),
        ("a number keeps its spelling", N, Said("1.10\n"), OutputStatus("n", 1.1, "1.10")),
        ("an object does not", N, Said('{ "a":1 }'), OutputStatus("n", {"a": 1})),
        ("a field of the Job", N, Seen(3), OutputStatus("n", 3)),
        ("zero and false are values", N, Seen(0), OutputStatus("n", 0)),
        ("nothing, and why", N, Absent("pod x is gone"), OutputStatus("n", message="pod x is gone")),
        (
            "the default, and why",
            WITH_DEFAULT,
            Absent("pod x is gone"),
            OutputStatus("n", {"a": 1}, message="pod x is gone"),
        ),
        ("an empty text is none", WITH_DEFAULT, Said('""'), OutputStatus("n", {"a": 1}, message="it is empty")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_committed(said, wanted, reading, entry):
    assert entry_of(wanted, reading) == entry


@pytest.mark.parametrize(
    ("said", "reading", "fits"),
    [
        ("as much as a message can hold", Said("x" * 4096), True),
        ("more", Seen("x" * 4097), False),
        ("in bytes", Seen("ä" * 2049), False),
        ("of a tree", Seen({"a": "x" * 4096}), False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_how_much_is_committed(said, reading, fits):
    if fits:
        assert entry_of(N, reading).value
    else:
        with pytest.raises(TooLarge, match="4096 are allowed"):
            entry_of(N, reading)


@pytest.mark.parametrize("entry", [OutputStatus("n", 1.1, "1.10"), OutputStatus("n", {"a": [1, "b"]})])
def test_what_is_committed_is_read_back_as_it_was(entry):
    assert msgspec.json.decode(msgspec.json.encode(entry), type=OutputStatus) == entry


def test_a_value_is_used_whole_or_as_it_was_written():
    assert value_in(OutputStatus("n", 1.1, "1.10")) == Value(1.1, "1.10", from_job=True)
    assert value_in(OutputStatus("n", ["a"])) == Value(["a"], '["a"]', from_job=True)
    assert value_in(OutputStatus("n", message="gone")) == Missing("gone")


def use(*fields: str) -> Reference:
    return Reference("steps", ("f", "outputs", "y", *fields), f"$(steps.{'.'.join(('f', 'outputs', 'y', *fields))})")


TREE = Value({"rows": [{"n": 3}], "b": True}, "", from_job=True)


@pytest.mark.parametrize(
    ("said", "value", "fields", "tree", "text"),
    [
        ("all of it", Value(8, "8", from_job=True), (), 8, "8"),
        ("a field", TREE, ("b",), True, "true"),
        ("a field of an item", TREE, ("rows", "0", "n"), 3, "3"),
        ("a part", TREE, ("rows",), [{"n": 3}], '[{"n":3}]'),
        ("what is only guessed has all fields", Value("<y>", "<y>", guess=True), ("rows",), "<y>", "<y>"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_placeholder_takes(said, value, fields, tree, text):
    found = chosen(use(*fields), value)
    assert (found.tree, found.text) == (tree, text)
    assert found.from_job is not value.guess


@pytest.mark.parametrize(
    ("said", "value", "fields", "reason", "message"),
    [
        (
            "nothing",
            Missing("pod p is gone"),
            (),
            Reason.OUTPUT_MISSING,
            "$(steps.f.outputs.y): step f left no output y: pod p is gone; a default in its outputs would stand in",
        ),
        ("nothing at all", None, (), Reason.OUTPUT_MISSING, "its Job ended without outputs having been read"),
        ("a field of a text", Value("secret", "secret"), ("a",), Reason.OUTPUT_NOT_JSON, "y of step f is a text"),
        ("a field of a number", Value(8, "8"), ("a",), Reason.OUTPUT_NOT_JSON, "y of step f is a number"),
        ("of a boolean below", TREE, ("b", "c"), Reason.OUTPUT_NOT_JSON, "y.b of step f is true or false"),
        ("a field that is not there", TREE, ("x",), Reason.OUTPUT_MISSING, "output y of step f has no field x"),
        ("an item that is not there", TREE, ("rows", "1"), Reason.OUTPUT_MISSING, "has no field rows.1"),
        ("a name in a list", TREE, ("rows", "n"), Reason.OUTPUT_MISSING, "has no field rows.n"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_placeholder_cannot_take(said, value, fields, reason, message):
    with pytest.raises(PlaceholderProblem) as told:
        chosen(use(*fields), value)
    assert told.value.reason is reason
    assert message in told.value.message
    assert "secret" not in told.value.message


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        (("status", "succeeded"), 0),
        (("spec", "tasks", 0, "name"), "main"),
        (("spec", "tasks", 1), None),
        (("spec", "tasks", "name"), None),
        (("spec", 0), None),
        (("status", "succeeded", "more"), None),
    ],
)
def test_fields_of_an_object(parts, found):
    job = {"status": {"succeeded": 0}, "spec": {"tasks": [{"name": "main"}]}}
    assert at_path(job, parts) == found
