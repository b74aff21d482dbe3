"""A real Docker Engine and registries, read live: what they say is attributed, scored and explained."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data.capture.engine import Engine, missing_requirements
from data.capture.images import busybox_tar
from data.capture.registries import Registry, Sink
from features.extraction import extract_days
from features.ingest import events_from_records, read_events
from features.lake import Lake
from features.windows import WINDOW, floor_window, merge_windows
from models.detector import Detector
from models.scores import Score
from models.training import train

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_requirements()), reason=f"no engine here: {', '.join(missing_requirements())}"),
]

SAMPLE = Path(__file__).parents[2] / "data" / "samples"
HOST = "quay-1"  # the host of the sample, whose life the detector has learnt
KNOWN, UNKNOWN = 5310, 5311
COMPOSE = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}


class Range:
    """An engine with a known and an unknown registry, and what they have said so far."""

    def __init__(self, engine: Engine, notifications: Path) -> None:
        self.engine = engine
        self._notifications = notifications
        self._inspects: list[dict[str, Any]] = []

    def create(self, name: str, image: str, *options: str, labels: dict[str, str] | None = None) -> str:
        marks = [f"--label={key}={value}" for key, value in (labels or {}).items()]
        container = self.engine.docker(
            "create", "--network=none", "--name", name, *marks, *options, image, "sleep", "9"
        )
        self.inspect(container)
        return container

    def inspect(self, container: str) -> None:
        moment = datetime.now(UTC).isoformat()
        self._inspects.append({"observed_at": moment, "host": HOST, "inspect": self.engine.inspect(container)})

    def records(self) -> list[dict[str, Any]]:
        """Everything the engine, the inspections and the registries told, in their own forms."""
        envelopes = [json.loads(line) for line in self._notifications.read_text().splitlines() if line]
        return [event | {"host": HOST} for event in self.engine.events_since()] + self._inspects + envelopes


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Range]:
    folder = tmp_path_factory.mktemp("range")
    said = folder / "notifications.ndjson"
    said.touch()
    with (
        Sink(said) as sink,
        Registry(folder / "known", KNOWN, sink.url),
        Registry(folder / "unknown", UNKNOWN, sink.url),
        Engine(folder / "engine") as engine,
    ):
        for port, repository in ((KNOWN, "shop/web:1.4.2"), (UNKNOWN, "ngnix/nginx-alpine:latest")):
            image = f"127.0.0.1:{port}/{repository}"
            engine.docker("import", "-", image, stdin=busybox_tar(repository))
            engine.docker("push", image)
            engine.docker("rmi", image)
        yield Range(engine, said)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Detector]:
    """A detector that learnt the benign part of the bundled capture, and the lake it stands on."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    for batch in read_events([path for path in sorted(SAMPLE.iterdir()) if path.suffix == ".gz"]):
        lake.append(batch.events)
    return lake, train(lake, until=datetime(2026, 11, 3, 4, tzinfo=UTC))[0]


def judge(live: Range, learnt: tuple[Lake, Detector]) -> dict[str, Score]:
    """Ingest what was said, and give the strongest score of each workload since the engine started."""
    lake, detector = learnt
    records = live.records()
    batch = events_from_records(records, ref="live")
    assert not batch.rejects
    lake.append(batch.events)
    since = floor_window(batch.events["ts"].min())  # type: ignore[arg-type]
    until = floor_window(datetime.now(UTC)) + WINDOW + timedelta(microseconds=1)
    windows = merge_windows(list(extract_days(lake, since, until + WINDOW)))
    strongest: dict[str, Score] = {}
    for score in sorted(detector.score(windows), key=lambda score: score.bits):
        strongest[score.workload] = score
    return strongest


def reasons(score: Score) -> dict[str, str]:
    return {reason.feature: reason.text for reason in score.reasons}


def test_a_privileged_recreate_surfaces_with_its_settings(live: Range, learnt: tuple[Lake, Detector]) -> None:
    """The service's container comes back privileged with the host's root bound: the alert says so, for that service."""
    image = f"127.0.0.1:{KNOWN}/shop/web:1.4.2"
    live.engine.docker("pull", image)
    plain = live.create("shop-web-9", image, labels=COMPOSE)
    live.engine.docker("rm", "-f", plain)
    options = ("--privileged", "--pid=host", "-v", "/:/host")
    again = live.create("shop-web-9", image, *options, labels=COMPOSE)
    live.engine.docker("start", again, check=False)  # some machines refuse it; what was asked for still counts
    live.engine.docker("rm", "-f", again)

    score = judge(live, learnt)["docker:shop/web"]

    assert score.severity in ("high", "critical")
    first = score.reasons[0]
    assert first.feature == "config.new_privilege"
    assert first.technique == "T1611"
    # a privileged container has no masked paths, so that is one of its settings too
    settings = ("Privileged=true", "Bind=/:/host:rw", "PidMode=host", "MaskedPaths=none")
    assert any(setting in first.text for setting in settings)


def test_a_pull_from_an_unknown_registry_surfaces_with_its_name(live: Range, learnt: tuple[Lake, Detector]) -> None:
    """An image pulled from a registry nobody used before and run at once: the registry is named as a reason."""
    image = f"127.0.0.1:{UNKNOWN}/ngnix/nginx-alpine:latest"
    live.engine.docker("pull", image)
    container = live.create("kube-proxy-helper", image, "--restart=always")
    live.engine.docker("start", container)
    live.inspect(container)
    live.engine.docker("rm", "-f", container)

    score = judge(live, learnt)[f"docker:{HOST}/kube-proxy-helper"]

    assert score.bits > 5
    assert f"127.0.0.1:{UNKNOWN}" in reasons(score)["pulls.new_registry"]
    assert score.evidence["pulls"] == max(score.evidence.values())


def test_every_record_of_a_real_engine_is_read(live: Range) -> None:
    """Nothing that the engine, an inspection or a registry says is set aside, and no kind of event is missing."""
    batch = events_from_records(live.records(), ref="live")

    assert not batch.rejects
    assert {"pull", "image", "lifecycle", "config"} <= set(batch.events["kind"])
    assert set(batch.events["source"]) == {"docker_events", "docker_inspect", "registry_notifications"}
