"""Builtin: the kinds that are there without a CRD, and what is special about each.

kinds        all of them, put together from core, groups, pods and containers
columns      what kubectl prints of them; pod_columns
completion   the defaults that Go's decoder fills in
strategies   what a kind does beyond the rules of every object; strategy_pods, strategy_crds, pod_checks
"""
