"""Documentation that says something else than the code fails here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from features.protocols import FAMILIES, specs
from service.cli import COMMANDS
from service.emulation import catalogue
from service.jobs.demo import bundled_sample, load_sample
from service.settings import declared

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
WATCHED = sorted({spec.family for spec in specs().values()})
STRATEGIES = sorted(path for path in (DOCS / "ads").glob("*.md") if path.stem in FAMILIES)
SECTIONS = [
    "Goal",
    "Categorization",
    "Strategy Abstract",
    "Technical Context",
    "Blind Spots and Assumptions",
    "False Positives",
    "Validation",
    "Priority",
    "Response",
    "Additional Resources",
]
TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")


def sections(path: Path) -> dict[str, str]:
    """Split a page at its second-level headings."""
    parts = re.split(r"^## (.+)$", path.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("family", WATCHED)
def test_every_family_of_features_has_a_strategy(family: str) -> None:
    """A family of features without a page in docs/ads cannot be responded to."""
    assert (DOCS / "ads" / f"{family}.md").is_file()


@pytest.mark.parametrize("path", STRATEGIES, ids=lambda path: path.stem)
def test_strategy_has_all_sections(path: Path) -> None:
    """Each page has the sections of Palantir's framework, in order, and says something in each."""
    found = sections(path)

    assert list(found) == SECTIONS
    assert not [name for name, text in found.items() if len(text.split()) < 15]


@pytest.mark.parametrize("path", STRATEGIES, ids=lambda path: path.stem)
def test_strategy_names_the_techniques_that_its_features_point_to(path: Path) -> None:
    """Every technique a feature of the family may show to an analyst is categorised on its page."""
    shown = {spec.technique for spec in specs().values() if spec.family == path.stem}

    assert shown <= {match.group() for match in TECHNIQUE.finditer(sections(path)["Categorization"])}


@pytest.mark.parametrize("path", [*STRATEGIES, DOCS / "ads" / "README.md"], ids=lambda path: path.stem)
def test_technique_ids_are_well_formed(path: Path) -> None:
    """What looks like a technique id is one, in the text and in links to ATT&CK."""
    text = path.read_text()

    assert not [word for word in re.findall(r"\bT\d[\d.]*\d", text) if not TECHNIQUE.fullmatch(word)]
    assert not re.findall(r"attack\.mitre\.org/techniques/(?!T\d{4}/(?:\d{3}/)?\))\S*", text)


@pytest.mark.parametrize("name", specs())
def test_feature_points_to_a_technique(name: str) -> None:
    """Every feature declares a well-formed technique and a meaning."""
    assert TECHNIQUE.fullmatch(specs()[name].technique)
    assert specs()[name].meaning


def test_validation_covers_what_the_sample_emulates() -> None:
    """Every technique emulated in the bundled capture is categorised in some strategy."""
    told = " ".join(sections(path)["Categorization"] for path in STRATEGIES)

    assert not {act.technique for act in load_sample(bundled_sample()).attacks} - set(re.findall(r"T[\d.]+\d", told))


@pytest.mark.parametrize("name", [item.name for item in declared()])
def test_setting_is_documented(name: str) -> None:
    """Every setting stands in docs/settings.md."""
    assert f"`{name}`" in (DOCS / "settings.md").read_text()


def test_scenarios_are_described() -> None:
    """The page of the scenario library is the library's own (`make docs` writes it)."""
    assert (DOCS / "scenarios.md").read_text() == catalogue.page()


def test_tree_is_up_to_date() -> None:
    """The architecture page shows the modules there are (`make docs` writes it)."""
    done = subprocess.run([sys.executable, ROOT / ".ci" / "tree", "--check"], check=False, timeout=60)

    assert done.returncode == 0


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link, in a page or the README, names a file of the repository."""
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text())

    assert not [link for link in links if not (path.parent / link).exists()]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_pages_name_exist(path: Path) -> None:
    """A page names no command or make target that there is not."""
    text = path.read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    commands = set(re.findall(r"(?:`|^    )wharfinger (?:--home \S+ )?([a-z]+)", text, flags=re.MULTILINE))

    assert commands <= set(COMMANDS)
    assert set(re.findall(r"(?:`|^    )make ([a-z]+)", text, flags=re.MULTILINE)) <= targets


def test_every_decision_is_numbered_once() -> None:
    """Decisions are numbered without gaps, and each says its status, context, decision and consequences."""
    pages = sorted((DOCS / "adr").glob("*.md"))

    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        assert {"Context", "Decision", "Consequences"} <= sections(page).keys()
        assert "Status: " in page.read_text()


def names_of_tests() -> set[str]:
    """Every test there is."""
    return {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), flags=re.MULTILINE)
    }


@pytest.mark.parametrize(
    ("page", "row"),
    [
        ("security.md", r"^\| .* \| [STRIDE, ]+ \| .* \| (.*) \|$"),
        ("intake.md", r"^\| [^|]+ \| [^|]+ \| (`test_.*) \|$"),
    ],
)
def test_every_threat_and_fault_names_tests_that_there_are(page: str, row: str) -> None:
    """What a page claims to withstand is shown by tests, which it names; each row of the table names one."""
    rows = re.findall(row, (DOCS / page).read_text(), flags=re.MULTILINE)
    named = [re.findall(r"`(test_\w+)`", row) for row in rows]

    assert len(rows) > 15
    assert all(named)
    assert not {name for names in named for name in names} - names_of_tests()
