"""Writes: an object as a client wants it becomes an object as it is stored, or goes.

verbs        create, update, patch; scale
deletes      delete and deletecollection
admission    may it be stored, and in what form: identity, unknown fields, defaults, errors; hooks and gates of others
metadata     what of it the server sets; names
patching     the forms of patches: patches, strategic
objects      the writes that all of them end in
garbage      what goes because its owner went; terminating, namespaces and kinds that end
"""
