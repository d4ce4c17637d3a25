"""Metrics of the webhook: reviews by verdict, refusals by rule, bad requests by what was wrong, the certificate's end.

In: calls from the server. Out: Prometheus series. Labels are of a fixed set: nothing that users write becomes one.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from jobflow import __version__
from jobflow.webhook.verdict import Allowed, Verdict
from jobflow.webhook.wire import Question

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
OPERATIONS = frozenset({"CREATE", "UPDATE", "DELETE"})
PATHS = {"/jobflows/validate": "JobFlow", "/jobtemplates/validate": "JobTemplate"}


class WebhookMetrics:
    """Counts for Prometheus. `text` is what a scrape gets."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._reviews = Counter(
            "jobflow_admission_reviews", "Reviews answered.", ["kind", "operation", "result"], registry=self.registry
        )
        self._refusals = Counter(
            "jobflow_admission_refusals", "Refusals by the rule.", ["kind", "rule"], registry=self.registry
        )
        self._seconds = Histogram(
            "jobflow_admission_seconds",
            "From a whole request to its answer.",
            ["kind"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._bad = Counter(
            "jobflow_admission_bad_requests", "Requests that are no question.", ["code"], registry=self.registry
        )
        self._expires = Gauge(
            "jobflow_webhook_certificate_expires_seconds",
            "When the certificate ends, Unix time.",
            registry=self.registry,
        )
        build = Gauge("jobflow_build_info", "Always 1; the version is a label.", ["version"], registry=self.registry)
        build.labels(__version__).set(1)

    def reviewed(self, path: str, question: Question, verdict: Verdict, seconds: float) -> None:
        """A question was answered."""
        kind = PATHS[path]
        operation = question.operation if question.operation in OPERATIONS else "other"
        result = "allowed" if isinstance(verdict, Allowed) else "denied"
        self._reviews.labels(kind, operation, result).inc()
        self._seconds.labels(kind).observe(seconds)
        if not isinstance(verdict, Allowed):
            self._refusals.labels(kind, verdict.rule).inc()

    def refused_request(self, code: int) -> None:
        """A request was none that can be answered."""
        self._bad.labels(str(code)).inc()

    def certificate_from(self, expires: Callable[[], float]) -> None:
        """From now on a scrape tells when the shown certificate ends."""
        self._expires.set_function(expires)

    def text(self) -> bytes:
        """All series, in Prometheus' text format."""
        return generate_latest(self.registry)
