"""What is allowed and what is refused, with the words: one row a case, as a user would meet it."""

from __future__ import annotations

import pytest

from jobflow.webhook.flows import TemplateName
from jobflow.webhook.reviews import FLOWS, TEMPLATES, Facts, review
from jobflow.webhook.verdict import Allowed, Denied
from jobflow.webhook.wire import GroupResource, Question, UserInfo

GROUP, VERSION = "flow.volcano.sh", "v1alpha1"
TASK = {"name": "t", "replicas": 1, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}
JOB = {"minAvailable": 1, "tasks": [TASK]}


def step(name, *targets, **more):
    return {"name": name, **({"dependsOn": {"targets": list(targets)}} if targets else {}), **more}


def flow(*steps, **spec):
    body = {"metadata": {"name": "f", "namespace": "ns"}, "spec": {"flows": list(steps), **spec}}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "JobFlow", **body}


def template(**spec):
    body = {"metadata": {"name": "t", "namespace": "ns"}, "spec": {**JOB, **spec}}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "JobTemplate", **body}


def ask(operation, obj=None, old=None, *, plural="jobflows", user="alice", namespace="ns"):
    resource = GroupResource(GROUP, VERSION, plural)
    info = UserInfo(username=user)
    return Question("u", resource, operation, namespace=namespace, userInfo=info, object=obj, oldObject=old)


def on_flow(operation, obj=None, old=None, facts=None, **more):
    return review(FLOWS, ask(operation, obj, old, **more), facts or Facts())


def on_template(operation, obj=None, old=None, facts=None, **more):
    return review(TEMPLATES, ask(operation, obj, old, plural="jobtemplates", **more), facts or Facts())


DAG = [step("a"), step("b", "a"), step("c", "a", "b"), step("d", "b"), step("e", "c", "d")]
WITHOUT_A = [step("b", "a"), step("c", "a", "b"), step("d", "b"), step("e", "c", "d")]


def numbered(edges):
    """A graph as Volcano's own tests write it: node -> nodes it waits for."""
    return [step(f"n{node}", *(f"n{target}" for target in targets)) for node, targets in edges.items()]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(DAG, id="26 a diamond and more"),
        pytest.param(numbered({1: [2, 3], 2: [3], 3: [4], 4: [], 5: []}), id="34"),
        pytest.param(numbered({1: [2, 3], 2: [4, 5], 3: [], 4: [], 5: []}), id="35"),
        pytest.param(numbered({1: [2, 3, 4], 2: [3], 3: [4], 4: [5], 5: []}), id="36"),
        pytest.param(numbered({1: [2, 3, 4], 2: [3, 5], 3: [5], 4: [3, 5], 5: []}), id="37"),
        pytest.param([step("start"), step("middle", "start"), step("end", "middle")], id="44 a chain"),
        pytest.param([], id="46 no steps"),
        pytest.param([step("a")], id="47 one step"),
    ],
)
def test_a_graph_that_is_one_is_allowed(steps):
    assert on_flow("CREATE", flow(*steps)) == Allowed()


NOT_DAG = "jobflow Flow is not DAG"


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        pytest.param(WITHOUT_A, (f"{NOT_DAG}: vertex is not defined: a", '"a" is not a step of this flow'), id="28"),
        pytest.param([step("a", "b"), step("b", "a"), step("c")], (NOT_DAG, "a -> b -> a"), id="29"),
        pytest.param(numbered({1: [2], 2: [1, 3]}), (f"{NOT_DAG}: vertex is not defined: n3",), id="31"),
        pytest.param(numbered({1: [2], 2: [3], 3: [1]}), (NOT_DAG, "n1 -> n2 -> n3 -> n1"), id="32"),
        pytest.param(numbered({1: [2], 2: [1, 3], 3: []}), (NOT_DAG,), id="33"),
        pytest.param(numbered({1: [2, 3, 4], 2: [3, 5], 3: [5], 4: [3, 5], 5: [5, 3]}), (NOT_DAG,), id="38"),
        pytest.param([step("a", "a")], (NOT_DAG, "depends on itself"), id="48 itself"),
        pytest.param([step("a"), step("a")], ('step "a" is already defined at spec.flows[0]',), id="27 twice: ours"),
        pytest.param([step("c", "a"), step("a"), step("c")], ("already defined",), id="30 twice: ours"),
        pytest.param([step("A_b")], ("spec.flows[0].name",), id="a name that is none"),
        pytest.param([step(f"s{n}") for n in range(1001)], ("1001 steps; 1000 are allowed",), id="too many steps"),
        pytest.param([{"name": 7}], ("spec.flows[0].name",), id="a wrong type that a foreign CRD let pass"),
    ],
)
def test_a_flow_that_could_never_end_is_refused(steps, words):
    refused = on_flow("CREATE", flow(*steps))
    assert isinstance(refused, Denied)
    assert (refused.code, refused.reason) == (422, "Invalid")
    causes = "; ".join(f"{cause.path}: {cause.message}" for cause in refused.causes)
    for word in words:
        assert word in refused.message
        assert word in causes  # kubectl shows the causes, and not the message


def test_a_refusal_stays_readable():
    refused = on_flow("CREATE", flow(*(step(f"s{n}", "x" * 5000) for n in range(500))))
    assert len(refused.message) < 20_000
    assert refused.message.endswith("more")
    assert refused.rule == "flows.dependsOn"


@pytest.mark.parametrize(
    ("operation", "plural", "words"),
    [
        ("CONNECT", "jobflows", "expect operation to be 'CREATE' or 'UPDATE'"),
        ("CREATE", "pods", "expect resource to be jobflows.flow.volcano.sh, got pods"),
    ],
)
def test_what_the_webhook_is_not_for(operation, plural, words):
    refused = on_flow(operation, flow(), plural=plural)
    assert (refused.code, refused.rule) == (400, "request")
    assert words in refused.message


def test_status_is_its_controllers_own():
    question = Question("u", GroupResource(GROUP, VERSION, "jobflows"), "UPDATE", "status", object=flow(step("a", "a")))
    assert review(FLOWS, question, Facts()) == Allowed()


class TestUpdates:
    @pytest.mark.parametrize(
        ("old", "new", "path"),
        [
            pytest.param([step("a"), step("b", "a")], [step("a"), step("b", "a"), step("c", "b")], "spec.flows[2]",
                         id="43 a step more: refused by us"),
            pytest.param([step("a"), step("b", "a")], [step("a")], 'spec.flows (without "b")', id="a step less"),
            pytest.param([step("a"), step("b"), step("c", "a")], [step("a"), step("b"), step("c", "b")],
                         "spec.flows[2].dependsOn.targets[0]", id="another edge"),
            pytest.param([step("a")], [step("a", patch={"spec": {"queue": "q"}})], "spec.flows[0].patch", id="a patch"),
        ],
    )  # fmt: skip
    def test_steps_and_edges_are_frozen(self, old, new, path):
        refused = on_flow("UPDATE", flow(*new), flow(*old))
        assert refused.rule == "frozen"
        assert refused.message.startswith(f"{path}: the steps of a flow are frozen from its creation")

    def test_parameters_are_frozen_and_their_descriptions_are_not(self):
        old = flow(step("a"), parameters=[{"name": "p", "value": 1}])
        told = flow(step("a"), parameters=[{"name": "p", "value": 1, "description": "d"}])
        changed = flow(step("a"), parameters=[{"name": "p", "value": 2}])
        assert isinstance(on_flow("UPDATE", told, old), Allowed)
        assert "spec.parameters[0].value: the parameters" in on_flow("UPDATE", changed, old).message

    def test_another_order_of_the_steps_is_no_change(self):
        assert isinstance(on_flow("UPDATE", flow(step("b", "a"), step("a")), flow(step("a"), step("b", "a"))), Allowed)

    def test_control_fields_are_free(self):
        new = flow(step("a"), jobRetainPolicy="delete", failurePolicy="FailFast")
        assert isinstance(on_flow("UPDATE", new, flow(step("a"))), Allowed)

    def test_metadata_of_an_invalid_flow_may_change(self):
        old = flow(step("a", "a"))
        new = {**old, "metadata": {**old["metadata"], "labels": {"team": "x"}}}
        assert on_flow("UPDATE", new, old) == Allowed()

    def test_control_fields_of_an_invalid_flow_may_change(self):
        assert isinstance(on_flow("UPDATE", flow(step("a", "a"), jobRetainPolicy="delete"), flow(step("a", "a"))),
                          Allowed)  # fmt: skip

    def test_a_control_field_that_is_wrong_is_refused(self):
        refused = on_flow("UPDATE", flow(step("a"), successPolicy={"type": "Critical"}), flow(step("a")))
        assert refused.message.startswith("spec.successPolicy: ")

    def test_what_is_on_its_way_out_is_let_go(self):
        new = flow(step("b"))
        new["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        assert on_flow("UPDATE", new, flow(step("a"))) == Allowed()

    def test_a_template_is_refused_for_what_an_update_breaks_only(self):
        old = template(minAvailable=5)
        assert isinstance(on_template("UPDATE", template(minAvailable=5, queue="q"), old), Allowed)
        refused = on_template("UPDATE", template(minAvailable=5, maxRetry=-1), old)
        assert refused.message == "spec.maxRetry: maxRetry is -1; it must be 0 or more"


POLICY = {"event": "PodFailed", "action": "AbortJob"}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"tasks": []}, "spec.tasks: a Job needs at least one task"),
        ({"tasks": [TASK, TASK]}, 'task "t" is already defined at spec.tasks[0]'),
        ({"minAvailable": 2}, "minAvailable 2 is greater than the 1 replicas of all tasks"),
        ({"policies": [{"event": "PodFailed", "action": "Explode"}]}, "spec.policies[0].action"),
        ({"policies": [POLICY, POLICY]}, "spec.policies[1]"),
        ({"maxRetry": -1}, "spec.maxRetry"),
        ({"ttlSecondsAfterFinished": -1}, "spec.ttlSecondsAfterFinished"),
        ({"plugins": {"svg": []}}, 'Volcano has no plugin "svg"'),
        ({"volumes": [{"mountPath": "/x"}]}, "spec.volumes[0]"),
        ({"tasks": [{**TASK, "dependsOn": {"name": ["u"]}}]}, '"u" is not a task of this Job'),
        ({"tasks": [{**TASK, "template": {"spec": {"containers": [{"name": "C_", "image": "i"}]}}}]},
         "spec.tasks[0].template.spec.containers[0].name"),
    ],
)  # fmt: skip
def test_a_template_of_which_no_job_can_be_made_is_refused(spec, words):
    refused = on_template("CREATE", template(**spec))
    assert isinstance(refused, Denied)
    assert words in refused.message


def test_a_good_template_is_allowed():
    assert on_template("CREATE", template()) == Allowed()


T = TemplateName("t")


class TestAgainstTemplates:
    def judge(self, *steps, **facts):
        return on_flow("CREATE", flow(*steps), facts=Facts(**{"templates": {T: JOB}, **facts}))

    def test_a_template_that_is_not_there_is_a_warning(self):
        told = self.judge(step("t"), templates={T: None})
        assert told.warnings == (
            'spec.flows[0].name: there is no JobTemplate "t" yet; the step waits until there is one',
        )

    def test_a_template_that_nobody_could_look_for_is_none(self):
        assert self.judge(step("t"), templates={}) == Allowed()

    def test_a_patch_that_does_not_fit_is_refused(self):
        patch = {"spec": {"tasks": [{"name": "other", "replicas": 2}]}}
        refused = self.judge(step("t", patch=patch))
        assert 'spec.flows[0].patch: patch.spec.tasks: "other" is no task of the template' in refused.message
        assert refused.rule == "flows.patch"

    def test_an_argument_that_the_template_does_not_take_is_refused(self):
        refused = self.judge(step("t", arguments=[{"name": "x", "value": 1}]))
        assert 'JobTemplate "t" has no parameter x' in refused.message

    def test_a_probe_of_a_task_that_is_not_there_is_refused(self):
        waits = {"targets": ["t"], "probe": {"taskStatusList": [{"taskName": "tt", "phase": "Succeeded"}]}}
        refused = self.judge(step("t"), {"name": "b", "dependsOn": waits}, templates={T: JOB, TemplateName("b"): JOB})
        assert 'no target has a task "tt"' in refused.message

    def test_a_template_that_is_itself_wrong_is_no_fault_of_the_flow(self):
        assert isinstance(self.judge(step("t"), templates={T: {"tasks": []}}), Allowed)

    def test_a_job_that_goes_before_the_flow_has_ended_is_a_warning(self):
        known = {T: {**JOB, "ttlSecondsAfterFinished": 5}, TemplateName("b"): JOB}
        [told] = self.judge(step("t"), step("b", "t"), templates=known).warnings
        assert "the Job and its logs go 5 s after its end" in told

    def test_who_may_not_make_jobs_learns_nothing_of_the_templates(self):
        refused = self.judge(step("t", patch={"spec": {"tasks": 7}}), forbidden='user "eve" cannot create jobs')
        assert (refused.code, refused.reason, refused.message) == (403, "Forbidden", 'user "eve" cannot create jobs')

    def test_where_rights_are_not_known_the_answer_is_to_try_again(self):
        refused = self.judge(step("t"), unknown="no answer")
        assert (refused.code, refused.reason) == (503, "ServiceUnavailable")


class TestDeletions:
    PROTECTS = Facts(protect_running=True)

    def stored(self, phase="Running", **annotations):
        obj = flow(step("a"))
        obj["metadata"]["annotations"] = annotations
        return {**obj, "status": {"state": {"phase": phase}}}

    def test_an_unfinished_flow_is_protected_where_that_is_wanted(self):
        refused = on_flow("DELETE", old=self.stored(), facts=self.PROTECTS)
        assert (refused.code, refused.rule) == (403, "protected")
        assert "kubectl annotate jobflow f -n ns flow.volcano.sh/force-delete=true" in refused.message
        assert on_flow("DELETE", old=self.stored()) == Allowed()

    def test_a_flow_without_a_status_is_unfinished(self):
        assert isinstance(on_flow("DELETE", old=flow(step("a")), facts=self.PROTECTS), Denied)

    @pytest.mark.parametrize("phase", ["Succeed", "Failed"])
    def test_an_ended_flow_may_go(self, phase):
        assert on_flow("DELETE", old=self.stored(phase), facts=self.PROTECTS) == Allowed()

    def test_who_insists_may(self):
        forced = self.stored(**{"flow.volcano.sh/force-delete": "true"})
        assert on_flow("DELETE", old=forced, facts=self.PROTECTS) == Allowed()
        asked = self.stored(**{"flow.volcano.sh/force-delete": "yes"})
        assert isinstance(on_flow("DELETE", old=asked, facts=self.PROTECTS), Denied)

    def test_a_template_stays_while_flows_need_it(self):
        refused = on_template("DELETE", old=template(), facts=Facts(users=["f", "g"]))
        assert (refused.code, refused.rule) == (403, "in use")
        assert "JobFlows f, g still need this template" in refused.message
        assert on_template("DELETE", old=template()) == Allowed()

    @pytest.mark.parametrize("collector", ["namespace-controller", "generic-garbage-collector"])
    def test_a_namespace_that_is_going_and_the_garbage_collector_are_never_held_up(self, collector):
        user = f"system:serviceaccount:kube-system:{collector}"
        assert on_flow("DELETE", old=self.stored(), facts=self.PROTECTS, user=user) == Allowed()
        assert on_template("DELETE", old=template(), facts=Facts(users=["f"]), user=user) == Allowed()
        ends = Facts(protect_running=True, users=["f"], namespace_ends=True)
        assert on_flow("DELETE", old=self.stored(), facts=ends) == Allowed()
        assert on_template("DELETE", old=template(), facts=ends) == Allowed()
