"""A spec compiles to steps, edges and a hash of what is frozen."""

from __future__ import annotations

import msgspec
import pytest

from jobflow.api.ends import RetainPolicy
from jobflow.reconcile.graph import Step, compile_flow, graph_of
from jobflow.testing.builders import flow


def compiled(builder):
    return compile_flow(builder.name, msgspec.json.encode(builder.body()["spec"]))


def test_steps_stay_in_the_order_of_the_spec_and_order_has_targets_first():
    graph = compiled(flow("f").step("last", after=["mid"]).step("mid", after="first").step("first")).graph
    assert [step.name for step in graph.steps] == ["last", "mid", "first"]
    assert [step.name for step in graph.order] == ["first", "mid", "last"]


def test_a_step_runs_the_template_of_its_own_name():
    assert compiled(flow("f").step("a")).graph.steps == (Step("a", "a"),)


def test_a_target_named_twice_is_one_edge():
    graph = compiled(flow("f").step("a").step("b", after=["a", "a"])).graph
    assert graph.by_name["b"].targets == ("a",)
    assert len(graph.order) == 2


@pytest.mark.parametrize(
    ("said", "spec"),
    [
        ("dependsOn without targets", b'{"flows":[{"name":"a","dependsOn":{}}]}'),
        ("dependsOn with no targets", b'{"flows":[{"name":"a","dependsOn":{"targets":[]}}]}'),
        ("no dependsOn", b'{"flows":[{"name":"a"}]}'),
        ("dependsOn: null", b'{"flows":[{"name":"a","dependsOn":null}]}'),
    ],
)
def test_upstream_97_no_targets_means_ready_at_once(said, spec):
    result = compile_flow("f", spec)
    assert result.problems == ()
    assert result.graph.steps == (Step("a", "a"),)


def test_no_spec_at_all_is_a_flow_without_steps():
    result = compile_flow("f", b"{}")
    assert (result.problems, result.graph.steps, result.retain) == ((), (), RetainPolicy.RETAIN)


@pytest.mark.parametrize(
    ("said", "builder", "path"),
    [
        ("a step named twice", flow("f").step("a").step("a"), "spec.flows[1].name"),
        ("an unknown target", flow("f").step("a", after="z"), "spec.flows[0].dependsOn.targets[0]"),
        ("a step that waits for itself", flow("f").step("a", after="a"), "spec.flows[0].dependsOn.targets[0]"),
        ("a cycle", flow("f").step("a", after="b").step("b", after="a"), "spec.flows[0].dependsOn.targets[0]"),
        ("an unknown policy", flow("f").step("a").policy("burn"), "spec.jobRetainPolicy"),
    ],
)
def test_a_spec_that_cannot_run_has_problems_with_paths_and_no_steps(said, builder, path):
    result = compiled(builder)
    assert [problem.path for problem in result.problems] == [path]
    assert result.graph.steps == ()


class TestTheHashOfWhatIsFrozen:
    base = flow("f").step("a").step("b").step("c", after=["a", "b"])

    @pytest.mark.parametrize(
        ("said", "edited"),
        [
            ("another retain policy", base.policy("delete")),
            ("targets in another order", flow("f").step("a").step("b").step("c", after=["b", "a"])),
            ("steps in another order: the list is a map", flow("f").step("c", after=["a", "b"]).step("b").step("a")),
        ],
    )
    def test_stays_with(self, said, edited):
        assert compiled(edited).spec_hash == compiled(self.base).spec_hash

    @pytest.mark.parametrize(
        ("said", "edited"),
        [
            ("a step more", base.step("d")),
            ("a step less", flow("f").step("a").step("b")),
            ("an edge less", flow("f").step("a").step("b").step("c", after="a")),
            ("a step renamed", flow("f").step("a").step("x").step("c", after=["a", "x"])),
        ],
    )
    def test_changes_with(self, said, edited):
        assert compiled(edited).spec_hash != compiled(self.base).spec_hash


def test_a_chain_of_a_thousand_steps_compiles():
    names = [f"s{n}" for n in range(1000)]
    graph = graph_of(Step(name, name, (names[n - 1],) if n else ()) for n, name in enumerate(names))
    assert [step.name for step in graph.order] == names


def test_a_field_that_cannot_be_read_is_named_as_in_yaml():
    spec = b'{"flows": [{"name": "a"}, {"name": 5}]}'
    assert [problem.path for problem in compile_flow("f", spec).problems] == ["spec.flows[1].name"]


def test_a_step_knows_which_of_its_tasks_later_steps_ask_over_the_network():
    ask = {"probe": {"tcpSocketList": [{"taskName": "server", "port": 80}]}, "waitFor": "Running"}
    builder = flow("f").step("a").step("b").step("c").having(dependsOn={"targets": ["a", "b"], **ask})
    graph = compiled(builder).graph
    assert {step.name: step.probed_tasks for step in graph.steps} == {
        "a": frozenset({"server"}),
        "b": frozenset({"server"}),
        "c": frozenset(),
    }
    assert graph.asks_pods


def test_flows_whose_specs_are_alike_share_their_graph_and_each_has_its_own_problems():
    spec = flow("one").step("a").step("b", after="a").body()["spec"]
    one, other = (compile_flow(name, msgspec.json.encode(spec)) for name in ("one", "other"))
    assert one is other
    badly_named = compile_flow("Not A Name", msgspec.json.encode(spec))
    assert [problem.path for problem in badly_named.problems] == ["metadata.name"]
    assert badly_named.graph.steps == ()
    assert compile_flow("one", msgspec.json.encode(spec)).problems == ()
