"""Metrics: what is documented is what is served, from the first scrape on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobflow.obs.measures import Readings
from jobflow.obs.metrics import Metrics

ROOT = Path(__file__).parents[2]
DOCUMENTED = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|([^|]*)\|([^|]+)\|$", re.MULTILINE)
IN_A_QUERY = re.compile(r"\b(?:volcano_)?jobflow_\w+")
LABELLED = ("flows", "cached", "undecodable", "paused", "fields_missing")
SAMPLES = ("_bucket", "_sum", "_count")


def samples(metrics: Metrics) -> dict[str, float]:
    """`name{labels}` -> value, as a scraper reads them."""
    found = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def served(metrics: Metrics) -> dict[str, str]:
    """Name, as queries spell it, and type of all metrics."""
    lines = metrics.text().decode().splitlines()
    return dict(line.split()[2:4] for line in lines if line.startswith("# TYPE"))


def documented() -> dict[str, str]:
    return {match[1]: match[2] for match in DOCUMENTED.finditer((ROOT / "docs/metrics.md").read_text())}


def test_docs_list_exactly_what_is_served():
    assert documented() == served(Metrics())


def test_docs_list_the_labels():
    metrics = Metrics()
    metrics.flow_ended("default", "Succeed")
    metrics.read_from(lambda: Readings(**{name: {"x": 1} for name in LABELLED}))
    told = {match[1]: set(re.findall(r"`(\w+)`", match[3])) for match in DOCUMENTED.finditer(_docs())}
    for family in text_string_to_metric_families(metrics.text().decode()):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = family.name if family.name in told else f"{family.name}_total"
        assert labels == told[name], family.name


def _docs() -> str:
    return (ROOT / "docs/metrics.md").read_text()


def queries() -> list[tuple[str, str]]:
    dashboard = json.loads((ROOT / "manifests/grafana/jobflow.json").read_text())
    panels = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]
    return [*panels, *(("alert", expr) for expr in re.findall(r"expr: (.+)", _docs()))]


@pytest.mark.parametrize(("title", "query"), queries())
def test_every_query_of_the_dashboard_and_of_the_alerts_asks_for_a_metric_there_is(title, query):
    known = set(served(Metrics()))
    asked = set(IN_A_QUERY.findall(query)) - {"jobflow_namespace"}
    assert asked, title
    for name in asked:
        base = next((name.removesuffix(end) for end in SAMPLES if name.endswith(end) and name not in known), name)
        assert base in known, f"{title}: {name}"


def test_every_metric_is_on_the_dashboard():
    asked = {name for _, query in queries() for name in IN_A_QUERY.findall(query)}
    assert [name for name in served(Metrics()) if not any(found.startswith(name) for found in asked)] == []


def test_series_exist_before_anything_happened():
    found = samples(Metrics())
    assert found["jobflow_dependency_latency_seconds_count"] == 0
    assert found["jobflow_reconcile_seconds_count{kind=JobFlow,result=retry}"] == 0
    assert found["jobflow_api_requests_total{code=201,resource=jobs.batch.volcano.sh,verb=create}"] == 0
    assert found["jobflow_watch_starts_total{code=200,resource=jobflows.flow.volcano.sh}"] == 0
    assert found["jobflow_lease_rounds_total{result=lost}"] == 0


def test_counters_bring_no_birthdays():
    assert not [name for name in samples(Metrics()) if "_created" in name]


def test_reports_become_series():
    metrics = Metrics()
    metrics.key_waited(0.2)
    metrics.reconciled("JobFlow", "done", 0.01)
    metrics.called("create", "jobs.batch.volcano.sh", "409", 0.02)
    metrics.watch_began("jobs.batch.volcano.sh", "none")
    metrics.dependency_seen(0.004)
    metrics.flow_ended("default", "Failed")
    metrics.flow_ended("default", "Failed")
    metrics.lease_round("held")
    metrics.loop_lagged(0.3)
    found = samples(metrics)
    assert found["jobflow_queue_wait_seconds_sum"] == 0.2
    assert found["jobflow_reconcile_seconds_count{kind=JobFlow,result=done}"] == 1
    assert found["jobflow_api_requests_total{code=409,resource=jobs.batch.volcano.sh,verb=create}"] == 1
    assert found["jobflow_api_request_seconds_count{verb=create}"] == 1
    assert found["jobflow_watch_starts_total{code=none,resource=jobs.batch.volcano.sh}"] == 1
    assert found["jobflow_dependency_latency_seconds_bucket{le=0.005}"] == 1
    assert found["volcano_jobflow_failed_phase_count{jobflow_namespace=default}"] == 2
    assert found["volcano_jobflow_succeed_phase_count{jobflow_namespace=default}"] == 0
    assert found["jobflow_lease_rounds_total{result=held}"] == 1
    assert found["jobflow_event_loop_lag_seconds_count"] == 1


def test_readings_are_taken_at_each_scrape():
    metrics = Metrics()
    now = Readings(keys_ready=3)
    metrics.read_from(lambda: now)
    assert samples(metrics)["jobflow_queue_keys{state=ready}"] == 3
    now = Readings(keys_ready=4, leading=True, flows={"Running": 7}, events_dropped=2)
    found = samples(metrics)
    assert found["jobflow_queue_keys{state=ready}"] == 4
    assert found["jobflow_leading"] == 1
    assert found["jobflow_flows{phase=Running}"] == 7
    assert found["jobflow_events_dropped_total"] == 2


def test_two_controllers_in_one_process_do_not_share_numbers():
    one, other = Metrics(), Metrics()
    one.key_waited(1)
    assert samples(other)["jobflow_queue_wait_seconds_count"] == 0


def test_passes_over_templates_of_the_cluster_are_counted_once_there_are_some():
    metrics = Metrics()
    name = "jobflow_reconcile_seconds_count{kind=ClusterJobTemplate,result=done}"
    assert name not in samples(metrics)
    for _ in range(2):
        metrics.reconciled("ClusterJobTemplate", "done", 0.01)
    assert samples(metrics)[name] == 2
