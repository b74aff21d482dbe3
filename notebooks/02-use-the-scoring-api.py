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
# # Use the scoring API
#
# Ask a running service for scores: what would it say if a workload's window had been a little different? The service
# here is one of our own on loopback, with a model of the bundled capture; with another address and a key the same code
# asks yours.

# %%
import logging
import os
import tempfile
from pathlib import Path
from threading import Thread

import matplotlib.pyplot as plt
import structlog
from werkzeug.serving import make_server

import features
from models.scores import Score
from service.app import create_app
from service.client import Client, Window
from service.jobs.demo import bundled_sample, load_sample
from service.jobs.ingest import ingest
from service.jobs.refresh import refresh
from service.jobs.score import score
from service.settings import Settings
from service.wiring import open_home

print("features from", features.__file__)

# %% [markdown]
# ## A service to ask
#
# In place of this cell, `wharfinger serve` in another terminal does.

# %%
logging.getLogger("werkzeug").setLevel("ERROR")
structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
folder = tempfile.TemporaryDirectory(prefix="wharfinger-notebook-")
settings = Settings.load(Path(folder.name), os.environ)
home, sample = open_home(settings), load_sample(bundled_sample())
ingest(home, sample.files)
learnt = refresh(home, until=sample.split)
home.registry.promote(learnt.version)
score(home, since=sample.split)
server = make_server("127.0.0.1", 0, create_app(settings), threaded=True)
Thread(target=server.serve_forever, daemon=True).start()
wharfinger = Client(f"http://127.0.0.1:{server.server_port}")
wharfinger.wait_ready()
print("model", wharfinger.models().champion)

# %% [markdown]
# ## What is strange
#
# Pages are gone through as they are needed.

# %%
strangest = list(wharfinger.incidents(severity="medium"))[:8]
for incident in strangest:
    first = "".join(reason.text[:80] for reason in incident.strongest.reasons[:1])
    print(f"{incident.bits:6.1f}  {incident.workload:40}  {first}")

# %% [markdown]
# ## What if
#
# One window, scored with more and more connections to an address that the workload never spoke to. Nothing is stored.

# %%
workload = max(wharfinger.workloads(), key=lambda row: row.windows).workload
start = sample.split.replace(minute=sample.split.minute // 10 * 10, second=0, microsecond=0)
amounts = [1, 2, 5, 10, 20, 50, 100, 200, 500]
bits = []
for amount in amounts:
    window = Window(
        workload=workload,
        window_start=start,
        features={"network.connections": amount, "network.new_edge": {"203.0.113.66:4444": amount}},
    )
    (answer,) = wharfinger.score([window])
    if isinstance(answer, Score):
        bits.append(answer.bits)
        told = answer.severity, [reason.text for reason in answer.reasons[:2]]
print(*told)

figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
axes.plot(amounts, bits, "o-")
axes.set(title=workload, xlabel="connections to a new destination", ylabel="bits", xscale="log")
plt.show()

# %%
wharfinger.close()
server.shutdown()
server.server_close()
home.database.close()
folder.cleanup()
