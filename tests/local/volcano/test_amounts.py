"""Amounts of resources, read and written as Kubernetes does."""

import pytest

from jobflow.local.volcano.amounts import Container, Resources, format_amount, missing, parse_quantity, requests_of


@pytest.mark.parametrize(
    ("text", "thousandths"),
    [
        ("1", 1000),
        (2, 2000),
        (0.5, 500),
        ("500m", 500),
        ("1.5", 1500),
        (".5", 500),
        ("1Ki", 1024_000),
        ("1Gi", 1024**3 * 1000),
        ("1G", 10**12),
        ("2e3", 2_000_000),
        ("1E", 10**21),
        ("100u", 1),
        ("0", 0),
    ],
)
def test_reading(text, thousandths):
    assert parse_quantity(text) == thousandths


@pytest.mark.parametrize("text", ["", "one", "1 Gi", "1gi", "m", "1e", "--1"])
def test_what_is_no_quantity(text):
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("name", "text", "shown"),
    [
        ("cpu", "1500m", "1500m"),
        ("cpu", "2", "2"),
        ("cpu", "1024", "1024"),
        ("memory", "1Gi", "1Gi"),
        ("memory", "1536Mi", "1536Mi"),
        ("memory", "1000", "1000"),
        ("pods", "0", "0"),
    ],
)
def test_writing(name, text, shown):
    assert format_amount(name, parse_quantity(text)) == shown


def test_what_a_pod_asks_for():
    containers = [
        Container(Resources(requests={"cpu": "500m"}, limits={"cpu": "2", "memory": "1Gi"})),
        Container(Resources(limits={"cpu": 1})),
        Container(Resources(requests={"cpu": "plenty"})),
        Container(),
    ]
    assert requests_of(containers) == {"cpu": 1500, "memory": 1024**3 * 1000}


def test_what_is_missing_is_told_by_name():
    assert missing({"cpu": 2, "memory": 5, "gpu": 9}, {"cpu": 1, "memory": 5}) == ["cpu"]
