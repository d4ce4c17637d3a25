"""Places: what kind of value a field of a Volcano Job takes, as far as placeholders need to know.

In: a path below a Job's spec. Out: text, a number, a boolean, an amount, a list, a mapping, or anything. The names are
those of Kubernetes 1.35's PodTemplateSpec and PersistentVolumeClaimSpec, and of Volcano's Job; a name means the same
kind wherever it stands, save the few below. A field that is not in the tables is `ANYTHING`: whatever is written there
is sent as it is, and the API server decides.
"""

from __future__ import annotations

from enum import Enum

Path = tuple[str | int, ...]


class Place(Enum):
    """What a field takes."""

    TEXT = "text"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    AMOUNT = "an amount"  # of resources: a number, or a text such as 500m
    LIST = "a list"
    MAPPING = "a mapping"
    ANYTHING = "anything"


_TEXTS = """
action apiGroup apiVersion audience cachingMode certificateChainPath claimName conditionType containerName
credentialBundlePath datasetName datasetUUID devicePath directory diskName diskURI dnsPolicy driver effect endpoints
event fieldPath fsGroupChangePolicy fsType gateway generateName gmsaCredentialSpec gmsaCredentialSpecName group
highestTierName host hostIP hostname hostnameOverride image imagePullPolicy initiatorName ip iqn iscsiInterface
iteration key keyPath keyType keyring kind level localhostProfile manager medium mode mountPath mountPropagation name
namespace nodeAffinityPolicy nodeName nodeTaintsPolicy operator path pdID pdName podGroup podGroupReplicaKey pool
preemptionPolicy prefix priorityClassName procMount protectionDomain protocol pullPolicy queue recursiveReadOnly
reference registry repository request resource resourceClaimName resourceClaimTemplateName resourceName restartPolicy
revision role runAsUserName runningEstimate runtimeClassName schedulerName scheme seLinuxChangePolicy secretFile
secretName server service serviceAccount serviceAccountName shareName signerName stopSignal storageClassName
storageMode storagePolicyID storagePolicyName storagePool subPath subPathExpr subdomain supplementalGroupsPolicy system
targetContainerName targetPortal tenant terminationMessagePath terminationMessagePolicy timeout topologyKey
topologyPolicy type uid user value volume volumeAttributesClassName volumeClaimName volumeID volumeMode volumeName
volumeNamespace volumePath whenUnsatisfiable workingDir
"""
_NUMBERS = """
activeDeadlineSeconds containerPort defaultMode exitCode expirationSeconds failureThreshold fsGroup
highestTierAllowed hostPort initialDelaySeconds lun maxExpirationSeconds maxRetry maxSkew minAvailable minDomains
minPartitions minSuccess partition partitionSize periodSeconds priority replicas runAsGroup runAsUser seconds
successThreshold terminationGracePeriodSeconds timeoutSeconds tolerationSeconds totalPartitions ttlSecondsAfterFinished
weight
"""
_BOOLEANS = """
allowPrivilegeEscalation automountServiceAccountToken chapAuthDiscovery chapAuthSession enableServiceLinks hostIPC
hostNetwork hostPID hostProcess hostUsers optional privileged readOnly readOnlyRootFilesystem runAsNonRoot
setHostnameAsFQDN shareProcessNamespace sslEnabled stdin stdinOnce tty
"""
_AMOUNTS = "divisor sizeLimit"
_MAPS_OF_TEXTS = "annotations labels matchLabels nodeSelector userAnnotations volumeAttributes"
_MAPS_OF_AMOUNTS = "limits overhead requests"
_LISTS_OF_TEXTS = """
accessModes add args command drop events finalizers hostnames matchLabelKeys mismatchLabelKeys monitors nameservers
namespaces portals searches targetWWNs wwids
"""
_LISTS_OF_NUMBERS = "supplementalGroups"
_LISTS_OF_MAPPINGS = """
claims containers env envFrom ephemeralContainers hostAliases httpHeaders imagePullSecrets initContainers items
matchExpressions matchFields nodeSelectorTerms options policies ports preferredDuringSchedulingIgnoredDuringExecution
readinessGates requiredDuringSchedulingIgnoredDuringExecution resizePolicy resourceClaims restartPolicyRules
schedulingGates sources sysctls tasks tolerations
topologySpreadConstraints volumeDevices volumeMounts volumes
"""
_MAPPINGS = """
affinity appArmorProfile awsElasticBlockStore azureDisk azureFile capabilities cephfs cinder clusterTrustBundle
configMap configMapKeyRef configMapRef csi dataSource dataSourceRef dependsOn dnsConfig downwardAPI emptyDir ephemeral
exec exitCodes fc fieldRef fileKeyRef flexVolume flocker gcePersistentDisk gitRepo glusterfs grpc hostPath httpGet
iscsi labelSelector lifecycle livenessProbe metadata namespaceSelector networkTopology nfs nodeAffinity
nodePublishSecretRef os partitionPolicy persistentVolumeClaim photonPersistentDisk podAffinity podAffinityTerm
podAntiAffinity podCertificate portworxVolume postStart preStop preference projected quobyte rbd readinessProbe
resourceFieldRef resources scaleIO seLinuxOptions seccompProfile secret secretKeyRef secretRef securityContext selector
serviceAccountToken sleep spec startupProbe storageos tcpSocket template valueFrom volumeClaim volumeClaimTemplate
vsphereVolume windowsOptions workloadRef
"""


def _named(**kinds: str) -> dict[str, Place]:
    return {name: Place[kind] for kind, names in kinds.items() for name in names.split()}


FIELDS = _named(
    TEXT=_TEXTS,
    NUMBER=_NUMBERS,
    BOOLEAN=_BOOLEANS,
    AMOUNT=_AMOUNTS,
    LIST=" ".join((_LISTS_OF_TEXTS, _LISTS_OF_NUMBERS, _LISTS_OF_MAPPINGS, "values")),
    MAPPING=" ".join((_MAPS_OF_TEXTS, _MAPS_OF_AMOUNTS, _MAPPINGS, "plugins")),
)
VALUES = _named(TEXT=_MAPS_OF_TEXTS, AMOUNT=_MAPS_OF_AMOUNTS, LIST="plugins")  # in a mapping of this name
ITEMS = _named(TEXT=_LISTS_OF_TEXTS, NUMBER=_LISTS_OF_NUMBERS, MAPPING=_LISTS_OF_MAPPINGS)  # in a list of this name
NUMERIC_MODES = ("items", "sources", "secret", "configMap", "downwardAPI", "projected")  # of files, in volumes


def place_of(path: Path) -> Place:
    """What the field at `path`, below the spec of a Job, takes."""
    if not path:
        return Place.MAPPING
    if isinstance(path[-1], int):
        return _item(path[:-1])
    if len(path) > 1 and isinstance(path[-2], str) and path[-2] in VALUES:
        return VALUES[path[-2]]
    if path[-3:-1] == ("flexVolume", "options"):
        return Place.TEXT
    return Place.MAPPING if path[-2:] == ("flexVolume", "options") else _field(path, path[-1])


def _item(of: Path) -> Place:
    if len(of) == 2 and of[0] == "plugins":
        return Place.TEXT
    if of[-2:] == ("dependsOn", "name"):
        return Place.TEXT
    name = of[-1] if of and isinstance(of[-1], str) else ""
    if name == "values":  # of a selector; those of exit codes are numbers
        return Place.NUMBER if "exitCodes" in of else Place.TEXT
    return ITEMS.get(name, Place.ANYTHING)


def _field(path: Path, name: str) -> Place:
    if name == "name" and path[-2:-1] == ("dependsOn",):
        return Place.LIST
    if name == "image" and path[-3:-2] == ("volumes",):
        return Place.MAPPING
    if name == "mode" and any(part in NUMERIC_MODES for part in path):
        return Place.NUMBER
    if path[-2:] == ("nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"):
        return Place.MAPPING  # of a pod's affinities it is a list
    if name == "port":
        return Place.NUMBER if path[-2:-1] == ("grpc",) else Place.ANYTHING
    return FIELDS.get(name, Place.ANYTHING)
