"""What `/metrics` reads at the moment of the scrape, by whichever worker answers it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from features.windows import VALUES_SCHEMA
from models.detector import Detector
from models.scores import SEVERITIES
from models.training_report import RATES, count_runs
from service.jobs.fold import closed_windows
from service.state import State
from service.wiring import Home

_DAY = timedelta(days=1)


class Scrape(Collector):
    """The state of models, scores, intake and outputs now.

    Parameters
    ----------
    here
        The application's state.
    """

    def __init__(self, here: State) -> None:
        self._here = here

    def collect(self) -> Iterator[Metric]:
        """Read the metrics."""
        detector, home = self._here.model.get(), self._here.home
        refused = self._here.model.problem is not None
        yield _gauge("wharfinger_model_refused", "1 while the promoted model cannot be loaded.", float(refused))
        if detector is not None:
            yield from _model(detector)
        yield from _scores(home)
        yield from _intake(home)
        yield from _outputs(home)


def _model(detector: Detector) -> Iterator[Metric]:
    model = GaugeMetricFamily("wharfinger_model_info", "Model in use.", labels=["version"])
    model.add_metric([detector.version], 1)
    yield model
    created = datetime.fromisoformat(detector.version.partition("Z-")[0] + "Z")
    meaning = "When the model in use was made, seconds since 1970."
    yield _gauge("wharfinger_model_created_timestamp_seconds", meaning, created.timestamp())
    meaning = "Alerts of at least the severity that the model in use was made to give in a day without attacks."
    budget = GaugeMetricFamily("wharfinger_alert_budget_per_day", meaning, labels=["severity"])
    for severity, times in RATES.items():
        budget.add_metric([severity], detector.manifest["budget"] * times)
    yield budget


def _scores(home: Home) -> Iterator[Metric]:
    span = home.store.span()
    if span is None:
        return
    meaning = "Start of the newest stored window, seconds since 1970."
    yield _gauge("wharfinger_last_window_timestamp_seconds", meaning, span[1].timestamp())
    meaning = "Alerts of at least the severity in the day that ends with the newest stored window."
    realised = GaugeMetricFamily("wharfinger_alerts_last_day", meaning, labels=["severity"])
    cells = home.store.cells(since=span[1] - _DAY, severity="low")
    for least in RATES:
        strange = [cell[:2] for cell in cells if SEVERITIES.index(cell.severity) >= SEVERITIES.index(least)]
        realised.add_metric([least], count_runs(pl.DataFrame(strange, schema=VALUES_SCHEMA, orient="row")))
    yield realised


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


def _outputs(home: Home) -> Iterator[Metric]:
    messages = GaugeMetricFamily("wharfinger_outbox_messages", "Messages to outputs.", labels=["output", "state"])
    for (output, state), count in home.outbox.counts().items():
        messages.add_metric([output, state], count)
    yield messages


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)
