"""What somebody vouched for: announced changes and verdicts, and the parts of windows that they explain."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from features.events import TIME
from features.identity import cohort
from features.protocols import specs
from features.windows import KEY, Windows

_TOKENS = re.compile(r"\[\*\]|\*|\[|[^*\[]+")
_MEANT = {"*": ".*", "[*]": r"\*"}
NAMED_SCHEMA = {
    "workload": pl.String(),
    "window_start": TIME,
    "feature": pl.String(),
    "item": pl.String(),
    "explained": pl.String(),
}


@dataclass(frozen=True)
class Expectation:
    """Somebody's word that something is meant to be, until it expires.

    Parameters
    ----------
    id
        Shown beside whatever it explains.
    workload
        Name of a workload; `*` stands for any text and `[*]` for a star, here as in the items.
    since, until
        Windows that start from `since` and before `until` are explained.
    items
        Pairs of a feature and an item that may be met.
    at_most
        By feature of counts and magnitudes: the largest value that may be.
    image_repository, cohort
        If both are given, workloads of that image in that cohort are meant too: the siblings.
    """

    id: str
    workload: str
    since: datetime
    until: datetime
    items: Sequence[tuple[str, str]] = ()
    at_most: Mapping[str, float] = field(default_factory=dict)
    image_repository: str | None = None
    cohort: str | None = None


@dataclass(frozen=True)
class Parted:
    """Windows parted into what nobody vouched for and what somebody did.

    Parameters
    ----------
    unexplained, explained
        The parts; `explained` has only windows of which something is explained.
    named
        `workload, window_start, feature, item, explained`: who vouched for what; the item of a magnitude is null.
    """

    unexplained: Windows
    explained: Windows
    named: pl.DataFrame


def part(windows: Windows, expected: Sequence[Expectation], learnt: pl.DataFrame) -> Parted:
    """Part windows by what is expected.

    Parameters
    ----------
    windows
        Windows of any span.
    expected
        Of several that explain the same, the first is named.
    learnt
        `Baseline.workloads`: which image a workload runs, where the windows do not say.
    """
    if not expected:
        nothing = pl.DataFrame(schema=NAMED_SCHEMA)
        return Parted(*without(windows, nothing), nothing)
    facts = _facts(windows, learnt)
    found = [pl.DataFrame(schema=NAMED_SCHEMA)]
    for one in expected:
        names = _meant(one, facts)
        found += [_items(windows.items, one, names), *_amounts(windows.values, one, names)]
    named = pl.concat(found).unique([*KEY, "feature", "item"], keep="first", maintain_order=True)
    left, taken = without(windows, named)
    return Parted(left, taken, named)


def without(windows: Windows, named: pl.DataFrame) -> tuple[Windows, Windows]:
    """Part windows into all but the named cells and items, and these alone.

    Parameters
    ----------
    named
        `workload, window_start, feature, item`, at most once each; a null item names the value of a feature.
    """
    if named.is_empty():
        return windows, Windows(windows.values.clear(), windows.items.clear(), windows.facts)
    amounts = named.filter(pl.col("item").is_null())
    left = windows.values
    taken = left.join(named, on=KEY, how="semi", maintain_order="left")
    for name in left.columns[len(KEY) :]:
        of = amounts.filter(pl.col("feature") == name).select(*KEY, pl.lit(value=True).alias("named"))
        left, taken = (_only(values, name, of, named=kept) for values, kept in ((left, False), (taken, True)))
    on = [*KEY, "feature", "item"]
    items = windows.items
    return (
        Windows(left, items.join(named, on=on, how="anti", maintain_order="left"), windows.facts),
        Windows(taken, items.join(named, on=on, how="semi", maintain_order="left"), windows.facts),
    )


def _only(values: pl.DataFrame, name: str, of: pl.DataFrame, *, named: bool) -> pl.DataFrame:
    """Blank the cells of a column that are not `named`, or, if `named` is false, those that are."""
    if of.is_empty() and not named:
        return values
    kept = pl.col("named").is_not_null() if named else pl.col("named").is_null()
    marked = values.join(of, on=KEY, how="left", maintain_order="left")
    return marked.with_columns(pl.when(kept).then(name).alias(name)).drop("named")


def _facts(windows: Windows, learnt: pl.DataFrame) -> pl.DataFrame:
    known = learnt.select("workload", pl.col("image_repository").alias("learnt"))
    return (
        windows.values.select("workload")
        .unique()
        .join(windows.facts, on="workload", how="left")
        .join(known, on="workload", how="left")
        .select("workload", pl.coalesce("image_repository", "learnt").alias("image_repository"))
    )


def _meant(one: Expectation, facts: pl.DataFrame) -> list[str]:
    meant = _like(pl.col("workload"), one.workload)
    if one.image_repository and one.cohort:
        same = pl.col("workload").map_elements(cohort, return_dtype=pl.String) == one.cohort
        meant |= same & (pl.col("image_repository") == one.image_repository)
    return facts.filter(meant)["workload"].to_list()


def literal(text: str) -> str:
    """Write a text as the pattern that stands for it alone.

    Examples
    --------
    >>> literal("rm -r /tmp/*")
    'rm -r /tmp/[*]'
    """
    return text.replace("*", "[*]")


def _like(column: pl.Expr, pattern: str) -> pl.Expr:
    written = _TOKENS.sub(lambda found: _MEANT.get(found[0]) or pl.escape_regex(found[0]), pattern)
    return column.str.contains(f"(?s)^{written}$")


def _during(one: Expectation, names: list[str]) -> pl.Expr:
    start = pl.col("window_start")
    return pl.col("workload").is_in(names) & (start >= one.since) & (start < one.until)


def _items(items: pl.DataFrame, one: Expectation, names: list[str]) -> pl.DataFrame:
    exact = [(feature, item.replace("[*]", "*")) for feature, item in one.items if not _is_open(item)]
    listed = pl.DataFrame(exact, {"feature": pl.String(), "item": pl.String()}, orient="row").unique()
    wanted = pl.lit(value=False)
    for feature, pattern in one.items:
        if _is_open(pattern):
            wanted |= (pl.col("feature") == feature) & _like(pl.col("item"), pattern)
    own = items.filter(_during(one, names)).select(*KEY, "feature", "item", pl.lit(one.id).alias("explained"))
    return pl.concat([own.join(listed, on=["feature", "item"], how="semi"), own.filter(wanted)])


def _is_open(pattern: str) -> bool:
    return "*" in pattern.replace("[*]", "")


def _amounts(values: pl.DataFrame, one: Expectation, names: list[str]) -> list[pl.DataFrame]:
    return [
        values.filter(_during(one, names) & (pl.col(name) > 0) & (pl.col(name) <= most)).select(
            *KEY,
            pl.lit(name).alias("feature"),
            pl.lit(None, pl.String).alias("item"),
            pl.lit(one.id).alias("explained"),
        )
        for name, most in one.at_most.items()
        if name in specs() and name in values.columns
    ]
