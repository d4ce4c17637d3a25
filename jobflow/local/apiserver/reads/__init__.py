"""Reads: get, list, watch and logs, in the form that the client asks for.

reading           get and list; selectors say which
watch             what happens from a revision on
logs              of pods; interactive, for what there is none of
representations   plain, as a Table (table, jsonpath, ages), metadata alone; convert, between versions
"""
