"""The spec of a pod as it travels, as far as it can be run on this machine.

In: a pod's JSON. Out: Structs with Kubernetes' own names; what they leave out (affinity, security contexts, lifecycle
hooks) has no effect on processes. Numbers in quantities may be numbers or text, as users write them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct, field

Quantity = str | int | float


class RestartPolicy(StrEnum):
    """Whether containers that end are started again."""

    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"
    NEVER = "Never"


class FieldRef(Struct, frozen=True, gc=False, rename="camel"):
    """A field of the pod itself."""

    field_path: str


class ResourceFieldRef(Struct, frozen=True, gc=False, rename="camel"):
    """A request or limit of a container, in units of the divisor."""

    resource: str
    container_name: str = ""
    divisor: Quantity = "1"


class KeyRef(Struct, frozen=True, gc=False):
    """A key of a ConfigMap or Secret."""

    key: str
    name: str = ""
    optional: bool = False


class EnvSource(Struct, frozen=True, gc=False, rename="camel"):
    """Where a variable's value comes from: one of these."""

    field_ref: FieldRef | None = None
    resource_field_ref: ResourceFieldRef | None = None
    config_map_key_ref: KeyRef | None = None
    secret_key_ref: KeyRef | None = None


class EnvVar(Struct, frozen=True, gc=False, rename="camel"):
    """One environment variable."""

    name: str
    value: str = ""
    value_from: EnvSource | None = None


class NameRef(Struct, frozen=True, gc=False):
    """A whole ConfigMap or Secret."""

    name: str = ""
    optional: bool = False


class EnvFrom(Struct, frozen=True, gc=False, rename="camel"):
    """A variable for each key of an object."""

    prefix: str = ""
    config_map_ref: NameRef | None = None
    secret_ref: NameRef | None = None


class VolumeMount(Struct, frozen=True, gc=False, rename="camel"):
    """Where a container sees a volume."""

    name: str
    mount_path: str
    sub_path: str = ""
    sub_path_expr: str = ""
    read_only: bool = False


class HttpHeader(Struct, frozen=True, gc=False):
    """One header of a probe's request."""

    name: str
    value: str = ""


class HttpGet(Struct, frozen=True, gc=False, rename="camel"):
    """A probe by HTTP."""

    port: int | str
    path: str = "/"
    host: str = ""
    scheme: str = "HTTP"
    http_headers: tuple[HttpHeader, ...] = ()


class TcpSocket(Struct, frozen=True, gc=False):
    """A probe that connects."""

    port: int | str
    host: str = ""


class Exec(Struct, frozen=True, gc=False):
    """A probe by a command beside the container."""

    command: tuple[str, ...] = ()


class Probe(Struct, frozen=True, gc=False, rename="camel"):
    """How a container is asked whether it is well: one of the first four."""

    exec: Exec | None = None
    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    grpc: dict[str, Any] | None = None
    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


class Port(Struct, frozen=True, gc=False, rename="camel"):
    """A port that a container says it listens on."""

    container_port: int
    name: str = ""
    protocol: str = "TCP"


class Resources(Struct, frozen=True, gc=False):
    """What a container asks of the machine. Limits stand in for requests that are not given, as in Kubernetes."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


class Container(Struct, frozen=True, gc=False, rename="camel"):
    """One container, as far as it can be run as a process."""

    name: str
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    ports: tuple[Port, ...] = ()
    resources: Resources = Resources()
    volume_mounts: tuple[VolumeMount, ...] = ()
    restart_policy: str | None = None
    termination_message_path: str = "/dev/termination-log"
    termination_message_policy: str = "File"
    startup_probe: Probe | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    lifecycle: dict[str, Any] | None = None

    @property
    def is_sidecar(self) -> bool:
        """Of an init container: it goes on beside the others."""
        return self.restart_policy == RestartPolicy.ALWAYS


class KeyToPath(Struct, frozen=True, gc=False):
    """A key that becomes a file."""

    key: str
    path: str
    mode: int | None = None


class ConfigMapVolume(Struct, frozen=True, gc=False, rename="camel"):
    """Keys of a ConfigMap as files."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: int = 0o644
    optional: bool = False


class SecretVolume(Struct, frozen=True, gc=False, rename="camel"):
    """Keys of a Secret as files. In a projected volume the Secret is called `name`."""

    secret_name: str = ""
    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: int = 0o644
    optional: bool = False


class HostPath(Struct, frozen=True, gc=False):
    """A path of this machine."""

    path: str
    type: str = ""


class ClaimVolume(Struct, frozen=True, gc=False, rename="camel"):
    """A PersistentVolumeClaim."""

    claim_name: str
    read_only: bool = False


class DownwardFile(Struct, frozen=True, gc=False, rename="camel"):
    """A field of the pod as a file."""

    path: str
    field_ref: FieldRef | None = None
    resource_field_ref: ResourceFieldRef | None = None
    mode: int | None = None


class DownwardVolume(Struct, frozen=True, gc=False, rename="camel"):
    """Fields of the pod as files."""

    items: tuple[DownwardFile, ...] = ()
    default_mode: int = 0o644


class TokenFile(Struct, frozen=True, gc=False, rename="camel"):
    """A token of the pod's ServiceAccount as a file."""

    path: str
    audience: str = ""


class Projection(Struct, frozen=True, gc=False, rename="camel"):
    """One source of a projected volume."""

    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    downward_api: DownwardVolume | None = field(default=None, name="downwardAPI")
    service_account_token: TokenFile | None = None


class Projected(Struct, frozen=True, gc=False, rename="camel"):
    """Several sources in one directory."""

    sources: tuple[Projection, ...] = ()
    default_mode: int = 0o644


class Volume(Struct, frozen=True, gc=False, rename="camel"):
    """A directory that containers mount: of one of these sources, or of one that is not to be had here."""

    name: str
    empty_dir: dict[str, Any] | None = None
    host_path: HostPath | None = None
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    downward_api: DownwardVolume | None = field(default=None, name="downwardAPI")
    projected: Projected | None = None


class HostAlias(Struct, frozen=True, gc=False):
    """A line of /etc/hosts."""

    ip: str
    hostnames: tuple[str, ...] = ()


class PodSpec(Struct, frozen=True, gc=False, rename="camel"):
    """A pod's spec."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    restart_policy: str = RestartPolicy.ALWAYS
    volumes: tuple[Volume, ...] = ()
    termination_grace_period_seconds: int | None = None
    active_deadline_seconds: int | None = None
    node_name: str = ""
    hostname: str = ""
    subdomain: str = ""
    host_aliases: tuple[HostAlias, ...] = ()
    host_network: bool = False
    service_account_name: str = ""
    automount_service_account_token: bool | None = None
