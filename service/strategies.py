"""The written detection strategies that the package ships: what each watches, by which techniques, what it claims."""

import re
from functools import cache
from pathlib import Path

from features.protocols import FAMILIES, specs
from service.strategy import Strategy, Technique

_HERE = Path(__file__).resolve().parent
PAGES = (_HERE / "ads", _HERE.parent / "docs" / "ads")  # in an installed package; in a checkout
_LINE = re.compile(r"^Fires in continuous validation:\s*((?:[^\n]+\n?)+)", re.MULTILINE)
_ID = re.compile(r"\b[IDENC]\d{2}\b")
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_TECHNIQUE = re.compile(r"^\| (T\d{4}(?:\.\d{3})?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def claims(text: str) -> tuple[str, ...]:
    r"""List the scenario ids that a page says fire; the list may run over several lines, up to a blank one.

    Examples
    --------
    >>> claims("## Validation\n\nFires in continuous validation: I01, D01,\nN05.\n\nAnd E04.\n")
    ('I01', 'D01', 'N05')
    """
    return tuple(_ID.findall(" ".join(_LINE.findall(text))))


def claimed(folders: tuple[Path, ...] = PAGES) -> tuple[str, ...]:
    """List what all pages of the first folder that there is claim, in the order of the ids."""
    return tuple(sorted({name for page in _pages(folders) for name in claims(page.read_text(encoding="utf-8"))}))


@cache
def strategies(folders: tuple[Path, ...] = PAGES) -> dict[str, Strategy]:
    """Read the strategy of each family of features that has a page, by its name, in the order of families."""
    pages = {page.stem: page.read_text(encoding="utf-8") for page in _pages(folders)}
    return {family: _strategy(family, pages[family]) for family in FAMILIES if family in pages}


def _pages(folders: tuple[Path, ...]) -> list[Path]:
    folder = next((folder for folder in folders if folder.is_dir()), None)
    return sorted(folder.glob("*.md")) if folder else []


def _strategy(family: str, text: str) -> Strategy:
    head, *parts = _SECTION.split(text)
    sections = {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
    return Strategy(
        id=family,
        title=head.strip().removeprefix("# "),
        techniques=[
            Technique(id=name, name=meaning, tactics=tactics.split(", "))
            for name, meaning, tactics in _TECHNIQUE.findall(sections.get("Categorization", ""))
        ],
        features=[spec.name for spec in specs().values() if spec.family == family],
        scenarios=claims(text),
        sections=sections,
    )
