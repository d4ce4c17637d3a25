"""Field ownership: who has set which field of an object, as `metadata.managedFields` tells it.

The semantics are those of Kubernetes' structured-merge-diff and of kube-apiserver's field managers. All is pure:

    fieldsets     sets of fields (the fieldsV1 form) and what can be done with them
    extraction    the fields of a value, by its schema: which lists are maps in disguise, what is atomic
    comparison    the fields that differ between two values
    merging       an applied configuration into an object; fields out of an object
    entries       managedFields, read and written
    updates       what a create, replace or patch makes of the entries
    unstored      entries of answers that are not kept
    applying      what a server-side apply makes of the object and of the entries
"""
