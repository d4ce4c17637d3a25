"""Offline checks: for each kind of mistake in files, the line it is told at and the words."""

import textwrap

import pytest

from jobflow.cli.check import check
from jobflow.cli.documents import load_documents

FLOW = """\
    apiVersion: flow.volcano.sh/v1alpha1
    kind: JobFlow
    metadata: {name: train}
"""
TEMPLATE = """\
    apiVersion: flow.volcano.sh/v1alpha1
    kind: JobTemplate
    metadata: {name: prep}
"""
TASK = "{name: main, replicas: 1, template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}}"
GOOD_TEMPLATE = f"{TEMPLATE}    spec: {{tasks: [{TASK}]}}\n"
GOOD_FLOW = f"{FLOW}    spec: {{flows: [{{name: prep}}]}}\n"


@pytest.fixture
def told(tmp_path):
    """What is found in one file, without its name: `3:5: error: ...`."""

    def told(*documents, namespace="default"):
        file = tmp_path / "f.yaml"
        file.write_text("---\n".join(textwrap.dedent(document) for document in documents))
        found = check(load_documents([str(file)]), namespace)
        return [str(finding).removeprefix(f"{file}:") for finding in found]

    return told


@pytest.mark.parametrize("policy", ["", "restartPolicy: Always, "], ids=["by default", "said so"])
def test_a_job_whose_pods_never_end_is_warned_about(told, policy):
    task = TASK.replace("restartPolicy: Never, ", policy)
    [line] = told(f"{TEMPLATE}    spec: {{tasks: [{task}]}}\n")
    assert "warning: spec.tasks[0].template.spec.restartPolicy: a container that ends is started again" in line
    assert "set restartPolicy: Never or OnFailure" in line


def test_a_job_with_one_task_that_ends_may_have_others_that_do_not(told):
    server = TASK.replace("restartPolicy: Never, ", "").replace("name: main", "name: server")
    assert told(f"{TEMPLATE}    spec: {{tasks: [{TASK}, {server}]}}\n") == []


def test_a_flow_with_its_templates_is_clean(told):
    assert told(GOOD_FLOW, GOOD_TEMPLATE) == []


@pytest.mark.parametrize(
    "document",
    [
        f"{{apiVersion: batch.volcano.sh/v1alpha1, kind: Job, metadata: {{name: x}}, spec: {{tasks: [{TASK}]}}}}",
        "{apiVersion: scheduling.volcano.sh/v1beta1, kind: Queue, metadata: {name: q}, spec: {weight: 1, "
        "capability: {cpu: 4, memory: 8Gi}}}",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, creationTimestamp: null}, data: {a: b}}",
        "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: b}, type: Opaque}",
        "{apiVersion: v1, kind: Namespace, metadata: {name: ml}}",
        "{apiVersion: flow.volcano.sh/v1alpha1, kind: JobFlow, metadata: {generateName: nightly-}, spec: {flows: []}}",
        "{apiVersion: flow.volcano.sh/v1alpha1, kind: JobFlow, metadata: {name: empty}}",
    ],
    ids=["Job", "Queue", "ConfigMap", "Secret", "Namespace", "generateName", "no spec"],
)
def test_other_kinds_that_are_applied_as_they_are(told, document):
    assert told(document) == []


WHOLE = {
    "no kind": ("apiVersion: v1\n", "1:1: error: kind: this field is required"),
    "no apiVersion": ("kind: JobFlow\n", "1:1: error: apiVersion: this field is required"),
    "a kind that is no word": (
        "apiVersion: v1\nkind: [JobFlow]\n",
        "2:1: error: kind: this field is required, and is a string",
    ),
    "a misspelt kind": (
        "apiVersion: v1\nkind: JobFlwo\n",
        '2:1: error: kind: jobflow does not know the kind "JobFlwo"; did you mean "JobFlow"?',
    ),
    "a kind jobflow does not apply": (
        "apiVersion: apps/v1\nkind: Deployment\n",
        '2:1: error: kind: jobflow does not know the kind "Deployment"; it knows JobFlow, JobTemplate, '
        "ClusterJobTemplate, Job, CronJob, Queue, ConfigMap, Secret and 1 more",
    ),
    "a version jobflow does not know": (
        "apiVersion: flow.volcano.sh/v1\nkind: JobFlow\n",
        '1:1: error: apiVersion: jobflow knows JobFlow as flow.volcano.sh/v1alpha1, not as "flow.volcano.sh/v1"',
    ),
    "a Kubernetes Job": (
        "apiVersion: batch/v1\nkind: Job\n",
        "1:1: error: apiVersion: this is a Kubernetes Job; jobflow runs Volcano's, "
        '"apiVersion: batch.volcano.sh/v1alpha1"',
    ),
}


@pytest.mark.parametrize(("document", "message"), WHOLE.values(), ids=WHOLE)
def test_what_the_object_is(told, document, message):
    assert told(document) == [message]


METADATA = {
    "no metadata": ("", "1:1: error: metadata: this field is required"),
    "metadata of a wrong type": ("metadata: x", "3:1: error: metadata: must be a mapping with the object's name"),
    "no name": ("metadata: {}", "3:1: error: metadata.name: the object needs a name"),
    "a number for a name": (
        "metadata: {name: 12}",
        '3:12: error: metadata.name: must be a string, and YAML reads 12 as a whole number; write "12", in quotes',
    ),
    "a name Kubernetes refuses": (
        "metadata: {name: My_Flow}",
        '3:12: error: metadata.name: "My_Flow" cannot be the name of an object; use lower-case letters, digits, "-" '
        'and ".", and begin and end each part between dots with a letter or digit',
    ),
    "a namespace Kubernetes refuses": (
        "metadata: {name: a, namespace: a.b}",
        '3:21: error: metadata.namespace: "a.b" cannot be a namespace; use at most 63 lower-case letters, digits '
        'and "-"',
    ),
    "a label that is no string": (
        "metadata: {name: a, labels: {gpu: yes}}",
        "3:30: error: metadata.labels.gpu: must be a string, and YAML reads yes as a boolean (true or false); "
        'write "yes", in quotes',
    ),
    "a misspelt field": (
        "metadata: {name: a, lables: {}}",
        '3:21: warning: metadata.lables: there is no field "lables" here, so it would be dropped; '
        'did you mean "labels"?',
    ),
}


@pytest.mark.parametrize(("metadata", "message"), METADATA.values(), ids=METADATA)
def test_metadata(told, metadata, message):
    assert told(f"apiVersion: flow.volcano.sh/v1alpha1\nkind: JobFlow\n{metadata}\n") == [message]


def test_a_queue_in_a_namespace(told):
    queue = "apiVersion: scheduling.volcano.sh/v1beta1\nkind: Queue\nmetadata: {name: q, namespace: x}\n"
    assert told(queue) == ["3:21: warning: metadata.namespace: a Queue is in no namespace; this is left out of account"]


FIELDS = {
    "a misspelt field": (
        "    spec: {flows: [{name: prep, dependOn: {}}]}\n",
        '4:29: warning: spec.flows[0].dependOn: there is no field "dependOn" here, so it would be dropped; '
        'did you mean "dependsOn"?',
    ),
    "a field of another kind": (
        "    spec: {flows: [], tasks: []}\n",
        '4:19: warning: spec.tasks: there is no field "tasks" here, so it would be dropped',
    ),
    "a word that YAML takes for true": (
        "    spec: {on: 1, flows: []}\n",
        '4:8: warning: spec.true: there is no field "true" here, so it would be dropped; '
        "YAML reads on, yes and y without quotes as true",
    ),
    "a field beside spec": (
        "    spce: {}\n",
        '4:1: warning: spce: there is no field "spce" here, so it would be dropped; did you mean "spec"?',
    ),
    "a string for a list": (
        "    spec: {flows: [{name: prep, dependsOn: {targets: a}}]}\n",
        "4:41: error: spec.flows[0].dependsOn.targets: must be a list, and is a string",
    ),
    "a list for a mapping": ("    spec: []\n", "4:1: error: spec: must be a mapping, and is a list"),
    "a boolean for a target": (
        "    spec: {flows: [{name: prep, dependsOn: {targets: [off]}}]}\n",
        "4:51: error: spec.flows[0].dependsOn.targets[0]: must be a string, and YAML reads off as a boolean "
        '(true or false); write "off", in quotes',
    ),
    "an unknown word": (
        "    spec: {jobRetainPolicy: retian, flows: [{name: prep}]}\n",
        '4:8: error: spec.jobRetainPolicy: "retian" is not one of retain, delete, delete-on-success, delete-always; '
        'did you mean "retain"?',
    ),
    "a step without a name": (
        "    spec:\n      flows:\n      - dependsOn: {}\n",
        "6:5: error: spec.flows[0].name: this field is required",
    ),
    "an empty name": (
        "    spec: {flows: [{name: ''}]}\n",
        '4:17: error: spec.flows[0].name: "" should be at least 1 chars long',
    ),
}


@pytest.mark.parametrize(("spec", "message"), FIELDS.values(), ids=FIELDS)
def test_fields_of_a_flow(told, spec, message):
    assert told(FLOW + spec, GOOD_TEMPLATE) == [message]


RULES = {
    "a misspelt target": (
        "[{name: prep}, {name: fit, dependsOn: {targets: [prpe]}}]",
        '4:64: error: spec.flows[1].dependsOn.targets[0]: "prpe" is not a step of this flow; did you mean "prep"?',
    ),
    "a step that depends on itself": (
        "[{name: fit, dependsOn: {targets: [fit]}}]",
        '4:50: error: spec.flows[0].dependsOn.targets[0]: step "fit" depends on itself, so it would never start',
    ),
    "a cycle": (
        "[{name: prep, dependsOn: {targets: [fit]}}, {name: fit, dependsOn: {targets: [prep]}}]",
        "4:51: error: spec.flows[0].dependsOn.targets[0]: these steps wait for each other, so none would ever start: "
        "prep -> fit -> prep (each waits for the next); take one of these dependencies away",
    ),
    "a step name given twice": (
        "[{name: prep}, {name: prep}]",
        '4:31: error: spec.flows[1].name: step "prep" is already defined at spec.flows[0]; '
        "give each step a name of its own",
    ),
}


@pytest.mark.parametrize(("flows", "message"), RULES.values(), ids=RULES)
def test_rules_of_a_flow(told, flows, message):
    fit = GOOD_TEMPLATE.replace("name: prep", "name: fit")
    assert told(f"{FLOW}    spec: {{flows: {flows}}}\n", GOOD_TEMPLATE, fit) == [message]


def test_rules_are_told_although_another_field_is_wrong(told):
    flow = f"{FLOW}    spec: {{jobRetainPolicy: keep, flows: [{{name: prep, dependsOn: {{targets: [x]}}}}]}}\n"
    assert [line.split(": ")[2] for line in told(flow, GOOD_TEMPLATE)] == [
        "spec.jobRetainPolicy",
        "spec.flows[0].dependsOn.targets[0]",
    ]


TEMPLATES = {
    "no tasks": ("{tasks: []}", "4:8: error: spec.tasks: a Job needs at least one task"),
    "a string for a number": (
        "{tasks: [{name: main, replicas: '2', minAvailable: 2}]}",
        "4:29: error: spec.tasks[0].replicas: must be a whole number, and is a string",
    ),
    "a number below its limit": (
        "{minSuccess: 0, tasks: [{replicas: 1}]}",
        "4:8: error: spec.minSuccess: 0 should be greater than or equal to 1",
    ),
    "negative replicas, told once": (
        "{tasks: [{replicas: -1}]}",
        "4:17: error: spec.tasks[0].replicas: replicas is -1; it must be 0 or more",
    ),
    "a task name in capitals": (
        "{tasks: [{name: Main}]}",
        "4:17: error: spec.tasks[0].name: \"Main\" should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'",
    ),
    "a misspelt policy action": (
        "{tasks: [{replicas: 1}], policies: [{event: PodFailed, action: CompletedJob}]}",
        '4:62: error: spec.policies[0].action: "CompletedJob" is not an action; did you mean "CompleteJob"?',
    ),
    "a misspelt policy event, told once": (
        "{tasks: [{replicas: 1}], policies: [{event: PodFaild, action: RestartJob}]}",
        '4:44: error: spec.policies[0].event: "PodFaild" is not an event that a policy can act on; '
        'did you mean "PodFailed"?',
    ),
    "a pod without containers": (
        "{tasks: [{template: {spec: {restartPolicy: Never}}}]}",
        "4:28: error: spec.tasks[0].template.spec.containers: this field is required",
    ),
    "an environment value that is no string": (
        "{tasks: [{template: {spec: {restartPolicy: Never, containers: [{name: c, env: [{name: A, value: on}]}]}}}]}",
        "4:96: error: spec.tasks[0].template.spec.containers[0].env[0].value: must be a string, and YAML reads on as a "
        'boolean (true or false); write "on", in quotes',
    ),
    "two containers of one name": (
        "{tasks: [{template: {spec: {restartPolicy: Never, containers: [{name: c}, {name: c}]}}}]}",
        '4:81: error: spec.tasks[0].template.spec.containers[1]: {"name":"c"} is in this list twice',
    ),
    "a field that is not in a pod template's metadata": (
        "{tasks: [{template: {metadata: {label: {}}, spec: {restartPolicy: Never, containers: []}}}]}",
        '4:39: warning: spec.tasks[0].template.metadata.label: there is no field "label" here, so it would be dropped; '
        'did you mean "labels"?',
    ),
}


@pytest.mark.parametrize(("spec", "message"), TEMPLATES.values(), ids=TEMPLATES)
def test_fields_and_rules_of_a_template(told, spec, message):
    assert told(f"{TEMPLATE}    spec: {spec}\n") == [message]


def test_a_config_map_with_a_number(told):
    assert told("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {port: 8080}\n") == [
        '4:8: error: data.port: must be a string, and YAML reads 8080 as a whole number; write "8080", in quotes'
    ]


def test_a_template_in_another_namespace(told):
    template = GOOD_TEMPLATE.replace("name: prep", "name: prep, namespace: other")
    assert told(GOOD_FLOW, template) == [
        '4:17: error: spec.flows[0].name: JobTemplate "prep" is in namespace "other", the flow in "default"'
    ]


def test_objects_that_name_no_namespace_go_into_the_one_given(told):
    template = GOOD_TEMPLATE.replace("name: prep", "name: prep, namespace: other")
    assert told(GOOD_FLOW, template, namespace="other") == []


def test_a_template_of_almost_the_steps_name(told):
    assert told(GOOD_FLOW, GOOD_TEMPLATE.replace("name: prep", "name: prepp")) == [
        '4:17: error: spec.flows[0].name: there is no JobTemplate "prep" in these files; did you mean "prepp"?'
    ]


def test_a_template_that_is_not_among_those_of_the_files(told):
    assert told(GOOD_FLOW, GOOD_TEMPLATE.replace("name: prep", "name: zzz")) == [
        '4:17: error: spec.flows[0].name: there is no JobTemplate "prep" in these files'
    ]


def test_a_flow_alone_may_find_its_templates_in_the_cluster(told):
    assert told(GOOD_FLOW) == [
        '4:17: warning: spec.flows[0].name: there is no JobTemplate "prep" in these files; '
        'the step waits until namespace "default" has one'
    ]


def test_a_task_name_that_leaves_no_room_for_the_flows_and_the_steps(told):
    template = GOOD_TEMPLATE.replace("name: main, replicas: 1,", f"name: {'t' * 55}, replicas: 1000,")
    assert told(GOOD_FLOW, template) == [
        f'4:17: error: spec.flows[0].name: the pods of step "prep" cannot be named: task "{"t" * 55}" and its index '
        "leave no room in the 63 characters of a pod name; shorten the task's name"
    ]


def test_a_flow_name_that_no_service_can_have(told):
    template = GOOD_TEMPLATE.replace("spec: {", "spec: {plugins: {svc: []}, ")
    assert told(GOOD_FLOW.replace("name: train", "name: 1x"), template) == [
        '4:17: error: spec.flows[0].name: plugin "svc" makes a Service named as the Job, "1x-prep", and a Service\'s '
        "name begins with a letter and has no dots; rename the flow or the step"
    ]


def test_a_template_that_templateref_names(told):
    flow = GOOD_FLOW.replace("{name: prep}", "{name: small, templateRef: {name: prep}}")
    assert told(flow, GOOD_TEMPLATE) == []
    (said,) = told(flow.replace("name: prep", "name: prepp"), GOOD_TEMPLATE)
    assert said == (
        '4:44: error: spec.flows[0].templateRef.name: there is no JobTemplate "prepp" in these files; '
        'did you mean "prep"?'
    )


def test_a_patch_that_does_not_fit_its_template(told):
    flow = GOOD_FLOW.replace("{name: prep}", "{name: prep, patch: {spec: {minAvailable: 3}}}")
    (said,) = told(flow, GOOD_TEMPLATE)
    assert "error: spec.flows[0].patch: spec.minAvailable: minAvailable 3 is greater than the 1 replicas" in said


OF_THE_CLUSTER = GOOD_TEMPLATE.replace("flow.volcano.sh/v1alpha1", "ext.flow.volcano.sh/v1alpha1").replace(
    "kind: JobTemplate", "kind: ClusterJobTemplate"
)
NAMES_THE_CLUSTERS = GOOD_FLOW.replace(
    "{name: prep}", "{name: small, templateRef: {name: prep, kind: ClusterJobTemplate}}"
)


@pytest.mark.parametrize(
    ("said", "documents", "expect"),
    [
        ("it is there", [NAMES_THE_CLUSTERS, OF_THE_CLUSTER], None),
        ("of both kinds one", [NAMES_THE_CLUSTERS, OF_THE_CLUSTER, GOOD_TEMPLATE], None),
        (
            "the kind is left out, and the cluster's is meant",
            [GOOD_FLOW, OF_THE_CLUSTER],
            'error: spec.flows[0].name: "prep" is a ClusterJobTemplate in these files: say templateRef.kind',
        ),
        (
            "the kind is said, and the namespace's is meant",
            [NAMES_THE_CLUSTERS, GOOD_TEMPLATE],
            'error: spec.flows[0].templateRef.name: "prep" is a JobTemplate in these files: take templateRef.kind away',
        ),
        (
            "misspelt",
            [NAMES_THE_CLUSTERS.replace("name: prep,", "name: prepp,"), OF_THE_CLUSTER],
            'error: spec.flows[0].templateRef.name: there is no ClusterJobTemplate "prepp" in these files; did you',
        ),
        (
            "left to the cluster",
            [NAMES_THE_CLUSTERS],
            'warning: spec.flows[0].templateRef.name: there is no ClusterJobTemplate "prep" in these files; the step '
            "waits until the cluster has one",
        ),
        (
            "another kind",
            [NAMES_THE_CLUSTERS.replace("ClusterJobTemplate", "ClusterTemplate"), GOOD_TEMPLATE],
            "error: spec.flows[0].templateRef.kind: ",
        ),
        (
            "in a namespace",
            [OF_THE_CLUSTER.replace("{name: prep}", "{name: prep, namespace: a}"), NAMES_THE_CLUSTERS],
            "warning: metadata.namespace: a ClusterJobTemplate is in no namespace",
        ),
        (
            "no Job",
            [NAMES_THE_CLUSTERS, OF_THE_CLUSTER.replace("spec: {", "spec: {minAvailable: 9, ")],
            "error: spec.minAvailable: minAvailable 9 is greater than the 1 replicas",
        ),
    ],
)
def test_templates_of_the_cluster(told, said, documents, expect):
    found = told(*documents)
    if expect is None:
        assert found == [], said
    else:
        assert [line for line in found if expect in line], f"{said}: {found}"


def test_a_value_of_a_patch_that_counts_as_unset_is_warned_about(told):
    patch = "{name: prep, patch: {jobSpec: {maxRetry: 5, queue: default}}}"
    (line,) = told(GOOD_FLOW.replace("{name: prep}", patch), GOOD_TEMPLATE)
    assert "warning: spec.flows[0].patch.jobSpec.queue: default counts as unset" in line
    assert line.endswith("to set it, write patch.spec")
    assert told(GOOD_FLOW.replace("{name: prep}", patch.replace("maxRetry: 5, ", "")), GOOD_TEMPLATE) == []
    assert told(GOOD_FLOW.replace("{name: prep}", patch.replace("jobSpec", "spec")), GOOD_TEMPLATE) == []


PROBED = (
    FLOW
    + """\
    spec:
      flows:
      - name: prep
      - name: fit
        dependsOn:
          targets: [prep]
          probe: {tcpSocket: {taskName: TASK, port: PORT}}
"""
)
FIT = GOOD_TEMPLATE.replace("name: prep", "name: fit")


def probed(task="main", port="5432"):
    return PROBED.replace("TASK", task).replace("PORT", port)


def test_a_probe_of_a_task_of_the_target(told):
    assert told(probed(), GOOD_TEMPLATE, FIT) == []


def test_a_probe_of_a_task_that_no_target_has(told):
    assert told(probed(task="mian"), GOOD_TEMPLATE, FIT) == [
        "10:27: error: spec.flows[1].dependsOn.probe.tcpSocket.taskName: no target has a task "
        '"mian"; did you mean "main"?'
    ]


@pytest.mark.parametrize("port", ["0", "70000"])
def test_a_probe_of_a_port_that_cannot_be(told, port):
    (said,) = told(probed(port=port), GOOD_TEMPLATE, FIT)
    assert "spec.flows[1].dependsOn.probe.tcpSocket.port: " in said


def test_a_probe_without_a_place_to_ask(told):
    (said,) = told(probed().replace("taskName: main, ", ""), GOOD_TEMPLATE, FIT)
    assert "spec.flows[1].dependsOn.probe.tcpSocket: either host or taskName says whom to ask; add one" in said


def test_an_object_defined_twice_names_the_first_place(told, tmp_path):
    assert told(GOOD_TEMPLATE, GOOD_TEMPLATE) == [
        f"8:12: error: metadata.name: JobTemplate default/prep is already defined at {tmp_path}/f.yaml:3"
    ]


def test_objects_of_one_name_but_another_kind_or_namespace_are_not_the_same(told):
    assert (
        told(GOOD_FLOW.replace("train", "prep"), GOOD_TEMPLATE, GOOD_TEMPLATE.replace("prep", "prep, namespace: b"))
        == []
    )


def test_findings_come_in_the_order_of_the_files_and_lines(tmp_path):
    (tmp_path / "b.yaml").write_text("kind: X\n---\na: [\n")
    (tmp_path / "a.yaml").write_text("kind: X\n")
    found = check(load_documents([str(tmp_path / "none"), str(tmp_path / "b.yaml"), str(tmp_path / "a.yaml")]))
    assert [(finding.source.rpartition("/")[2], finding.line) for finding in found] == [
        ("none", 0),
        ("b.yaml", 1),
        ("b.yaml", 4),
        ("a.yaml", 1),
    ]


def test_the_documents_are_left_as_they_were(tmp_path):
    (tmp_path / "f.yaml").write_text(textwrap.dedent(TEMPLATE) + "spec: {tasks: [{x: null}], z: 1}\n")
    documents = load_documents([str(tmp_path / "f.yaml")])
    check(documents)
    assert documents.documents[0].data["spec"] == {"tasks": [{"x": None}], "z": 1}


def test_a_flow_of_a_thousand_steps_with_a_misspelt_last_target(told):
    steps = "".join(f"      - {{name: s{i}, dependsOn: {{targets: [s{i - 1}]}}}}\n" for i in range(1, 1000))
    last = "      - {name: z, dependsOn: {targets: [s10000]}}\n"
    found = told(f"{FLOW}    spec:\n      flows:\n      - name: s0\n{steps}{last}")
    errors = [line for line in found if "error" in line]
    assert errors == [
        '1006:37: error: spec.flows[1000].dependsOn.targets[0]: "s10000" is not a step of this flow; '
        'did you mean "s100"?'
    ]


def test_a_secrets_value_is_never_repeated(told):
    assert told("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {pin: 123456}\n") == [
        "4:14: error: stringData.pin: must be a string, and is a whole number; put it in quotes"
    ]


def test_a_job_whose_pods_cannot_be_named(told):
    job = (
        f"apiVersion: batch.volcano.sh/v1alpha1\nkind: Job\nmetadata: {{name: {'j' * 60}}}\nspec: {{tasks: [{TASK}]}}\n"
    )
    assert told(job) == [
        "3:12: error: metadata.name: with a task's name and index the name has 67 characters; a pod may have 63"
    ]


def test_many_documents_are_checked_in_one_go(told):
    names = [f"t{index}" for index in range(300)]
    assert told(*[GOOD_TEMPLATE.replace("name: prep", f"name: {name}") for name in names]) == []
