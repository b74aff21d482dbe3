"""The detector: what is normal, forests over evidence, and calibrations, joined into scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.baselines import TABLES, Baseline
from features.events import TIME
from features.evidence import Normal, columns, weigh
from features.expectations import Expectation, part
from features.magnitudes import Magnitudes
from features.novelty import Novelty
from features.protocols import specs
from features.stored_expectations import from_tables, tables_of
from features.windows import WINDOW, Windows, merge_windows, only_met
from models.aggregates import by_family
from models.alert_rate import AlertRate
from models.attribution import attribute
from models.backoff import Backoff
from models.calibration import TailCalibration
from models.channels import CHANNELS, Channels
from models.cohort_forests import CohortForests
from models.counterfactual import smallest
from models.description import RFC_3339, describe, iso
from models.explanation import undone
from models.reasons import telling, telling_only, vouched_for
from models.registry import Artefact
from models.scores import SEVERITIES, BaselineInfo, Counterfactual, Reason, Score, Severity
from models.trust import Trust

SERVED = ("workloads", "items")  # of a baseline's tables; the others are in its expectations
EXPLAINED = SEVERITIES[2:]  # attribution and counterfactuals of `low` too would double the time of a day's windows


@dataclass(frozen=True)
class Detector:
    """A model version ready to score.

    Parameters
    ----------
    held
        What its baseline was not allowed to learn, of `models.quarantine.HELD_SCHEMA`; None for nothing.
    waiting
        The windows in which that was met, so that it is not as new each day; None for none.
    """

    version: str
    manifest: dict[str, Any]
    normal: Normal
    channels: Channels
    held: pl.DataFrame | None = None
    waiting: Windows | None = None

    def score(
        self, windows: Windows, since: datetime | None = None, *, expected: Sequence[Expectation] = ()
    ) -> list[Score]:
        """Score windows.

        Parameters
        ----------
        windows
            Windows from the end of the baseline on, so that what stays new for days is told from what is new now.
        since
            Give only the scores of windows that start at or after this.
        expected
            What somebody vouched for: it is shown, labelled as explained, and does not raise the score.

        Returns
        -------
        One score per row of `windows.values`, in its order.
        """
        if windows.values.is_empty():
            return []
        first = since or windows.values["window_start"].min()
        windows = self._with_waiting(windows)
        parted = part(windows, expected, self.normal.baseline.workloads)
        parted = telling_only(windows, parted, self.normal, self.channels.trust)
        evidence = weigh(parted.unexplained, self.normal)
        recent, source = self.channels.recent(evidence)
        asked = np.flatnonzero((evidence.keys["window_start"] >= first).to_numpy())
        keys, believed = evidence.keys if len(asked) == len(recent) else evidence.keys[asked], recent[asked]
        bits = self.channels.surprise(believed, keys["cohort"].to_numpy())
        families = by_family(believed)
        told = np.column_stack(list(families.values())).round(2).tolist()
        reasons = telling(evidence, believed, source[asked], asked, self._backoff)
        vouched = vouched_for(parted, self.normal, self.channels.trust, self._backoff)
        severities = [self.channels.severity(surprise) for surprise in bits.tolist()]
        strange = [row for row, severity in enumerate(severities) if severity in EXPLAINED]
        attributions = dict(
            zip(
                strange,
                attribute(self.channels.forests, believed[strange], keys["cohort"].to_numpy()[strange]),
                strict=True,
            )
        )
        counterfactuals = self._counterfactuals(keys, believed, strange, severities, reasons)
        start = pl.col("window_start")
        named = keys.select(
            "workload",
            "cohort",
            "image_repository",
            start.dt.strftime(RFC_3339),
            (start + WINDOW).dt.strftime(RFC_3339).alias("end"),
            start.alias("moment"),
        )
        bases: dict[str, BaselineInfo] = {}
        scores = []
        for row, (workload, cohort, image, begins, ends, moment) in enumerate(named.iter_rows()):
            surprise = float(bits[row])
            if workload not in bases:
                bases[workload] = self._backoff.base(workload, cohort, image)
            scores.append(
                Score(
                    workload=workload,
                    window_start=begins,
                    window_end=ends,
                    score=surprise / (surprise + 10),
                    bits=surprise,
                    p_value=2.0**-surprise,
                    severity=severities[row],
                    evidence=dict(zip(families, told[row], strict=True)),
                    reasons=reasons.get(row, []) + vouched.get((workload, moment), []),
                    baseline=bases[workload],
                    model=self.version,
                    attribution=attributions.get(row),
                    counterfactual=counterfactuals.get(row),
                )
            )
        return scores

    def _with_waiting(self, windows: Windows) -> Windows:
        """Put what waits in quarantine before windows that follow the baseline: what stays is less new each time."""
        if self.waiting is None or self.waiting.values.is_empty():
            return windows
        if (windows.values["window_start"] < self.normal.baseline.until).any():
            return windows
        own = self.waiting.of(windows.values["workload"])  # what waits of others is nothing to these
        return windows if own.values.is_empty() else merge_windows([own, windows])

    def _counterfactuals(
        self,
        keys: pl.DataFrame,
        believed: NDArray[np.float64],
        strange: list[int],
        severities: list[Severity],
        reasons: dict[int, list[Reason]],
    ) -> dict[int, Counterfactual]:
        """Find what keeps each strange window below `high`, or below its own severity where that is lower."""
        limits, cohorts = self.channels.thresholds, keys["cohort"].to_numpy()[strange]
        found = smallest(
            believed[strange],
            [[columns()[reason.feature] for reason in reasons.get(row, [])] for row in strange],
            np.array([min(limits[severities[row]], limits["high"]) for row in strange]),
            lambda rows, owners: self.channels.surprise(rows, cohorts[owners]),
        )
        return {
            row: self._without([r for r in reasons[row] if columns()[r.feature] in less[0]], less[1])
            for row, less in zip(strange, found, strict=True)
            if less
        }

    def _without(self, reasons: list[Reason], bits: float) -> Counterfactual:
        score, severity = bits / (bits + 10), self.channels.severity(bits)
        return Counterfactual(
            without=[reason.feature for reason in reasons],
            score=score,
            bits=bits,
            severity=severity,
            text=undone(reasons, score, severity),
        )

    @cached_property
    def _backoff(self) -> Backoff:
        return Backoff.of(self.normal)

    def workloads(self) -> pl.DataFrame:
        """List what is learnt: `workload, cohort, image_repository, first_seen, last_seen, windows`."""
        return self.normal.baseline.workloads

    def baseline(self, workload: str) -> dict[str, Any] | None:
        """Describe what is normal for a workload, ready for JSON; None for one never seen."""
        return describe(self.normal, workload)

    def artefact(self) -> Artefact:
        """Give what is stored of the detector: arrays, tables and manifest."""
        baseline = self.normal.baseline
        return Artefact(
            manifest=self.manifest
            | {
                "features": list(specs()),
                "since": iso(baseline.since),
                "until": iso(baseline.until),
                "thresholds": dict(self.channels.thresholds),
                "forests": self.channels.forests.names(),
                "calibrations": {name: c.to_json() for name, c in self.channels.calibrations.items()},
                "alert_rate": self.channels.alert_rate.to_json(),
            },
            arrays=self.channels.forests.arrays() | {"trust": {"believed": self.channels.trust.believed}},
            tables={
                **{name: getattr(baseline, name) for name in SERVED},
                **tables_of(self.normal.magnitudes),
                **tables_of(self.normal.novelty),
                **({} if self.held is None else {"held": self.held}),
                **({} if self.waiting is None else {"waiting": self.waiting.items}),
            },
        )

    @classmethod
    def from_artefact(cls, artefact: Artefact, version: str) -> "Detector":
        """Make a detector of a verified artefact.

        Raises
        ------
        ValueError
            If the artefact was made for other features, or lacks forests of cohorts or a table: retrain with
            `wharfinger refresh`.
        """
        manifest = artefact.manifest
        if manifest["features"] != list(specs()):
            raise ValueError(f"model {version} was made for other features; retrain with `wharfinger refresh`")
        if "forests" not in manifest:
            raise ValueError(f"model {version} is from before cohorts had forests; retrain with `wharfinger refresh`")
        tables = {name: pl.DataFrame(schema=schema) for name, schema in TABLES.items()} | {
            name: artefact.tables[name].select(pl.col(c).cast(t) for c, t in TABLES[name].items()) for name in SERVED
        }
        baseline = Baseline(_parse(manifest["since"]), _parse(manifest["until"]), **tables)
        channels = Channels(
            Trust.from_array(artefact.arrays["trust"]["believed"], len(specs())),
            CohortForests.from_arrays(artefact.arrays, manifest["forests"]),
            {name: TailCalibration.from_json(manifest["calibrations"][name]) for name in CHANNELS},
            AlertRate.from_json(manifest["alert_rate"]),
            {name: float(manifest["thresholds"][name]) for name in get_args(Severity)[1:]},
        )
        try:
            expected = from_tables(Magnitudes, artefact.tables), from_tables(Novelty, artefact.tables)
        except ValueError as error:
            raise ValueError(f"model {version}: {error}; retrain with `wharfinger refresh`") from error
        waiting = artefact.tables.get("waiting")
        met = None if waiting is None else only_met(waiting)
        return cls(version, manifest, Normal(baseline, *expected), channels, artefact.tables.get("held"), met)


def _parse(text: str) -> datetime:
    return pl.Series([text]).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC").cast(TIME).item()  # type: ignore[no-any-return]
