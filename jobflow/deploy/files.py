"""The files of manifests/: what each holds, and in which order they are applied.

In: the objects of this package and the CRDs. Out: rows of path and objects. `base` serves all namespaces;
`overlays/single-namespace` is confined to one and installs no cluster-wide right; `overlays/ha` runs three replicas on
three nodes; `overlays/cluster-templates` adds ClusterJobTemplates, and `overlays/admission` the webhook, each by a
component that other overlays can take too; `overlays/protect-running` is the latter with protected flows.
`install.yaml` is the base in one file, for those without kustomize.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jobflow.api.crd import cluster_job_template_crd, job_flow_crd, job_template_crd
from jobflow.deploy import admission, rbac, workload
from jobflow.deploy.names import NAME, Manifest

HA_REPLICAS = 3
EXAMPLE_NAMESPACE = "default"  # the one that the single-namespace overlay serves; edit it to yours

ARGUMENTS_END = "/spec/template/spec/containers/0/args/-"

CRDS: Mapping[str, Callable[[], list[Manifest]]] = {
    "flow.volcano.sh_jobflows.yaml": lambda: [job_flow_crd()],
    "flow.volcano.sh_jobtemplates.yaml": lambda: [job_template_crd()],
}

BASE: Mapping[str, Callable[[], list[Manifest]]] = {
    "namespace.yaml": lambda: [workload.namespace()],
    "service-account.yaml": lambda: [workload.service_account()],
    "cluster-role.yaml": rbac.cluster_roles,
    "role.yaml": rbac.own_roles,
    "user-roles.yaml": rbac.user_roles,
    "deployment.yaml": lambda: [workload.deployment()],
    "disruption-budget.yaml": lambda: [workload.disruption_budget()],
    "service.yaml": lambda: [workload.service()],
    "network-policy.yaml": lambda: [workload.network_policy()],
}

ADMISSION: Mapping[str, Callable[[], list[Manifest]]] = {
    "service-account.yaml": lambda: [admission.service_account()],
    "cluster-role.yaml": admission.cluster_roles,
    "role.yaml": admission.own_roles,
    "deployment.yaml": lambda: [admission.deployment()],
    "disruption-budget.yaml": lambda: [admission.disruption_budget()],
    "service.yaml": lambda: [admission.service()],
    "network-policy.yaml": lambda: [admission.network_policy()],
    "configuration.yaml": lambda: [admission.configuration()],
}


def files() -> dict[str, Callable[[], list[Manifest]]]:
    """Every file by its path below manifests/."""
    return {
        **{f"crds/{name}": build for name, build in CRDS.items()},
        "crds/kustomization.yaml": lambda: [_kustomization(list(CRDS))],
        **{f"base/{name}": build for name, build in BASE.items()},
        "base/kustomization.yaml": lambda: [_kustomization(["../crds", *BASE])],
        "overlays/single-namespace/role.yaml": lambda: rbac.flow_roles(EXAMPLE_NAMESPACE),
        "overlays/single-namespace/kustomization.yaml": lambda: [_single_namespace()],
        "overlays/ha/kustomization.yaml": lambda: [_ha()],
        "overlays/cluster-templates/kustomization.yaml": lambda: [
            _kustomization(["../../base"], components=["../../components/cluster-templates"])
        ],
        "components/cluster-templates/crd.yaml": lambda: [cluster_job_template_crd()],
        "components/cluster-templates/cluster-role.yaml": rbac.cluster_template_roles,
        "components/cluster-templates/kustomization.yaml": lambda: [_cluster_templates()],
        **{f"components/admission/{name}": build for name, build in ADMISSION.items()},
        "components/admission/kustomization.yaml": lambda: [_component(list(ADMISSION))],
        "components/protect-running/kustomization.yaml": lambda: [_protect_running()],
        "components/admission-cluster-templates/cluster-role.yaml": admission.cluster_template_roles,
        "components/admission-cluster-templates/kustomization.yaml": lambda: [_admission_cluster_templates()],
        "overlays/admission/kustomization.yaml": lambda: [
            _kustomization(["../../base"], components=["../../components/admission"])
        ],
        "overlays/protect-running/kustomization.yaml": lambda: [
            _kustomization(
                ["../../base"], components=["../../components/admission", "../../components/protect-running"]
            )
        ],
        "install.yaml": install,
    }


def install() -> list[Manifest]:
    """Everything of the base, CRDs first."""
    return [obj for build in (*CRDS.values(), *BASE.values()) for obj in build()]


def _kustomization(resources: list[str], **more: Any) -> Manifest:
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources, **more}


def _single_namespace() -> Manifest:
    """The cluster-wide role goes, a role in the one namespace comes, and the controller is told which it is."""
    api_version = rbac.API_VERSION
    gone = [
        {"patch": _text({"$patch": "delete", "apiVersion": api_version, "kind": kind, "metadata": {"name": NAME}})}
        for kind in ("ClusterRole", "ClusterRoleBinding")
    ]
    argument = [{"op": "add", "path": ARGUMENTS_END, "value": f"--namespace={EXAMPLE_NAMESPACE}"}]
    told = {"target": {"kind": "Deployment", "name": NAME}, "patch": _text(argument)}
    return _kustomization(["../../base", "role.yaml"], patches=[*gone, told])


def _cluster_templates() -> Manifest:
    """Their CRD, the rights to them, and the controller is told to use them."""
    argument = [{"op": "add", "path": ARGUMENTS_END, "value": "--enable-cluster-templates"}]
    told = {"target": {"kind": "Deployment", "name": NAME}, "patch": _text(argument)}
    component = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
    return _kustomization(["crd.yaml", "cluster-role.yaml"], patches=[told]) | component


def _component(resources: list[str], **more: Any) -> Manifest:
    component = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
    return _kustomization(resources, **more) | component


def _protect_running() -> Manifest:
    """The webhook is asked about deletions of flows too, and told to protect those that run."""
    made = _component([], patches=_webhook_patches("--protect-running", [admission.flow_deletions()]))
    del made["resources"]
    return made


def _admission_cluster_templates() -> Manifest:
    """The webhook may see ClusterJobTemplates, is asked about them, and told to look at them."""
    patches = _webhook_patches("--enable-cluster-templates", admission.cluster_template_hooks())
    return _component(["cluster-role.yaml"], patches=patches)


def _webhook_patches(argument: str, hooks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    argued = [{"op": "add", "path": ARGUMENTS_END, "value": argument}]
    hooked = [{"op": "add", "path": "/webhooks/-", "value": hook} for hook in hooks]
    return [
        {"target": {"kind": "Deployment", "name": admission.NAME}, "patch": _text(argued)},
        {"target": {"kind": "ValidatingWebhookConfiguration", "name": admission.NAME}, "patch": _text(hooked)},
    ]


def _ha() -> Manifest:
    """Three replicas, never two on a node, and a drain leaves two."""
    spread = [{"op": "replace", "path": "/spec/template/spec/topologySpreadConstraints/0/whenUnsatisfiable"}]
    spread[0]["value"] = "DoNotSchedule"
    budget = [{"op": "replace", "path": "/spec/minAvailable", "value": HA_REPLICAS - 1}]
    return _kustomization(
        ["../../base"],
        replicas=[{"name": NAME, "count": HA_REPLICAS}],
        patches=[
            {"target": {"kind": "Deployment", "name": NAME}, "patch": _text(spread)},
            {"target": {"kind": "PodDisruptionBudget", "name": NAME}, "patch": _text(budget)},
        ],
    )


def _text(patch: Any) -> str:
    import yaml

    return str(yaml.safe_dump(patch, sort_keys=False))
