"""Schema: what an object of a kind may look like. Pure; it knows no server.

nodes           a structural schema, read once
structural      defaults, unknown fields, errors of a whole object
validation      what is wrong with a value; formats, patterns, words
rules           x-kubernetes-validations in CEL; rule_functions, rule_values, rule_costs
object_meta     the schema of metadata, which is every kind's
"""
