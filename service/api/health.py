"""Health, readiness and metrics."""

from collections.abc import Iterator
from datetime import UTC, datetime

import sqlalchemy as sa
from flask import Response
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from features.stores import StoreError
from service.api.operations import Resource
from service.api.problems import ProblemError
from service.api.schemas.health import Health
from service.api.schemas.problems import Problem
from service.jobs.fold import closed_windows
from service.metrics import CONTENT_TYPE, render
from service.state import State, state
from service.wiring import Home

resource = Resource("health")


@resource.operation("GET", "/healthz", scope=None, answer=Health)
def get_health() -> Health:
    """Say that the process answers; nothing else is looked at."""
    return Health(status="ok", checks={})


@resource.operation("GET", "/readyz", scope=None, answer=Health, problems=(503,))
def get_readiness() -> Health:
    """Say whether the service can do its work.

    The lake must be readable, the spool and the store writable and a model loaded; otherwise 503, with the reason of
    each check.
    """
    here = state()
    failures = {"lake": _lake(here), "spool": here.home.spool.fault(), "store": _store(here), "model": _model(here)}
    checks = {name: failure or "ok" for name, failure in failures.items()}
    if any(failures.values()):
        told = "; ".join(f"{name}: {failure}" for name, failure in failures.items() if failure)
        kind = "urn:wharfinger:problem:not-ready"
        raise ProblemError(Problem(title="Service Unavailable", status=503, type=kind, detail=told, checks=checks))
    return Health(status="ready", checks=checks)


@resource.operation("GET", "/metrics", scope="read", answer=CONTENT_TYPE)
def get_metrics() -> Response:
    """Give metrics in Prometheus' text format, summed over the web workers."""
    return Response(render(_Now(state())), content_type=CONTENT_TYPE)


def _lake(here: State) -> str | None:
    try:
        next(here.home.lake.store.list(), None)
    except (OSError, StoreError) as error:
        return f"cannot be read: {getattr(error, 'strerror', error)}"
    return None


def _store(here: State) -> str | None:
    try:
        here.home.database.check_writable()
    except sa.exc.SQLAlchemyError as error:
        return f"cannot be written: {getattr(error, 'orig', error)}"
    return None


def _model(here: State) -> str | None:
    detector = here.model.get()
    return here.model.problem or (None if detector else "no model yet; run: wharfinger refresh")


class _Now(Collector):
    """What is read at the moment of the scrape, by whichever worker answers it."""

    def __init__(self, here: State) -> None:
        self._here = here

    def collect(self) -> Iterator[Metric]:
        detector = self._here.model.get()
        model = GaugeMetricFamily("wharfinger_model_info", "Model in use.", labels=["version"])
        if detector is not None:
            model.add_metric([detector.version], 1)
        yield model
        broken = GaugeMetricFamily("wharfinger_model_refused", "1 while the promoted model cannot be loaded.")
        broken.add_metric([], float(self._here.model.problem is not None))
        yield broken
        span = self._here.home.store.span()
        last = GaugeMetricFamily(
            "wharfinger_last_window_timestamp_seconds", "Start of the newest stored window, seconds since 1970."
        )
        if span is not None:
            last.add_metric([], span[1].timestamp())
        yield last
        yield from _intake(self._here.home)


def _intake(home: Home) -> Iterator[Metric]:
    now, spool = datetime.now(UTC), home.spool.backlog()
    backlog, mark = home.touched.backlog(now), closed_windows(home, now=now)
    lag = (now - spool.oldest).total_seconds() if spool.oldest else 0.0
    yield _gauge("wharfinger_intake_lag_seconds", "For how long the oldest accepted event waits for the lake.", lag)
    yield _gauge("wharfinger_spool_bytes", "Accepted events that wait for the lake, in bytes.", spool.size)
    yield _gauge("wharfinger_spool_files", "Accepted requests that wait for the lake.", spool.files)
    yield _gauge("wharfinger_windows_open", "Windows with events that are not scored yet.", backlog.waiting)
    yield _gauge("wharfinger_windows_late", "Windows with events that came too late to be scored.", backlog.late)
    yield _gauge(
        "wharfinger_watermark_timestamp_seconds", "End of the last closed window, seconds since 1970.", mark.timestamp()
    )


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)
