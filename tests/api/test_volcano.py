"""Volcano's models: what users write is read as written, and written back the same."""

import pytest
from pydantic import ValidationError

from jobflow.api.crd import job_template_crd
from jobflow.api.volcano import JobSpec, NetworkMode, PolicyEvent
from jobflow.api.volcano_objects import CommandFields, JobStatus, PodGroupStatus, QueueSpec
from jobflow.local.apiserver.schema.structural import StructuralSchema

TRAINING = {
    "minAvailable": 3,
    "schedulerName": "volcano",
    "queue": "training",
    "maxRetry": 5,
    "ttlSecondsAfterFinished": 0,
    "plugins": {"ssh": [], "svc": ["--publish-not-ready-addresses"], "env": []},
    "policies": [{"event": "PodEvicted", "action": "RestartJob", "timeout": "5m"}],
    "volumes": [{"mountPath": "/data", "volumeClaim": {"accessModes": ["ReadWriteOnce"], "resources": {"x": 1}}}],
    "networkTopology": {"mode": "soft", "highestTierAllowed": 2},
    "tasks": [
        {
            "name": "master",
            "replicas": 1,
            "policies": [{"events": ["TaskCompleted"], "action": "CompleteJob"}],
            "template": {
                "metadata": {"labels": {"app": "train"}},
                "spec": {
                    "restartPolicy": "OnFailure",
                    "containers": [
                        {
                            "name": "main",
                            "image": "busybox",
                            "env": [{"name": "A", "value": "1"}],
                            "resources": {"requests": {"cpu": "8", "nvidia.com/gpu": 1}},
                        }
                    ],
                },
            },
        },
        {
            "name": "worker",
            "replicas": 6,
            "minAvailable": 3,
            "topologyPolicy": "best-effort",
            "dependsOn": {"name": ["master"], "iteration": "any"},
            "partitionPolicy": {"totalPartitions": 2, "partitionSize": 3, "minPartitions": 1},
            "template": {"spec": {"containers": [{"name": "main"}], "tolerations": [{"key": "x"}]}},
        },
    ],
}


def written(model):
    return model.model_dump(by_alias=True, exclude_unset=True, mode="json")


def test_a_whole_job_comes_back_as_it_was_written():
    assert written(JobSpec.model_validate(TRAINING)) == TRAINING


def test_and_its_schema_takes_nothing_off_and_finds_nothing_wrong():
    schema = StructuralSchema(job_template_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    template = {"apiVersion": "flow.volcano.sh/v1alpha1", "kind": "JobTemplate", "spec": TRAINING}
    assert schema.prune(template) == []
    assert schema.validate(template) == []
    assert template["spec"] == TRAINING


def test_what_is_left_out_has_volcanos_defaults():
    spec = JobSpec.model_validate({"tasks": [{"template": {}}], "networkTopology": {}})
    assert (spec.max_retry, spec.queue, spec.min_available, spec.ttl_seconds_after_finished) == (
        3,
        "default",
        None,
        None,
    )
    assert spec.network_topology is not None
    assert spec.network_topology.mode is NetworkMode.HARD


def test_the_guides_word_for_unknown_is_read():
    spec = JobSpec.model_validate({"policies": [{"event": "JobUnknown", "action": "RestartJob"}]})
    assert spec.policies is not None
    assert spec.policies[0].event is PolicyEvent.JOB_UNKNOWN


@pytest.mark.parametrize(
    "spec",
    [
        {"tasks": []},
        {"minAvailable": -1},
        {"maxRetry": -1},
        {"minSuccess": 0},
        {"ttlSecondsAfterFinished": -1},
        {"schedulerName": "s" * 64},
        {"queue": "Not_A_Name"},
        {"tasks": [{"name": "Main"}]},
        {"tasks": [{"name": "t" * 64}]},
        {"tasks": [{"topologyPolicy": "some"}]},
        {"tasks": [{"partitionPolicy": {"totalPartitions": 0, "partitionSize": 1}}]},
        {"tasks": [{"partitionPolicy": {"totalPartitions": 1}}]},
        {"volumes": [{"mountPath": "a:b"}]},
        {"volumes": [{}]},
        {"policies": [{"event": "PodFaild"}]},
        {"networkTopology": {"mode": "firm"}},
        {"networkTopology": {"highestTierAllowed": -1}},
    ],
    ids=str,
)
def test_limits(spec):
    with pytest.raises(ValidationError):
        JobSpec.model_validate(spec)


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (
            JobStatus,
            {
                "state": {"phase": "Running", "lastTransitionTime": "2026-01-02T03:04:05Z"},
                "taskStatusCount": {"main": {"phase": {"Running": 2}}},
                "retryCount": 1,
                "conditions": [{"status": "Pending", "lastTransitionTime": "2026-01-02T03:04:05Z"}],
            },
        ),
        (
            QueueSpec,
            {
                "weight": 1,
                "capability": {"cpu": 4, "memory": "8Gi"},
                "affinity": {"nodeGroupAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": ["gpu"]}},
            },
        ),
        (PodGroupStatus, {"phase": "Running", "conditions": [{"type": "Scheduled", "transitionID": "1"}]}),
        (
            CommandFields,
            {"action": "AbortJob", "target": {"apiVersion": "v1", "kind": "Job", "name": "x", "uid": "1"}},
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_volcanos_other_objects_come_back_as_they_were(model, fields):
    assert written(model.model_validate(fields)) == fields
