"""AdmissionReview as bytes: what is understood, what is said of the rest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.api.problems import Problem
from jobflow.webhook.reviews import FLOWS, Facts, review
from jobflow.webhook.verdict import Allowed, Denied
from jobflow.webhook.wire import BadQuestion, answer, read

RESOURCE = {"group": "flow.volcano.sh", "version": "v1alpha1", "resource": "jobflows"}
REQUEST = {"uid": "u-1", "resource": RESOURCE, "operation": "CREATE", "namespace": "ns", "userInfo": {}}
ENVELOPE = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": REQUEST}


def body(**changes):
    return json.dumps({**ENVELOPE, **changes}).encode()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "this is no AdmissionReview: Input data was truncated"),
        (b'{"kind": "Admission', "this is no AdmissionReview: Input data was truncated"),
        (b"<html>", "this is no AdmissionReview: JSON is malformed"),
        (b"[]", "this is no AdmissionReview: Expected `object`, got `array`"),
        (b'"\xff"', "this is no AdmissionReview"),
        (body(kind="Pod"), 'this is no AdmissionReview: kind is "Pod"'),
        (b"{}", "this is no AdmissionReview: kind is not given"),
        (body(apiVersion="admission.k8s.io/v1beta1"), 'not in "admission.k8s.io/v1beta1"'),
        (body(apiVersion="x" * 10_000), "..."),
        (body(request=None), "the AdmissionReview has no request"),
        (body(request={}), "missing required field `uid`"),
        (body(request={**REQUEST, "uid": ""}), "request.uid is empty"),
        (body(request={**REQUEST, "object": []}), "Expected `object | null`, got `array`"),
        (body(request={**REQUEST, "object": {"a": 1}}).replace(b"1}}}", b"[" * 100_000), "nested too deeply"),
    ],
)
def test_a_body_that_is_no_question_is_told_in_one_line(sent, said):
    with pytest.raises(BadQuestion) as raised:
        read(sent)
    assert said in str(raised.value)
    assert len(str(raised.value)) < 250
    assert "\n" not in str(raised.value)


def test_a_question_and_its_answers():
    question = read(body(request={**REQUEST, "object": {"kind": "JobFlow", "metadata": {"name": "f"}}}))
    yes = json.loads(answer(question, Allowed(("careful",))))
    assert yes == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "u-1", "allowed": True, "warnings": ["careful"]},
    }
    no = json.loads(answer(question, Denied("not so", "flows", causes=(Problem("spec.flows[0]", "odd"),))))
    status = no["response"]["status"]
    assert (status["code"], status["reason"], status["message"]) == (422, "Invalid", "not so")
    cause = {"reason": "FieldValueInvalid", "field": "spec.flows[0]", "message": "odd"}
    assert status["details"] == {"name": "f", "group": "flow.volcano.sh", "kind": "JobFlow", "causes": [cause]}


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WORDS = ("name", "targets", "dependsOn", "patch", "spec", "tasks", "probe", "retry", "when", "parameters", "flows")
shaped = st.dictionaries(st.sampled_from(WORDS), trees, max_size=4)


@given(st.binary(max_size=200))
def test_whatever_bytes_come_they_are_a_question_or_not(sent):
    try:
        read(sent)
    except BadQuestion:
        return


@given(st.fixed_dictionaries({"flows": trees | st.lists(shaped, max_size=3)}, optional={"parameters": trees}))
def test_whatever_spec_comes_there_is_a_verdict(spec):
    sent = json.dumps({**ENVELOPE, "request": {**REQUEST, "object": {"metadata": {"name": "f"}, "spec": spec}}})
    verdict = review(FLOWS, read(sent.encode()), Facts())
    assert isinstance(verdict, Allowed | Denied)
