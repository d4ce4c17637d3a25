"""Flags of a plugin, as Go reads them."""

import pytest

from jobflow.local.volcano.plugins.flags import parse_flags

FLAGS = {"name": "x", "port": 1, "on": False}


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ([], FLAGS),
        (["--name=a", "--port=2", "--on=true"], {"name": "a", "port": 2, "on": True}),
        (["-name", "a", "-port", "2", "-on"], {"name": "a", "port": 2, "on": True}),
        (["--name=a=b"], {**FLAGS, "name": "a=b"}),
        (["--name="], {**FLAGS, "name": ""}),
        (["--name=a", "--name=b"], {**FLAGS, "name": "b"}),
        (["--on=F"], FLAGS),
    ],
)
def test_values(words, values):
    assert parse_flags(words, FLAGS) == (values, [])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--nome=a"], '"--nome=a" is not a flag of this plugin and is left out; its flags: --name, --port, --on'),
        (["a"], '"a" is not a flag'),
        (["--port=many"], '"many" of --port=many is not a whole number and is left out'),
        (["--on=maybe"], '"maybe" of --on=maybe is not true or false and is left out'),
        (["--port"], '"--port" has no value and is left out'),
    ],
)
def test_what_is_left_out_is_told(words, told):
    values, problems = parse_flags(words, FLAGS)
    assert values == FLAGS
    assert [problem.startswith(told) for problem in problems] == [True]
