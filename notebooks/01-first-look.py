# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A first look
#
# The bundled capture of a real Docker Engine: what is normal for a workload, which of its windows are strange and why,
# and whether another forest would say the same. Everything here is the code that the service runs.
#
# Install with `pip install -e ".[notebooks]"`; open this file as a notebook with jupytext, or run it with Python.

# %%
import tempfile
from datetime import datetime
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

import features
import models
from features.evidence import weigh
from features.extraction import closed_until, extract_days
from features.ingest import read_events
from features.lake import Lake
from features.windows import merge_windows
from models.aggregates import aggregate, by_family
from models.forest import fit_forest
from models.training import train
from service.jobs.demo import bundled_sample, load_sample

print("features from", features.__file__)
print("models from", models.__file__)

# %% [markdown]
# ## From files to a lake
#
# `read_events` recognises each record's source from its content. The lake keeps each event once.

# %%
sample = load_sample(bundled_sample())
home = tempfile.TemporaryDirectory(prefix="wharfinger-notebook-")
lake = Lake(Path(home.name) / "lake")
for batch in read_events(sample.files):
    lake.append(batch.events)
print(pl.DataFrame({"source": lake.counts().keys(), "events": lake.counts().values()}))
print("learn until", sample.split, "; closed until", closed_until(lake))

# %% [markdown]
# ## Learn what is normal
#
# Benign life alone lies before the split. `train` extracts the windows, learns a baseline for every workload, weighs
# windows it has held out against it and fits a forest on their evidence.

# %%
champion, report = train(lake, until=sample.split)
print({name: value for name, value in report.items() if name != "trust"})
print(champion.workloads().sort("windows", descending=True).head(12))

# %% [markdown]
# ## Score what follows
#
# Bits are `-log2` of a tail probability: 10 bits are one window in a thousand.

# %%
learnt = champion.normal.baseline.until
windows = merge_windows(list(extract_days(lake, learnt, closed_until(lake) or learnt)))
scores = champion.score(windows)
table = pl.DataFrame(
    {
        "workload": [score.workload for score in scores],
        "start": [datetime.fromisoformat(score.window_start) for score in scores],
        "bits": [score.bits for score in scores],
        "severity": [score.severity for score in scores],
        "reason": [score.reasons[0].text if score.reasons else "" for score in scores],
    }
)
with pl.Config(tbl_rows=15, fmt_str_lengths=90, tbl_hide_dataframe_shape=True):
    print(table.sort("bits", descending=True).head(15))

# %% [markdown]
# ## One workload: what is normal
#
# The workload with the strangest window. Rates are kept per hour of the day; items with when they were first met.

# %%
strangest = max(scores, key=lambda score: score.bits)
workload = strangest.workload
known = champion.baseline(workload)
if known is None:
    print(workload, "was never seen before the split: its image, its cohort and the fleet answer for it")
else:
    usual = {name: value for name, value in known["magnitudes"].items() if value["active_share"] > 0.05}
    print(workload, "known for", known["windows"], "windows")
    print(pl.DataFrame([{"feature": name} | value for name, value in usual.items()]))
    for name, items in known["items"].items():
        print(f"{name:28}", ", ".join(str(item["item"]) for item in items[:4]))

# %% [markdown]
# ## One workload: what was strange
#
# Its windows over time, with what was done to it on purpose shaded, and the evidence per family of the strangest one.

# %%
own = table.filter(pl.col("workload") == workload).sort("start")
figure, (timeline, bars) = plt.subplots(1, 2, figsize=(12, 3.5), width_ratios=(3, 1), layout="constrained")
timeline.step(own["start"].to_list(), own["bits"].to_list(), where="post")
timeline.axhline(champion.channels.thresholds["high"], color="firebrick", linestyle="--", linewidth=1, label="high")
for act in sample.attacks:
    if act.workload == workload:
        timeline.axvspan(act.start, act.end, alpha=0.2, color="orange", label=act.scenario)
timeline.set(title=workload, ylabel="bits")
timeline.tick_params(axis="x", rotation=30)
timeline.legend()
families = dict(sorted(strangest.evidence.items(), key=lambda pair: pair[1]))
bars.barh(list(families), list(families.values()))
bars.set(title=strangest.window_start, xlabel="bits of evidence")
plt.show()
for reason in strangest.reasons:
    print(f"{reason.bits:6.1f}  {reason.technique:10} {reason.text}")

# %% [markdown]
# ## Would another forest say the same?
#
# A challenger on the same evidence with other settings: another seed, fewer trees, the default sample of 256. Forests
# rank; what counts is whether the same windows stand at the top.

# %%
evidence = weigh(windows, champion.normal)
believed, _ = champion.channels.recent(evidence)
vectors = aggregate(believed)
challenger = fit_forest(vectors, seed=1, n_trees=100, max_samples=256)
mine, other = champion.channels.forests.fleet.score(vectors), challenger.score(vectors)
places = np.argsort(np.argsort(-mine)), np.argsort(np.argsort(-other))
agreement = float(np.corrcoef(*places)[0, 1])
top = min(20, len(vectors))
both = len({*np.argsort(-mine)[:top].tolist()} & {*np.argsort(-other)[:top].tolist()})
print(f"rank correlation {agreement:.3f}; {both} of the {top} strangest windows are the same")

figure, (scatter, shares) = plt.subplots(1, 2, figsize=(12, 3.5), layout="constrained")
scatter.plot(mine, other, ".", markersize=3)
scatter.set(title="forest scores", xlabel="champion", ylabel="challenger")
for family, bits in by_family(believed).items():
    shares.hist(bits[bits > 0], bins=np.linspace(0, 20, 41).tolist(), histtype="step", label=family)
shares.set(title="evidence", xlabel="bits", yscale="log")
shares.legend()
plt.show()

# %% [markdown]
# ## What to try next
#
# - Another alert budget: `train(lake, until=..., budget=0.1)` moves the severities, not the order.
# - A feature of your own: one more `FeatureSpec` in an extractor, then run this notebook again
#   (`docs/adding-an-extractor.md`).
# - Telemetry of your own: give `read_events` your files instead of the sample's.

# %%
home.cleanup()
