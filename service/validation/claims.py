"""Which scenarios the written detection strategies claim to find: the page that promises is the one that is tested."""

import re
from pathlib import Path

_HERE = Path(__file__).resolve().parents[1]
PAGES = (_HERE / "ads", _HERE.parent / "docs" / "ads")  # in an installed package; in a checkout
_LINE = re.compile(r"^Fires in continuous validation:\s*((?:[^\n]+\n?)+)", re.MULTILINE)
_ID = re.compile(r"\b[IDENC]\d{2}\b")


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
    folder = next((folder for folder in folders if folder.is_dir()), None)
    pages = sorted(folder.glob("*.md")) if folder else []
    return tuple(sorted({name for page in pages for name in claims(page.read_text(encoding="utf-8"))}))
