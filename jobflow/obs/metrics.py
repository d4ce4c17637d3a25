"""Metrics: the Measures of a controller as Prometheus series; docs/metrics.md says what each means.

In: the reports of `measures.py`, and a function that gives Readings when somebody scrapes. Out: the text that
`/metrics` answers. Each Metrics has a registry of its own, so that two controllers in one process, or in one test, do
not share numbers. Series are bound to their labels once and begin at zero: `labels()` costs more than the count, and
a rate over a series that has yet to appear misses its first event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jobflow import __version__
from jobflow.api.resources import EVENT, JOB_FLOW, JOB_TEMPLATE, LEASE, VOLCANO_JOB
from jobflow.obs.measures import Measures, Readings

CONTENT_TYPE = CONTENT_TYPE_LATEST

# Passes and requests take milliseconds; what takes seconds is what somebody looks for.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
WAIT_SECONDS = (*SECONDS, 60.0, 120.0, 300.0)  # a burst of thousands of flows waits in the queue, or for the server

RESULTS = ("done", "again", "retry")
PROBES = {(kind, passed): "success" if passed else "failure" for kind in ("http", "tcp") for passed in (True, False)}
ROUNDS = ("held", "lost", "waiting", "error")
WATCHED = (JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB)
CALLS = (  # what the controller asks while all is well: series that exist from the start
    *(("list", str(resource), "200") for resource in WATCHED),
    ("create", str(VOLCANO_JOB), "201"),
    ("delete", str(VOLCANO_JOB), "200"),
    ("update", f"{JOB_FLOW}/status", "200"),
    ("update", f"{JOB_TEMPLATE}/status", "200"),
    ("create", str(EVENT), "201"),
    ("patch", str(LEASE), "200"),
)
SUCCEED, FAILED = "Succeed", "Failed"


class Metrics(Measures):
    """Counts for Prometheus. `text` is what a scrape gets."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests: dict[tuple[str, str, str], Counter] = {}
        self._request_seconds: dict[str, Histogram] = {}
        self._watches: dict[tuple[str, str], Counter] = {}
        self._loop()
        self._wire()
        self._ended = _Ended()
        self.registry.register(self._ended)
        self._readings = _ReadingsCollector()
        self.registry.register(self._readings)
        build = Gauge("jobflow_build_info", "Always 1; the version is a label.", ["version"], registry=self.registry)
        build.labels(__version__).set(1)

    def read_from(self, readings: Callable[[], Readings]) -> None:
        """From now on a scrape includes what `readings` finds."""
        self._readings.read = readings

    def text(self) -> bytes:
        """All series, in Prometheus' text format."""
        return generate_latest(_WithoutBirthdays(self.registry))

    def key_waited(self, seconds: float) -> None:
        """A key was handed to a worker so long after it became due."""
        self._queue_seconds.observe(seconds)

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """A pass over one key."""
        if (kind, result) not in self._reconciles:  # of ClusterJobTemplates, which not every cluster has
            self._reconciles[kind, result] = self._all_reconciles.labels(kind, result)
        self._reconciles[kind, result].observe(seconds)

    def called(self, verb: str, resource: str, code: str, seconds: float) -> None:
        """A request to the API server ended."""
        counter = self._requests.get((verb, resource, code)) or self._bind_request(verb, resource, code)
        counter.inc()
        self._request_seconds[verb].observe(seconds)

    def watch_began(self, resource: str, code: str) -> None:
        """A watch was opened, or refused."""
        counter = self._watches.get((resource, code)) or self._bind_watch(resource, code)
        counter.inc()

    def dependency_seen(self, seconds: float) -> None:
        """A step's child was seen so long after the last of its targets was seen to complete."""
        self._dependency_seconds.observe(seconds)

    def flow_ended(self, namespace: str, phase: str) -> None:
        """A flow was seen to reach Succeed or Failed."""
        self._ended.count(namespace, phase)

    def probed(self, kind: str, passed: bool) -> None:
        """One try of a probe ended."""
        self._probes[kind, passed].inc()

    def lease_round(self, result: str) -> None:
        """One try to take or renew the lease."""
        self._lease_rounds[result].inc()

    def loop_lagged(self, seconds: float) -> None:
        """A timer of the event loop rang so late."""
        self._loop_lag.observe(seconds)

    def _loop(self) -> None:
        self._queue_seconds = self._histogram(
            "jobflow_queue_wait_seconds", "From when a key is due until a worker has it.", WAIT_SECONDS
        )
        self._all_reconciles = reconciles = self._histogram(
            "jobflow_reconcile_seconds", "One pass over one key, its requests included.", SECONDS, ["kind", "result"]
        )
        kinds = (JOB_FLOW.kind, JOB_TEMPLATE.kind)
        self._reconciles = {(kind, result): reconciles.labels(kind, result) for kind in kinds for result in RESULTS}
        self._dependency_seconds = self._histogram(
            "jobflow_dependency_latency_seconds",
            "From when a step's last target was seen to complete until its child was seen to exist.",
            WAIT_SECONDS,
        )
        self._loop_lag = self._histogram("jobflow_event_loop_lag_seconds", "How late a timer of one second rang.")
        probes = self._counter("jobflow_probes", "Tries of probes.", ["kind", "result"])
        self._probes = {what: probes.labels(what[0], result) for what, result in PROBES.items()}
        rounds = self._counter("jobflow_lease_rounds", "Tries to take or renew the lease.", ["result"])
        self._lease_rounds = {result: rounds.labels(result) for result in ROUNDS}

    def _wire(self) -> None:
        self._all_requests = self._counter(
            "jobflow_api_requests", "Requests to the API server, repeated ones included.", ["verb", "resource", "code"]
        )
        self._all_request_seconds = self._histogram(
            "jobflow_api_request_seconds", "Duration of requests to the API server.", SECONDS, ["verb"]
        )
        self._all_watches = self._counter("jobflow_watch_starts", "Watches opened or refused.", ["resource", "code"])
        for call in CALLS:
            self._bind_request(*call)
        for resource in WATCHED:
            self._bind_watch(str(resource), "200")

    def _bind_request(self, verb: str, resource: str, code: str) -> Counter:
        if verb not in self._request_seconds:
            self._request_seconds[verb] = self._all_request_seconds.labels(verb)
        bound = self._requests[verb, resource, code] = self._all_requests.labels(verb, resource, code)
        return bound

    def _bind_watch(self, resource: str, code: str) -> Counter:
        bound = self._watches[resource, code] = self._all_watches.labels(resource, code)
        return bound

    def _counter(self, name: str, told: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(name, told, labels, registry=self.registry)

    def _histogram(
        self, name: str, told: str, buckets: tuple[float, ...] = SECONDS, labels: Iterable[str] = ()
    ) -> Histogram:
        return Histogram(name, told, labels, buckets=buckets, registry=self.registry)


class _WithoutBirthdays(CollectorRegistry):
    """A view of a registry without the `_created` series, which would double the number of counters' series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()
        self._all = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._all.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class _Ended(Collector):
    """Upstream's two counters, under upstream's names: without `_total`, which the library would add to a counter."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, int]] = {SUCCEED: {}, FAILED: {}}

    def count(self, namespace: str, phase: str) -> None:
        for each, counts in self._counts.items():
            counts[namespace] = counts.get(namespace, 0) + (each == phase)

    def collect(self) -> Iterator[Metric]:
        for phase, counts in self._counts.items():
            name = f"volcano_jobflow_{phase.lower()}_phase_count"
            metric = Metric(name, f"JobFlows that reached {phase}.", "unknown")
            for namespace, count in counts.items():
                metric.add_sample(name, {"jobflow_namespace": namespace}, count)
            yield metric

    def describe(self) -> Iterator[Metric]:
        return self.collect()


class _ReadingsCollector(Collector):
    """What is read at a scrape instead of counted on the way."""

    def __init__(self) -> None:
        self.read: Callable[[], Readings] = Readings

    def collect(self) -> Iterator[Metric]:
        now = self.read()
        yield GaugeMetricFamily("jobflow_leading", "1 while this replica leads (or is alone).", value=now.leading)
        yield GaugeMetricFamily("jobflow_synced", "1 once the cache was filled.", value=now.synced)
        yield _by("jobflow_queue_keys", "Keys on the work queue.", "state", _queue(now))
        yield _by("jobflow_flows", "JobFlows in the cache.", "phase", now.flows.items())
        yield _by("jobflow_cache_objects", "Objects in the cache.", "resource", now.cached.items())
        yield GaugeMetricFamily("jobflow_watches_out_of_sync", "Watches that have a problem.", value=now.troubled)
        yield GaugeMetricFamily("jobflow_probes_live", "Probes that some flow waits for.", value=now.probes)
        yield _by("jobflow_flows_paused", "JobFlows that are left alone.", "reason", now.paused.items())
        missing = "Fields of jobflow's that the installed CRD lacks."
        yield _by("jobflow_crd_fields_missing", missing, "resource", now.fields_missing.items())
        undecodable = CounterMetricFamily(
            "jobflow_undecodable_objects", "Objects left out: they could not be read.", labels=["resource"]
        )
        for resource, count in now.undecodable.items():
            undecodable.add_metric([resource], count)
        yield undecodable
        yield CounterMetricFamily("jobflow_events_dropped", "Events never sent.", value=now.events_dropped)
        yield GaugeMetricFamily("jobflow_api_requests_in_flight", "Requests under way.", value=now.requests_in_flight)
        yield GaugeMetricFamily(
            "jobflow_api_requests_limit", "Requests that may be under way at once.", value=now.requests_limit
        )

    def describe(self) -> Iterator[Metric]:
        return self.collect()


def _queue(now: Readings) -> Iterable[tuple[str, int]]:
    return (("ready", now.keys_ready), ("held", now.keys_held), ("delayed", now.keys_delayed))


def _by(name: str, told: str, label: str, values: Iterable[tuple[str, int]]) -> Metric:
    metric = GaugeMetricFamily(name, told, labels=[label])
    for value, count in values:
        metric.add_metric([value], count)
    return metric
