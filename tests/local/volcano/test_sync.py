"""Decisions about a Job: pure, and harmless to take twice."""

from datetime import UTC, datetime

import msgspec
import pytest

from jobflow.local.volcano import status
from jobflow.local.volcano.objects import JobObject, job_view
from jobflow.local.volcano.pod_objects import PodObject, pod_view
from jobflow.local.volcano.scheduling_objects import GroupObject, group_view
from jobflow.local.volcano.sync import World, sync

NOW = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
TEMPLATE = {"spec": {"containers": [{"name": "c", "image": "i"}]}}


def job(tasks=None, stored=None, **spec):
    body = {
        "metadata": {"name": "j", "namespace": "ns", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"tasks": tasks or [{"name": "t", "replicas": 2, "template": TEMPLATE}], **spec},
        "status": stored or {},
    }
    return job_view(msgspec.json.decode(msgspec.json.encode(body), type=JobObject))


def pod(name, phase="Running", **meta):
    _, task, index = name.rsplit("-", 2)
    body = {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": f"uid-{name}",
            "labels": {"volcano.sh/job-name": "j"},
            "annotations": {"volcano.sh/task-spec": task, "volcano.sh/task-index": index},
            "ownerReferences": [{"apiVersion": "v", "kind": "Job", "name": "j", "uid": "u", "controller": True}],
            **meta,
        },
        "status": {"phase": phase},
    }
    return pod_view(msgspec.json.decode(msgspec.json.encode(body), type=PodObject))


def group(phase="Inqueue", **spec):
    """The PodGroup of the job above."""
    body = {
        "metadata": {"name": "j-u", "namespace": "ns", "uid": "g"},
        "spec": {"minMember": 2, "minTaskMember": {"t": 2}, "queue": "default", **spec},
        "status": {"phase": phase},
    }
    return group_view(msgspec.json.decode(msgspec.json.encode(body), type=GroupObject))


def names(bodies):
    return [body["metadata"]["name"] for body in bodies]


def test_a_new_job_gets_its_pod_group_and_is_pending():
    decision = sync(World(job=job(), pods=[]), NOW)
    assert decision.attachments.group["metadata"]["name"] == "j-u"
    assert decision.attachments.group["spec"] == {
        "minMember": 2,
        "minTaskMember": {"t": 2},
        "queue": "default",
        "minResources": {},
    }
    assert decision.create == ()
    assert decision.status.state.phase == "Pending"


@pytest.mark.parametrize(("phase", "created"), [("", []), ("Pending", []), ("Inqueue", ["j-t-0", "j-t-1"])])
def test_pods_are_created_once_the_gang_is_let_in(phase, created):
    decision = sync(World(job=job(), pods=[], group=group(phase)), NOW)
    assert names(decision.create) == created
    assert (decision.status.state.phase, decision.status.pending) == ("Pending", len(created))


def test_a_pod_group_says_what_the_job_says_after_it_was_scaled():
    more = job(tasks=[{"name": "t", "replicas": 3, "template": TEMPLATE}])
    decision = sync(World(job=more, pods=[], group=group()), NOW)
    assert decision.attachments.group_changes == {"minMember": 3, "minTaskMember": {"t": 3}}
    assert sync(World(job=job(), pods=[], group=group()), NOW).attachments.group_changes == {}


def test_pods_on_their_way_are_counted_and_not_created_again():
    first = sync(World(job=job(), pods=[], group=group()), NOW)
    again = sync(World(job=job(), pods=[], creating=frozenset({"j-t-0", "j-t-1"}), group=group()), NOW)
    assert again.create == ()
    assert again.status == first.status


def test_what_is_as_it_should_be_is_not_written():
    stored = msgspec.to_builtins(sync(World(job=job(), pods=[], group=group()), NOW).status)
    known = job(stored=stored)
    pods = [pod("j-t-0", "Pending"), pod("j-t-1", "Pending")]
    decision = sync(World(job=known, pods=pods, group=group()), NOW)
    assert status.patch(known.status, decision.status) == {}
    assert (decision.create, decision.delete) == ((), ())


def test_a_pod_being_deleted_is_terminating_and_its_name_is_waited_for():
    pods = [pod("j-t-0"), pod("j-t-1", deletionTimestamp="2026-01-01T00:00:30Z")]
    decision = sync(World(job=job(stored={"state": {"phase": "Running"}}), pods=pods), NOW)
    assert (decision.status.running, decision.status.terminating, decision.create) == (1, 1, ())


def test_pods_of_a_task_that_went_are_deleted():
    decision = sync(World(job=job(), pods=[pod("j-old-0")]), NOW)
    assert [gone.name for gone in decision.delete] == ["j-old-0"]


def test_a_patch_takes_off_what_is_no_more():
    old = status.JobStatus(running=2, task_status_count={"t": status.TaskState({"Running": 2})})
    new = status.JobStatus(succeeded=2, task_status_count={"t": status.TaskState({"Succeeded": 2})})
    assert status.patch(old, new) == {
        "running": None,
        "succeeded": 2,
        "taskStatusCount": {"t": {"phase": {"Running": None, "Succeeded": 2}}},
    }


def test_a_template_that_makes_no_pod_is_refused_by_its_path():
    decision = sync(World(job=job(tasks=[{"name": "t", "replicas": 1, "template": {"spec": {}}}]), pods=[]), NOW)
    assert decision.status.state.phase == "Failed"
    assert decision.status.state.message == "spec.task[0].template.spec.containers: Required value."


def test_the_running_duration_is_from_creation_to_end():
    pods = [pod("j-t-0", "Succeeded"), pod("j-t-1", "Succeeded")]
    decision = sync(World(job=job(stored={"state": {"phase": "Running"}}), pods=pods), NOW)
    assert (decision.status.state.phase, decision.status.running_duration) == ("Completed", "1m0s")
