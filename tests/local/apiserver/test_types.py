"""A CRD becomes served types, or is refused with the path of what is wrong."""

import copy
import re

import pytest

from jobflow.local.apiserver.types import Scale, types_of_crd

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "jobflows.flow.volcano.sh"},
    "spec": {
        "group": "flow.volcano.sh",
        "scope": "Namespaced",
        "names": {"plural": "jobflows", "kind": "JobFlow", "shortNames": ["jf"], "categories": ["all"]},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object"}}}},
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
                "additionalPrinterColumns": [{"name": "Status", "type": "string", "jsonPath": ".status.phase"}],
                "selectableFields": [{"jsonPath": ".spec.queue"}],
            },
            {
                "name": "v1alpha0",
                "served": True,
                "storage": False,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            },
            {
                "name": "v0",
                "served": False,
                "storage": False,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            },
        ],
    },
}


def test_each_served_version_is_a_type():
    first, second = types_of_crd(CRD)
    assert first.resource.path("ns", "a") == "/apis/flow.volcano.sh/v1alpha1/namespaces/ns/jobflows/a"
    assert (first.singular, first.list_kind) == ("jobflow", "JobFlowList")
    assert (first.short_names, first.categories) == (("jf",), ("all",))
    assert first.has_status
    assert first.scale == Scale(".spec.replicas", ".status.replicas")
    assert [column.name for column in first.columns] == ["Status"]
    assert first.selectable_fields == ("spec.queue",)
    assert (first.storage, second.storage) == (True, False)
    assert first.custom


def test_a_version_without_columns_shows_the_age():
    assert [column.path for column in types_of_crd(CRD)[1].columns] == [".metadata.creationTimestamp"]


def test_a_cluster_scoped_kind():
    crd = copy.deepcopy(CRD)
    crd["spec"]["scope"] = "Cluster"
    assert types_of_crd(crd)[0].resource.path(None, "a") == "/apis/flow.volcano.sh/v1alpha1/jobflows/a"


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("spec", "group"), "", "spec.group: Required value"),
        (("spec", "names", "plural"), None, "spec.names.plural: Required value"),
        (("spec", "scope"), "Galaxy", 'spec.scope: Unsupported value: "Galaxy"'),
        (("spec", "versions"), [], "spec.versions: Required value"),
        (("spec", "versions"), "v1", "spec.versions: Invalid value: must be a list"),
        (("spec", "versions", 0, "storage"), False, "must have exactly one version marked as storage version"),
        (("spec", "versions", 0, "schema"), {}, "spec.versions[0].schema.openAPIV3Schema: Required value"),
        (
            ("spec", "versions", 0, "schema", "openAPIV3Schema", "properties", "spec"),
            {},
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].type: Required value",
        ),
        (
            ("spec", "versions", 0, "additionalPrinterColumns", 0, "jsonPath"),
            ".status[",
            "spec.versions[0].additionalPrinterColumns[0].jsonPath: Invalid value",
        ),
        (
            ("spec", "versions", 0, "subresources", "scale", "specReplicasPath"),
            "",
            "spec.versions[0].subresources.scale.specReplicasPath: Required value",
        ),
    ],
)
def test_a_crd_that_cannot_be_served_is_refused(path, value, told):
    crd = copy.deepcopy(CRD)
    holder = crd
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    with pytest.raises(ValueError, match=re.escape(told)):
        types_of_crd(crd)
