"""What a step brings to its template, and what becomes of the template with it."""

from __future__ import annotations

import json

import pytest

from jobflow.api.config_keys import ConfigFound, ConfigKeys
from jobflow.api.status import FlowStatus, JobFlowStatus, OutputStatus, Reason, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import flow, template

WORKER = (
    template("worker")
    .task("worker", command=["work", "--size", "$(params.size)", "$(HOSTNAME)", "$$(params.size)"])
    .having(parameters=[{"name": "size", "value": "small"}, {"name": "tag", "value": "1.10"}])
)
PLAIN = template("plain").task("main", command=["echo", "$(params.size)", "$(context.name)"])


def spec_of(built, *templates, answers=None):
    """The spec of the one Job that is created."""
    (create,) = plan_of(built, *templates, answers=answers).creates
    return json.loads(json.dumps(create.body["spec"]))


def plan_of(built, *templates, answers=None):
    views = [one.view() for one in templates or (WORKER, PLAIN)]
    return reconcile_flow(built.snapshot(templates=views, answers=answers))


def why_not(built, *templates, answers=None):
    """Reason and message of the step that failed or waits."""
    plan = plan_of(built, *templates, answers=answers)
    assert plan.creates == ()
    (told,) = plan.status.flowStatuses
    return told.phase, told.reason, told.message


def step(**fields):
    return flow("f").step("a").having(templateRef={"name": "worker"}, **fields)


def container(spec):
    return spec["tasks"][0]["template"]["spec"]["containers"][0]


class TestATemplateWithParameters:
    def test_takes_its_defaults_and_is_no_parameter_any_more(self):
        spec = spec_of(step())
        assert container(spec)["command"] == ["work", "--size", "small", "$(HOSTNAME)", "$(params.size)"]
        assert "parameters" not in spec

    def test_takes_what_the_step_gives(self):
        spec = spec_of(step(arguments=[{"name": "size", "value": "large"}]))
        assert container(spec)["command"][2] == "large"

    def test_writes_numbers_and_lists_as_text_where_only_text_can_stand(self):
        assert container(spec_of(step(arguments=[{"name": "size", "value": 8}])))["command"][2] == "8"
        assert container(spec_of(step(arguments=[{"name": "size", "value": ["a", 1]}])))["command"][2] == '["a",1]'

    def test_tells_its_pods_where_they_are(self):
        env = container(spec_of(flow("f").step("worker")))["env"]
        assert {"name": "JOBFLOW_STEP", "value": "worker"} in env

    def test_sees_the_flow_only_through_its_arguments(self):
        sees = (
            template("worker").task("main", command=["$(params.n)"]).having(parameters=[{"name": "size", "value": 1}])
        )
        phase, reason, message = why_not(step().parameter("n", 3), sees)
        assert (phase, reason) == (StepPhase.FAILED, Reason.PARAMETER_INVALID)
        assert "$(params.n): it declares no parameter n" in message

    def test_is_left_byte_for_byte_as_it_is_where_it_declares_none(self):
        built = flow("f").parameter("size", "x").step("plain")
        assert container(spec_of(built))["command"] == ["echo", "$(params.size)", "$(context.name)"]


class TestAStep:
    def test_takes_values_of_the_flow_into_its_arguments(self):
        built = step(arguments=[{"name": "size", "value": "n=$(params.n)"}]).parameter("n", 8)
        assert container(spec_of(built))["command"][2] == "n=8"

    def test_passes_a_whole_value_on_with_its_type(self):
        built = step(
            arguments=[{"name": "size", "value": "$(params.cfg)"}], patch={"spec": {"minAvailable": "$(params.cfg.n)"}}
        ).parameter("cfg", {"n": 1, "l": [True]})
        spec = spec_of(built)
        assert container(spec)["command"][2] == '{"n":1,"l":[true]}'
        assert spec["minAvailable"] == 1

    def test_has_numbers_where_a_job_has_numbers(self):
        patch = {"spec": {"minAvailable": "$(params.n)", "tasks": [{"name": "worker", "replicas": "$(params.n)"}]}}
        spec = spec_of(step(patch=patch).parameter("n", 8))
        assert (spec["minAvailable"], spec["tasks"][0]["replicas"]) == (8, 8)

    def test_names_itself(self):
        patch = {"metadata": {"annotations": {"who": "$(context.namespace)/$(context.name)/$(context.step)"}}}
        (create,) = plan_of(step(patch=patch)).creates
        assert create.body["metadata"]["annotations"]["who"] == "default/f/a"

    def test_gets_no_value_looked_into_for_more_placeholders(self):
        """What came from outside is a text, whatever it looks like."""
        found = ConfigFound((("k", "$(params.n) $(context.uid)"),))
        built = step(arguments=[{"name": "size", "value": "$(params.c)"}]).parameter("c", **from_map("m", "k"))
        spec = spec_of(built, answers={asks("m", "k"): found})
        assert container(spec)["command"][2] == "$$(params.n) $$(context.uid)", "as a kubelet takes it for that text"

    def test_keeps_the_spelling_of_a_text_that_reads_as_a_number(self):
        built = step(
            patch={
                "spec": {
                    "tasks": [
                        {
                            "name": "worker",
                            "template": {"spec": {"containers": [{"name": "main", "image": "app:$(params.tag)"}]}},
                        }
                    ]
                }
            }
        ).parameter("tag", **from_map("m", "k"))
        spec = spec_of(built, answers={asks("m", "k"): ConfigFound((("k", "1.10"),))})
        assert container(spec)["image"] == "app:1.10"


def from_map(name, key, **more):
    return {"valueFrom": {"configMapKeyRef": {"name": name, "key": key, **more}}}


def asks(name, *keys, required=True):
    return ConfigKeys("default", "flow-f", name, keys, frozenset(keys if required else ()))


class TestAConfigMap:
    built = step(arguments=[{"name": "size", "value": "$(params.c)"}]).parameter("c", **from_map("m", "k"))

    def test_is_asked_when_a_step_first_needs_it(self):
        plan = plan_of(self.built)
        assert plan.questions == {asks("m", "k")}
        assert plan.creates == ()

    def test_is_not_asked_before(self):
        later = (
            flow("f")
            .step("b")
            .step("a", after="b")
            .having(templateRef={"name": "worker"}, arguments=[{"name": "size", "value": "$(params.c)"}])
            .parameter("c", **from_map("m", "k"))
        )
        plan = plan_of(later, WORKER, template("b").task("main"))
        assert plan.questions == frozenset()

    def test_is_asked_on_so_that_what_was_read_stays(self):
        plan = plan_of(self.built, answers={asks("m", "k"): ConfigFound((("k", "v"),))})
        assert plan.questions == {asks("m", "k")}
        assert len(plan.creates) == 1

    def test_that_an_earlier_flow_of_the_name_asked_is_not_asked_on(self):
        plan = plan_of(self.built.incarnation("new"), answers={asks("m", "k"): ConfigFound((("k", "v"),))})
        assert {question.flow_uid for question in plan.questions} == {"new"}

    def test_that_is_not_there_keeps_only_its_step_waiting(self):
        problem = "there is no ConfigMap m in namespace default"
        phase, reason, message = why_not(self.built, answers={asks("m", "k"): ConfigFound(problem=problem)})
        assert (phase, reason) == (StepPhase.WAITING, Reason.PARAMETER_NOT_FOUND)
        assert message == f"parameter c has no value: {problem}; the step starts when it has one"

    @pytest.mark.parametrize(
        ("said", "declared", "text", "expected"),
        [
            ("the default, where there is one", {"value": "d"}, None, "d"),
            ("nothing, where it is optional", from_map("m", "k", optional=True), None, ""),
            ("the text, where the default is a text", {"value": "1"}, "2", "2"),
            ("a number, where the default is one", {"value": 1}, "2", "2"),
            ("what is allowed", {"enum": ["1.10", "1.11"]}, "1.10", "1.10"),
        ],
    )
    def test_gives(self, said, declared, text, expected):
        fields = from_map("m", "k") | declared
        built = step(arguments=[{"name": "size", "value": "$(params.c)"}]).parameter("c", **fields)
        waited = "value" not in declared and "valueFrom" not in declared
        found = ConfigFound((("k", text),))
        spec = spec_of(built, answers={asks("m", "k", required=waited): found})
        assert container(spec)["command"][2] == expected

    @pytest.mark.parametrize(
        ("declared", "text", "told"),
        [
            ({"value": 1}, "two", "it is a number where it is declared, and the value given is a text"),
            ({"enum": ["a", "b"]}, "hidden", "the value is none of the allowed ones: a, b"),
            ({"value": ["a"]}, "{}", "it is a list where it is declared, and the value given is a mapping"),
            ({}, "x" * 300_000, "the value has more than 256 KiB"),
        ],
    )
    def test_whose_value_is_no_good_fails_the_step(self, declared, text, told):
        built = step(arguments=[{"name": "size", "value": "$(params.c)"}]).parameter(
            "c", **from_map("m", "k"), **declared
        )
        found = ConfigFound((("k", text),))
        phase, reason, message = why_not(built, answers={asks("m", "k", required="value" not in declared): found})
        assert (phase, reason) == (StepPhase.FAILED, Reason.PARAMETER_INVALID)
        assert message.startswith(f"parameter c: key k of ConfigMap m: {told}")
        assert text not in message


BAD = [
    (
        "an argument that the template does not declare",
        {"arguments": [{"name": "sise", "value": 1}]},
        'JobTemplate worker has no parameter sise; did you mean "size"?',
    ),
    (
        "a number where text is given",
        {"patch": {"spec": {"minAvailable": "$(params.text)"}}},
        "patch.spec.minAvailable: takes a number, and $(params.text) is a text",
    ),
    (
        "a number in quotes",
        {"patch": {"spec": {"minAvailable": "$(params.quoted)"}}},
        "$(params.quoted) is a number in quotes, which is a text: write it without quotes",
    ),
    (
        "a name that is a list",
        {"patch": {"spec": {"schedulerName": "$(params.list)"}}},
        "patch.spec.schedulerName: takes text, and $(params.list) is a list",
    ),
    (
        "a label that is none",
        {"patch": {"metadata": {"labels": {"x": "$(params.spaced)"}}}},
        "patch.metadata.labels[x]: the value is none for a label",
    ),
    (
        "a field that a value does not have",
        {"arguments": [{"name": "size", "value": "$(params.map.b)"}]},
        "argument size: $(params.map.b): there is no field b; the value has a",
    ),
]


@pytest.mark.parametrize(("said", "fields", "told"), BAD, ids=[row[0] for row in BAD])
def test_what_cannot_be_filled_in_fails_the_step_and_says_where(said, fields, told):
    built = (
        step(**fields)
        .parameter("text", "eight")
        .parameter("quoted", "8")
        .parameter("list", [1])
        .parameter("spaced", "a b")
        .parameter("map", {"a": 1})
    )
    phase, reason, message = why_not(built)
    assert (phase, reason) == (StepPhase.FAILED, Reason.PARAMETER_INVALID)
    assert told in message


def test_two_tasks_of_one_name_are_told_with_what_made_them_so():
    patch = {"spec": {"tasks": [{"name": "worker"}, {"name": "$(params.other)"}]}}
    phase, reason, message = why_not(step(patch=patch).parameter("other", "worker"))
    assert (phase, reason) == (StepPhase.FAILED, Reason.PATCH_INVALID)
    assert message.endswith("patch.spec.tasks[1]: the same item is there twice")


def test_a_template_with_too_many_pods_for_its_arguments_is_told_as_volcano_would():
    patch = {"spec": {"minAvailable": "$(params.n)"}}
    phase, reason, message = why_not(step(patch=patch).parameter("n", 8))
    assert (phase, reason) == (StepPhase.FAILED, Reason.PATCH_INVALID)
    assert message == (
        "JobTemplate worker cannot be patched: spec.minAvailable: is greater than the replicas of all tasks, so the "
        "Job could never start (the patch says so)"
    )


def policed(**more):
    """A template whose policy the step chooses."""
    return WORKER.having(
        parameters=[{"name": "action", "value": "RestartJob"}, *WORKER.spec["parameters"]],
        policies=[{"event": "PodFailed", "action": "$(params.action)"}],
        **more,
    )


def test_what_comes_of_a_template_is_checked_as_volcano_would():
    phase, reason, message = why_not(step(arguments=[{"name": "action", "value": "Restart"}]), policed())
    assert (phase, reason) == (StepPhase.FAILED, Reason.PARAMETER_INVALID)
    assert message.startswith(
        "what comes of JobTemplate worker with its arguments is no Job: spec.policies[0].action: "
    )
    assert spec_of(step(arguments=[{"name": "action", "value": "AbortJob"}]), policed())["policies"][0] == {
        "event": "PodFailed",
        "action": "AbortJob",
    }


def test_what_comes_of_a_template_is_checked_with_the_patch_that_may_mend_it():
    mended = {"spec": {"tasks": [{"name": "worker", "replicas": 3}]}}
    assert spec_of(step(patch=mended), policed(minAvailable=3))["minAvailable"] == 3
    phase, reason, message = why_not(step(), policed(minAvailable=3))
    assert (phase, reason) == (StepPhase.FAILED, Reason.PARAMETER_INVALID)
    assert "spec.minAvailable: is greater than the replicas of all tasks" in message


SECRET = "hunter2"
PRIVATE = [
    (
        "a text in the patch",
        {"patch": {"spec": {"policies": [{"event": "$(params.secret)", "action": "AbortJob"}]}}},
        Reason.PATCH_INVALID,
        "spec.policies[0].event: is not an event that a policy can act on; the events are *, PodFailed",
    ),
    (
        "a mapping in the patch, whose keys are told as part of no path",
        {"patch": {"spec": {"plugins": "$(params.mapping)"}}},
        Reason.PATCH_INVALID,
        "spec.plugins: Volcano has no such plugin; its plugins are env, svc",
    ),
    (
        "a text in the template, with a patch that is plain",
        {"arguments": [{"name": "action", "value": "$(params.secret)"}], "patch": {"spec": {"queue": "q"}}},
        Reason.PATCH_INVALID,
        "spec.policies[0].action: is not an action; the actions are AbortJob",
    ),
    (
        "a text in the template",
        {"arguments": [{"name": "action", "value": "$(params.secret)"}]},
        Reason.PARAMETER_INVALID,
        "spec.policies[0].action: is not an action; the actions are AbortJob",
    ),
]


@pytest.mark.parametrize(("said", "fields", "expect", "told"), PRIVATE, ids=[row[0] for row in PRIVATE])
def test_what_is_no_job_is_told_by_place_and_rule_without_the_value(said, fields, expect, told):
    built = step(**fields).parameter("secret", SECRET).parameter("mapping", {SECRET: []})
    plan = plan_of(built, policed())
    (entry,) = plan.status.flowStatuses
    assert (entry.phase, entry.reason) == (StepPhase.FAILED, expect)
    assert told in entry.message
    assert SECRET not in str(plan.status)
    assert SECRET not in str(plan.events)


def test_so_it_is_where_only_the_patch_has_values_and_the_template_takes_none():
    patch = {"spec": {"policies": [{"event": "$(params.secret)", "action": "AbortJob"}]}}
    plan = plan_of(flow("f").step("plain").having(patch=patch).parameter("secret", SECRET))
    (entry,) = plan.status.flowStatuses
    assert (entry.phase, entry.reason) == (StepPhase.FAILED, Reason.PATCH_INVALID)
    assert "spec.policies[0].event: is not an event that a policy can act on" in entry.message
    assert SECRET not in str(plan.status)


def test_what_was_written_and_not_put_in_is_told_as_it_is():
    patch = {"spec": {"policies": [{"event": "PodFaild", "action": "AbortJob"}]}}
    _, reason, message = why_not(flow("f").step("plain").having(patch=patch))
    assert reason == Reason.PATCH_INVALID
    assert '"PodFaild" is not an event that a policy can act on; did you mean "PodFailed"?' in message


@pytest.mark.parametrize(
    ("said", "built", "private"),
    [
        ("nothing", flow("f").step("plain"), False),
        ("a plain patch", flow("f").step("plain").having(patch={"spec": {"queue": "q"}}), False),
        ("a placeholder", flow("f").step("plain").having(patch={"spec": {"queue": "$(context.name)"}}), True),
        ("an argument", step(arguments=[{"name": "size", "value": "large"}]), True),
        ("a template with parameters", step(), True),
    ],
)
def test_a_child_is_private_where_values_were_put_in_by(said, built, private):
    (create,) = plan_of(built).creates
    assert create.private is private


def test_many_small_placeholders_of_a_large_value_make_no_giant():
    many = "$(params.large)" * 100
    phase, reason, message = why_not(
        step(arguments=[{"name": "size", "value": many}]).parameter("large", "x" * 100_000)
    )
    assert (phase, reason) == (StepPhase.FAILED, Reason.PARAMETER_INVALID)
    assert "more than 512 KiB would be put in" in message
    assert len(message) < 300


def test_what_came_out_of_a_job_reaches_no_image_through_an_argument():
    image = template("worker").having(
        parameters=[{"name": "image", "value": "busybox"}],
        tasks=[{"name": "w", "template": {"spec": {"containers": [{"name": "c", "image": "$(params.image)"}]}}}],
    )
    built = flow("f").step("p").having(outputs=[{"name": "i", "from": {"terminationMessage": {}}}])
    built = built.step("a", after="p").having(
        templateRef={"name": "worker"}, arguments=[{"name": "image", "value": "evil/$(steps.p.outputs.i)"}]
    )
    ended = FlowStatus(name="p", phase=StepPhase.SUCCEEDED, jobName="f-p", outputs=(OutputStatus("i", "x"),))
    built = built.status(JobFlowStatus(flowStatuses=(ended,)))
    plan = plan_of(built, image, template("p").task("main"))
    told = plan.status.flowStatuses[1]
    assert (told.phase, told.reason) == (StepPhase.FAILED, Reason.PARAMETER_INVALID)
    assert "$(params.image) came out of a Job, and what comes out of a Job may not decide on image" in told.message
