"""The webhook's manifests: what they ask about, and that its rights end at its own objects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from jobflow.cli.webhook import WebhookFlags
from jobflow.deploy import admission
from jobflow.webhook.settings import WebhookSettings

OVERLAYS = Path(__file__).parent.parent / "manifests/overlays"


def kustomized(folder):
    kubectl = Path(sys.executable).parent / "kubectl"
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=True)
    return {(obj["kind"], obj["metadata"]["name"]): obj for obj in yaml.safe_load_all(done.stdout)}


def rules(*kinds):
    roles = [*admission.cluster_roles(), *admission.own_roles()]
    return [rule for role in roles for rule in role.get("rules", ()) if set(kinds) & set(rule["resources"])]


def test_the_webhook_writes_its_own_configuration_and_secret_only():
    [configuration] = rules("validatingwebhookconfigurations")
    assert configuration["resourceNames"] == [admission.NAME]
    assert configuration["verbs"] == ["get", "update"]
    create, keep = sorted(rules("secrets"), key=lambda rule: "resourceNames" in rule)
    assert create["verbs"] == ["create"]
    assert (keep["verbs"], keep["resourceNames"]) == (["get", "update"], [admission.SECRET])


def test_no_right_is_a_wildcard():
    roles = [*admission.cluster_roles(), *admission.own_roles(), *admission.cluster_template_roles()]
    words = [word for role in roles for rule in role.get("rules", ()) for words in rule.values() for word in words]
    assert "*" not in words


def test_deletions_go_on_without_the_webhook_and_creations_do_not():
    for hook in [*admission.configuration()["webhooks"], admission.flow_deletions()]:
        [rule] = hook["rules"]
        assert hook["failurePolicy"] == ("Ignore" if rule["operations"] == ["DELETE"] else "Fail")
        assert "namespaceSelector" not in hook
        assert ("matchConditions" in hook) == ("UPDATE" in rule["operations"])


def test_the_arguments_of_the_deployment_are_flags():
    spelled = {f"--{name.replace('_', '-')}" for name in WebhookSettings.model_fields}
    assert {argument.partition("=")[0] for argument in admission.ARGUMENTS[1:]} <= spelled


def test_each_setting_has_a_flag():
    assert set(WebhookSettings.model_fields) == set(WebhookFlags.__dataclass_fields__) - {"config"}


@pytest.mark.blocking
def test_the_overlays():
    base, admitted, protects = (
        kustomized(folder) for folder in (OVERLAYS / "../base", OVERLAYS / "admission", OVERLAYS / "protect-running")
    )
    assert all(admitted[key] == obj for key, obj in base.items())
    key, hooks = ("Deployment", admission.NAME), ("ValidatingWebhookConfiguration", admission.NAME)
    assert protects.keys() == admitted.keys()
    assert {changed for changed in admitted if admitted[changed] != protects[changed]} == {key, hooks}
    args = protects[key]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args == [*admission.ARGUMENTS, "--protect-running"]
    assert protects[hooks]["webhooks"] == [*admitted[hooks]["webhooks"], admission.flow_deletions()]


@pytest.mark.blocking
def test_with_cluster_templates(tmp_path):
    components = ["admission", "cluster-templates", "admission-cluster-templates"]
    relative = Path("../" * len(tmp_path.parts)) / str(OVERLAYS.parent.resolve()).lstrip("/")
    words = {
        "resources": [str(relative / "base")],
        "components": [str(relative / "components" / name) for name in components],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(words))
    objects = kustomized(tmp_path)
    hooks = objects["ValidatingWebhookConfiguration", admission.NAME]["webhooks"]
    assert "clusterjobtemplate-deletions.flow.volcano.sh" in [hook["name"] for hook in hooks]
    args = objects["Deployment", admission.NAME]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args[-1] == "--enable-cluster-templates"
