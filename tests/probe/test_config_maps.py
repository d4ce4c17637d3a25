"""Keys of a ConfigMap, read from the API server of the embedded control plane."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from jobflow.api.config_keys import ConfigFound, ConfigKeys, question
from jobflow.api.parameters import Parameter
from jobflow.api.resources import CONFIG_MAP
from jobflow.kube.client import Client
from jobflow.kube.transport import Request, Response, Transport
from jobflow.local.apiserver.server import ApiServer
from jobflow.probe.config_maps import read_keys
from jobflow.testing.clock import VirtualClock

pytestmark = pytest.mark.looptime

BOTH = ConfigKeys("default", "uid", "m", ("a", "b"), frozenset({"a"}))
ABSENT = "there is no ConfigMap m in namespace default"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with ApiServer(VirtualClock()) as server:
        yield Client(server.transport(), VirtualClock())


async def put(client: Client, **fields: dict[str, str]) -> None:
    await client.create(CONFIG_MAP, "default", {"metadata": {"name": "m"}, **fields})


async def test_all_keys_are_read_at_once(client):
    await put(client, data={"a": "1", "b": "two", "c": "not asked"})
    assert await read_keys(client, BOTH, ConfigFound()) == ConfigFound((("a", "1"), ("b", "two")))


async def test_what_is_not_waited_for_is_absent_from_then_on(client):
    await put(client, data={"a": "1"})
    found = await read_keys(client, BOTH, ConfigFound())
    assert found == ConfigFound((("a", "1"), ("b", None)))
    assert (found.knows("b"), found.value("b"), found.knows("c")) == (True, None, False)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"data": {"c": "x", "d": "x"}}, "ConfigMap m has no key a; it has c, d"),
        ({"data": {}}, "ConfigMap m has no key a; it is empty"),
        ({}, "ConfigMap m has no key a; it is empty"),
        ({"binaryData": {"a": "AA=="}}, "ConfigMap m has a in binaryData; a value is a text in data"),
    ],
)
async def test_what_is_waited_for_is_a_problem_and_the_rest_is_not(client, fields, problem):
    await put(client, **fields)
    assert await read_keys(client, BOTH, ConfigFound()) == ConfigFound((("b", None),), problem)


async def test_an_absent_one_settles_nothing_while_a_key_of_it_is_waited_for(client):
    found = await read_keys(client, BOTH, ConfigFound())
    assert found == ConfigFound((), ABSENT)
    await put(client, data={"a": "1", "b": "2"})
    assert await read_keys(client, BOTH, found) == ConfigFound((("a", "1"), ("b", "2"))), "b is no default now"


async def test_one_that_went_away_settles_the_rest_once_nothing_of_it_is_waited_for(client):
    assert await read_keys(client, BOTH, ConfigFound((("a", "1"),))) == ConfigFound((("a", "1"), ("b", None)))


async def test_many_long_keys_are_told_in_few_words(client):
    await put(client, data={f"{n:0250d}": "" for n in range(3000)})
    found = await read_keys(client, BOTH, ConfigFound())
    shown = ", ".join(["0" * 63] * 8)
    assert found.problem == f"ConfigMap m has no key a; it has {shown} and 2992 more"


async def test_what_was_read_before_stays(client):
    await put(client, data={"a": "new", "b": "new"})
    before = ConfigFound((("b", "old"),), ABSENT)
    assert await read_keys(client, BOTH, before) == ConfigFound((("a", "new"), ("b", "old")))


async def test_an_absent_one_with_nothing_to_wait_for_is_settled(client):
    optional = ConfigKeys("default", "uid", "m", ("a",))
    assert await read_keys(client, optional, ConfigFound()) == ConfigFound((("a", None),))


class Refusing(Transport):
    """Answers everything alike."""

    def __init__(self, status: int, body: bytes) -> None:
        self.answer = Response(status, body)

    async def request(self, request: Request, timeout: float) -> Response:
        return self.answer

    def stream(self, request: Request, silence: float):
        raise NotImplementedError

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, b'{"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no rights"}', "no rights"),
        (200, b'{"data": {"a": 1}}', "Expected `str`, got `int`"),
        (200, b"<html>", "JSON is malformed"),
    ],
)
async def test_what_cannot_be_read_says_nothing_of_any_key(status, body, said):
    client = Client(Refusing(status, body), VirtualClock())
    found = await read_keys(client, BOTH, ConfigFound((("b", "x"),)))
    assert found.values == (("b", "x"),), "what is known is known"
    assert found.problem.startswith("ConfigMap m cannot be read: ")
    assert said in found.problem


def test_values_are_not_printed():
    assert "secret" not in repr(ConfigFound((("a", "secret"),)))


def parameter(name: str, config_map: str, key: str, **more):
    optional = {"optional": more.pop("optional")} if "optional" in more else {}
    ref = {"name": config_map, "key": key, **optional}
    return Parameter.model_validate({"name": name, "valueFrom": {"configMapKeyRef": ref}, **more})


def test_one_question_asks_for_all_that_a_flow_wants_of_a_configmap():
    parameters = [
        parameter("p", "m", "k"),
        parameter("q", "m", "j", optional=True),
        parameter("r", "m", "i", value=1),
        parameter("s", "m", "j"),
        parameter("t", "other", "h"),
        Parameter(name="u", value=1),
    ]
    assert question("ns", "uid", "m", parameters) == ConfigKeys(
        "ns", "uid", "m", ("i", "j", "k"), frozenset({"j", "k"})
    )
