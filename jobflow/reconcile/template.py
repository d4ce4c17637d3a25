"""`reconcile_template`: the status of a template, which tells of the Jobs made from it.

In: the children made from the template. Out: its status: the newest 100 names and how many there are. Upstream keeps
all names for ever, so that a busy template outgrows etcd's limit. Of a ClusterJobTemplate only the number: its Jobs are
in many namespaces, and whoever may read the template is not to learn their names by it.
"""

from __future__ import annotations

from collections.abc import Iterable

from jobflow.api.children import ChildView
from jobflow.api.status import JobTemplateStatus

LISTED_JOBS = 100


def reconcile_template(children: Iterable[ChildView]) -> JobTemplateStatus:
    """The status that tells of `children`, newest last."""
    ordered = sorted(children, key=lambda child: (child.created, child.name))
    return JobTemplateStatus(tuple(child.name for child in ordered[-LISTED_JOBS:]), len(ordered))


def reconcile_cluster_template(children: Iterable[ChildView]) -> JobTemplateStatus:
    """The status that tells how many `children` there are."""
    return JobTemplateStatus((), sum(1 for _ in children))
