"""Kinds outside the core group as OpenAPI: leases, CRDs, roles and their bindings, and events in their newer group.

In: nothing. Out: `FIELDS` and `REQUIRED` as in `builtin_core`.
"""

from __future__ import annotations

from typing import Any

from jobflow.local.apiserver.schema.words import (
    CORE,
    Schema,
    anything,
    choice,
    flag,
    keyed,
    listed,
    number,
    obj,
    ref,
    text,
    time,
    words,
)

_NAMES = obj(
    "What the kind is called.",
    {
        "plural": text("The name in URLs, in lower case."),
        "singular": text("The name for one of them; kind in lower case if empty."),
        "kind": text("The kind, in camel case."),
        "listKind": text("The kind of its lists; <kind>List if empty."),
        "shortNames": words("Short names for the command line."),
        "categories": words("Groups of kinds it belongs to, such as all."),
    },
    required=("plural",),  # kind too, which the strategy tells, with what follows from it
)

_PRINTER_COLUMN = obj(
    "A column of kubectl get.",
    {
        "name": text("Its heading."),
        "type": text("string, integer, number, boolean or date."),
        "jsonPath": text("Where its value stands in the object."),
        "format": text("How the value is to be read."),
        "description": text("What it says."),
        "priority": number("0 is always shown, more only with -o wide."),
    },
    required=("name", "type", "jsonPath"),
)

_SUBRESOURCES = obj(
    "Parts of the object that are written by themselves.",
    {
        "status": anything("The status is written by its own URL only."),
        "scale": obj(
            "The kind can be scaled.",
            {
                "specReplicasPath": text("Where the wanted replicas stand."),
                "statusReplicasPath": text("Where the present replicas stand."),
                "labelSelectorPath": text("Where the selector of its pods stands."),
            },
            required=("specReplicasPath", "statusReplicasPath"),
        ),
    },
)

_VERSION = obj(
    "One version of the kind.",
    {
        "name": text("Its name, such as v1alpha1."),
        "served": flag("Whether it is served."),
        "storage": flag("Whether objects are stored in it; true for exactly one."),
        "deprecated": flag("Whether clients are warned."),
        "deprecationWarning": text("The warning."),
        "schema": obj("What its objects look like.", {"openAPIV3Schema": anything("A structural schema.")}),
        "subresources": _SUBRESOURCES,
        "additionalPrinterColumns": listed(_PRINTER_COLUMN, "Columns of kubectl get; the age if empty."),
        "selectableFields": listed(
            obj("A field.", {"jsonPath": text("Where it stands.")}, required=("jsonPath",)),
            "Fields that field selectors may name.",
        ),
    },
    required=("name", "served", "storage"),
)

_CRD_CONDITION = obj(
    "One aspect of its state.",
    {
        "type": text("Which aspect: Established, NamesAccepted, Terminating."),
        "status": text("True, False or Unknown."),
        "reason": text("Why, in one word."),
        "message": text("Why, in a sentence."),
        "lastTransitionTime": time("When status last changed."),
        "observedGeneration": number("The generation it speaks of.", bits=64),
    },
    required=("type", "status"),
)

_CRD: Schema = {
    "spec": obj(
        "The kind that is defined.",
        {
            "group": text("Its API group."),
            "names": _NAMES,
            "scope": choice("Whether its objects live in namespaces.", "Cluster", "Namespaced"),
            "versions": listed(_VERSION, "Its versions."),
            "conversion": anything("How objects change from version to version."),
            "preserveUnknownFields": flag("No longer used; must be false."),
        },
        required=("group", "names", "scope", "versions"),
    ),
    "status": obj(
        "Whether the kind is served.",
        {
            "conditions": keyed(_CRD_CONDITION, "Aspects of its state.", "type"),
            "acceptedNames": {**_NAMES, "description": "Names under which it is served.", "required": []},
            "storedVersions": words("Versions in which objects were ever stored."),
            "observedGeneration": number("The generation it speaks of.", bits=64),
        },
    ),
}

_RULE = obj(
    "What may be done to what.",
    {
        "verbs": words("What may be done; * is everything."),
        "apiGroups": words("Groups; the empty one is the core group."),
        "resources": words("Plurals of the kinds, or kind/subresource."),
        "resourceNames": words("Names of the objects; all if empty."),
        "nonResourceURLs": words("URLs that are no resources."),
    },
    required=("verbs",),
)
_RULES = {**listed(_RULE, "What the role allows."), "nullable": True}

_SUBJECT = obj(
    "Somebody who gets the rights.",
    {
        "kind": text("User, Group or ServiceAccount."),
        "apiGroup": text("Group of the kind."),
        "name": text("Name."),
        "namespace": text("Namespace, for a ServiceAccount."),
    },
    required=("kind", "name"),
)
_BINDING: Schema = {
    "roleRef": obj(
        "The role.",
        {
            "apiGroup": text("rbac.authorization.k8s.io."),
            "kind": text("Role or ClusterRole."),
            "name": text("Its name."),
        },
        required=("kind", "name"),
        **{"x-kubernetes-map-type": "atomic"},
    ),
    "subjects": listed(_SUBJECT, "Who gets the rights."),
}

_REVIEW: Schema = {
    "spec": anything("The question."),
    "status": anything("The answer."),
}

FIELDS: dict[str, dict[str, Any]] = {
    "Lease": {
        "spec": obj(
            "Who holds the lease, and how long.",
            {
                "holderIdentity": text("Who holds it.", nullable=True),
                "leaseDurationSeconds": number("Seconds after renewTime at which others may take it."),
                "acquireTime": time("When the holder took it."),
                "renewTime": time("When the holder last renewed it."),
                "leaseTransitions": number("How often it changed hands."),
                "strategy": text("How its holder is chosen."),
                "preferredHolder": text("Who should hold it."),
            },
        )
    },
    "CustomResourceDefinition": _CRD,
    "Role": {"rules": _RULES},
    "ClusterRole": {"rules": _RULES, "aggregationRule": anything("ClusterRoles whose rules are added.")},
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "events.k8s.io Event": {
        "eventTime": time("When it first happened."),
        "series": {**anything("How often it goes on."), "nullable": True},
        "reportingController": text("Who reports it."),
        "reportingInstance": text("Which instance reports it."),
        "action": text("What was done."),
        "reason": text("What happened, in one word."),
        "regarding": ref(f"{CORE}.ObjectReference", "What the event is about."),
        "related": ref(f"{CORE}.ObjectReference", "Another object it has to do with."),
        "note": text("What happened, in a sentence."),
        "type": text("Normal or Warning."),
        "deprecatedSource": ref(f"{CORE}.EventSource", "Who saw it."),
        "deprecatedFirstTimestamp": time("When it first happened."),
        "deprecatedLastTimestamp": time("When it last happened."),
        "deprecatedCount": number("How often it happened."),
    },
    "SelfSubjectAccessReview": _REVIEW,
    "SelfSubjectRulesReview": _REVIEW,
    "SelfSubjectReview": _REVIEW,
}

REQUIRED: dict[str, tuple[str, ...]] = {
    "CustomResourceDefinition": ("spec",),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
}
