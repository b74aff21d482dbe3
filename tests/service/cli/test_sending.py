"""`wharfinger ingest --to`: telemetry files to a service, over sockets."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.app import create_app
from service.settings import Settings
from tests.service.client.conftest import served
from tests.service.conftest import telemetry

TABLE = """\
#separator \\x09
#path\tconn
#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state
#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring
1790000000.000000\tCa\t192.168.50.10\t40000\t203.0.113.66\t4444\ttcp\tSF
"""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with served(create_app(Settings.load(tmp_path / "home", {}))) as found:
        yield found


def ingest(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", "ingest", *words]
    return subprocess.run(command, env=os.environ | {"WHARFINGER_HOME": "/nonexistent"}, capture_output=True, text=True)  # noqa: PLW1510 -- exit codes are what is tested


def rows(told: str) -> dict[str, tuple[str, ...]]:
    """Read the table of counts."""
    return {name: tuple(counts) for name, *counts in map(str.split, told.splitlines()[1:])}


def test_files_arrive_at_the_service(url: str, tmp_path: Path) -> None:
    """Every form of file is sent, with the counts that ingest shows; sent again, all of it was there already."""
    folder = tmp_path / "telemetry"
    folder.mkdir()
    lines = [json.dumps(record) for record in telemetry()[:30]]
    (folder / "a.ndjson").write_text("\n".join([*lines, "no telemetry", '{"what": "ever"}']))
    (folder / "b.log.gz").write_bytes(gzip.compress(TABLE.encode()))

    first, second = ingest(str(folder), "--to", url, "--host", "n1"), ingest(str(folder), "--to", url, "--host", "n1")

    assert (first.returncode, second.returncode) == (0, 0)
    assert rows(first.stdout) == {
        "docker_inspect": ("4", "0", "0"),
        "zeek": ("27", "0", "0"),
        "unrecognised": ("0", "0", "2"),
    }
    assert rows(second.stdout)["zeek"] == ("0", "27", "0")
    assert "a.ndjson:31: " in first.stderr
    assert "no source knows a record with the keys what" in first.stderr


def test_what_cannot_be_sent_is_one_line(url: str, tmp_path: Path) -> None:
    """Nothing that was understood, no such path, no such service, and a file of columns each fail in one line."""
    junk, columns = tmp_path / "junk.ndjson", tmp_path / "columns.parquet"
    junk.write_text('{"what": "ever"}\n')
    columns.write_bytes(b"PAR1")

    for words, told in (
        ((str(junk), "--to", url), "nothing was accepted"),
        (("/nonexistent", "--to", url), "does not exist"),
        ((str(columns), "--to", url), "Parquet"),
        ((str(junk), "--to", "wharfinger.example"), "http://host"),
        ((str(junk), "--to", url, "--source", "nonsense"), "no source is called nonsense".capitalize()),
    ):
        done = ingest(*words)
        assert done.returncode == 1
        assert told in done.stderr.splitlines()[-1]
