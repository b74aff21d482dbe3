from pathlib import Path

import pytest

from service.cli import main


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("NOPE",), 1, "wharfinger emulate lists them"),
        (("C01",), 1, "play its parts one after the other: I01, N01, N15"),
        (("E01", "--variant", "loud"), 2, "'low', 'middle', 'high', 'dampened'"),
        (("E01", "--minutes", "0"), 2, "0.05<=x<=1440"),
        (("--apply",), 2, "--apply needs a SCENARIO"),
        (("E01", "--apply", "--record", "/proc/none"), 1, "cannot write into /proc/none"),
        (("E01", "--apply", "--socket", "/nowhere"), 1, "/nowhere: No such file or directory (start it, or name"),
        (("--clean", "--socket", "/nowhere"), 1, "name its socket with --socket"),
    ],
)
def test_errors_are_one_line_that_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(tmp_path), "emulate", *words])

    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == code
    assert told in line
    assert "[Errno" not in line


def test_a_plan_is_shown_without_an_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is asked of a machine before --apply."""
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(tmp_path), "emulate", "E01", "--socket", "/nowhere"])

    assert ended.value.code == 0
    assert capsys.readouterr().out.rstrip().endswith("Nothing was done: --apply plays it.")
