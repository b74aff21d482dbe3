from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from models.scores import SEVERITIES
from service.dashboard.pictures import COLUMNS, Axis, height, label, level, strips
from service.storage import Cell

START = datetime(2026, 9, 14, tzinfo=UTC)


class Page(HTMLParser):
    """What a page refers to, and whether it brings anything of its own that the policy forbids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forbidden: list[str] = []
        self.scripts: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src", "action") and value is not None:
                self.links.append(value)
            if name == "style" or name.startswith("on"):
                self.forbidden.append(f"{tag} {name}")
        if tag in ("style", "iframe"):
            self.forbidden.append(tag)
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))


PAGES = [
    "/",
    "/?severity=high&order=time&hours=6",
    "/workloads/docker:shop/api",
    "/docs",
    "/?workload=docker:shop/db",
    "/login",
]


@pytest.mark.parametrize("path", PAGES)
def test_pages_keep_to_the_policy(client: FlaskClient, path: str) -> None:
    """A page has no inline style or link elsewhere, links lead somewhere, and that of the API alone has a script."""
    answer = client.get(path)
    assert answer.status_code == 200
    page = Page(answer.text)
    assert page.forbidden == []
    assert page.scripts == (["/static/docs.js"] if path == "/docs" else [])
    assert ("script-src 'self'" in answer.headers["Content-Security-Policy"]) == (path == "/docs")
    assert all(link.startswith(("/", "#", "?")) for link in page.links)
    for link in sorted({link for link in page.links if link.startswith("/")})[:40]:
        with client.get(link) as followed:
            assert followed.status_code == 200, link


def test_the_first_page_shows_the_break_in_first(client: FlaskClient) -> None:
    """The strongest incident stands first, with workload, severity and reason, and leads to its strongest window."""
    text = client.get("/").text
    rows = text.split("<tbody>")[1].split("<tr>")
    assert "docker:shop/api" in rows[1]
    assert "critical" in rows[1]
    assert 'class="reason"' in rows[1]
    assert 'href="/workloads/docker:shop/api?at=2026-09-13T02:' in rows[1]


@pytest.mark.parametrize("severity", ["low", "high"])
def test_each_story_has_one_row(client: FlaskClient, severity: str) -> None:
    """However many windows an incident lasted it is one row, which says how many; the rows are those of the API."""
    found = client.get(f"/v1/incidents?severity={severity}").json
    assert found is not None
    text = client.get(f"/?severity={severity}").text

    rows = text.split("<tbody>")[1].split("<tr>")[1:]

    assert len(rows) == len(found["incidents"])
    for row, incident in zip(rows, found["incidents"], strict=True):
        assert incident["workload"] in row
        assert (f"{incident['windows']} windows" if incident["windows"] > 1 else "one window") in row


def test_filters_narrow_the_table(client: FlaskClient) -> None:
    """Workload and severity in the address narrow what is shown; where nothing is left, the page says what to do."""
    calm = client.get("/?workload=docker:shop/db&severity=critical").text

    assert "<tbody>" not in calm
    assert "No incident of severity critical." in calm
    assert "docker:shop/api" in client.get("/?workload=docker:shop/api").text.split("<tbody>")[1]
    assert 'href="/?severity=low&amp;workload=docker:shop/db"' in calm


def test_a_window_can_be_linked_to(client: FlaskClient) -> None:
    """A window's address shows all its reasons and the level it stood on; one that is not stored is 404."""
    text = client.get("/workloads/docker:shop/api?at=2026-09-13T02:00:00Z").text
    assert "203.0.113.66" in text
    assert "windows learnt" in text
    assert client.get("/workloads/docker:shop/api?at=2020-01-01T00:00:00Z").status_code == 404


def test_a_window_says_what_it_stands_on(client: FlaskClient) -> None:
    """The page of a strange window shows on whom its reasons stand and its path in the forest."""
    text = client.get("/workloads/docker:shop/api?at=2026-09-13T02:00:00Z").text

    assert "% mature</span>" in text
    assert "Path in the forest" in text


def test_what_is_normal_is_shown(client: FlaskClient) -> None:
    """A workload's page lists what the model learnt of it."""
    text = client.get("/workloads/docker:shop/worker").text.split("What is normal")[1]
    assert "192.0.2.30" in text


@pytest.mark.parametrize("path", ["/?severity=loud", "/?hours=0", "/?cursor=x", "/?at=no", "/workloads/none/such"])
def test_bad_addresses_give_a_page(client: FlaskClient, path: str) -> None:
    """An address that asks for something there is not is a page with a 4xx status, not a bare error."""
    answer = client.get(path)
    assert answer.status_code in (404, 422)
    assert answer.content_type.startswith("text/html")


def test_markup_in_names_is_shown_as_text(client: FlaskClient) -> None:
    """Text from outside never becomes markup."""
    answer = client.get("/workloads/<script>alert(1)</script>")
    assert "<script>" not in answer.text


def test_an_empty_home_says_what_to_do(empty: FlaskClient) -> None:
    """Before anything was learnt the first page tells which commands to run."""
    text = empty.get("/").text
    assert "No model yet" in text
    assert "wharfinger ingest" in text


@given(minutes=st.integers(1, 60 * 24 * 400), hours=st.integers(1, 24 * 366))
def test_an_axis_covers_its_span(minutes: int, hours: int) -> None:
    """Whatever the span, every window in it has a column, there are not too many, and six hours are shown at least."""
    until = START + timedelta(minutes=minutes)
    axis = Axis.over(START, until, hours)
    assert 1 <= axis.columns <= COLUMNS
    assert axis.start <= max(START, until - timedelta(hours=hours))
    assert axis.column(axis.start) == 0
    assert axis.column(until - timedelta(microseconds=1)) < axis.columns
    assert axis.step * axis.columns >= timedelta(hours=6)
    assert len(axis.ticks()) == 5


def test_labels_keep_both_ends() -> None:
    """A long name keeps its beginning and its end; a short one stays whole."""
    assert label("docker:shop/api") == "docker:shop/api"
    long = "k8s:" + "n" * 80 + "/sidecar"
    assert label(long).startswith("k8s:")
    assert label(long).endswith("/sidecar")
    assert len(label(long)) < 50


def test_strips_keep_the_strangest_of_a_column() -> None:
    """Where several windows share a column the strangest is drawn, and the strangest workload comes first."""
    axis = Axis(START, timedelta(hours=1), 2)
    cells = [
        Cell("a", START, 3.0, "none"),
        Cell("a", START + timedelta(minutes=10), 9.0, "medium"),
        Cell("b", START + timedelta(hours=1), 30.0, "critical"),
    ]
    first, second = strips(cells, axis)
    assert (first.workload, first.marks[0].column, first.marks[0].level) == ("b", 1, 6)
    assert [(mark.column, mark.bits) for mark in second.marks] == [(0, 9.0)]


def test_scales_grow_with_bits() -> None:
    """More bits are never drawn weaker or lower, and never above the top."""
    bits = [0.0, 0.5, 1.0, 5.0, 10.0, 20.0, 1000.0]
    shades = [level(b, "none") for b in bits] + [level(0.0, severity) for severity in SEVERITIES[1:]]
    assert shades == sorted(shades)
    assert [height(b) for b in bits] == sorted(height(b) for b in bits)
    assert height(10.0) == 50
    assert height(1e9) <= 100
