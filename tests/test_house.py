"""Rules of the house that no linter knows."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = sorted(path for name in ("features", "models", "service") for path in (ROOT / name).rglob("*.py"))
LONGEST = 300
PURE = [path for path in MODULES if path.relative_to(ROOT).parts[0] != "service"]
CLOCKS = ("datetime.now", "datetime.utcnow", "date.today", "time.time", "time.time_ns")


def pins(name: str) -> dict[str, list[Requirement]]:
    """Read a requirements file: pins per normalised name, several where they differ by Python version."""
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            found.setdefault(re.sub(r"[-_.]+", "-", pin.name).lower(), []).append(pin)
    return found


@pytest.mark.parametrize("text", PROJECT["dependencies"])
def test_dependency_is_pinned_within_its_bounds(text: str) -> None:
    """Every declared dependency has an exact pin that satisfies the declaration."""
    wanted = Requirement(text)

    for pin in pins("runtime")[wanted.name]:
        (exact,) = pin.specifier
        assert exact.operator == "=="
        assert Version(exact.version) in wanted.specifier


@pytest.mark.parametrize("name", ["notebooks", "dev"])
def test_pins_agree(name: str) -> None:
    """Notebooks and development run on exactly the versions that the service runs on."""
    larger = pins(name)

    assert {package: {str(pin.specifier) for pin in larger[package]} for package in pins("runtime")} == {
        package: {str(pin.specifier) for pin in pinned} for package, pinned in pins("runtime").items()
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_is_short(path: Path) -> None:
    """A module stays within what can be read at one sitting."""
    assert len(path.read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_time_and_chance_are_arguments(path: Path) -> None:
    """Features and models never read a clock or an unseeded generator: the same input gives the same bytes."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}

    assert not [ast.unparse(call) for call in calls if ast.unparse(call.func).endswith(CLOCKS)]
    assert not [ast.unparse(call) for call in calls if ast.unparse(call).endswith("default_rng()")]
    assert not imported & {"random", "secrets", "uuid"}


def tracked_files() -> list[str]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [name for name in listing.stdout.split("\0") if name]


def test_no_large_file_is_tracked() -> None:
    """Nothing above five megabytes enters the repository: models and captures are made, not stored."""
    assert not [
        name for name in tracked_files() if (ROOT / name).is_file() and (ROOT / name).stat().st_size > 5_000_000
    ]


def test_pins_name_no_package_index() -> None:
    """No file of the project decides where packages come from."""
    told = re.compile(r"--(extra-)?index-url|--find-links|PIP_INDEX_URL|UV_INDEX", re.IGNORECASE)
    files = [*(ROOT / "requirements").glob("*.txt"), ROOT / "Makefile", ROOT / "pyproject.toml"]

    assert not [path.name for path in files if told.search(path.read_text())]


@pytest.mark.slow
@pytest.mark.parametrize(("environment", "code"), [({"CI": "true"}, 1), ({"CI": ""}, 0)])
def test_skipped_engine_test_fails_in_ci(environment: dict[str, str], code: int, tmp_path: Path) -> None:
    """Where an engine must be there, a test that skips for want of one is a failure; elsewhere it may skip."""
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "pytest.toml").write_text("[pytest]\nmarkers = ['engine']\n")
    (tmp_path / "test_engine.py").write_text(
        "import pytest\n\n@pytest.mark.engine\ndef test_engine():\n    pytest.skip('no engine here')\n"
    )

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code
    assert "no engine here" in done.stdout or code == 0
