"""What a baseline may not learn yet: what made windows strange waits until a person clears it or long enough passed.

Without it, who is patient teaches the baseline: one new destination a day, and new destinations are usual. What waits
is not forgotten. It is weighed along with later windows, as met before: what stays is told once and not every day.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from features.events import TIME
from features.evidence import Evidence
from features.expectations import Expectation, part, without
from features.protocols import specs
from features.windows import ITEMS_SCHEMA, KEY, Windows, only_met
from models.channels import Channels
from models.explanation import TELLING
from models.scores import Severity

LASTING = timedelta(days=14)
STRANGE: Severity = "high"
MOST_WAITING = 64  # windows kept of what waits: met so often, it is six bits less surprising
NAMELESS = "(something in quarantine)"
ITEM = ["workload", "feature", "item"]
HELD_SCHEMA = {"workload": pl.String(), "window_start": TIME, "feature": pl.String(), "item": pl.String()}


@dataclass(frozen=True)
class Attack:
    """What a person called an attack: its workload, its span, and what it met there as feature and item."""

    workload: str
    start: datetime
    end: datetime
    items: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Guard:
    """Who may teach a baseline what.

    Parameters
    ----------
    held
        What the model before held back, of `HELD_SCHEMA`.
    expected
        What a person cleared: learnt at once.
    attacks
        Never learnt.
    lasting
        After how long what was strange is learnt all the same.
    """

    held: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=HELD_SCHEMA))
    expected: Sequence[Expectation] = ()
    attacks: Sequence[Attack] = ()
    lasting: timedelta = LASTING

    def withhold(self, windows: Windows, strange: pl.DataFrame, until: datetime) -> "Withheld":
        """Part windows into what is learnt and what waits.

        Parameters
        ----------
        strange
            What made windows strange, of `HELD_SCHEMA`, beside what the model before held back.
        until
            End of the training span.
        """
        held = self._still_held(windows, pl.concat([self.held, strange]), until - self.lasting)
        attacked = _of_attacks(self.attacks, windows)
        cleared = part(windows, self.expected, windows.facts).named
        waits = _occurrences(windows, held).join(cleared, on=[*KEY, "feature", "item"], how="anti", nulls_equal=True)
        never = _occurrences(windows, attacked)
        kept, _ = without(windows, pl.concat([waits, never]).unique())
        kept = replace(kept, items=pl.concat([kept.items, _one_each(waits)]).sort(*KEY, "feature", "item"))
        waiting = waits.filter(pl.col("item").is_not_null()).join(never, on=ITEM, how="anti")
        return Withheld(kept, held, _thinned(windows, waiting))

    def _still_held(self, windows: Windows, held: pl.DataFrame, earliest: datetime) -> pl.DataFrame:
        """Count the time from when an item was first met, however often it was strange since."""
        first = windows.items.group_by(ITEM).agg(pl.col("window_start").min().alias("met"))
        began = pl.min_horizontal("window_start", "met").alias("window_start")
        dated = held.join(first, on=ITEM, how="left").with_columns(began).select(HELD_SCHEMA.keys())
        named = pl.col("item").is_not_null()
        items = dated.filter(named).group_by(ITEM).agg(pl.col("window_start").min()).select(HELD_SCHEMA.keys())
        both = pl.concat([items, dated.filter(~named).unique()])
        return both.filter(pl.col("window_start") >= earliest).sort(list(HELD_SCHEMA))


@dataclass(frozen=True)
class Withheld:
    """Windows to learn from, what is held back of them, and the windows in which that was met."""

    kept: Windows
    held: pl.DataFrame
    waiting: Windows


def strange_cells(evidence: Evidence, channels: Channels) -> pl.DataFrame:
    """Find the telling features of strange windows.

    Returns
    -------
    `workload, window_start, feature`: the window, of the hour that a strange one ends, that the evidence is from.
    """
    believed, source = channels.recent(evidence)
    surprise = channels.surprise(believed, evidence.keys["cohort"].to_numpy())
    strange = np.flatnonzero(surprise >= channels.thresholds[STRANGE])
    told, column = np.nonzero(believed[strange] >= TELLING)
    features = pl.Series("feature", list(specs()))
    return evidence.keys.select(KEY)[source[strange[told], column]].with_columns(features[column]).unique()


def strange_parts(cells: pl.DataFrame, items: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Find what made windows strange: telling values, and every item of a telling feature that was not known.

    Parameters
    ----------
    cells
        Of `strange_cells`.
    items
        `Windows.items` of the same windows.
    known
        `workload, feature, item` that the baseline knew.

    Returns
    -------
    Of `HELD_SCHEMA`; the item of a value is null.
    """
    counted = [name for name, spec in specs().items() if spec.kind != "items"]
    amounts = cells.filter(pl.col("feature").is_in(counted)).with_columns(pl.lit(None, pl.String).alias("item"))
    fresh = items.join(cells, on=[*KEY, "feature"], how="semi").join(known, on=ITEM, how="anti")
    return pl.concat([amounts, fresh.select(HELD_SCHEMA.keys())]).select(HELD_SCHEMA.keys())


def _of_attacks(attacks: Sequence[Attack], windows: Windows) -> pl.DataFrame:
    found = [pl.DataFrame(schema=HELD_SCHEMA)]
    for one in attacks:
        rows = [(one.workload, one.start, feature, item) for feature, item in one.items]
        start = pl.col("window_start")
        own = windows.values.filter((pl.col("workload") == one.workload) & (start >= one.start) & (start < one.end))
        counted = pl.DataFrame({"feature": [name for name in own.columns if name not in KEY]}, {"feature": pl.String()})
        cells = own.select(KEY).join(counted, how="cross").with_columns(pl.lit(None, pl.String).alias("item"))
        found += [pl.DataFrame(rows, HELD_SCHEMA, orient="row"), cells.select(HELD_SCHEMA.keys())]
    return pl.concat(found)


def _occurrences(windows: Windows, held: pl.DataFrame) -> pl.DataFrame:
    """Find every window in which something held was met, from when it is held on."""
    items = held.filter(pl.col("item").is_not_null()).select(*ITEM, pl.col("window_start").alias("since"))
    met = windows.items.join(items, on=ITEM).filter(pl.col("window_start") >= pl.col("since"))
    amounts = held.filter(pl.col("item").is_null())
    return pl.concat([met.select(HELD_SCHEMA.keys()), amounts.select(HELD_SCHEMA.keys())]).unique()


def _one_each(waits: pl.DataFrame) -> pl.DataFrame:
    """Let each workload have met one nameless thing: that it does is learnt, what it was and how often is not."""
    first = waits.filter(pl.col("item").is_not_null()).group_by("workload", "feature").agg(pl.col("window_start").min())
    nameless = first.with_columns(pl.lit(NAMELESS).alias("item"), pl.lit(1, pl.Int64).alias("count"))
    return nameless.select(ITEMS_SCHEMA.keys())


def _thinned(windows: Windows, waiting: pl.DataFrame) -> Windows:
    first = waiting.sort("window_start").group_by(ITEM, maintain_order=True).head(MOST_WAITING)
    return only_met(windows.items.join(first, on=[*KEY, "feature", "item"], how="semi", maintain_order="left"))
