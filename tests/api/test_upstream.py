"""What of our CRDs is upstream's, and what is added."""

from __future__ import annotations

import pytest

from jobflow.api.fields import ANYTHING, lacking, outermost, words
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE
from jobflow.api.upstream import UPSTREAM, added, beyond, has, ours

# Of the status; what joins the spec of a JobFlow needs no mention here.
ADDED = {
    JOB_FLOW: [
        "status.completionTime",
        "status.flowStatuses",
        "status.nextFlows",
        "status.observedGeneration",
        "status.outcome",
        "status.progress",
        "status.specHash",
        "status.startTime",
        "status.state.message",
        "status.state.reason",
    ],
    JOB_TEMPLATE: ["status.jobDependsOnTotal"],
    CLUSTER_JOB_TEMPLATE: ["status.jobDependsOnTotal"],
}


@pytest.mark.parametrize("kind", ADDED, ids=str)
def test_what_we_add_to_the_status(kind):
    found = {words(path) for path in outermost(added(kind)) if path[0] == "status"}
    assert found >= set(ADDED[kind])


@pytest.mark.parametrize("kind", [JOB_FLOW, JOB_TEMPLATE], ids=str)
def test_the_outermost_additions_are_what_upstream_lacks(kind):
    assert frozenset(lacking(ours(kind), UPSTREAM[kind])) == outermost(added(kind))


def test_fields_within_an_added_one_are_added():
    assert ("status", "flowStatuses", "[]", "recreations") in added(JOB_FLOW)


def test_what_is_below_a_field_of_the_clusters_job_is_not_ours():
    assert has(UPSTREAM[JOB_TEMPLATE], ("spec", "tasks", "[]", "template", "spec"))
    assert has(UPSTREAM[JOB_FLOW], ("spec", "flows", "[]", "patch", "jobSpec", "queue"))


def test_a_field_that_joins_a_schema_is_added_without_being_named():
    assert beyond({"spec": {"flows": {"[]": {"name": {}, "note": {}}}}}, UPSTREAM[JOB_FLOW]) == {
        ("spec", "flows", "[]", "note")
    }
    assert beyond({"spec": ANYTHING}, {"spec": ANYTHING}) == frozenset()
