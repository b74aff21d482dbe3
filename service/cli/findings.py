"""How scores are written: as a table for people, as NDJSON for tools."""

import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from models.scores import Reason, Score
from service.cli import terminal

SHOWN = 20
COLUMNS = ("severity", "bits", "workload", "when (UTC)", "first reason")


def write_ndjson(rows: Iterable[Any], output: Path | None) -> None:
    """Write one JSON object a line to standard output, or to a file that is replaced whole."""
    if output is None:
        for row in rows:
            sys.stdout.buffer.write(msgspec.json.encode(row) + b"\n")
        sys.stdout.buffer.flush()
        return
    handle, temporary = tempfile.mkstemp(dir=output.absolute().parent, prefix=f".{output.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(msgspec.json.encode(row) + b"\n" for row in rows)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(output)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def strongest(scores: Sequence[Score]) -> list[Score]:
    """Order scores: strongest first, earlier first among equals."""
    return sorted(scores, key=lambda score: (-score.bits, score.window_start, score.workload))


def first_reason(score: Score) -> str:
    """Give the sentence that explains a score best."""
    return told(score.reasons[0]) if score.reasons else ""


def told(reason: Reason) -> str:
    """Give the sentence of a reason, and who vouched for it."""
    return f"{reason.text} (explained by {reason.explained})" if reason.explained else reason.text


def show_scores(scores: Sequence[Score], limit: int = SHOWN) -> None:
    """Write the strongest windows as a table."""
    ranked = strongest(scores)
    rows = [
        (terminal.severity(s.severity), f"{s.bits:.1f}", s.workload, terminal.moment(s.window_start), first_reason(s))
        for s in ranked[:limit]
    ]
    if rows:
        terminal.table(COLUMNS, rows, right=("bits",), below=True)
    left = len(ranked) - len(rows)
    terminal.say(f"{len(ranked):,} windows scored" + (f"; the {len(rows)} strongest are shown" if left else ""))
