"""The status of a JobTemplate lists the Jobs made from it."""

from __future__ import annotations

from jobflow.api.status import JobTemplateStatus
from jobflow.reconcile.template import LISTED_JOBS, reconcile_cluster_template, reconcile_template
from jobflow.testing.builders import child


def test_upstream_22_a_job_of_the_template_is_listed():
    assert reconcile_template([child("job1", of="f").named("job1").view()]) == JobTemplateStatus(("job1",), 1)


def test_upstream_93_the_list_is_emptied_when_jobs_go():
    assert reconcile_template([]) == JobTemplateStatus((), 0)


def test_the_newest_are_listed_newest_last_and_all_are_counted():
    made = [child("t", of=f"f{n}").created_after(n).view() for n in range(LISTED_JOBS + 20)]
    status = reconcile_template(reversed(made))
    assert status.jobDependsOnTotal == LISTED_JOBS + 20
    assert status.jobDependsOnList == tuple(view.name for view in made[20:])


def test_jobs_of_one_second_are_ordered_by_name():
    views = [child("t", of=flow).view() for flow in ("c", "a", "b")]
    assert reconcile_template(views).jobDependsOnList == ("a-t", "b-t", "c-t")


def test_of_a_template_of_the_cluster_only_the_number_is_told():
    views = [child(step, of="f").view() for step in "abc"]
    assert reconcile_cluster_template(iter(views)) == JobTemplateStatus((), 3)
