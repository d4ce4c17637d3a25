"""Containers as OpenAPI: what a pod runs, where it runs it, what it is given and how it is asked after its health.

In: nothing. Out: `DEFINITIONS`, used by `builtin_pods`.
"""

from __future__ import annotations

from jobflow.local.apiserver.schema.words import (
    CORE,
    Definitions,
    anything,
    choice,
    flag,
    item,
    keyed,
    listed,
    number,
    obj,
    port,
    quantities,
    ref,
    text,
    words,
)

_KEY_FIELDS = {
    "name": text("Name of the object.", default=""),
    "key": text("The key whose value is taken."),
    "optional": flag("Whether the object and the key may be absent."),
}

_SOURCE_FIELDS = {
    "name": text("Name of the object.", default=""),
    "optional": flag("Whether the object may be absent."),
}

_HTTP_HEADER = obj(
    "One request header.",
    {"name": text("Name of the header."), "value": text("Its value.")},
    required=("name", "value"),
)

_ACTIONS = {
    "exec": obj("Runs a command inside the container.", {"command": words("The command and its arguments.")}),
    "httpGet": obj(
        "Sends an HTTP GET.",
        {
            "path": text("Path of the request.", default="/"),
            "port": port("Port, by number or by the name of a container port."),
            "host": text("Host to connect to; the pod's address if empty."),
            "scheme": choice("HTTP or HTTPS.", "HTTP", "HTTPS", default="HTTP"),
            "httpHeaders": listed(_HTTP_HEADER, "Headers of the request."),
        },
        required=("port",),
    ),
    "tcpSocket": obj(
        "Opens a TCP connection.",
        {
            "port": port("Port, by number or by the name of a container port."),
            "host": text("Host to connect to; the pod's address if empty."),
        },
        required=("port",),
    ),
}

PROBE = obj(
    "How a container is asked whether it is well.",
    {
        **_ACTIONS,
        "grpc": obj(
            "Calls the gRPC health service.",
            {"port": number("Port of the service."), "service": text("Service that is asked after.", default="")},
            required=("port",),
        ),
        "initialDelaySeconds": number("Seconds from the container's start to the first try."),
        "periodSeconds": number("Seconds from one try to the next.", default=10),
        "timeoutSeconds": number("Seconds after which a try has failed.", default=1),
        "successThreshold": number("Successes in a row that make it well again.", default=1),
        "failureThreshold": number("Failures in a row that make it unwell.", default=3),
        "terminationGracePeriodSeconds": number("Seconds it is given to end when this probe failed.", bits=64),
    },
)

ENV_VAR_SOURCE = obj(
    "Where the value of a variable comes from.",
    {
        "fieldRef": obj(
            "A field of the pod.",
            {
                "apiVersion": text("Version that fieldPath is written for.", default="v1"),
                "fieldPath": text("Path of the field, such as metadata.name or status.podIP."),
            },
            required=("fieldPath",),
        ),
        "resourceFieldRef": obj(
            "A resource of a container.",
            {
                "containerName": text("Name of the container."),
                "resource": text("The resource, such as limits.cpu."),
                "divisor": port("Unit in which it is told."),
            },
            required=("resource",),
        ),
        "configMapKeyRef": obj("A key of a ConfigMap.", _KEY_FIELDS, required=("key",)),
        "secretKeyRef": obj("A key of a Secret.", _KEY_FIELDS, required=("key",)),
    },
)

ENV_VAR = obj(
    "One environment variable.",
    {
        "name": text("Name of the variable."),
        "value": text("Its value; $(OTHER) stands for a variable given before it."),
        "valueFrom": ref(f"{CORE}.EnvVarSource", "Where the value comes from, in place of value."),
    },
    required=("name",),
)

ENV_FROM = obj(
    "Environment variables from all keys of an object.",
    {
        "prefix": text("Put before each key."),
        "configMapRef": obj("A ConfigMap.", _SOURCE_FIELDS),
        "secretRef": obj("A Secret.", _SOURCE_FIELDS),
    },
)

CONTAINER_PORT = obj(
    "A port that the container listens on.",
    {
        "containerPort": number("The port inside the pod, from 1 to 65535."),
        "protocol": choice("UDP, TCP or SCTP.", "TCP", "UDP", "SCTP", default="TCP"),
        "name": text("Name by which Services and probes may call the port."),
        "hostPort": number("The same port on the node."),
        "hostIP": text("Address of the node that hostPort is bound to."),
    },
    required=("containerPort",),
)

RESOURCES = obj(
    "What a container needs and may use.",
    {
        "requests": quantities("What is set aside for it, by resource: cpu, memory, nvidia.com/gpu."),
        "limits": quantities("What it may use at most, by resource."),
        "claims": keyed(
            obj(
                "A claim of the pod that this container uses.",
                {"name": text("Name of the claim."), "request": text("Name of the request in it.")},
                required=("name",),
            ),
            "Claims of the pod's resourceClaims that it uses.",
            "name",
        ),
    },
)

VOLUME_MOUNT = obj(
    "Where one of the pod's volumes appears in the container.",
    {
        "name": text("Name of the volume."),
        "mountPath": text("Path in the container; must not contain a colon."),
        "readOnly": flag("Whether the container may only read."),
        "recursiveReadOnly": text("Whether mounts below it are read-only too."),
        "subPath": text("Path inside the volume to mount, in place of its root."),
        "subPathExpr": text("Like subPath, with $(VARIABLE) replaced."),
        "mountPropagation": text("How mounts pass between host and container."),
    },
    required=("name", "mountPath"),
)

_HANDLER = obj("What is done.", {**_ACTIONS, "sleep": anything("Waits for some seconds.")})

CONTAINER = obj(
    "One container: an image and how it is run.",
    {
        "name": text("Name of the container, unique in the pod."),
        "image": text("The image it runs."),
        "command": words("What is run, in place of the image's entry point. Not run in a shell."),
        "args": words("Arguments of the command, in place of the image's."),
        "workingDir": text("Directory the command starts in; the image's if empty."),
        "env": keyed(item(f"{CORE}.EnvVar"), "Environment variables.", "name"),
        "envFrom": listed(item(f"{CORE}.EnvFromSource"), "Sources of environment variables; env wins over them."),
        "ports": keyed(item(f"{CORE}.ContainerPort"), "Ports it listens on.", "containerPort", "protocol"),
        "resources": ref(f"{CORE}.ResourceRequirements", "What it needs and may use.", default={}),
        "volumeMounts": keyed(item(f"{CORE}.VolumeMount"), "Where volumes appear in it.", "mountPath"),
        "volumeDevices": keyed(
            obj(
                "A raw block device.",
                {"name": text("Name of the volume."), "devicePath": text("Path of the device in the container.")},
                required=("name", "devicePath"),
            ),
            "Raw block devices it is given.",
            "devicePath",
        ),
        "imagePullPolicy": choice("When the image is pulled.", "Always", "Never", "IfNotPresent"),
        "livenessProbe": ref(f"{CORE}.Probe", "When it fails, the container is started anew."),
        "readinessProbe": ref(f"{CORE}.Probe", "While it fails, the pod is not ready and gets no traffic."),
        "startupProbe": ref(f"{CORE}.Probe", "The other probes wait until it has passed."),
        "lifecycle": obj(
            "What is done around the container's life.",
            {
                "postStart": {**_HANDLER, "description": "Done right after its start."},
                "preStop": {**_HANDLER, "description": "Done before it is ended."},
                "stopSignal": text("The signal that ends it."),
            },
        ),
        "restartPolicy": text("Always, for an init container that keeps running beside the others."),
        "securityContext": anything("Rights of its processes: runAsUser, capabilities, privileged and others."),
        "resizePolicy": listed(anything("What a change of one resource does."), "What changes of resources do."),
        "stdin": flag("Whether standard input is kept open."),
        "stdinOnce": flag("Whether standard input is closed after the first client has left."),
        "tty": flag("Whether it has a terminal."),
        "terminationMessagePath": text(
            "File whose end becomes the termination message.", default="/dev/termination-log"
        ),
        "terminationMessagePolicy": choice(
            "Whether the end of the log may stand in for an empty file.",
            "File",
            "FallbackToLogsOnError",
            default="File",
        ),
    },
    required=("name", "image"),
)

DEFINITIONS: Definitions = {
    f"{CORE}.Container": CONTAINER,
    f"{CORE}.ContainerPort": CONTAINER_PORT,
    f"{CORE}.EnvFromSource": ENV_FROM,
    f"{CORE}.EnvVar": ENV_VAR,
    f"{CORE}.EnvVarSource": ENV_VAR_SOURCE,
    f"{CORE}.Probe": PROBE,
    f"{CORE}.ResourceRequirements": RESOURCES,
    f"{CORE}.VolumeMount": VOLUME_MOUNT,
}
