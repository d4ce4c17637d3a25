"""Names and labels: what kube-apiserver allows, in its words.

In: names, label keys and values. Out: the complaint, or None. The wording matters: people search for it, and
the conformance suite compares it with a real server's.
"""

from __future__ import annotations

import re

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_DNS_1035 = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = rf"({_QUALIFIED})?"

_PATH_SEGMENT_GROUPS = frozenset(("rbac.authorization.k8s.io",))
_MAX_SUBDOMAIN = 253
_MAX_LABEL = 63


def _regex(expression: str, *examples: str) -> str:
    told = ",  or ".join(f"'{example}'" for example in examples)
    return f"(e.g. {told}, regex used for validation is '{expression}')"


def subdomain_problem(name: str) -> str | None:
    """What is wrong with an RFC 1123 subdomain."""
    if len(name) > _MAX_SUBDOMAIN:
        return f"must be no more than {_MAX_SUBDOMAIN} characters"
    if re.fullmatch(_SUBDOMAIN, name):
        return None
    return (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
        "and must start and end with an alphanumeric character " + _regex(_SUBDOMAIN, "example.com")
    )


def label_problem(name: str) -> str | None:
    """What is wrong with an RFC 1123 label."""
    if len(name) > _MAX_LABEL:
        return f"must be no more than {_MAX_LABEL} characters"
    if re.fullmatch(_LABEL, name):
        return None
    if re.fullmatch(_SUBDOMAIN, name):
        return "must not contain dots"
    return (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
        "and must start and end with an alphanumeric character " + _regex(_LABEL, "my-name", "123-abc")
    )


def service_problem(name: str) -> str | None:
    """What is wrong with an RFC 1035 label."""
    if len(name) > _MAX_LABEL:
        return f"must be no more than {_MAX_LABEL} bytes"
    if re.fullmatch(_DNS_1035, name):
        return None
    return (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
        "character, and end with an alphanumeric character " + _regex(_DNS_1035, "my-name", "abc-123")
    )


def path_segment_problem(name: str) -> str | None:
    """What is wrong with a name that need only fit into a URL path."""
    if name in (".", ".."):
        return f"may not be '{name}'"
    for character in "/%":
        if character in name:
            return f"may not contain '{character}'"
    return None


def name_problem(group: str, kind: str, name: str) -> str | None:
    """What is wrong with the name of an object of a kind."""
    if group in _PATH_SEGMENT_GROUPS:
        return path_segment_problem(name)
    match (group, kind):
        case ("", "Namespace"):
            return label_problem(name)
        case ("", "Service"):
            return service_problem(name)
    return subdomain_problem(name)


def label_key_problem(key: str) -> str | None:
    """What is wrong with a label or annotation key."""
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        return "prefix part must be non-empty"
    if slash and (wrong := subdomain_problem(prefix)):
        return f"prefix part {wrong}"
    if not name:
        return "name part must be non-empty"
    if len(name) > _MAX_LABEL:
        return f"name part must be no more than {_MAX_LABEL} bytes"
    if re.fullmatch(_QUALIFIED, name):
        return None
    return (
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
        "alphanumeric character " + _regex(_QUALIFIED, "MyName", "my.name", "123-abc")
    )


def label_value_problem(value: str) -> str | None:
    """What is wrong with a label's value."""
    if len(value) > _MAX_LABEL:
        return f"must be no more than {_MAX_LABEL} bytes"
    if re.fullmatch(_VALUE, value):
        return None
    return (
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
        "start and end with an alphanumeric character " + _regex(_VALUE, "MyValue", "my_value", "12345")
    )
