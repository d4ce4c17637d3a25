"""Pods as OpenAPI: what a batch user writes in a pod template, and what the status of a pod tells.

In: the containers of `builtin_containers`. Out: `DEFINITIONS`. Fields that only cluster operators use are
stored as they come.
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
    quantities,
    quantity,
    ref,
    text,
    texts,
    time,
    words,
)

_NAMED = obj("An object in the pod's namespace.", {"name": text("Its name.", default="")})

_FILES = listed(
    obj(
        "One key as a file.",
        {"key": text("The key."), "path": text("Path of the file."), "mode": number("Mode bits of the file.")},
        required=("key", "path"),
    ),
    "Which keys become files, and where; all of them, under their names, if empty.",
)

VOLUME = obj(
    "A directory that containers of the pod can mount. Exactly one source is given beside the name.",
    {
        "name": text("Name of the volume, unique in the pod."),
        "emptyDir": obj(
            "A directory that is empty at first and goes with the pod.",
            {
                "medium": text("Memory, or the node's own storage if empty."),
                "sizeLimit": quantity("How much it may hold."),
            },
        ),
        "hostPath": obj(
            "A path of the node.",
            {"path": text("The path."), "type": text("What must be there, such as Directory; no check if empty.")},
            required=("path",),
        ),
        "configMap": obj(
            "Keys of a ConfigMap as files.",
            {
                "name": text("Name of the ConfigMap.", default=""),
                "items": _FILES,
                "defaultMode": number("Mode bits of the files.", default=420),
                "optional": flag("Whether it may be absent."),
            },
        ),
        "secret": obj(
            "Keys of a Secret as files.",
            {
                "secretName": text("Name of the Secret."),
                "items": _FILES,
                "defaultMode": number("Mode bits of the files.", default=420),
                "optional": flag("Whether it may be absent."),
            },
        ),
        "persistentVolumeClaim": obj(
            "A claim in the pod's namespace.",
            {"claimName": text("Name of the claim."), "readOnly": flag("Whether it is mounted read-only.")},
            required=("claimName",),
        ),
        **{
            source: anything(f"A volume of the source {source}; its fields are stored as they come.")
            for source in (
                *("downwardAPI", "projected", "nfs", "csi", "ephemeral", "image", "iscsi", "glusterfs", "rbd"),
                *("cephfs", "cinder", "fc", "flexVolume", "flocker", "gitRepo", "azureDisk", "azureFile"),
                *("awsElasticBlockStore", "gcePersistentDisk", "photonPersistentDisk", "portworxVolume"),
                *("quobyte", "scaleIO", "storageos", "vsphereVolume"),
            )
        },
    },
    required=("name",),
)

TOLERATION = obj(
    "A taint of nodes that the pod puts up with.",
    {
        "key": text("Key of the taint; every key if empty, with operator Exists."),
        "operator": choice("Equal or Exists.", "Equal", "Exists", "Gt", "Lt"),
        "value": text("Value of the taint, for Equal."),
        "effect": choice("The effect; every one if empty.", "", "NoSchedule", "PreferNoSchedule", "NoExecute"),
        "tolerationSeconds": number("For how many seconds NoExecute is put up with; for ever if absent.", bits=64),
    },
)

_CONTAINERS = item(f"{CORE}.Container")

POD_SPEC = obj(
    "What a pod runs and where it may run.",
    {
        "containers": keyed(_CONTAINERS, "The containers; there is at least one.", "name"),
        "initContainers": keyed(_CONTAINERS, "Run one after the other before the containers start.", "name"),
        "ephemeralContainers": keyed(
            {**anything("A container for debugging."), "properties": {"name": text("Its name.")}, "required": ["name"]},
            "Containers added to the running pod for debugging.",
            "name",
        ),
        "restartPolicy": choice(
            "Which containers are started anew after their end.", "Always", "OnFailure", "Never", default="Always"
        ),
        "volumes": keyed(
            item(f"{CORE}.Volume"), "Volumes that containers may mount.", "name", merge="merge,retainKeys"
        ),
        "nodeSelector": {**texts("Labels a node must have."), "x-kubernetes-map-type": "atomic"},
        "nodeName": text("The node it runs on; the scheduler fills it in."),
        "affinity": obj(
            "Which nodes it prefers, and beside which pods.",
            {
                "nodeAffinity": anything("By labels of nodes."),
                "podAffinity": anything("Near pods."),
                "podAntiAffinity": anything("Away from pods."),
            },
        ),
        "tolerations": listed(item(f"{CORE}.Toleration"), "Taints of nodes that it puts up with."),
        "topologySpreadConstraints": keyed(
            {
                **anything("How evenly pods are spread over one label of nodes."),
                "properties": {
                    "topologyKey": text("The label of nodes."),
                    "whenUnsatisfiable": text("DoNotSchedule or ScheduleAnyway."),
                },
                "required": ["topologyKey", "whenUnsatisfiable"],
            },
            "How evenly pods are spread.",
            "topologyKey",
            "whenUnsatisfiable",
        ),
        "schedulerName": text("The scheduler that places it.", default="default-scheduler"),
        "priorityClassName": text("Name of its PriorityClass."),
        "priority": number("Its priority, from the class."),
        "preemptionPolicy": text("Whether pods of lower priority give way to it."),
        "serviceAccountName": text("The ServiceAccount it runs as."),
        "serviceAccount": text("Older name of serviceAccountName."),
        "automountServiceAccountToken": flag("Whether the account's token is mounted."),
        "securityContext": {
            **anything("Rights of all its processes: runAsUser, fsGroup, seccompProfile and others."),
            "default": {},
        },
        "imagePullSecrets": keyed(_NAMED, "Secrets for pulling its images.", "name"),
        "terminationGracePeriodSeconds": number(
            "Seconds from the asking to the killing when it is deleted.", bits=64, default=30
        ),
        "activeDeadlineSeconds": number("Seconds after which it is failed and ended.", bits=64, minimum=1),
        "hostname": text("Its host name; the pod's name if empty."),
        "subdomain": text("With it, its host name is <hostname>.<subdomain>.<namespace>.svc.<domain>."),
        "setHostnameAsFQDN": flag("Whether the host name is the whole domain name."),
        "hostAliases": keyed(
            obj(
                "Lines for /etc/hosts.",
                {"ip": text("The address."), "hostnames": words("Names for it.")},
                required=("ip",),
            ),
            "Lines added to /etc/hosts.",
            "ip",
        ),
        "hostNetwork": flag("Whether it uses the node's network."),
        "hostPID": flag("Whether it sees the node's processes."),
        "hostIPC": flag("Whether it uses the node's IPC."),
        "hostUsers": flag("Whether its users are the node's users."),
        "shareProcessNamespace": flag("Whether its containers see each other's processes."),
        "dnsPolicy": choice(
            "How names are resolved.",
            *("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
            default="ClusterFirst",
        ),
        "dnsConfig": anything("Name servers and search domains besides those of dnsPolicy."),
        "enableServiceLinks": flag("Whether Services show as environment variables.", default=True),
        "runtimeClassName": text("Name of the RuntimeClass that runs it."),
        "overhead": quantities("What the runtime class itself needs."),
        "resources": ref(f"{CORE}.ResourceRequirements", "What the pod as a whole needs and may use."),
        "resourceClaims": keyed(
            {**anything("A device claim."), "properties": {"name": text("Its name.")}, "required": ["name"]},
            "Device claims of the pod.",
            "name",
            merge="merge,retainKeys",
        ),
        "readinessGates": listed(
            obj("A condition.", {"conditionType": text("Its type.")}, required=("conditionType",)),
            "Conditions that must be True before it is ready.",
        ),
        "schedulingGates": keyed(
            obj("A gate.", {"name": text("Its name.")}, required=("name",)),
            "It is not scheduled before they are gone.",
            "name",
        ),
        "os": obj("Its operating system.", {"name": text("linux or windows.")}, required=("name",)),
    },
    required=("containers",),
)

_STATE = obj(
    "Where a container stands; exactly one of these is set.",
    {
        "waiting": obj(
            "It has not started.", {"reason": text("Why, in one word."), "message": text("Why, in a sentence.")}
        ),
        "running": obj("It runs.", {"startedAt": time("Since when.")}),
        "terminated": obj(
            "It has ended.",
            {
                "exitCode": number("Its exit code."),
                "signal": number("The signal that ended it."),
                "reason": text("Why, in one word: Completed, Error, OOMKilled."),
                "message": text("Its termination message."),
                "startedAt": time("When it started."),
                "finishedAt": time("When it ended."),
                "containerID": text("Its ID in the runtime."),
            },
            required=("exitCode",),
        ),
    },
)

CONTAINER_STATUS = obj(
    "How one container fares.",
    {
        "name": text("Name of the container."),
        "state": {**_STATE, "description": "Where it stands now."},
        "lastState": {**_STATE, "description": "How its last run ended."},
        "ready": flag("Whether its readiness probe passes."),
        "started": flag("Whether it has started, by its startup probe."),
        "restartCount": number("How often it was started anew."),
        "image": text("The image it runs."),
        "imageID": text("The image's ID in the runtime."),
        "containerID": text("The container's ID in the runtime."),
        **{name: anything("Stored as it comes.") for name in ("allocatedResources", "resources", "user")},
        "allocatedResourcesStatus": listed(anything("One resource."), "Health of its devices."),
        "volumeMounts": listed(anything("One mount."), "How its volumes are mounted."),
        "stopSignal": text("The signal that ends it."),
    },
    required=("name",),
)

CONDITION = obj(
    "One aspect of the pod's state.",
    {
        "type": text("Which aspect: Ready, ContainersReady, Initialized, PodScheduled."),
        "status": text("True, False or Unknown."),
        "reason": text("Why, in one word."),
        "message": text("Why, in a sentence."),
        "lastProbeTime": time("When it was last looked at."),
        "lastTransitionTime": time("When status last changed."),
        "observedGeneration": number("The generation it speaks of.", bits=64),
    },
    required=("type", "status"),
)

_STATUSES = item(f"{CORE}.ContainerStatus")
_ADDRESS = obj("An address.", {"ip": text("The address.")}, required=("ip",))

POD_STATUS = obj(
    "How the pod fares, as its kubelet tells it.",
    {
        "phase": choice("Where it stands.", "Pending", "Running", "Succeeded", "Failed", "Unknown"),
        "reason": text("Why, in one word, such as Evicted."),
        "message": text("Why, in a sentence."),
        "conditions": keyed(item(f"{CORE}.PodCondition"), "Aspects of its state.", "type"),
        "containerStatuses": listed(_STATUSES, "How its containers fare."),
        "initContainerStatuses": listed(_STATUSES, "How its init containers fare."),
        "ephemeralContainerStatuses": listed(_STATUSES, "How containers for debugging fare."),
        "podIP": text("Its address."),
        "podIPs": keyed(_ADDRESS, "Its addresses, of each family one.", "ip"),
        "hostIP": text("Address of its node."),
        "hostIPs": listed(_ADDRESS, "Addresses of its node."),
        "startTime": time("When the kubelet took it on."),
        "nominatedNodeName": text("The node on which others are being moved away for it."),
        "qosClass": text("Guaranteed, Burstable or BestEffort."),
        "observedGeneration": number("The generation the kubelet has acted on.", bits=64),
        "resize": text("State of a change of resources."),
        "resourceClaimStatuses": listed(anything("One claim."), "State of its device claims."),
        "extendedResourceClaimStatus": anything("State of the claim made for its extended resources."),
    },
)

DEFINITIONS: Definitions = {
    f"{CORE}.ContainerStatus": CONTAINER_STATUS,
    f"{CORE}.PodCondition": CONDITION,
    f"{CORE}.PodSpec": POD_SPEC,
    f"{CORE}.PodStatus": POD_STATUS,
    f"{CORE}.Toleration": TOLERATION,
    f"{CORE}.Volume": VOLUME,
}
