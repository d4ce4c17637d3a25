"""Shape: the flow that is measured, and its objects as users write them.

In: names. Out: a diamond of five steps on three levels, the templates of its steps, its objects' bodies.
Names are `<flow>-<step>` as upstream gives them, so that any controller's Jobs can be told apart by name.
"""

from __future__ import annotations

from typing import Any

from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE

NAMESPACE = "bench"
STEPS: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",), "c": ("a",), "d": ("a",), "e": ("b", "c", "d")}
LEVELS = 3
LIVE = "live-"  # of flows whose first Job goes on running
TASK = "main"

Body = dict[str, Any]


def flow_body(name: str, retain: str) -> Body:
    """A JobFlow as a user creates it."""
    flows = [
        {"name": step} | ({"dependsOn": {"targets": list(after)}} if after else {}) for step, after in STEPS.items()
    ]
    return {
        "apiVersion": JOB_FLOW.api_version,
        "kind": JOB_FLOW.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"jobRetainPolicy": retain, "flows": flows},
    }


def template_body(step: str) -> Body:
    """The JobTemplate of a step: one task of one pod, with what a training job usually says."""
    container = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", f"echo step {step}; sleep 1"],
        "env": [{"name": f"SETTING_{number}", "value": f"value {number}"} for number in range(8)],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }
    pod = {"restartPolicy": "Never", "containers": [container], "volumes": [{"name": "scratch", "emptyDir": {}}]}
    spec = {
        "schedulerName": "volcano",
        "minAvailable": 1,
        "queue": "default",
        "policies": [{"event": "PodEvicted", "action": "RestartJob"}],
        "tasks": [{"name": TASK, "replicas": 1, "template": {"metadata": {"labels": {"app": step}}, "spec": pod}}],
    }
    return {
        "apiVersion": JOB_TEMPLATE.api_version,
        "kind": JOB_TEMPLATE.kind,
        "metadata": {"name": step, "namespace": NAMESPACE},
        "spec": spec,
    }


def job_name(flow: str, step: str) -> str:
    """The name of a step's Job."""
    return f"{flow}-{step}"


def flow_and_step(job: str) -> tuple[str, str] | None:
    """The flow and the step of a Job, by its name; None for a Job that is nobody's."""
    flow, _, step = job.rpartition("-")
    return (flow, step) if flow and step in STEPS else None
