"""The detector: what is normal, forests over evidence, and calibrations, joined into scores."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.baselines import ITEMS_SCHEMA, VALUES_SCHEMA, WORKLOADS_SCHEMA, Baseline
from features.events import TIME
from features.evidence import Evidence, Normal, columns, weigh, weights
from features.novelty import MATURE
from features.protocols import specs
from features.windows import WINDOW, Windows
from models.aggregates import aggregate, by_family
from models.alert_rate import AlertRate
from models.calibration import TailCalibration
from models.cohort_forests import CohortForests
from models.explanation import MOST, TELLING, item_reason, magnitude_reason
from models.registry import Artefact
from models.scores import SEVERITIES, BaselineInfo, Reason, Score, Severity
from models.trust import Trust

Level = Literal["workload", "image", "cohort", "fleet"]
CHANNELS = ("forest", "sum")


def strength(
    vectors: NDArray[np.float64],
    cohorts: NDArray[np.str_],
    forests: CohortForests,
    calibrations: dict[str, TailCalibration],
) -> NDArray[np.float64]:
    """Give the strength of windows: the mean of two calibrated tails in bits, shape (n,).

    One channel is the score of the cohort's forest, the other the strongest evidence plus half of the second strongest.
    What else was tried: `docs/adr/0015-forests-of-cohorts-and-the-mean-of-two-tails.md`.
    """
    by_forest = calibrations["forest"].bits(forests.score(vectors, cohorts), cohorts)
    by_sum = calibrations["sum"].bits(summed(vectors), cohorts)
    return np.asarray((by_forest + by_sum) / 2, dtype=np.float64)


def summed(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the strongest evidence plus half of the second strongest, shape (n,), from `aggregate` vectors."""
    return np.asarray(vectors[:, 0] + vectors[:, 1] / 2, dtype=np.float64)


@dataclass(frozen=True)
class Channels:
    """The two channels and how they are read.

    Parameters
    ----------
    trust
        How far each feature is believed.
    forests
        Fitted over `models.aggregates.aggregate` vectors.
    calibrations
        By name of `CHANNELS`: of the forests' score, and of the summed evidence.
    alert_rate
        What the strength of the two together is worth.
    thresholds
        Bits from which a window has a severity.
    """

    trust: Trust
    forests: CohortForests
    calibrations: dict[str, TailCalibration]
    alert_rate: AlertRate
    thresholds: dict[Severity, float]

    def bits(self, evidence: Evidence) -> NDArray[np.float64]:
        """Give the calibrated surprise of each window, shape (n,)."""
        vectors = aggregate(self.trust.apply(evidence.bits))
        cohorts = evidence.keys["cohort"].to_numpy()
        return self.alert_rate.bits(strength(vectors, cohorts, self.forests, self.calibrations))

    def severity(self, bits: float) -> Severity:
        """Name the severity of a window's bits."""
        reached: Severity = "none"
        for name in SEVERITIES[1:]:
            if bits >= self.thresholds[name]:
                reached = name
        return reached


@dataclass(frozen=True)
class Detector:
    """A model version ready to score."""

    version: str
    manifest: dict[str, Any]
    normal: Normal
    channels: Channels

    def score(self, windows: Windows, since: datetime | None = None) -> list[Score]:
        """Score windows.

        Parameters
        ----------
        windows
            Windows from the end of the baseline on, so that what stays new for days is told from what is new now.
        since
            Give only the scores of windows that start at or after this.

        Returns
        -------
        One score per row of `windows.values`, in its order.
        """
        if windows.values.is_empty():
            return []
        evidence = weigh(windows, self.normal)
        if since is not None:
            evidence = evidence.after(since)
        bits = self.channels.bits(evidence)
        families = by_family(self.channels.trust.apply(evidence.bits))
        reasons = self._reasons(evidence)
        scores = []
        for row, (key, info) in enumerate(zip(evidence.keys.iter_rows(), self._infos(evidence), strict=True)):
            surprise = float(bits[row])
            scores.append(
                Score(
                    workload=key[0],
                    window_start=_iso(key[1]),
                    window_end=_iso(key[1] + WINDOW),
                    score=surprise / (surprise + 10),
                    bits=surprise,
                    p_value=2.0**-surprise,
                    severity=self.channels.severity(surprise),
                    evidence={family: round(float(column[row]), 2) for family, column in families.items()},
                    reasons=reasons.get(row, []),
                    baseline=info,
                    model=self.version,
                )
            )
        return scores

    def _reasons(self, evidence: Evidence) -> dict[int, list[Reason]]:
        found: dict[int, list[Reason]] = {}
        for table, explain in ((evidence.values, magnitude_reason), (evidence.items, item_reason)):
            for row in self._telling(table).iter_rows(named=True):
                found.setdefault(row["row"], []).append(explain(specs()[row["feature"]], row, row["believed"]))
        return {
            row: sorted(reasons, key=lambda reason: (-reason.bits, columns()[reason.feature]))[:MOST]
            for row, reasons in found.items()
        }

    def _telling(self, table: pl.DataFrame) -> pl.DataFrame:
        """Add `believed` bits to evidence rows, and keep those that are worth a reason."""
        found = table["feature"].replace_strict(columns(), return_dtype=pl.Int64).to_numpy()
        claimed = table["bits"].to_numpy() * weights()[found]
        believed = np.zeros(len(table))
        for column in np.unique(found):
            own = found == column
            believed[own] = self.channels.trust.column(column, claimed[own])
        return table.with_columns(pl.Series("believed", believed)).filter(pl.col("believed") >= TELLING)

    def _infos(self, evidence: Evidence) -> Iterator[BaselineInfo]:
        learnt = self.normal.baseline.workloads
        images, cohorts = set(learnt["image_repository"].drop_nulls()), set(learnt["cohort"])
        joined = evidence.keys.join(
            learnt.select("workload", "windows"), on="workload", how="left", maintain_order="left"
        )
        for row in joined.select("cohort", "image_repository", "windows").iter_rows():
            cohort, image, windows = row
            level: Level = "workload" if windows else "fleet"
            if not windows and image in images:
                level = "image"
            elif not windows and cohort in cohorts:
                level = "cohort"
            count = windows or 0
            yield BaselineInfo(level=level, maturity=round(count / (count + MATURE), 3), windows=count)

    def workloads(self) -> pl.DataFrame:
        """List what is learnt: `workload, cohort, image_repository, first_seen, last_seen, windows`."""
        return self.normal.baseline.workloads

    def baseline(self, workload: str) -> dict[str, Any] | None:
        """Describe what is normal for a workload, ready for JSON; None for one never seen."""
        known = self.workloads().filter(pl.col("workload") == workload)
        if known.is_empty():
            return None
        own = pl.col("workload") == workload
        items = self.normal.baseline.items.filter(own).sort(
            "feature", "windows", "item", descending=[False, True, False]
        )
        usual = self.normal.magnitudes.workloads.filter(own).sort("feature")
        row = known.row(0, named=True)
        return {
            "workload": workload,
            "cohort": row["cohort"],
            "image_repository": row["image_repository"],
            "first_seen": _iso(row["first_seen"]),
            "last_seen": _iso(row["last_seen"]),
            "windows": row["windows"],
            "maturity": round(row["windows"] / (row["windows"] + MATURE), 3),
            "magnitudes": {
                name: {
                    "typical": round(float(np.expm1(mean)), 3),
                    "low": round(float(max(np.expm1(mean - 2 * spread), 0)), 3),
                    "high": round(float(np.expm1(mean + 2 * spread)), 3),
                    "active_share": round(rate, 4),
                    "unit": specs()[name].unit,
                }
                for name, mean, spread, rate in usual.select("feature", "mean", "spread", "rate").iter_rows()
                if name in specs()
            },
            "items": {
                str(name): [
                    {"item": i["item"], "windows": i["windows"], "last_seen": _iso(i["last_seen"])}
                    for i in group.head(200).iter_rows(named=True)
                ]
                for (name,), group in items.group_by("feature", maintain_order=True)
            },
        }

    def artefact(self) -> Artefact:
        """Give what is stored of the detector: arrays, tables and manifest."""
        baseline = self.normal.baseline
        return Artefact(
            manifest=self.manifest
            | {
                "features": list(specs()),
                "since": _iso(baseline.since),
                "until": _iso(baseline.until),
                "thresholds": dict(self.channels.thresholds),
                "forests": self.channels.forests.names(),
                "calibrations": {name: c.to_json() for name, c in self.channels.calibrations.items()},
                "alert_rate": self.channels.alert_rate.to_json(),
            },
            arrays=self.channels.forests.arrays() | {"trust": {"believed": self.channels.trust.believed}},
            tables={
                "workloads": baseline.workloads,
                "values": baseline.values,
                "items": baseline.items,
            },
        )

    @classmethod
    def from_artefact(cls, artefact: Artefact, version: str) -> "Detector":
        """Make a detector of a verified artefact.

        Raises
        ------
        ValueError
            If the artefact was made for other features, or before cohorts had forests: retrain with `wharfinger
            refresh`.
        """
        manifest = artefact.manifest
        if manifest["features"] != list(specs()):
            raise ValueError(f"model {version} was made for other features; retrain with `wharfinger refresh`")
        if "forests" not in manifest:
            raise ValueError(f"model {version} is from before cohorts had forests; retrain with `wharfinger refresh`")
        tables = {
            name: artefact.tables[name].select(pl.col(c).cast(t) for c, t in schema.items())
            for name, schema in (
                ("workloads", WORKLOADS_SCHEMA),
                ("values", VALUES_SCHEMA),
                ("items", ITEMS_SCHEMA),
            )
        }
        baseline = Baseline(_parse(manifest["since"]), _parse(manifest["until"]), **tables)
        channels = Channels(
            Trust.from_array(artefact.arrays["trust"]["believed"], len(specs())),
            CohortForests.from_arrays(artefact.arrays, manifest["forests"]),
            {name: TailCalibration.from_json(manifest["calibrations"][name]) for name in CHANNELS},
            AlertRate.from_json(manifest["alert_rate"]),
            {name: float(manifest["thresholds"][name]) for name in get_args(Severity)[1:]},
        )
        return cls(version, manifest, Normal.of(baseline), channels)


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse(text: str) -> datetime:
    return pl.Series([text]).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC").cast(TIME).item()  # type: ignore[no-any-return]
