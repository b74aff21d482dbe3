"""Logging in at an identity provider that runs over HTTP: it signs real tokens, and checks PKCE, client and address."""

import base64
import hashlib
import http.client
import re
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.app import create_app
from service.settings import Settings, SettingsError
from tests.service.access.issuer import AUDIENCE, OTHER, Answer, Issuer

CLIENT, SECRET = "dashboard", "a secret of the client"
CALLBACK = "http://localhost/login/callback"


class Provider(Issuer):
    """Lets everybody in as `ada`.

    Attributes
    ----------
    claims
        What its next token says besides, or otherwise; `key` is the one that signs it.
    codes
        What was asked for with each code that was not redeemed yet.
    """

    def __init__(self) -> None:
        super().__init__(_Pages)
        self.claims: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.told: dict[str, str] = {}  # other than the truth of itself


class _Pages(Answer):
    """Discovery, keys, authorisation and tokens."""

    server: Provider

    def do_GET(self) -> None:  # noqa: N802 -- as the library calls it
        url = urlsplit(self.path)
        name = self.server.name
        if url.path == "/.well-known/openid-configuration":
            endpoints = {"authorization_endpoint": f"{name}/authorize?tenant=1", "token_endpoint": f"{name}/token"}
            self.answer(200, {"issuer": name, **endpoints, **self.server.told})
        elif url.path == "/keys":
            self.answer(200, self.keys())
        elif url.path == "/authorize":
            self.authorise(dict(parse_qsl(url.query)))

    def authorise(self, asked: dict[str, str]) -> None:
        known = {"client_id": CLIENT, "redirect_uri": CALLBACK, "response_type": "code", "tenant": "1"}
        if not known.items() <= asked.items() or asked.get("code_challenge_method") != "S256":
            self.answer(400, {"error": "invalid_request"})
            return
        code = secrets.token_urlsafe(8)
        self.server.codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"], "iss": self.server.name})
        self.answer(302, {}, Location=f"{asked['redirect_uri']}?{back}")

    def do_POST(self) -> None:  # noqa: N802 -- as the library calls it
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        asked = self.server.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        known = {"client_id": CLIENT, "client_secret": SECRET, "grant_type": "authorization_code"}
        bound = {"redirect_uri": form.get("redirect_uri", ""), "code_challenge": challenge}
        if asked is None or not (known.items() <= form.items() and bound.items() <= asked.items()):
            self.answer(400, {"error": "invalid_grant"})
        else:
            claims = {"aud": CLIENT, "nonce": asked["nonce"], "roles": ["soc"], **self.server.claims}
            token = self.server.token(**claims)
            self.answer(200, {"id_token": token, "access_token": "opaque", "token_type": "Bearer"})


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider().running() as server:
        yield server


def settings_for(provider: Provider) -> dict[str, str]:
    return {
        "oidc_issuer": provider.name,
        "oidc_audience": AUDIENCE,
        "oidc_jwks_url": f"{provider.name}/keys",
        "oidc_scope_claim": "roles",
        "oidc_scopes": "soc=read,lead=operate",
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
    }


@pytest.fixture
def app(provider: Provider, settings_at: Callable[..., Settings]) -> Flask:
    return create_app(settings_at(**settings_for(provider)))


def led_to(answer: TestResponse, provider: Provider) -> str:
    """Follow a browser to the provider, and give the query that it is sent back with."""
    assert answer.status_code == 303, answer.text
    url = urlsplit(answer.headers["Location"])
    assert f"{url.scheme}://{url.netloc}" == provider.name
    connection = http.client.HTTPConnection(url.netloc, timeout=10)
    connection.request("GET", f"{url.path}?{url.query}")
    back = connection.getresponse()
    connection.close()
    assert back.status == 302
    return str(urlsplit(back.headers["Location"]).query)


def log_in(browser: FlaskClient, provider: Provider, wanted: str = "/docs") -> TestResponse:
    query = led_to(browser.get("/login/provider", query_string={"next": wanted}), provider)
    return browser.get(f"/login/callback?{query}")


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/v1/models").status_code == 200


def test_people_log_in_at_the_provider(app: Flask, provider: Provider) -> None:
    """The way leads to the provider and back to the page that was asked for, into a session with its scopes."""
    browser = app.test_client()
    led = browser.get("/docs")
    page = browser.get(led.headers["Location"])
    (link,) = re.findall(r'href="(/login/provider\?next=[^"]+)"', page.text)
    query = led_to(browser.get(link), provider)

    answer = browser.get(f"/login/callback?{query}")

    assert answer.status_code == 200
    assert 'content="0; url=/docs"' in answer.text
    session = next(one for one in answer.headers.get_all("Set-Cookie") if one.startswith("wharfinger_session="))
    assert all(part in session for part in ("; HttpOnly", "; SameSite=Strict", "; Path=/;"))
    assert is_in(browser)
    refused = browser.post("/v1/changes", json={}, headers={"X-Form-Token": form_token(browser)})
    assert "scope operate, which oidc:ada does not have" in refused.json["detail"]
    rows = app.extensions["wharfinger"].home.audit.records(limit=9)
    assert ("oidc:ada", "finish", 200) in [(row.who, row.operation, row.outcome) for row in rows]


def form_token(browser: FlaskClient) -> str:
    return re.findall(r'name="form_token" value="([^"]+)"', browser.get("/docs").text)[0]


def test_a_session_ends_when_its_holder_logs_out(app: Flask, provider: Provider) -> None:
    """Logging out needs the form's token, and ends it."""
    browser = app.test_client()
    log_in(browser, provider)
    assert browser.post("/logout").status_code == 403
    assert browser.post("/logout", data={"form_token": form_token(browser)}).status_code == 303

    assert not is_in(browser)


def test_another_state_is_refused(app: Flask, provider: Provider) -> None:
    """An answer to another attempt, or with no state, begins no session: nobody is logged in as somebody else."""
    browser, other = app.test_client(), app.test_client()
    theirs = led_to(other.get("/login/provider"), provider)
    own = dict(parse_qsl(led_to(browser.get("/login/provider"), provider)))
    for query in (
        theirs,
        urlencode(own | {"state": "x"}),
        urlencode({"code": own["code"]}),
        f"code={own['code']}&state=",
    ):
        browser.get("/login/provider")  # an attempt of this browser is under way
        assert browser.get(f"/login/callback?{query}").status_code == 401
        assert not is_in(browser)


def test_an_answer_in_another_browser_is_refused(app: Flask, provider: Provider) -> None:
    """A link with somebody's code opens nothing in a browser that did not begin the log-in."""
    query = led_to(app.test_client().get("/login/provider"), provider)
    victim = app.test_client()

    assert victim.get(f"/login/callback?{query}").status_code == 401
    assert not is_in(victim)


def test_a_code_is_redeemed_once(app: Flask, provider: Provider) -> None:
    """The same answer again is refused here, and by the provider in a browser whose cookie was copied."""
    browser, thief = app.test_client(), app.test_client()
    query = led_to(browser.get("/login/provider"), provider)
    copied = browser.get_cookie("wharfinger_login", path="/login/callback").value
    assert browser.get(f"/login/callback?{query}").status_code == 200
    assert browser.get_cookie("wharfinger_login", path="/login/callback") is None
    assert browser.get(f"/login/callback?{query}").status_code == 401

    thief.set_cookie("wharfinger_login", copied, path="/login/callback")

    assert thief.get(f"/login/callback?{query}").status_code == 401
    assert not is_in(thief)


def test_a_stolen_code_is_worth_nothing(app: Flask, provider: Provider) -> None:
    """A code that somebody else's attempt brought is not redeemed: the provider asks for that attempt's verifier."""
    theirs = dict(parse_qsl(led_to(app.test_client().get("/login/provider"), provider)))
    browser = app.test_client()
    own = dict(parse_qsl(led_to(browser.get("/login/provider"), provider)))

    assert browser.get(f"/login/callback?{urlencode(own | {'code': theirs['code']})}").status_code == 401
    assert not is_in(browser)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 7},
        {"aud": "another-client"},
        {"aud": AUDIENCE},
        {"aud": [CLIENT, "other"], "azp": "other"},
        {"iss": "https://evil.example"},
        {"exp": int(time.time()) - 60},
        {"key": OTHER},
        {"key": "x" * 64, "algorithm": "HS256"},
        {"key": None, "algorithm": "none"},
        {"sub": None},
        {"roles": ["guest"]},
        {"roles": None},
    ],
    ids=str,
)
def test_any_other_token_begins_no_session(app: Flask, provider: Provider, claims: dict[str, Any]) -> None:
    """For another log-in or client, by another, expired, unsigned, or of somebody who may not read: refused."""
    provider.claims = claims
    browser = app.test_client()

    assert log_in(browser, provider).status_code == 401
    assert not is_in(browser)


def test_who_is_refused_at_the_provider_is_told(app: Flask, provider: Provider) -> None:
    """An error in place of a code, or another provider's name, is a page that says so, without what it carried."""
    browser = app.test_client()
    own = dict(parse_qsl(led_to(browser.get("/login/provider"), provider)))
    for change in ({"iss": "https://evil.example"}, {"error": "access_denied", "error_description": "<b>no</b>"}):
        back = {name: value for name, value in own.items() if name != "code" or "iss" in change} | change
        browser.get("/login/provider")
        state = parse_qs(urlsplit(browser.get("/login/provider").headers["Location"]).query)["state"][0]
        answer = browser.get(f"/login/callback?{urlencode(back | {'state': state})}")
        assert answer.status_code == 401
        assert "<b>" not in answer.text


@pytest.mark.parametrize("wanted", ["//evil.example/", "https://evil.example", "/\\evil.example", "javascript:x", ""])
def test_the_provider_leads_back_to_no_other_site(app: Flask, provider: Provider, wanted: str) -> None:
    """Whatever page was asked for, the way ends within the service."""
    answer = log_in(app.test_client(), provider, wanted)

    assert 'content="0; url=/"' in answer.text
    assert "evil" not in answer.text


def test_a_forged_attempt_is_none(app: Flask, provider: Provider) -> None:
    """A cookie of an attempt that was not signed here is refused, a session's among them."""
    browser = app.test_client()
    log_in(browser, provider)
    session = browser.get_cookie("wharfinger_session").value
    query = led_to(app.test_client().get("/login/provider"), provider)
    for cookie in (session, "x", ""):
        forger = app.test_client()
        forger.set_cookie("wharfinger_login", cookie, path="/login/callback")
        assert forger.get(f"/login/callback?{query}").status_code == 401


def test_an_attempt_expires(app: Flask, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten minutes the log-in must be begun anew."""
    browser = app.test_client()
    query = led_to(browser.get("/login/provider"), provider)
    later = time.time() + 602
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: later)

    assert browser.get(f"/login/callback?{query}").status_code == 401


def test_sessions_end_when_the_provider_is_no_longer_asked(
    app: Flask, provider: Provider, settings_at: Callable[..., Settings]
) -> None:
    """Without the client's setting there is no way to the provider, and sessions that it began open nothing."""
    browser = app.test_client()
    log_in(browser, provider)
    cookie = browser.get_cookie("wharfinger_session").value
    without = create_app(settings_at(**settings_for(provider) | {"oidc_client_id": ""})).test_client()
    without.set_cookie("wharfinger_session", cookie)

    assert not is_in(without)
    assert without.get("/login/provider").status_code == 404
    assert "/login/provider" not in without.get("/login").text


@pytest.mark.parametrize(
    "told",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": "javascript:x"},
    ],
)
def test_a_provider_that_says_what_it_must_not_is_not_followed(
    app: Flask, provider: Provider, told: dict[str, str]
) -> None:
    """A discovery document of another issuer, or with addresses that are not safe, leads nowhere."""
    provider.told = told

    assert app.test_client().get("/login/provider").status_code == 503


def test_a_provider_that_is_gone_is_told(app: Flask, provider: Provider) -> None:
    """Who comes while it is away gets 503 at once, in either half of the way; keys go on."""
    browser = app.test_client()
    query = led_to(browser.get("/login/provider"), provider)
    provider.server_close()
    provider.shutdown()

    assert browser.get(f"/login/callback?{query}").status_code == 503
    assert browser.get(f"/login/callback?{query}").status_code == 401  # the attempt is over
    assert app.test_client().get("/login").status_code == 200


def test_settings_of_the_log_in_are_checked(provider: Provider, settings_at: Callable[..., Settings]) -> None:
    """Half a configuration, two secrets, a file that is not there, or an issuer in the clear: one line each."""
    whole = settings_for(provider)
    for change, told in (
        ({"oidc_issuer": "", "oidc_audience": "", "oidc_jwks_url": ""}, "needs oidc_issuer"),
        ({"oidc_client_secret_file": "/x"}, "not both"),
        ({"oidc_client_secret_file": "/nowhere", "oidc_client_secret": ""}, "cannot read"),
        ({"oidc_issuer": "http://id.example"}, "https"),
    ):
        with pytest.raises(SettingsError, match=told):
            create_app(settings_at(**whole | change))
    assert SECRET not in repr(settings_at(**whole))
