"""Which addresses may a probe dial?"""

from __future__ import annotations

import pytest

from jobflow.probe.addresses import Origin, rules_of

POD, HOST_POD, SERVICE, OTHER = Origin.POD, Origin.HOST_NETWORK_POD, Origin.SERVICE, Origin.OTHER


@pytest.mark.parametrize(
    ("address", "origin", "refused"),
    [
        ("10.0.0.7", POD, ""),
        ("10.0.0.7", SERVICE, ""),
        ("fd12::7", POD, ""),
        ("10.0.0.7", OTHER, "neither a pod of the flow nor a Service of its namespace"),
        ("10.0.0.7", HOST_POD, "a pod on its node's network"),
        ("127.0.0.1", POD, "a loopback address"),
        ("::1", SERVICE, "a loopback address"),
        ("0.0.0.0", POD, "the unspecified address"),
        ("169.254.169.254", SERVICE, "a link-local address"),
        ("fe80::1", POD, "a link-local address"),
        ("fd00:ec2::254", SERVICE, "a metadata service"),
        ("100.100.100.200", SERVICE, "a metadata service"),
        ("224.0.0.1", POD, "a multicast address"),
        ("240.0.0.1", POD, "a reserved address"),
        ("::ffff:10.0.0.7", POD, "an IPv4 address within IPv6"),
        ("64:ff9b::a00:7", SERVICE, "an IPv4 address within IPv6"),
    ],
)
def test_by_default(address, origin, refused):
    told = rules_of((), ()).refusal(address, origin)
    assert refused in told
    assert bool(told) == bool(refused)


@pytest.mark.parametrize(
    ("said", "allow", "deny", "address", "origin", "refused"),
    [
        ("an allowed range is asked whatever it is", ["127.0.0.0/8"], [], "127.0.0.9", POD, ""),
        ("an allowed range needs no Service", ["192.0.2.0/24"], [], "192.0.2.1", OTHER, ""),
        ("its neighbour is not allowed", ["192.0.2.0/24"], [], "192.0.3.1", OTHER, "--probe-allow-cidr"),
        ("what is denied is not asked, pod or not", [], ["10.0.0.0/8"], "10.1.2.3", POD, "--probe-deny-cidr"),
        ("denied wins over allowed", ["10.0.0.0/8"], ["10.9.0.0/16"], "10.9.0.1", OTHER, "--probe-deny-cidr"),
        ("a range of IPv4 says nothing of IPv6", ["0.0.0.0/0"], [], "::1", POD, "a loopback address"),
    ],
)
def test_with_ranges(said, allow, deny, address, origin, refused):
    told = rules_of(allow, deny).refusal(address, origin)
    assert refused in told
    assert bool(told) == bool(refused)


def test_what_is_no_range_is_refused_with_an_example():
    with pytest.raises(ValueError, match=r'"10\.0\.0\.1/8" is no range .* write one as in 10\.0\.0\.0/8'):
        rules_of(["10.0.0.1/8"], [])
