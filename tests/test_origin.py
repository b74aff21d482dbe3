"""The names `features`, `models` and `service` are general; these tests hold that they are ours."""

import importlib
from importlib.metadata import distribution
from pathlib import Path

import pytest

from features import extract, read_events
from models import Detector, Registry

ROOT = Path(__file__).parents[1]
PACKAGES = ("features", "models", "service")


@pytest.mark.parametrize("name", PACKAGES)
def test_package_is_of_this_tree(name: str) -> None:
    """Each top-level package is imported from this source tree, not from a folder or distribution of the same name."""
    module = importlib.import_module(name)

    assert module.__file__ is not None
    assert ROOT / name / "__init__.py" == Path(module.__file__)


@pytest.mark.parametrize("name", PACKAGES)
def test_package_is_typed(name: str) -> None:
    """Each package carries the marker that lets type checkers use its annotations from outside."""
    assert (ROOT / name / "py.typed").is_file()


def test_console_script_is_ours() -> None:
    """The distribution `wharfinger` installs one console script and refuses to be uploaded by accident."""
    ours = distribution("wharfinger")

    assert [(e.name, e.value) for e in ours.entry_points if e.group == "console_scripts"] == [
        ("wharfinger", "service.cli:main")
    ]
    assert "Private :: Do Not Upload" in ours.metadata.get_all("Classifier", [])


def test_the_public_names_are_where_others_import_them_from() -> None:
    """`from features import read_events, extract` and `from models import Detector, Registry` are a contract."""
    assert [thing.__module__ for thing in (extract, read_events, Detector, Registry)] == [
        "features.extraction",
        "features.ingest",
        "models.detector",
        "models.registry",
    ]
    with pytest.raises(ImportError):
        importlib.import_module("features.nothing")
