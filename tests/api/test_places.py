"""Where a list stands, and where a mapping: Kubernetes and Volcano take one and never the other."""

from __future__ import annotations

import pytest

from jobflow.api.places import Place, place_of

POD = ("tasks", 0, "template", "spec")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
CONTAINER = (*POD, "containers", 0)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), Place.MAPPING),
        (("tasks",), Place.LIST),
        (("tasks", 0), Place.MAPPING),
        (("tasks", 0, "template"), Place.MAPPING),
        (("tasks", 0, "template", "metadata", "labels"), Place.MAPPING),
        (("tasks", 0, "dependsOn"), Place.MAPPING),
        (("tasks", 0, "dependsOn", "name"), Place.LIST),
        (("tasks", 0, "policies"), Place.LIST),
        (("plugins",), Place.MAPPING),
        (("plugins", "svc"), Place.LIST),
        (POD, Place.MAPPING),
        ((*POD, "initContainers"), Place.LIST),
        ((*POD, "nodeSelector"), Place.MAPPING),
        ((*POD, "dnsConfig", "options"), Place.LIST),
        ((*POD, "volumes", 0, "flexVolume", "options"), Place.MAPPING),
        ((*POD, "volumes", 0, "image"), Place.MAPPING),
        ((*POD, "affinity", "nodeAffinity", REQUIRED), Place.MAPPING),
        ((*POD, "affinity", "podAffinity", REQUIRED), Place.LIST),
        (CONTAINER, Place.MAPPING),
        ((*CONTAINER, "env"), Place.LIST),
        ((*CONTAINER, "env", 0), Place.MAPPING),
        ((*CONTAINER, "command"), Place.LIST),
        ((*CONTAINER, "resources"), Place.MAPPING),
        ((*CONTAINER, "resources", "limits"), Place.MAPPING),
        ((*CONTAINER, "securityContext", "capabilities", "add"), Place.LIST),
    ],
)
def test_a_list_or_a_mapping(path, place):
    assert place_of(path) is place
