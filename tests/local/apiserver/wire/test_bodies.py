"""Bodies: what is told of them before they are objects."""

from __future__ import annotations

import pytest

from jobflow.kube.transport import Request
from jobflow.local.apiserver.wire.bodies import fields_twice

YAML = "application/yaml"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"a":1,"b":{"c":[{"d":1}]}}', []),
        ('{ "a": "x", "b": "a" }\n', []),
        ('{"a":1,"a":1}', ["a"]),
        ('{"a":1,"a":2,"a":3}', ["a"]),
        ('{"s":{"f":[{"n":1},{"n":1,"n":2}]}, "s2":{"m":1,"m":1}}', ["s.f[1].n", "s2.m"]),
        ('{"a":[[{"b":1,"b":2}]]}', ["a[0][0].b"]),
        ('{"a":"\\u00e9","b":1}', []),
        ('{"a":1,', []),
        ("[1]", []),
        ("", []),
    ],
)
def test_fields_that_are_there_twice(body, expected) -> None:
    assert fields_twice(Request("POST", "/", (), body.encode())) == expected


@pytest.mark.parametrize(
    ("what", "request_"),
    [
        ("of a patch, which may be no object at all", Request("PATCH", "/", (), b'{"a":1,"a":2}')),
        ("of YAML, whose reader takes the last", Request("POST", "/", (), b"a: 1\na: 2\n", YAML)),
    ],
)
def test_nothing_is_told(what, request_) -> None:
    assert fields_twice(request_) == []
