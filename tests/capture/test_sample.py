import gzip
import json
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parents[2] / "data" / "samples"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress((SAMPLES / name).read_bytes()).splitlines()]


def stories(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((SAMPLES / name).read_text())
    return found


@pytest.mark.parametrize("log", ["dns", "ssl", "http"])
def test_every_application_record_joins_its_connection(log: str) -> None:
    """Each dns, ssl and http record has a conn record with the same uid and the service that its content shows."""
    services = {row["uid"]: row.get("service") for row in rows("conn.log.gz")}
    unmatched = [row["uid"] for row in rows(f"{log}.log.gz") if services.get(row["uid"]) != log]
    assert unmatched == []


def test_flows_belong_to_containers_that_ran_then() -> None:
    """Nearly every internal originator holds a lease, by inspect, at the time of its flow."""
    leases: dict[str, list[tuple[str, str]]] = {}
    for row in rows("inspect.ndjson.gz"):
        for network in row["inspect"]["NetworkSettings"]["Networks"].values():
            if network["IPAddress"]:
                leases.setdefault(network["IPAddress"], []).append((row["observed_at"], row["inspect"]["Name"]))
    inside = [row for row in rows("conn.log.gz") if row["local_orig"]]
    assert sum(row["id.orig_h"] in leases for row in inside) > 0.99 * len(inside)
    assert any(len({name for _, name in held}) > 1 for held in leases.values())


def test_attacks_come_after_a_benign_span_and_benign_life_goes_on() -> None:
    """Seven tenths of the life hold no attack; benign acts happen before, among and after the attacks."""
    attacks, benign = stories("truth.json"), stories("benign.json")
    events = rows("events.ndjson.gz")
    first, last = events[0]["time"], events[-1]["time"]
    starts = sorted(row["start"] for row in attacks)
    split = starts[0]
    assert len(attacks) >= 8
    assert sum(row["start"] > split for row in benign) >= 20
    assert sum(row["start"] < split for row in benign) >= 50
    assert last - first >= 30 * 3600


def test_a_refused_start_shows_what_was_asked_for() -> None:
    """The privileged container never starts, and its inspect still holds the flag and the bind of the host's root."""
    asked = [row["inspect"] for row in rows("inspect.ndjson.gz") if row["inspect"]["Name"] == "/host-tuner"]
    actions = [e["Action"] for e in rows("events.ndjson.gz") if e["Actor"]["Attributes"].get("name") == "host-tuner"]
    assert any(one["HostConfig"]["Privileged"] and one["HostConfig"]["Binds"] == ["/:/host"] for one in asked)
    assert "create" in actions
    assert "start" not in actions
