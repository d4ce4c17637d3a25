"""The pods that probes ask, by the Job that they are of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobflow.api.probes import PodPhase, PodView
from jobflow.cache.pods import Pods

FIRST = PodView("default", "f-a-main-0", "u0", "1", "f-a", "job-1", "main", PodPhase.RUNNING, "10.0.0.1")
SECOND = replace(FIRST, name="f-a-main-1", uid="u1", ip="10.0.0.2")
OTHER = replace(FIRST, name="f-b-main-0", uid="u2", job="f-b", job_uid="job-2")


@pytest.fixture
def noticed():
    return []


@pytest.fixture
def pods(noticed):
    made = Pods(lambda old, new: noticed.append((old, new)))
    for pod in (SECOND, OTHER, FIRST):
        made.put(pod)
    return made


def test_the_pods_of_a_job_are_those_that_came_by_name(pods):
    assert pods.of_job("job-1") == (FIRST, SECOND)
    assert pods.of_job("job-2") == (OTHER,)
    assert pods.of_job("job-3") == ()
    assert len(pods) == 3


def test_a_change_is_told_and_kept(pods, noticed):
    gone = replace(FIRST, resource_version="2", phase=PodPhase.SUCCEEDED)
    pods.put(gone)
    assert pods.of_job("job-1") == (gone, SECOND)
    assert noticed[-1] == (FIRST, gone)


def test_one_that_went_is_no_pod_of_its_job(pods, noticed):
    pods.remove(FIRST)
    assert pods.of_job("job-1") == (SECOND,)
    assert noticed[-1] == (FIRST, None)


def test_another_incarnation_under_its_name_takes_its_place(pods):
    again = replace(FIRST, uid="u9", resource_version="9", job_uid="job-9")
    pods.put(again)
    assert pods.of_job("job-1") == (SECOND,)
    assert pods.of_job("job-9") == (again,)


def test_a_list_takes_the_place_of_all(pods):
    pods.replace([OTHER], "20")
    assert (pods.of_job("job-1"), pods.of_job("job-2")) == ((), (OTHER,))
