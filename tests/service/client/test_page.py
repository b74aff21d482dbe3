"""The page of the client runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "client.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs(example: str, url: str) -> None:
    """Each example of docs/client.md runs by itself against a service, and says something unless it has nothing to."""
    program = example.replace("http://127.0.0.1:8080", url)

    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == ("print" in program)


def test_there_are_examples() -> None:
    """The page has an example under each of its headings, and one before them."""
    assert len(EXAMPLES) == len(re.findall("^## ", (ROOT / "docs" / "client.md").read_text(), re.MULTILINE)) + 1
