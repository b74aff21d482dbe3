"""Notebooks run from end to end, as scripts and as notebooks."""

import os
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_as_a_script(path: Path, tmp_path: Path) -> None:
    """A notebook is a Python file that runs without Jupyter, from any folder, and warns of nothing."""
    environment = os.environ | {"MPLBACKEND": "svg", "PYTHONPATH": str(path.parents[1])}

    done = subprocess.run(
        [sys.executable, "-W", "error", path],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert f"features from {path.parents[1] / 'features' / '__init__.py'}" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_in_jupyter(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Converted to a notebook, every cell runs, and the pictures are drawn."""
    monkeypatch.setenv("PYTHONPATH", str(path.parents[1]))
    notebook = jupytext.read(path)

    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    nbformat.validate(notebook)
