"""Zeek captures with labelled edges, read by the product's own reader."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.captures.place import LABELLED, Edge, network_labels
from features.addresses import registered_domain
from features.ingest import read_events

EDGE = ("src_ip", "dst_ip", "dst_port")
APT29 = LABELLED / "otrf-apt29" / "datasets" / "compound" / "apt29"
PATHS = {
    "motd-comfoo": LABELLED / "motd" / "comfoo",
    "motd-taidoor": LABELLED / "motd" / "taidoor",
    "trickbot-week": LABELLED / "trickbot-week" / "zeek",
    "rita-proxy": LABELLED / "rita-proxy",
    "otrf-apt29-day1": APT29 / "day1" / "zeek" / "combined_zeek.log",
    "otrf-apt29-day2": APT29 / "day2" / "zeek" / "combined_zeek.log",
}
# services that tell a machine its own public address; malware asks them, and so do some honest programs
ADDRESS_TELLERS = frozenset(
    {
        "anysrc.net", "icanhazip.com", "ident.me", "ip.sb", "ipecho.net", "ipify.org", "ipinfo.io", "myexternalip.com",
        "wtfismyip.com",
    }
)  # fmt: skip
MANY_NAMES = 3


@dataclass(frozen=True)
class Capture:
    """Events of a network, and the edges in it that are the adversary's."""

    name: str
    events: pl.DataFrame
    hostile: frozenset[Edge]

    @property
    def flows(self) -> pl.DataFrame:
        """The connections."""
        return self.events.filter(pl.col("kind") == "flow")


def load(name: str) -> Capture:
    """Read one of `PATHS` with its labels."""
    return Capture(name, read(PATHS[name]), network_labels()[name])


def read(path: Path) -> pl.DataFrame:
    """Read Zeek logs; what lies more than a day from every connection is a leftover of another capture."""
    events = pl.concat([batch.events for batch in read_events([path])]).unique("event_id", maintain_order=True)
    flows = events.filter(pl.col("kind") == "flow")["ts"]
    day = timedelta(days=1)
    return events.filter(pl.col("ts").is_between(flows.min() - day, flows.max() + day)).sort("ts", "event_id")


def edges(flows: pl.DataFrame) -> dict[Edge, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Give the times in seconds and the bytes sent of every edge's connections, in order of time."""
    ordered = flows.drop_nulls(EDGE).sort("ts", maintain_order=True)
    return {
        (str(source), str(target), int(port)): (
            group["ts"].dt.epoch("us").to_numpy() / 1e6,
            group["bytes_out"].fill_null(0).to_numpy().astype(np.float64),
        )
        for (source, target, port), group in ordered.group_by(EDGE, maintain_order=True)
    }


def doubtful(capture: Capture) -> frozenset[Edge]:
    """Find edges that the labels leave benign though the capture itself speaks against it.

    Either the client gave `MANY_NAMES` or more TLS server names to one address, none of which DNS was seen to answer
    for (the mark of Tor), or it asked a service that does nothing but tell a machine its own address.
    """
    resolved = set(capture.events.filter(pl.col("kind") == "dns")["query"].drop_nulls())
    said = capture.events.filter(pl.col("kind").is_in(["tls", "http"]) & pl.col("server_name").is_not_null())
    found = set()
    for (source, target, port), group in said.group_by(EDGE):
        names = set(group["server_name"])
        unheard = len(names) >= MANY_NAMES and resolved.isdisjoint(names)
        if unheard or any(registered_domain(name) in ADDRESS_TELLERS for name in names):
            found.add((str(source), str(target), int(port)))
    return frozenset(found - capture.hostile)
