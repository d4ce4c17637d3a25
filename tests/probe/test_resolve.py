"""From what a probe names to the address that is dialled."""

from __future__ import annotations

import pytest

from jobflow.api.probes import OfHost, PodAddress
from jobflow.probe.addresses import rules_of
from jobflow.probe.resolve import Dns, Found, Unresolved, resolve, service_name

DEFAULTS = rules_of((), ())


class Book:
    """Names as a test has them; remembers what was asked."""

    def __init__(self, **entries: Found) -> None:
        self.entries = {name.replace("_", "."): found for name, found in entries.items()}
        self.asked: list[str] = []

    async def look_up(self, name: str) -> Found:
        self.asked.append(name)
        if name not in self.entries:
            raise Unresolved(f"{name}: domain name not found")
        return self.entries[name]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("db", "db.team.svc"),
        ("db.team", "db.team.svc"),
        ("db.team.svc", "db.team.svc"),
        ("db.team.svc.cluster.local", "db.team.svc.cluster.local"),
        ("db.team.svc.cluster.local.", "db.team.svc.cluster.local."),
        ("train-ps-0.train.team.svc", "train-ps-0.train.team.svc"),
        ("db.other", ""),
        ("db.other.svc", ""),
        ("team.svc.example.com", ""),
        ("example.com", ""),
        ("a.b.c.team.svc", ""),
    ],
)
def test_names_of_services_are_those_of_the_flows_namespace(host, asked):
    assert service_name(host, "team") == asked


async def test_a_service_of_the_namespace_is_asked():
    book = Book(db_team_svc=Found(("10.0.0.7",)))
    assert await resolve("team", OfHost("db"), book, DEFAULTS) == "10.0.0.7"


async def test_a_service_of_another_namespace_is_not():
    book = Book(db_other_svc=Found(("10.0.0.7",)))
    with pytest.raises(Unresolved, match=r"10\.0\.0\.7 is neither a pod of the flow nor a Service of its namespace"):
        await resolve("team", OfHost("db.other.svc"), book, DEFAULTS)


async def test_a_service_that_is_another_name_for_something_else_is_not():
    book = Book(db_team_svc=Found(("10.0.0.7",), alias=True))
    with pytest.raises(Unresolved, match="nor a Service"):
        await resolve("team", OfHost("db"), book, DEFAULTS)


@pytest.mark.parametrize("bad", ["127.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254"])
async def test_a_name_that_answers_with_a_bad_address_is_refused_even_among_good_ones(bad):
    book = Book(db_team_svc=Found(("10.0.0.7", bad)))
    with pytest.raises(Unresolved, match=f"refused: {bad}"):
        await resolve("team", OfHost("db"), book, DEFAULTS)


async def test_a_name_that_turns_bad_at_the_second_look_is_refused_then():
    book = Book(db_team_svc=Found(("10.0.0.7",)))
    assert await resolve("team", OfHost("db"), book, DEFAULTS) == "10.0.0.7"
    book.entries["db.team.svc"] = Found(("169.254.169.254",))
    with pytest.raises(Unresolved, match="link-local"):
        await resolve("team", OfHost("db"), book, DEFAULTS)


@pytest.mark.parametrize(("host", "address"), [("192.0.2.1", "192.0.2.1"), ("[2001:db8::1]", "2001:db8::1")])
async def test_an_address_is_not_looked_up_and_has_to_be_allowed(host, address):
    book = Book()
    with pytest.raises(Unresolved, match="--probe-allow-cidr"):
        await resolve("team", OfHost(host), book, DEFAULTS)
    allowed = rules_of(["192.0.2.0/24", "2001:db8::/32"], [])
    assert await resolve("team", OfHost(host), book, allowed) == address
    assert book.asked == []


async def test_a_pod_is_asked_by_its_address_unless_it_is_its_nodes():
    assert await resolve("team", PodAddress("u", "10.0.0.7"), Book(), DEFAULTS) == "10.0.0.7"
    with pytest.raises(Unresolved, match="a pod on its node's network"):
        await resolve("team", PodAddress("u", "10.0.0.7", host_network=True), Book(), DEFAULTS)


async def test_a_name_that_is_not_known_is_told():
    with pytest.raises(Unresolved, match=r"db\.team\.svc: domain name not found"):
        await resolve("team", OfHost("db"), Book(), DEFAULTS)


async def test_a_name_without_addresses_is_told():
    with pytest.raises(Unresolved, match="has no address"):
        await resolve("team", OfHost("db"), Book(db_team_svc=Found(())), DEFAULTS)


async def test_the_real_resolver_knows_the_hosts_file_and_what_is_not_there():
    names = Dns()
    assert "127.0.0.1" in (await names.look_up("localhost")).addresses
    with pytest.raises(Unresolved, match=r"no-such-name\.invalid: "):
        await names.look_up("no-such-name.invalid")
    await names.close()
