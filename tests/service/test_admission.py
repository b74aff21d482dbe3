"""What requests pass before they are answered."""

import gzip
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.app import create_app
from service.settings import Settings
from tests.homes import copy_home


def logged_in(guarded: Any, scope: str, **headers: str) -> tuple[Any, str]:
    """Log a browser in with the key of a scope; give it, and the form token of its session."""
    browser = guarded.app.test_client()
    answer = browser.post("/login", data={"key": guarded.keys[scope], "next": "/docs"}, headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/docs")
    found = re.search(r'name="form_token" value="([^"]+)"', browser.get("/docs").text)
    return browser, found[1] if found else ""


@pytest.mark.parametrize(
    "shown",
    ["", "Bearer", "Bearer wf_", "Basic YTpi", "Bearer wf_000000000000_" + "a" * 43, "Bearer a.b.c", "Bearer ü"],
)
def test_what_is_no_key_is_401(guarded: Any, shown: str) -> None:
    """Anything but a key as a bearer token is refused with a challenge that says it was not accepted."""
    answer = guarded.ask("GET", "/v1/models", headers={"Authorization": shown})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert shown.rpartition(" ")[2] not in answer.text or len(shown) < 8


def test_a_revoked_key_opens_nothing_and_ends_its_sessions(guarded: Any) -> None:
    """Revoking a key ends what was begun with it; with all keys revoked the service stays closed."""
    key, shown = guarded.home.keys.create("gone", ["read"], now=datetime.now(UTC))
    browser = guarded.app.test_client()
    browser.post("/login", data={"key": shown})
    assert browser.get("/").status_code == 200

    guarded.home.keys.revoke(key.prefix, now=datetime.now(UTC))

    assert browser.get("/").status_code == 303
    assert guarded.ask("GET", "/v1/models", headers={"Authorization": f"Bearer {shown}"}).status_code == 401


def test_with_every_key_revoked_it_stays_closed(settings_at: Callable[..., Settings]) -> None:
    """Losing the last key must not open the service to everybody."""
    app = create_app(settings_at(model_poll_seconds="0"))
    assert app.test_client().get("/v1/models").status_code == 200
    keys = app.extensions["wharfinger"].home.keys
    key, _ = keys.create("only", ["read"], now=datetime.now(UTC))
    keys.revoke(key.prefix, now=datetime.now(UTC))

    assert app.test_client().get("/v1/models").status_code == 401


def test_beyond_loopback_nobody_is_let_in_without_a_key(settings_at: Callable[..., Settings]) -> None:
    """An application that others reach stays closed even if its keys are lost, such as by a restored backup."""
    app = create_app(settings_at(), closed=True)

    assert app.test_client().get("/v1/models").status_code == 401


def test_when_keys_cannot_be_read_nobody_is_let_in(settings_at: Callable[..., Settings]) -> None:
    """A database that fails closes the service; health still answers."""
    app = create_app(settings_at(model_poll_seconds="0"))
    with app.extensions["wharfinger"].home.database.writing() as connection:
        connection.execute(sa.text("DROP TABLE api_keys"))

    refused = app.test_client().get("/v1/models")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert app.test_client().get("/healthz").status_code == 200


def test_pages_lead_to_the_log_in(guarded: Any) -> None:
    """A browser without a session is sent to the log-in page, which leads back to what was asked for."""
    answer = guarded.ask("GET", "/?severity=high&workload=a%26b")

    assert answer.status_code == 303
    page = guarded.ask("GET", answer.headers["Location"])
    assert 'value="/?severity=high&amp;workload=a%26b"' in page.text
    assert "script" not in page.text


def test_a_session_cookie_is_out_of_reach(guarded: Any) -> None:
    """The cookie is hidden from scripts, is sent to no other site and, over TLS, not in the clear; it holds no key."""
    client = guarded.app.test_client()
    answer = client.post("/login", data={"key": guarded.keys["read"]}, base_url="https://localhost")

    cookie = answer.headers["Set-Cookie"]
    assert all(part in cookie for part in ("; HttpOnly", "; SameSite=Strict", "; Secure", "; Path=/", "; Max-Age="))
    assert guarded.keys["read"].split("_", 2)[2] not in cookie
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_key_that_may_not_read_cannot_log_in(guarded: Any) -> None:
    """Logging in needs `read`, and says so; a wrong key is told as wrong, without repeating it."""
    client = guarded.app.test_client()
    answers = [client.post("/login", data={"key": key}) for key in (guarded.keys["score"], "wf_x_secret", "")]

    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert "scope read" in answers[0].text
    assert "wf_x_secret" not in answers[1].text
    assert not any("Set-Cookie" in answer.headers for answer in answers)


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example/",
        "https://evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:x",
        "",
        "x",
        "/\r\nSet-Cookie: a=b",
    ],
)
def test_the_log_in_leads_to_no_other_site(guarded: Any, wanted: str) -> None:
    """What a browser would take for another site, or for a header, becomes the first page."""
    answer = guarded.app.test_client().post("/login", data={"key": guarded.keys["read"], "next": wanted})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert answer.headers.get_all("Set-Cookie") == [answer.headers["Set-Cookie"]]


@pytest.mark.parametrize("cookie", ["x", "", "WyJhIiwiYiJd.aaaa.bbbb"])
def test_a_forged_session_opens_nothing(guarded: Any, cookie: str) -> None:
    """A cookie that was not signed here, or was changed, is none."""
    browser, _ = logged_in(guarded, "read")
    true = browser.get_cookie("wharfinger_session").value
    text, _, signature = true.rpartition(".")  # not its last letter is changed: that one holds bits that say nothing
    for value in (cookie, f"{text}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}", "x" + true):
        browser.set_cookie("wharfinger_session", value)
        assert browser.get("/v1/models").status_code == 401


def test_a_session_expires(guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `session_hours` the cookie is worth nothing, however long a browser keeps it."""
    browser, _ = logged_in(guarded, "read")
    cookie = browser.get_cookie("wharfinger_session").value
    gate = guarded.app.extensions["wharfinger"].gate
    later = (datetime.now(UTC) + timedelta(hours=12, seconds=2)).timestamp()
    assert gate.sessions.read(cookie) is not None

    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: later)

    assert gate.sessions.read(cookie) is None


def test_changing_calls_of_a_session_need_its_form_token(guarded: Any) -> None:
    """A session reads with its cookie alone; to change something it must show the token that its pages carry."""
    _, other = logged_in(guarded, "read")
    browser, token = logged_in(guarded, "read")
    assert browser.get("/v1/models").status_code == 200
    for headers in ({}, {"X-Form-Token": ""}, {"X-Form-Token": other}):
        answer = browser.delete("/v1/changes/none", headers=headers)
        assert (answer.status_code, "form" in answer.json["detail"]) == (403, True)

    answer = browser.delete("/v1/changes/none", headers={"X-Form-Token": token})

    assert "scope operate" in answer.json["detail"]
    assert browser.post("/logout").status_code == 403
    assert browser.post("/logout", data={"form_token": token}).status_code == 303
    assert browser.get("/v1/models").status_code == 401


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_no_other_site_logs_a_browser_in_or_out(guarded: Any, headers: dict[str, str]) -> None:
    """A form of another site neither begins nor ends a session."""
    browser, token = logged_in(guarded, "read")

    assert browser.post("/logout", data={"form_token": token}, headers=headers).status_code == 403
    assert browser.post("/login", data={"key": guarded.keys["read"]}, headers=headers).status_code == 403


def test_who_asks_too_often_waits(fleet: Any, tmp_path: Any) -> None:
    """Each key has its own bucket; guessing keys empties that of the address. The answer says when to come back."""
    home = tmp_path / "home"
    copy_home(fleet.settings.home, home)
    slow = {"WHARFINGER_REQUESTS_PER_SECOND": "0.01", "WHARFINGER_REQUEST_BURST": "3"}
    app = create_app(Settings.load(home, slow))
    keys = app.extensions["wharfinger"].home.keys
    shown = [keys.create("n", ["read"], now=datetime.now(UTC))[1] for _ in range(2)]

    def ask(key: str) -> Any:
        return app.test_client().get("/v1/models", headers={"Authorization": f"Bearer {key}"})

    assert [ask(shown[0]).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert 0 < int(ask(shown[0]).headers["Retry-After"]) <= 100
    assert [ask("guess").status_code for _ in range(4)] == [401, 401, 401, 429]
    assert ask(shown[1]).status_code == 200
    assert app.test_client().post("/login", data={"key": "guess"}).status_code == 429
    assert app.test_client().get("/healthz").status_code == 200


def test_changing_calls_are_recorded_without_their_content(guarded: Any) -> None:
    """Each changing call of a known caller leaves who, from where, what, to what and the outcome, and no body."""
    body = {"workload": "docker:very-private/*", "fields": ["Memory"], "until": "2030-01-01T00:00:00Z", "by": "ada"}
    made = guarded.ask("POST", "/v1/changes", "operate", json=body).json["id"]
    guarded.ask("DELETE", f"/v1/changes/{made}", "read")
    guarded.ask("DELETE", f"/v1/changes/{made}", "operate")
    guarded.ask("DELETE", "/v1/changes/none")
    guarded.ask("POST", "/v1/scores", "score", json={"windows": []})
    logged_in(guarded, "read")

    page = guarded.ask("GET", "/v1/audit?limit=4", "admin").json
    found = [(one["operation"], one["target"], one["outcome"]) for one in page["records"]]
    assert found == [
        ("enter", "/login", 303),
        ("withdraw_change", f"/v1/changes/{made}", 200),
        ("withdraw_change", f"/v1/changes/{made}", 403),
        ("announce_change", made, 200),
    ]
    assert {one["from"] for one in page["records"]} == {"127.0.0.1"}
    assert page["records"][3]["who"] == f"key:{guarded.keys['operate'].split('_')[1]}"
    assert "very-private" not in str(page)
    older = guarded.ask("GET", f"/v1/audit?before={page['next']}", "admin").json["records"]
    assert all(one["id"] < page["next"] for one in older)


def test_an_audit_log_that_fails_is_told_and_stops_nobody(settings_at: Callable[..., Settings]) -> None:
    """Where a record cannot be kept the call is answered all the same, since it was done."""
    app = create_app(settings_at())
    with app.extensions["wharfinger"].home.database.writing() as connection:
        connection.execute(sa.text("DROP TABLE audit"))

    assert app.test_client().delete("/v1/changes/none").status_code == 404


def test_proxy_headers_count_only_if_proxies_are_trusted(settings_at: Callable[..., Settings]) -> None:
    """Without the setting nobody can claim another address or TLS; with it the proxy can, and its client cannot."""
    claimed = {"X-Forwarded-For": "198.51.100.9, 203.0.113.7", "X-Forwarded-Proto": "https"}
    origins, secure = [], []
    for proxies in ("0", "1"):
        app = create_app(settings_at(trusted_proxies=proxies))
        answer = app.test_client().delete("/v1/changes/none", headers=claimed)
        secure.append("Strict-Transport-Security" in answer.headers)
        origins.append(app.extensions["wharfinger"].home.audit.records(limit=1)[0].origin)

    assert origins == ["127.0.0.1", "203.0.113.7"]
    assert secure == [False, True]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..%2F..%2Fetc%2Fpasswd", "%2e%2e/%2e%2e/secret", "a%00b", "%0d%0aX: y"]
)
def test_names_lead_to_no_file(guarded: Any, name: str) -> None:
    """A name that climbs out of a folder, ends early or breaks a line finds nothing, in paths and in static files."""
    for path, scope in (("/v1/models/", "read"), ("/static/", "read"), ("/v1/workloads/", "read")):
        answer = guarded.ask("GET", f"{path}{name}", scope)
        assert answer.status_code in (400, 404, 405), path
        assert "root:" not in answer.text
    assert guarded.ask("POST", f"/v1/models/{name}/promote", "operate").status_code in (400, 404, 405)


def test_small_bodies_are_small(guarded: Any) -> None:
    """An operation that needs little takes little, inflated too, while scoring takes as much as the settings allow."""
    large = b'{"note": "' + b" " * 300_000 + b'"}'
    kind = {"Content-Type": "application/json"}
    packed = {**kind, "Content-Encoding": "gzip"}

    assert guarded.ask("POST", "/v1/changes", "operate", data=large, headers=kind).status_code == 413
    assert guarded.ask("POST", "/v1/changes", "operate", data=gzip.compress(large), headers=packed).status_code == 413
    assert guarded.ask("POST", "/v1/scores", "score", data=large, headers=kind).status_code == 200
