"""Selectors: which objects are meant."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.local.apiserver.reads.selectors import match_fields, parse_field_selector, parse_label_selector

LABELS = {"app": "web", "tier": "front", "size": "3", "empty": "", "acme.org/team": "a"}


@pytest.mark.parametrize(
    ("selector", "meant"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier = front", True),
        ("app=other", False),
        ("app!=other", True),
        ("absent!=other", True),
        ("app!=web", False),
        ("app", True),
        ("absent", False),
        ("!absent", True),
        ("!app", False),
        ("! absent", True),
        ("app in (web, db)", True),
        ("app in (db)", False),
        ("absent in (web)", False),
        ("app notin (db)", True),
        ("absent notin (db)", True),
        ("app notin (web,db)", False),
        ("empty=", True),
        ("empty in ()", True),
        ("empty in (x,)", True),
        ("app=", False),
        ("acme.org/team=a", True),
        ("size>2", True),
        ("size > 3", False),
        ("size<4", True),
        ("app>1", False),
        ("in=x", False),
        ("app,!absent,tier in (front,back),size>1", True),
    ],
)
def test_label_selector_means(selector, meant):
    assert parse_label_selector(selector)(LABELS) is meant


@pytest.mark.parametrize(
    ("selector", "told"),
    [
        ("app=web,", "found '', expected: identifier after ','"),
        ("app=web,)", "found ')', expected: identifier after ','"),
        (",app", "found ',', expected: !, identifier, or 'end of string'"),
        ("app web", "unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt"),
        ("app=web db", "found 'db', expected: ',' or 'end of string'"),
        ("app in web", "unable to parse requirement: found 'web' expected: '('"),
        ("app in (web", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("app in (web db)", "unable to parse requirement: found 'db', expected: ',' or ')'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("-app=web", "'-app' is not a label's name"),
        ("a/b/c=web", "'a/b/c' is not a label's name"),
        (f"{'a' * 64}=web", "is not a label's name"),
        (f"app={'a' * 64}", "is not a label's value"),
        ("app=(web", "is not a label's value"),
        ("size>many", "expected: an integer"),
        ("=web", "found '=', expected: !, identifier, or 'end of string'"),
    ],
)
def test_label_selector_that_cannot_be_read_is_refused(selector, told):
    with pytest.raises(ValueError, match=r"unable to parse requirement|found ") as refused:
        parse_label_selector(selector)
    assert told in str(refused.value)


NAMES = st.from_regex(r"\A[a-z]([a-z0-9.-]{0,10}[a-z0-9])?\Z").filter(lambda name: name not in ("in", "notin"))


@given(st.dictionaries(NAMES, NAMES, max_size=4))
def test_the_labels_of_an_object_select_it(labels):
    text = ",".join(f"{name}={value}" for name, value in labels.items())
    assert parse_label_selector(text)(labels)
    assert parse_label_selector(text)({**labels, "another": "one"})


@given(NAMES, st.lists(NAMES, min_size=1, max_size=4), st.dictionaries(NAMES, NAMES))
def test_in_and_notin_are_opposites(name, values, labels):
    listed = ",".join(values)
    chosen = parse_label_selector(f"{name} in ({listed})")(labels)
    assert parse_label_selector(f"{name} notin ({listed})")(labels) is not chosen


@given(st.text(max_size=30))
def test_any_text_is_either_read_or_refused(text):
    with contextlib.suppress(ValueError):
        assert parse_label_selector(text)({}) in (True, False)


POD = {
    "metadata": {"name": "a", "namespace": "ns"},
    "spec": {"hostNetwork": True},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("selector", "meant"),
    [
        ("", True),
        ("metadata.name=a", True),
        ("metadata.name==a,metadata.namespace=ns", True),
        ("metadata.name=b", False),
        ("status.phase!=Pending", True),
        ("status.phase!=Running", False),
        ("spec.nodeName=", True),
        ("spec.nodeName!=", False),
        ("spec.hostNetwork=true", True),
    ],
)
def test_field_selector_means(selector, meant):
    assert match_fields(parse_field_selector(selector), POD) is meant


def test_field_selector_values_may_hold_escaped_characters():
    assert parse_field_selector(r"a=x\,y\=z\\,b!=c") == [("a", "=", r"x,y=z" + "\\"), ("b", "!=", "c")]


@pytest.mark.parametrize("selector", ["metadata.name", "=a", "a=b=c", "a=b\\", r"a=\x"])
def test_field_selector_that_cannot_be_read_is_refused(selector):
    with pytest.raises(ValueError, match="selector"):
        parse_field_selector(selector)
