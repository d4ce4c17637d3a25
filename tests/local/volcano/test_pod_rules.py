"""What Kubernetes would say of a pod template."""

import pytest

from jobflow.local.volcano.pod_rules import template_problems, template_warnings

MAIN = {"name": "c", "image": "i"}


def template(container=None, **spec):
    return {"spec": {"containers": [{**MAIN, **(container or {})}], **spec}}


@pytest.mark.parametrize(
    ("of", "told"),
    [
        ({}, "template.spec.containers: Required value"),
        ({"spec": {"containers": []}}, "template.spec.containers: Required value"),
        (
            template(restartPolicy="OnSuccess"),
            'template.spec.restartPolicy: Unsupported value: "OnSuccess": '
            'supported values: "Always", "OnFailure", "Never"',
        ),
        (template({"name": ""}), "template.spec.containers[0].name: Required value"),
        (
            template({"name": "Main"}),
            'template.spec.containers[0].name: Invalid value: "Main": a lowercase RFC 1123 label',
        ),
        (template(initContainers=[MAIN]), 'template.spec.containers[0].name: Duplicate value: "c"'),
        (
            template({"imagePullPolicy": "Sometimes"}),
            'template.spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes"',
        ),
        (
            template({"ports": [{"containerPort": 70000}]}),
            "template.spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535",
        ),
        (template({"env": [{"value": "x"}]}), "template.spec.containers[0].env[0].name: Required value"),
        (
            template({"env": [{"name": "a", "value": "x", "valueFrom": {"fieldRef": {}}}]}),
            "template.spec.containers[0].env[0].valueFrom: Invalid value: may not be specified when `value`",
        ),
        (
            template({"volumeMounts": [{"name": "data", "mountPath": "/data"}]}),
            'template.spec.containers[0].volumeMounts[0].name: Not found: "data"',
        ),
        (
            template({"volumeMounts": [{"name": "data"}]}, volumes=[{"name": "data", "emptyDir": {}}]),
            "template.spec.containers[0].volumeMounts[0].mountPath: Required value",
        ),
        (
            template(
                {"volumeMounts": [{"name": "data", "mountPath": "/d"}] * 2}, volumes=[{"name": "data", "emptyDir": {}}]
            ),
            'template.spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/d": must be unique',
        ),
        (template(volumes=[{"name": "a"}, {"name": "a"}]), 'template.spec.volumes[1].name: Duplicate value: "a"'),
        (template(volumes=[{"name": "a.b"}]), 'template.spec.volumes[0].name: Invalid value: "a.b"'),
    ],
)
def test_what_is_refused(of, told):
    assert any(problem.startswith(told) for problem in template_problems(of))


@pytest.mark.parametrize(
    "of",
    [
        template(),
        template({"ports": [{"containerPort": 80}], "env": [{"name": "a", "value": ""}]}, restartPolicy="Never"),
        template({"volumeMounts": [{"name": "d", "mountPath": "/d"}]}, volumes=[{"name": "d", "emptyDir": {}}]),
        template(initContainers=[{"name": "init", "image": "i"}]),
    ],
)
def test_what_is_taken(of):
    assert template_problems(of) == []
    assert template_warnings(of) == []


def test_a_container_without_an_image_works_here_only():
    assert template_warnings(template({"image": ""})) == [
        "template.spec.containers[0].image: there is none; in a cluster the Job would be refused"
    ]
