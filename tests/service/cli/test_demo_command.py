import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

from service.jobs.demo import bundled_sample, load_sample

WHARFINGER = [sys.executable, "-c", "from service.cli import main; main(prog_name='wharfinger')"]


@pytest.mark.slow
def test_demo_finds_most_of_what_was_emulated(tmp_path: Path) -> None:
    """The demo tells for every emulation whether it was found; most stand high, and no trace stays."""
    environment = os.environ | {"TMPDIR": str(tmp_path), "COLUMNS": "200"}

    done = subprocess.run(
        [*WHARFINGER, "demo", "--no-serve"], env=environment, capture_output=True, text=True, timeout=600, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    attacks = load_sample(bundled_sample()).attacks
    start = next(number for number, line in enumerate(lines) if line.startswith("Emulated attacks"))
    assert sorted(a.scenario for a in attacks) == sorted(
        a.scenario for line in lines[start + 2 :] for a in attacks if f" {a.title} " in line and a.note in line
    )
    strongest = next(line for line in lines if line.strip().startswith("1  "))
    assert any(f" {a.title}" in strongest for a in attacks)
    assert int(lines[start].split(", ")[1].split()[0]) > len(attacks) / 2
    assert not list(tmp_path.glob("wharfinger-demo-*"))


@pytest.mark.slow
def test_demo_serves_its_findings_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """After the findings the demo answers on loopback; TERM ends it cleanly and its home is gone."""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen([*WHARFINGER, "demo", "--port", "18099"], env=environment, stdout=told, stderr=told)
        try:
            scores = b""
            for _ in range(300):
                try:
                    with urllib.request.urlopen(
                        "http://127.0.0.1:18099/v1/scores?order=bits&limit=1", timeout=5
                    ) as answer:
                        scores = answer.read()
                    break
                except OSError:
                    time.sleep(1)
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
        finally:
            process.kill()
        told.seek(0)
        output = told.read()

    assert b'"severity"' in scores, output
    assert code == 0
    assert not list(tmp_path.glob("wharfinger-demo-*"))
