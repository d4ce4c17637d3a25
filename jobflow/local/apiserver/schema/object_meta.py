"""ObjectMeta and ListMeta: what every object and every list carries, told once for validation, patches and explain.

In: nothing. Out: OpenAPI schemas.
"""

from __future__ import annotations

from jobflow.local.apiserver.schema.words import Schema, anything, flag, keyed, listed, number, obj, text, texts, time

META = "io.k8s.apimachinery.pkg.apis.meta.v1"

_SELF_LINK = text("No longer used.")

OWNER_REFERENCE: Schema = obj(
    "An object that this one belongs to; when all owners are gone, this object is deleted.",
    {
        "apiVersion": text("Group and version of the owner."),
        "kind": text("Kind of the owner."),
        "name": text("Name of the owner."),
        "uid": text("UID of the owner; another object of the same name is not meant."),
        "controller": flag("The owner manages this object; at most one owner does."),
        "blockOwnerDeletion": flag("Under foreground deletion the owner stays until this object is gone."),
    },
    required=("apiVersion", "kind", "name", "uid"),
    **{"x-kubernetes-map-type": "atomic"},
)

MANAGED_FIELDS: Schema = obj(
    "Which fields one manager has set.",
    {
        "apiVersion": text("Version of the object that the fields belong to."),
        "fieldsType": text("Form of fieldsV1; always FieldsV1."),
        "fieldsV1": anything("The fields, as a tree."),
        "manager": text("Name of the manager."),
        "operation": text("Apply or Update."),
        "subresource": text("The subresource through which the fields were set."),
        "time": time("When the manager last changed a field."),
    },
)

OBJECT_META: Schema = obj(
    "What every stored object carries, whatever its kind.",
    {
        "name": text("Name of the object, unique among its kind in the namespace. It cannot be changed."),
        "generateName": text("Where name is empty, the server makes one: this prefix and five random characters."),
        "namespace": text("The namespace the object lives in."),
        "labels": texts("Short keys and values by which objects are selected."),
        "annotations": texts("Keys and values for tools and people; nothing selects by them."),
        "finalizers": listed(
            {"type": "string"},
            "Names of those who must act before the object is really deleted.",
            **{"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"},
        ),
        "ownerReferences": keyed(OWNER_REFERENCE, "The objects this one belongs to.", "uid"),
        "uid": text("Unique in time and space; given by the server."),
        "resourceVersion": text(
            "Changes with every write; given by the server. "
            "An update that carries it is refused when it is no longer current."
        ),
        "generation": number("Counts the changes of the desired state; given by the server.", bits=64),
        "creationTimestamp": time("When the object was created; given by the server."),
        "deletionTimestamp": time("When the object is due to go; set when a deletion is asked for."),
        "deletionGracePeriodSeconds": number("Seconds the object is given to end.", bits=64),
        "managedFields": listed(MANAGED_FIELDS, "Who set which fields; kept by the server."),
        "selfLink": _SELF_LINK,
    },
)

LIST_META: Schema = obj(
    "What every list carries.",
    {
        "resourceVersion": text("The version the list was read at."),
        "continue": text("Where the next page begins; absent on the last."),
        "remainingItemCount": number("How many objects are on later pages.", bits=64),
        "selfLink": _SELF_LINK,
    },
)
