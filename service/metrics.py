"""Prometheus metrics, summed over web workers when `PROMETHEUS_MULTIPROC_DIR` is set before this is imported."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_REGISTRY = CollectorRegistry()
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

REQUESTS = Counter("wharfinger_http_requests", "Requests answered.", ["method", "route", "status"], registry=_REGISTRY)
SECONDS = Histogram(
    "wharfinger_http_request_seconds", "Time to answer.", ["route"], buckets=_BUCKETS, registry=_REGISTRY
)
SCORED = Counter("wharfinger_scored_windows", "Windows scored on request.", ["severity"], registry=_REGISTRY)
REFUSED = Counter("wharfinger_refused_items", "Windows and events of requests that were refused.", registry=_REGISTRY)
EVENTS = Counter("wharfinger_intake_records", "Records sent to intake.", ["outcome"], registry=_REGISTRY)
SCORING = Histogram(
    "wharfinger_scoring_seconds", "Time to score the windows that closed.", buckets=_LONG_BUCKETS, registry=_REGISTRY
)
LEADER = Gauge(
    "wharfinger_leader",
    "1 if this server scores windows as they close.",
    registry=_REGISTRY,
    multiprocess_mode="livesum",
)

DELIVERIES = Counter(
    "wharfinger_deliveries", "Attempts to deliver a message to an output.", ["output", "result"], registry=_REGISTRY
)


def render(extra: Collector) -> bytes:
    """Render every metric in Prometheus' text format.

    Parameters
    ----------
    extra
        Collector of what is read at this moment, such as the model in use.
    """
    scrape = CollectorRegistry()
    scrape.register(extra)
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(scrape)  # type: ignore[no-untyped-call]  # as the library leaves it
        return generate_latest(scrape)
    return generate_latest(_REGISTRY) + generate_latest(scrape)
