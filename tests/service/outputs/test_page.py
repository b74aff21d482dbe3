"""The page on outputs holds what it says."""

import re
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from service.outputs.configuration import KINDS, configured, kind_of
from service.outputs.notices import Notice
from service.outputs.output import Output
from service.outputs.webhook import sign
from service.settings import OUTPUTS, Settings

PAGE = (Path(__file__).parents[3] / "docs" / "outputs.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("text", blocks("toml"))
def test_example_can_be_used(text: str, tmp_path: Path) -> None:
    """Every example is a configuration that is accepted."""
    (tmp_path / "wharfinger.toml").write_text(text)

    assert len(configured(Settings.load(tmp_path, {}).outputs)) == text.count(f"[[{OUTPUTS}]]")


def test_every_kind_has_an_example() -> None:
    """No kind of output is left out, nor a key of one."""
    shown = [output for text in blocks("toml") for output in configured(tomllib.loads(text)[OUTPUTS])]

    assert {type(output) for output in shown} == set(KINDS)
    for kind in KINDS:
        assert not [name for name in kind.__struct_fields__ if not re.search(rf"`?{_root(name)}", PAGE)]
    assert {kind_of(output) for output in shown} <= set(re.findall(r"`(\w+)`", PAGE))


def _root(name: str) -> str:
    return name.removesuffix("_env").removesuffix("_file")


def test_every_field_of_a_message_is_described() -> None:
    """The table of fields is that of a message."""
    assert set(Notice.__struct_fields__) <= set(re.findall(r"^\| `(\w+)`", PAGE, flags=re.MULTILINE))
    assert set(Output.__struct_fields__) <= set(re.findall(r"^\| `(\w+)`", PAGE, flags=re.MULTILINE))


def test_signature_is_verified_as_told() -> None:
    """The function that the page gives to receivers takes what is genuine and refuses what is not."""
    (text,) = blocks("python")
    names: dict[str, Any] = {}
    exec(text, names)  # noqa: S102 -- the example, as a reader would run it
    is_genuine = names["is_genuine"]
    header = sign(b'{"a": 1}', "key", datetime.now(UTC))

    assert is_genuine(b'{"a": 1}', header, "key")
    assert not is_genuine(b'{"a": 2}', header, "key")
    assert not is_genuine(b'{"a": 1}', header, "other")
    old = sign(b"{}", "key", datetime.fromtimestamp(time.time() - 301, UTC))
    assert not is_genuine(b"{}", old, "key")
