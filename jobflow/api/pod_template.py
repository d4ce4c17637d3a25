"""The schemas of a pod template and of a volume claim inside a Volcano Job: what is typed, what kept as it is.

In: nothing. Out: schemas for `volcano.py`. Kubernetes' own pod schema has some nine hundred fields and
changes with every release; the API server checks it when the pod is made. Typed here is what users get wrong
in YAML (an environment value such as `on`, which is a boolean) and the names by which lists merge under
server-side apply. The metadata of a pod template keeps what Volcano keeps.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

PRESERVE = "x-kubernetes-preserve-unknown-fields"


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _texts(description: str) -> Schema:
    return {"type": "array", "description": description, "items": {"type": "string"}}


def _text_map(description: str) -> Schema:
    return {"type": "object", "description": description, "additionalProperties": {"type": "string"}}


def _by_name(description: str, properties: Schema) -> Schema:
    """A list whose items are merged by `name` and whose other fields are kept as they are."""
    return {
        "type": "array",
        "description": description,
        "items": {"type": "object", "required": ["name"], "properties": properties, PRESERVE: True},
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }


def _containers(description: str) -> Schema:
    return _by_name(
        description,
        {
            "name": _text("Name of the container, unique in the pod."),
            "image": _text("The image to run."),
            "command": _texts("The program and its first arguments, in place of the image's entry point."),
            "args": _texts("Arguments of the program."),
            "workingDir": _text("The folder to run in."),
            "env": _by_name(
                "Environment variables.",
                {
                    "name": _text("Name of the variable."),
                    "value": _text("Its value, a string; quote numbers, true and yes."),
                },
            ),
        },
    )


POD_TEMPLATE: Schema = {
    "type": "object",
    "properties": {
        "metadata": {
            "type": "object",
            "description": "Labels and annotations of the pods.",
            "properties": {
                "name": _text("Not used: pods are named <job>-<task>-<index>."),
                "namespace": _text("Not used: pods are in the namespace of the Job."),
                "labels": _text_map("Labels of the pods."),
                "annotations": _text_map("Annotations of the pods."),
                "finalizers": _texts("Finalizers of the pods."),
            },
        },
        "spec": {
            "type": "object",
            "description": "The pod's spec, as Kubernetes knows it; fields not named here are kept as they are.",
            "required": ["containers"],
            "properties": {
                "containers": _containers("The containers of the pod."),
                "initContainers": _containers("Containers that run one after the other before the others start."),
                "restartPolicy": _text(
                    "Always, OnFailure or Never: whether the kubelet restarts a container that ended."
                ),
                "volumes": _by_name("Volumes that containers of the pod may mount.", {"name": _text("Its name.")}),
            },
            PRESERVE: True,
        },
    },
}

VOLUME_CLAIM: Schema = {
    "type": "object",
    "properties": {
        "accessModes": _texts("How the volume may be mounted, such as ReadWriteOnce."),
        "storageClassName": _text("The StorageClass that makes the volume."),
    },
    PRESERVE: True,
}
