"""Settings of the webhook: as the controller's, from flags, environment, a file, defaults (`jobflow.config`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from jobflow.api.names import DNS_LABEL
from jobflow.config import LogLevel
from jobflow.obs.address import Address
from jobflow.obs.log import LogFormat


class WebhookSettings(BaseModel):
    """How one replica of the webhook runs."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    kubeconfig: str | None = Field(
        None, description="File. Default: $KUBECONFIG, ~/.kube/config, or the pod's service account."
    )
    context: str | None = Field(None, description="Context of the kubeconfig.")
    listen_address: str = Field("0.0.0.0:9443", description="host:port that reviews are answered at, over TLS.")
    admission_service: str = Field(
        "jobflow-webhook.jobflow-system",
        description="Service before the webhook, as name.namespace: whom the certificate names, and where it is kept.",
    )
    certificate_names: tuple[str, ...] = Field(
        (), description="More names or addresses in the certificate, for a configuration with a URL."
    )
    certificate_secret: str = Field(
        "jobflow-webhook-certificates", min_length=1, description="Secret that replicas share their certificates in."
    )
    certificate_directory: Path | None = Field(
        None, description="tls.crt and tls.key that somebody else keeps, such as cert-manager. Default: make them."
    )
    configuration: str = Field(
        "jobflow-webhook", min_length=1, description="ValidatingWebhookConfiguration whose caBundle is written."
    )
    protect_running: bool = Field(False, description="Refuse to delete JobFlows that have not ended, unless forced.")
    enable_cluster_templates: bool = Field(
        False, description="Look at ClusterJobTemplates too: needs their CRD, and rights to them."
    )
    metrics_address: str | None = Field(
        None, description="host:port for /metrics, /healthz and /readyz. Default: none of them."
    )
    log_format: LogFormat = Field(LogFormat.TEXT, description="Lines for people (text), or for a collector (json).")
    log_level: LogLevel = Field(LogLevel.INFO, description="The least level that is logged.")

    @field_validator("listen_address", "metrics_address")
    @classmethod
    def _listenable(cls, value: str | None) -> str | None:
        if value is not None:
            Address.parse(value)
        return value

    @field_validator("admission_service")
    @classmethod
    def _named(cls, value: str) -> str:
        parts = value.split(".")
        if len(parts) != 2 or not all(DNS_LABEL.fullmatch(part) for part in parts):
            raise ValueError("it is not name.namespace, such as jobflow-webhook.jobflow-system")
        return value

    @property
    def namespace(self) -> str:
        """Of the Service, and of the Secret."""
        return self.admission_service.partition(".")[2]

    @property
    def names(self) -> tuple[str, ...]:
        """All that the certificate names."""
        service = self.admission_service
        return (f"{service}.svc", f"{service}.svc.cluster.local", *self.certificate_names)
