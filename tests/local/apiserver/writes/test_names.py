"""Names and labels as kube-apiserver takes them."""

from __future__ import annotations

import pytest

from jobflow.local.apiserver.writes.names import label_key_problem, label_value_problem, name_problem


@pytest.mark.parametrize(
    ("group", "kind", "name", "good"),
    [
        ("", "Pod", "a.b-c.9", True),
        ("", "Pod", "a" * 253, True),
        ("", "Pod", "a" * 254, False),
        ("", "Pod", "a..b", False),
        ("", "Pod", "a_b", False),
        ("", "Pod", "a-", False),
        ("", "Pod", "a\n", False),
        ("", "Namespace", "a.b", False),
        ("", "Namespace", "a" * 64, False),
        ("", "Service", "9a", False),
        ("rbac.authorization.k8s.io", "ClusterRole", "system:node", True),
        ("rbac.authorization.k8s.io", "ClusterRole", "a/b", False),
        ("rbac.authorization.k8s.io", "ClusterRole", "..", False),
    ],
)
def test_names(group, kind, name, good):
    assert (name_problem(group, kind, name) is None) == good


@pytest.mark.parametrize(
    ("key", "good"),
    [
        ("a", True),
        ("A.b_c-9", True),
        ("example.com/a", True),
        ("example.com/", False),
        ("/a", False),
        ("Example.com/a", False),
        ("a" * 64, False),
        ("-a", False),
        ("", False),
    ],
)
def test_label_keys(key, good):
    assert (label_key_problem(key) is None) == good


@pytest.mark.parametrize(
    ("value", "good"), [("", True), ("a", True), ("A_b.c", True), ("a" * 63, True), ("a" * 64, False), ("a/b", False)]
)
def test_label_values(value, good):
    assert (label_value_problem(value) is None) == good
