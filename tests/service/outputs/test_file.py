import json
import multiprocessing
import stat
from pathlib import Path
from typing import Any

import pytest

from service.outputs.errors import DeliveryError
from service.outputs.file import File, append
from service.outputs.output import Surroundings
from tests.service.outputs.conftest import make_notice


def output(path: Path, **options: Any) -> File:
    return File(name="archive", path=str(path), **options)


def lines(*paths: Path) -> list[str]:
    return [line for path in paths for line in path.read_text().splitlines()]


@pytest.mark.parametrize("form", ["wharfinger", "ocsf", "ecs"])
def test_line_is_one_document(tmp_path: Path, surroundings: Surroundings, form: str) -> None:
    """Each message is a line of JSON in a file that only its owner reads."""
    path = tmp_path / "alerts.ndjson"

    for number in (1, 2):
        output(path, format=form).send(make_notice(sequence=number, text="a\nb"), surroundings)

    assert len([json.loads(line) for line in lines(path)]) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_file_is_rotated(tmp_path: Path, surroundings: Surroundings) -> None:
    """A file that would grow too large makes room; the newest of the old ones stay, and no line is torn apart."""
    written = output(tmp_path / "alerts", max_bytes=4_096, keep=2)

    for number in range(12):
        written.send(make_notice(sequence=number), surroundings)

    names = sorted(path.name for path in tmp_path.iterdir())
    kept = [json.loads(line)["sequence"] for line in lines(*(tmp_path / name for name in reversed(names)))]
    assert names == ["alerts", "alerts.1", "alerts.2"]
    assert all((tmp_path / name).stat().st_size <= 4_096 for name in names)
    assert kept == list(range(kept[0], 12))


def _write(path: Path, mark: str) -> None:
    for number in range(100):
        append(path, f"{mark}{number}\n".encode(), 400, 100)


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    """Two processes that write and rotate the same file lose no line of each other's."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(tmp_path / "alerts", mark)) for mark in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)

    assert sorted(lines(*tmp_path.iterdir())) == sorted(f"{mark}{number}" for mark in "ab" for number in range(100))


def test_torn_line_harms_no_other(tmp_path: Path, surroundings: Surroundings) -> None:
    """After a writer was killed in the middle of a line, the next message starts a new one."""
    path = tmp_path / "alerts"
    path.write_bytes(b'{"torn":')

    output(path).send(make_notice(), surroundings)

    torn, whole = path.read_text().splitlines()
    assert torn == '{"torn":'
    assert json.loads(whole)["id"] == "5f2b8c"


def test_what_cannot_be_written_is_said(tmp_path: Path, surroundings: Surroundings) -> None:
    """A folder that is missing and a link that somebody laid there are errors, not places to write to."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(DeliveryError, match="No such file"):
        output(tmp_path / "missing" / "alerts").send(make_notice(), surroundings)
    with pytest.raises(DeliveryError, match="symbolic links"):
        output(tmp_path / "link").send(make_notice(), surroundings)
    with pytest.raises(ValueError, match="must be absolute"):
        File(name="archive", path="alerts")
