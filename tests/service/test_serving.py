import http.client
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from service.listening import is_loopback, require_certificate, require_free, require_keys
from service.settings import Settings, SettingsError
from service.wiring import open_home
from tests.served import Served

NOW = datetime(2026, 9, 14, tzinfo=UTC)


@pytest.fixture
def served(fleet: Any) -> Iterator[Served]:
    server = Served(fleet.settings.home)
    try:
        server.wait("/healthz")
        yield server
    finally:
        server.kill()


@pytest.mark.slow
def test_two_workers_serve_and_stop(served: Served) -> None:
    """Two workers score alike, count together, log JSON lines without queries, and end with 0 on TERM within 30 s."""
    window = {
        "workload": "docker:shop/api",
        "window_start": "2026-09-13T12:00:00Z",
        "features": {"network.connections": 9},
    }
    answers = {served.ask("POST", "/v1/scores", {"windows": [window]}) for _ in range(24)}
    assert {status for status, _ in answers} == {200}
    assert len(answers) == 1
    assert served.ask("GET", "/readyz")[0] == 200
    assert served.ask("GET", "/v1/scores?workload=very-private")[0] == 200
    counts = {
        line.rpartition(" ")[2]
        for _ in range(6)
        for line in served.ask("GET", "/metrics")[1].splitlines()
        if line.startswith('wharfinger_http_requests_total{method="POST",route="/v1/scores",status="200"}')
    }
    assert counts == {"24.0"}
    code, log = served.stop()
    assert code == 0
    assert len({line["pid"] for line in log if "pid" in line} | {line["event"] for line in log}) > 2
    assert sum(line["event"] == "model loaded" for line in log) == 2
    assert "very-private" not in json.dumps(log)


@pytest.mark.slow
def test_a_request_in_flight_is_finished(served: Served) -> None:
    """A request that was begun before TERM gets its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    body = json.dumps({"windows": []}).encode()
    connection.putrequest("POST", "/v1/scores")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:5])
    time.sleep(0.5)
    served.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    connection.send(body[5:])
    assert connection.getresponse().status == 200
    connection.close()
    assert served.process.wait(30) == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])  # noqa: S104 -- must be refused
def test_without_keys_only_loopback_is_listened_on(settings_at: Callable[..., Settings], host: str) -> None:
    """Addresses that others reach are refused in one line that says what to do, until there is a key that opens."""
    settings = settings_at()
    assert not is_loopback(host)
    with pytest.raises(SettingsError, match="wharfinger keys create") as caught:
        require_keys(settings, host)
    assert "\n" not in str(caught.value)
    home = open_home(settings)
    home.keys.create("old", ["read"], now=NOW, expires=NOW + timedelta(days=1))
    with pytest.raises(SettingsError):
        require_keys(settings, host)

    home.keys.create("new", ["read"], now=NOW)

    require_keys(settings, host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    """Every loopback address is reached by this machine alone."""
    assert is_loopback(host)


def test_a_certificate_needs_its_key(settings_at: Callable[..., Settings], tmp_path: Path) -> None:
    """A certificate without key, or files that are none, are one line before anything listens."""
    with pytest.raises(SettingsError, match="belong together"):
        require_certificate(settings_at(tls_certificate="x.pem"))
    (tmp_path / "x.pem").write_text("none")
    with pytest.raises(SettingsError, match="cannot serve with"):
        require_certificate(settings_at(tls_certificate=str(tmp_path / "x.pem"), tls_key=str(tmp_path / "x.pem")))


def test_a_port_in_use_is_told() -> None:
    """A port that another process listens on is one clear line."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingsError, match=r"in use.*--port"):
            require_free("127.0.0.1", taken.getsockname()[1])
