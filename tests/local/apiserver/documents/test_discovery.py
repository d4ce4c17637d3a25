"""Discovery, in both forms."""

import pytest

from jobflow.local.apiserver.builtin.kinds import BUILTIN_TYPES
from jobflow.local.apiserver.documents import discovery
from jobflow.local.apiserver.types import types_of_crd


def crd(group, plural, kind, *versions):
    return {
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, "shortNames": ["x"], "categories": ["all"]},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": index == 0,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                    "subresources": {
                        "status": {},
                        "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"},
                    },
                }
                for index, version in enumerate(versions)
            ],
        }
    }


TYPES = BUILTIN_TYPES + types_of_crd(crd("acme.org", "things", "Thing", "v1alpha1", "v1", "v1beta1"))


def test_the_core_group_stands_apart():
    core = discovery.aggregated(TYPES, core=True)
    assert core["kind"] == "APIGroupDiscoveryList"
    assert len(core["items"]) == 1
    assert "name" not in core["items"][0]["metadata"]
    others = discovery.aggregated(TYPES, core=False)
    assert "acme.org" in [item["metadata"]["name"] for item in others["items"]]


def test_a_pod_with_its_subresources():
    resources = discovery.aggregated(TYPES, core=True)["items"][0]["versions"][0]["resources"]
    pods = next(one for one in resources if one["resource"] == "pods")
    assert (pods["singularResource"], pods["scope"], pods["shortNames"]) == ("pod", "Namespaced", ["po"])
    assert pods["responseKind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert {one["subresource"]: one["verbs"] for one in pods["subresources"]} == {
        "status": ["get", "patch", "update"],
        "log": ["get"],
    }


def test_versions_stand_with_the_preferred_one_first():
    group = next(
        item for item in discovery.aggregated(TYPES, core=False)["items"] if item["metadata"]["name"] == "acme.org"
    )
    assert [version["version"] for version in group["versions"]] == ["v1", "v1beta1", "v1alpha1"]
    assert discovery.group("acme.org", TYPES)["preferredVersion"] == {"groupVersion": "acme.org/v1", "version": "v1"}


def test_scale_is_of_another_group():
    resources = discovery.resource_list("acme.org/v1", TYPES)["resources"]
    assert [one["name"] for one in resources] == ["things", "things/status", "things/scale"]
    assert (resources[2]["group"], resources[2]["version"], resources[2]["kind"]) == ("autoscaling", "v1", "Scale")


def test_the_older_lists():
    assert discovery.api_versions()["versions"] == ["v1"]
    groups = discovery.group_list(TYPES)["groups"]
    assert "" not in [group["name"] for group in groups]
    core = discovery.resource_list("v1", TYPES)
    assert core["groupVersion"] == "v1"
    namespaces = next(one for one in core["resources"] if one["name"] == "namespaces")
    assert (namespaces["namespaced"], namespaces["kind"], namespaces["singularName"]) == (
        False,
        "Namespace",
        "namespace",
    )


@pytest.mark.parametrize("name", ["nobody.org", ""])
def test_a_group_that_is_not_served(name):
    assert discovery.group(name, TYPES) is None


def test_a_version_that_is_not_served():
    assert discovery.resource_list("acme.org/v9", TYPES) is None


def test_version_order_is_that_of_kubernetes():
    versions = ["foo10", "v1", "v11alpha2", "v10", "v3beta1", "v12alpha1", "v2", "foo1", "v11beta2", "v10beta3"]
    assert sorted(versions, key=discovery.version_order) == [
        *("v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"),
    ]


def test_the_version_says_who_we_are():
    assert discovery.version_info()["gitVersion"].endswith("+jobflow")
