"""The Job that a step's template becomes."""

from __future__ import annotations

import pytest

from jobflow.api.children import Node
from jobflow.reconcile.child import Draft, child_basis, child_body, child_name, child_spec
from jobflow.reconcile.graph import Step
from jobflow.testing.builders import flow, template

F = flow("jobflow").step("jobtemplate")
T = template("jobtemplate").task("main", replicas=2)


def body(tmpl=T, flow_builder=F, node=Node("jobtemplate")):  # noqa: B008
    frozen, view = flow_builder.frozen(), tmpl.view()
    step = frozen.compiled.graph.by_name[node.step]
    draft = Draft(node, "jobflow-jobtemplate", child_spec(frozen, step, node, view))
    return child_body(frozen, step, draft, view)


def test_upstream_7_one_controller_owner():
    assert body()["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "flow.volcano.sh/v1alpha1",
            "kind": "JobFlow",
            "name": "jobflow",
            "uid": "flow-jobflow",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_upstream_7_labels_and_annotations_hold_upstreams_pair():
    pair = {
        "volcano.sh/createdByJobTemplate": "default.jobtemplate",
        "volcano.sh/createdByJobFlow": "default.jobflow",
    }
    meta = body()["metadata"]
    assert pair.items() <= meta["labels"].items()
    assert pair.items() <= meta["annotations"].items()


def test_ours_beside_upstreams():
    meta = body()["metadata"]
    assert meta["labels"].keys() - meta["annotations"].keys() == {"jobflow.volcano.sh/name"}
    assert meta["labels"]["jobflow.volcano.sh/name"] == "jobflow"
    assert meta["labels"]["jobflow.volcano.sh/flow"] == "jobtemplate"
    assert meta["annotations"]["jobflow.volcano.sh/attempt"] == "0"
    assert meta["annotations"]["jobflow.volcano.sh/template-generation"] == "1"
    assert "jobflow.volcano.sh/item" not in meta["annotations"]


def test_what_and_where_it_is():
    job = body()
    assert (job["apiVersion"], job["kind"]) == ("batch.volcano.sh/v1alpha1", "Job")
    assert (job["metadata"]["name"], job["metadata"]["namespace"]) == ("jobflow-jobtemplate", "default")
    assert job.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert job["metadata"].keys() == {"name", "namespace", "labels", "annotations", "ownerReferences"}


def test_an_item_is_told():
    assert body(node=Node("jobtemplate", 3, 1))["metadata"]["annotations"]["jobflow.volcano.sh/item"] == "3"


def test_the_spec_is_the_templates():
    assert body()["spec"] == T.spec


def test_the_ttl_is_taken_off_and_kept_for_us():
    made = body(T.ttl(0))
    assert "ttlSecondsAfterFinished" not in made["spec"]
    assert made["metadata"]["annotations"]["jobflow.volcano.sh/ttl-seconds-after-finished"] == "0"


def test_the_guides_word_for_an_event_becomes_volcanos():
    aliased = T.having(policies=[{"event": "JobUnknown", "action": "AbortJob"}])
    assert body(aliased)["spec"]["policies"] == [{"event": "Unknown", "action": "AbortJob"}]


def test_upstream_92_owner_texts_past_63_characters_are_cut_as_labels_and_whole_as_annotations():
    long = flow("f" * 100, namespace="n" * 40).step("jobtemplate")
    meta = body(flow_builder=long)["metadata"]
    whole = "n" * 40 + "." + "f" * 100
    assert meta["annotations"]["volcano.sh/createdByJobFlow"] == whole
    assert all(len(value) <= 63 for value in meta["labels"].values())


@pytest.mark.parametrize(
    ("said", "flow_name", "tmpl", "expect"),
    [
        ("upstream 10: the two names joined", "jobflow", T, "jobflow-jobtemplate"),
        ("a template without tasks", "jobflow", template("jobtemplate"), "jobflow-jobtemplate"),
        ("a task without name or replicas", "jobflow", T.having(tasks=[{}]), "jobflow-jobtemplate"),
        ("replicas that are null", "jobflow", T.having(tasks=[{"replicas": None}]), "jobflow-jobtemplate"),
    ],
)
def test_name(said, flow_name, tmpl, expect):
    frozen, node = flow(flow_name).frozen(), Node("jobtemplate")
    spec = child_spec(frozen, Step("jobtemplate", "jobtemplate"), node, tmpl.view())
    assert child_name(frozen, node, spec) == expect


def test_a_long_name_is_cut_so_that_its_pods_fit():
    long = template("s").task("worker", replicas=1000).view()
    frozen = flow("f" * 70).frozen()
    name = child_name(frozen, Node("s"), child_spec(frozen, Step("s", "s"), Node("s"), long))
    assert len(name + "-worker-999") == 63


def test_pods_that_a_later_step_asks_get_a_label_beside_their_own():
    pod = {"metadata": {"labels": {"app": "x"}, "annotations": {"note": "y"}}, "spec": {"hostNetwork": False}}
    tmpl = template("a").having(tasks=[{"name": "asked", "template": pod}, {"name": "left", "template": pod}])
    step = Step("a", "a", probed_tasks=frozenset({"asked"}))
    asked, left = (task["template"] for task in child_spec(F.frozen(), step, Node("a"), tmpl.view())["tasks"])
    labels = {"app": "x", "jobflow.volcano.sh/probed": "true"}
    assert asked == pod | {"metadata": {"labels": labels, "annotations": {"note": "y"}}}
    assert left == pod


def test_the_basis_changes_with_flow_and_template_only():
    same = child_basis(F.frozen(), T.view())
    assert child_basis(F.at("999").frozen(), T.at("999").view()) == same
    assert child_basis(F.at("1", generation=2).frozen(), T.view()) != same
    assert child_basis(F.frozen(), T.at("1", generation=2).view()) != same
