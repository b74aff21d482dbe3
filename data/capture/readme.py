"""The README of a sample, from what the sample holds."""

import gzip
import json
import subprocess
from pathlib import Path

TEXT = """# Sample: {hours:.0f} hours of a small container estate, with {attacks} emulated attacks

Recorded from a real Docker Engine with real registries by `python -m data.capture` (see `data/README.md`). Everything
stayed between the range's own containers. Attacks are emulated in form only: text and zeros.

- Time: {minutes:g} real minutes, every stamp stretched by {factor} onto a start at 2026-11-02T00:00:00Z. Durations
  are as measured, except of connections held open for five real seconds or more, whose durations are stretched too.
- Split: until **{split}** only benign life; from then on attacks, and benign life goes on.
- Host: `quay-1`. Workloads are named in `truth.json` and `benign.json` as Wharfinger names them.
- Recorded with: {versions}.

| file | rows | bytes |
|---|---|---|
{files}

`events.ndjson.gz` holds Engine events (API 1.41) with a `host` key; `inspect.ndjson.gz` one inspect per create, start,
die and update, and snapshots; the `.log.gz` files Zeek's conn, dns, ssl and http logs in JSON, made from packets with
tshark by Zeek's rules (not by Zeek); `registry.ndjson.gz` the notification envelopes of three registries.

| id | scenario | techniques | workload | start | end | what |
|---|---|---|---|---|---|---|
{truth}

Licence: own work, under the licence of the project.
"""


def describe(folder: Path, minutes: float, factor: int, split: str) -> str:
    """Return the README of a sample."""
    truth = json.loads((folder / "truth.json").read_text())
    files = [
        f"| {path.name} | {gzip.decompress(path.read_bytes()).count(10)} | {path.stat().st_size} |"
        for path in sorted(folder.glob("*.gz"))
    ]
    rows = [
        f"| {row['id']} | {row['scenario']} | {' '.join(row['techniques'])} | `{row['workload']}` "
        f"| {row['start'][:19]}Z | {row['end'][:19]}Z | {row['note']} |"
        for row in truth
    ]
    return TEXT.format(
        hours=minutes * factor / 60,
        attacks=len(truth),
        minutes=minutes,
        factor=factor,
        split=split[:19] + "Z",
        versions=_versions(),
        files="\n".join(files),
        truth="\n".join(rows),
    )


def _versions() -> str:
    packages = ("docker.io", "docker-registry", "tshark", "tcpdump", "busybox-static")
    command = ["dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *packages]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return ", ".join(found.splitlines())
