"""Which keys a change makes due."""

from __future__ import annotations

import pytest
from msgspec import structs

from jobflow.api.probes import PodPhase, PodView
from jobflow.api.resources import Key
from jobflow.testing.builders import child, cluster_template, flow, template
from jobflow.work.interests import Interests
from jobflow.work.route import TEMPLATE_SECONDS, Route

FLOW = Key("JobFlow", "default", "f")
TEMPLATE = Key("JobTemplate", "default", "a")
A = child("a", of="f")
NOW, SOON = 0.0, TEMPLATE_SECONDS


class Due:
    """Takes keys as a queue does."""

    def __init__(self):
        self.keys = {}

    def add(self, key):
        self.keys[key] = NOW

    def add_after(self, key, seconds):
        self.keys.setdefault(key, seconds)


@pytest.fixture
def due():
    return Due()


@pytest.fixture
def interests():
    return Interests()


@pytest.fixture
def route(due, interests):
    return Route(due, interests)


def views(*builders):
    return [builder.view() if builder else None for builder in builders]


@pytest.mark.parametrize(
    ("said", "old", "new", "expect"),
    [
        ("upstream 13: a flow came", None, flow("f"), {FLOW: NOW}),
        ("upstream 14: a flow changed", flow("f"), flow("f").at("101"), {FLOW: NOW}),
        ("a flow went", flow("f"), None, {FLOW: NOW}),
    ],
)
def test_flows(route, due, said, old, new, expect):
    route.flow_changed(*views(old, new))
    assert due.keys == expect


@pytest.mark.parametrize(
    ("said", "old", "new", "expect"),
    [
        ("a child came", None, A, {FLOW: NOW, TEMPLATE: SOON}),
        ("upstream 15: a child changed", A, A.at("2").running(), {FLOW: NOW}),
        ("a child went", A, None, {FLOW: NOW, TEMPLATE: SOON}),
        ("another incarnation took its name", A, A.incarnation("2"), {FLOW: NOW, TEMPLATE: SOON}),
        (
            "another flow's child took its name",
            A,
            child("a", of="g").named("f-a").incarnation("2"),
            {FLOW: NOW, TEMPLATE: SOON, Key("JobFlow", "default", "g"): NOW},
        ),
        (
            "upstream 93: a child of a template with dots in its name",
            None,
            child("a.b.c", of="f"),
            {FLOW: NOW, Key("JobTemplate", "default", "a.b.c"): SOON},
        ),
    ],
)
def test_children(route, due, said, old, new, expect):
    route.child_changed(*views(old, new))
    assert due.keys == expect


T = template("a")
C = cluster_template("a")
OF_THE_CLUSTER = Key("ClusterJobTemplate", "", "a")


@pytest.mark.parametrize(
    ("said", "old", "new", "awaited", "expect"),
    [
        ("upstream 23: a template came", None, T, False, {TEMPLATE: SOON}),
        ("upstream 84: a template came that a flow waits for", None, T, True, {TEMPLATE: SOON, FLOW: NOW}),
        ("a template that a flow waits for changed", T, T.at("11"), True, {FLOW: NOW}),
        ("a template changed that nobody waits for", T, T.at("11"), False, {}),
        ("one of the cluster, whose namesake a flow waits for", None, C, True, {OF_THE_CLUSTER: SOON}),
    ],
)
def test_templates(route, due, interests, said, old, new, awaited, expect):
    if awaited:
        interests.set(FLOW, frozenset({TEMPLATE}))
    route.template_changed(*views(old, new))
    assert due.keys == expect


def test_a_template_of_the_cluster_wakes_flows_of_all_namespaces(route, due, interests):
    other = Key("JobFlow", "other", "f")
    for waiting in (FLOW, other):
        interests.set(waiting, frozenset({OF_THE_CLUSTER}))
    route.template_changed(*views(None, C))
    assert due.keys == {FLOW: NOW, other: NOW, OF_THE_CLUSTER: SOON}


def test_a_child_of_a_template_of_the_cluster(route, due):
    child_of_it = structs.replace(views(None, A)[1], template=".a")
    route.child_changed(None, child_of_it)
    assert due.keys == {FLOW: NOW, OF_THE_CLUSTER: SOON}


POD = PodView("default", "f-a-main-0", "u0", "1", "f-a", "job-1", "main", PodPhase.RUNNING, "10.0.0.1")


@pytest.mark.parametrize(("said", "old", "new"), [("came", None, POD), ("changed", POD, POD), ("went", POD, None)])
def test_a_pod_is_news_to_the_flows_that_ask_pods_of_its_job(route, due, interests, said, old, new):
    interests.set(FLOW, frozenset({Key("Pod", "default", "f-a")}))
    interests.set(Key("JobFlow", "default", "g"), frozenset({Key("Pod", "default", "g-a")}))
    interests.set(Key("JobFlow", "other", "f"), frozenset({Key("Pod", "other", "f-a")}))
    route.pod_changed(old, new)
    assert due.keys == {FLOW: NOW}
