"""The other kinds of the core group as OpenAPI: namespaces, nodes, services, configuration, identities, claims, events.

In: nothing. Out: `FIELDS`, the fields of each kind besides apiVersion, kind and metadata; and `DEFINITIONS`
that they refer to. `builtin` joins them with columns and verbs.
"""

from __future__ import annotations

from jobflow.local.apiserver.schema.words import (
    CORE,
    Definitions,
    Schema,
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
    table_of,
    text,
    texts,
    time,
    words,
)

_CONDITION_FIELDS = {
    "type": text("Which aspect."),
    "status": text("True, False or Unknown."),
    "reason": text("Why, in one word."),
    "message": text("Why, in a sentence."),
    "lastTransitionTime": time("When status last changed."),
}

CONDITION = obj("One aspect of the object's state.", _CONDITION_FIELDS, required=("type", "status"))

_REFERENCE = obj(
    "One object, or a part of it.",
    {
        "apiVersion": text("Its group and version."),
        "kind": text("Its kind."),
        "namespace": text("Its namespace."),
        "name": text("Its name."),
        "uid": text("Its UID."),
        "resourceVersion": text("The version of it that is meant."),
        "fieldPath": text("The part of it, such as spec.containers{main}."),
    },
)
OBJECT_REFERENCE: Schema = {**_REFERENCE, "x-kubernetes-map-type": "atomic"}

_SELECTOR = obj(
    "Objects by their labels; all terms must hold.",
    {
        "matchLabels": texts("Labels they must have."),
        "matchExpressions": listed(
            obj(
                "One term.",
                {
                    "key": text("The label."),
                    "operator": text("In, NotIn, Exists or DoesNotExist."),
                    "values": words("Values, for In and NotIn."),
                },
                required=("key", "operator"),
            ),
            "Terms over labels.",
        ),
    },
)
LABEL_SELECTOR: Schema = {**_SELECTOR, "x-kubernetes-map-type": "atomic"}

SERVICE_PORT = obj(
    "One port of a Service.",
    {
        "name": text("Name of the port; needed where there is more than one."),
        "port": number("The port clients connect to.", minimum=1, maximum=65535),
        "targetPort": port("The port of the pods, by number or name; the same port if absent."),
        "protocol": choice("TCP, UDP or SCTP.", "TCP", "UDP", "SCTP", default="TCP"),
        "nodePort": number("The port on each node, for types NodePort and LoadBalancer."),
        "appProtocol": text("The protocol spoken over it."),
    },
    required=("port",),
)

SERVICE_SPEC = obj(
    "Which pods a Service stands for, and how it is reached.",
    {
        "selector": {**texts("Labels of the pods it stands for."), "x-kubernetes-map-type": "atomic"},
        "ports": keyed(item(f"{CORE}.ServicePort"), "Its ports.", "port", "protocol"),
        "type": choice(
            "How it is reached.", "ClusterIP", "NodePort", "LoadBalancer", "ExternalName", default="ClusterIP"
        ),
        "clusterIP": text("Its address; None for a headless Service."),
        "clusterIPs": words("Its addresses, of each family one."),
        "ipFamilies": words("Families of its addresses."),
        "ipFamilyPolicy": text("Whether it has one family or two."),
        "externalName": text("The name it stands for, for type ExternalName."),
        "externalIPs": words("Addresses of nodes that take its traffic."),
        "sessionAffinity": choice("Whether a client keeps its pod.", "None", "ClientIP", default="None"),
        "sessionAffinityConfig": anything("For how long a client keeps its pod."),
        "publishNotReadyAddresses": flag("Whether pods count before they are ready."),
        "internalTrafficPolicy": text("Which pods take traffic from inside."),
        "externalTrafficPolicy": text("Which pods take traffic from outside."),
        "trafficDistribution": text("Which pods are preferred."),
        "healthCheckNodePort": number("Port for health checks of load balancers."),
        "loadBalancerIP": text("Address asked of the load balancer."),
        "loadBalancerClass": text("Which load balancer it gets."),
        "loadBalancerSourceRanges": words("Clients that may use the load balancer."),
        "allocateLoadBalancerNodePorts": flag("Whether a load balancer gets node ports."),
    },
)

CLAIM_SPEC = obj(
    "What storage is asked for.",
    {
        "accessModes": words("How it may be mounted: ReadWriteOnce, ReadOnlyMany, ReadWriteMany."),
        "resources": obj("How much.", {"requests": quantities("At least."), "limits": quantities("At most.")}),
        "storageClassName": text("The class of storage; the default one if absent, none if empty."),
        "volumeMode": choice("A file system or a raw device.", "Filesystem", "Block", default="Filesystem"),
        "volumeName": text("The volume that is bound to it."),
        "selector": {**LABEL_SELECTOR, "description": "Which volumes may be bound to it."},
        "dataSource": anything("What it is filled from."),
        "dataSourceRef": anything("What it is filled from."),
        "volumeAttributesClassName": text("Class of the volume's attributes."),
    },
)

EVENT_SOURCE = obj("Who saw the event.", {"component": text("The component."), "host": text("The node it runs on.")})

DEFINITIONS: Definitions = {
    f"{CORE}.Condition": CONDITION,
    f"{CORE}.EventSource": EVENT_SOURCE,
    f"{CORE}.ObjectReference": OBJECT_REFERENCE,
    f"{CORE}.PersistentVolumeClaimSpec": CLAIM_SPEC,
    f"{CORE}.ServicePort": SERVICE_PORT,
    f"{CORE}.ServiceSpec": SERVICE_SPEC,
}

_CONDITIONS = keyed(item(f"{CORE}.Condition"), "Aspects of its state.", "type")
_NAMED = obj("An object in the same namespace.", {"name": text("Its name.", default="")})
_BASE64 = {"type": "string", "format": "byte"}

FIELDS: dict[str, Schema] = {
    "Pod": {
        "spec": ref(f"{CORE}.PodSpec", "What the pod runs and where it may run."),
        "status": ref(f"{CORE}.PodStatus", "How the pod fares."),
    },
    "Namespace": {
        "spec": obj("How the namespace ends.", {"finalizers": words("Who must act before it is gone.")}),
        "status": obj(
            "Where the namespace stands.",
            {"phase": choice("Active or Terminating.", "Active", "Terminating"), "conditions": _CONDITIONS},
        ),
    },
    "Node": {
        "spec": {
            **anything("What the node is meant to be."),
            "properties": {"unschedulable": flag("Whether it takes no new pods.")},
        },
        "status": anything("What the node is and how it fares."),
    },
    "Service": {
        "spec": ref(f"{CORE}.ServiceSpec", "Which pods it stands for, and how it is reached."),
        "status": obj(
            "How it fares.",
            {"loadBalancer": anything("Addresses of the load balancer."), "conditions": _CONDITIONS},
        ),
    },
    "ConfigMap": {
        "data": texts("Keys and their text."),
        "binaryData": table_of(_BASE64, "Keys and their bytes, in base64."),
        "immutable": flag("Whether it can no longer be changed."),
    },
    "Secret": {
        "data": table_of(_BASE64, "Keys and their bytes, in base64."),
        "stringData": texts("Keys and their text; on writing it goes into data."),
        "type": text("What it is for, such as Opaque or kubernetes.io/tls.", default="Opaque"),
        "immutable": flag("Whether it can no longer be changed."),
    },
    "ServiceAccount": {
        "secrets": keyed(
            {**OBJECT_REFERENCE, "required": ["name"]}, "Secrets that pods of this account may use.", "name"
        ),
        "imagePullSecrets": listed(_NAMED, "Secrets for pulling images of its pods."),
        "automountServiceAccountToken": flag("Whether its pods get its token."),
    },
    "PersistentVolumeClaim": {
        "spec": ref(f"{CORE}.PersistentVolumeClaimSpec", "What storage is asked for."),
        "status": {
            **anything("What storage there is."),
            "properties": {
                "phase": text("Pending, Bound or Lost."),
                "accessModes": words("How it may be mounted."),
                "capacity": quantities("How much there is."),
            },
        },
    },
    "Event": {
        "involvedObject": ref(f"{CORE}.ObjectReference", "What the event is about."),
        "reason": text("What happened, in one word."),
        "message": text("What happened, in a sentence."),
        "type": text("Normal or Warning."),
        "count": number("How often it happened."),
        "firstTimestamp": time("When it first happened."),
        "lastTimestamp": time("When it last happened."),
        "eventTime": time("When it first happened, to the microsecond."),
        "series": {**anything("How often it goes on."), "nullable": True},
        "source": ref(f"{CORE}.EventSource", "Who saw it."),
        "action": text("What was done."),
        "related": ref(f"{CORE}.ObjectReference", "Another object it has to do with."),
        "reportingComponent": text("Who reports it."),
        "reportingInstance": text("Which instance reports it."),
    },
}

REQUIRED: dict[str, tuple[str, ...]] = {"Event": ("involvedObject",)}
