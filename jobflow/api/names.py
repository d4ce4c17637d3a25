"""Every label, annotation and generated name, and the rules that keep them within Kubernetes' limits.

In: names as users gave them. Out: names as they stand on objects. Sources: Volcano's JobFlow controller for the
`volcano.sh/createdBy...` pair and `<jobflow>-<step>`; Volcano's user guide for `jobflow.volcano.sh/name`;
Kubernetes for the 63 characters of label values and of the pod names that Volcano's admission allows.
"""

from __future__ import annotations

import hashlib
import re

CREATED_BY_JOB_FLOW = "volcano.sh/createdByJobFlow"
CREATED_BY_JOB_TEMPLATE = "volcano.sh/createdByJobTemplate"
CLUSTER_TEMPLATE = "jobflow.volcano.sh/cluster-template"  # in place of the latter, which means `<namespace>.<name>`
FLOW_NAME = "jobflow.volcano.sh/name"
STEP_NAME = "jobflow.volcano.sh/flow"
ITEM = "jobflow.volcano.sh/item"
ATTEMPT = "jobflow.volcano.sh/attempt"
TEMPLATE_GENERATION = "jobflow.volcano.sh/template-generation"
PROBED = "jobflow.volcano.sh/probed"  # on pods whose task a later step asks over the network
OWNED_TTL = "jobflow.volcano.sh/ttl-seconds-after-finished"

FIELD_MANAGER = "jobflow"

MAX_LABEL_CHARACTERS = 63  # a label value's limit, and what Volcano's admission allows for Job and pod names
MAX_NAME_CHARACTERS = 253  # a DNS subdomain
HASH_CHARACTERS = 8

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class NameTooLong(ValueError):
    """No cut of the name leaves room for the pods' suffix."""


def short_hash(text: str) -> str:
    """Eight hex digits that stand for `text` in a name that had to be cut."""
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]


def cut_to_fit(name: str, limit: int) -> str:
    """`name`, or where it passes `limit` characters its beginning with `-<8 hex>` of the whole.

    Raises NameTooLong where not even one character of the name would be left.
    """
    if len(name) <= limit:
        return name
    kept = limit - HASH_CHARACTERS - 1
    if kept < 1:
        raise NameTooLong(f"{name!r} cannot be cut to {limit} characters")
    return f"{name[:kept].rstrip('-._')}-{short_hash(name)}"


def owner_text(namespace: str, name: str) -> str:
    """`<namespace>.<name>`, whole: the value of the createdBy annotations."""
    return f"{namespace}.{name}"


def label_value(text: str) -> str:
    """`text` as a label value: cut with a hash where it passes 63 characters."""
    return cut_to_fit(text, MAX_LABEL_CHARACTERS)


def pod_suffix_length(task_names: list[str], replicas: list[int]) -> int:
    """Characters that the longest `-<task>-<index>` of a Volcano Job adds to the Job's name."""
    ends = (f"-{task}-{max(count - 1, 0)}" for task, count in zip(task_names, replicas, strict=True))
    return max((len(end) for end in ends), default=0)


def child_name(flow: str, step: str, item: int | None, attempt: int, suffix_length: int = 0) -> str:
    """The name of the child for one node of the graph: `<flow>-<step>[-<item>][-r<attempt>]`.

    It is cut so that it and the names of its pods stay within 63 characters; `suffix_length` is what
    `pod_suffix_length` gives for its template. Raises NameTooLong where no cut fits.
    """
    name = f"{flow}-{step}"
    if item is not None:
        name += f"-{item}"
    if attempt:
        name += f"-r{attempt}"
    return cut_to_fit(name, MAX_LABEL_CHARACTERS - suffix_length)
