"""Mutation: what Volcano's admission writes into a Job before it is stored.

In: a Job's spec as the client sent it, its schema's defaults in place. Out: the same spec, in place, with the defaults
of `admission.py` written out, so that what is stored says what will happen. Volcano does so for a create alone; here
also for an update, so that a file that leaves out what was filled in changes nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jobflow.api.policies import canonical_job_spec
from jobflow.local.volcano.admission import defaulted
from jobflow.local.volcano.objects import JobSpec

Fields = dict[str, Any]


def mutate(spec: Fields) -> None:
    """Fill in the defaults. A spec of wrong types is left for the schema to refuse."""
    spec.update(canonical_job_spec(spec))
    try:
        wanted = defaulted(msgspec.json.decode(msgspec.json.encode(spec), type=JobSpec))
    except msgspec.MsgspecError:
        return
    spec["queue"] = wanted.queue
    spec["schedulerName"] = wanted.scheduler_name
    spec["maxRetry"] = wanted.max_retry
    spec["minAvailable"] = wanted.min_available
    if wanted.plugins:
        spec["plugins"] = wanted.plugins
    for stored, task in zip(spec.get("tasks") or (), wanted.tasks, strict=True):
        stored["name"] = task.name
        stored["minAvailable"] = task.needed
        stored["maxRetry"] = task.max_retry
        pod = (stored.get("template") or {}).get("spec")
        if isinstance(pod, dict) and pod.get("hostNetwork") and not pod.get("dnsPolicy"):
            pod["dnsPolicy"] = "ClusterFirstWithHostNet"
