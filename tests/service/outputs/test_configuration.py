from typing import Any

import msgspec
import pytest

from service.outputs.configuration import KINDS, configured, kind_of
from service.outputs.errors import OutputError
from service.outputs.output import Output
from tests.service.outputs.conftest import make_notice

GOOD: list[dict[str, Any]] = [
    {"type": "webhook", "name": "soar", "url": "https://soar.example/in", "secret_env": "SOAR_SECRET"},
    {"type": "slack", "name": "team", "secret_file": "/etc/wharfinger/slack", "families": ["network"]},
    {"type": "alertmanager", "name": "pager", "url": "http://127.0.0.1:9093", "severity": "critical"},
    {"type": "syslog", "name": "siem", "address": "[2001:db8::1]:6514"},
    {"type": "file", "name": "archive", "path": "/var/log/alerts", "format": "ocsf"},
]


def test_each_kind_can_be_configured() -> None:
    """One table each of every kind that there is."""
    assert {kind_of(output) for output in configured(GOOD)} == {str(kind.__struct_config__.tag) for kind in KINDS}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"name": "x"}, "outputs table 2 needs a type: one of alertmanager, file, slack, syslog, webhook"),
        ({"type": "pigeon", "name": "x"}, "outputs table 2 needs a type"),
        ({"type": "file", "path": "/x"}, "missing required field `name`"),
        ({"type": "file", "name": "Not This", "path": "/x"}, "regex"),
        ({"type": "file", "name": "archive", "path": "relative"}, r"table 2 \(archive\): the path must be absolute"),
        ({"type": "file", "name": "first", "path": "/x"}, "another output has the name first"),
        ({"type": "slack", "name": "x"}, "slack needs secret_env or secret_file"),
        ({"type": "slack", "name": "x", "secret": "hush"}, "unknown field `secret`"),
        ({"type": "webhook", "name": "x", "url": "https://h"}, "a webhook needs secret_env or secret_file"),
        ({"type": "webhook", "name": "x", "url": "https://h", "secret_env": "A", "secret_file": "b"}, "not both"),
        ({"type": "syslog", "name": "x", "address": "siem.example"}, "must read host:port"),
        ({"type": "syslog", "name": "x", "address": "h:514", "protocol": "tcp", "ca_file": "/x"}, "ca_file is for"),
        ({"type": "file", "name": "x", "path": "/x", "severity": "none"}, "Invalid enum value 'none'"),
        ({"type": "file", "name": "x", "path": "/x", "families": ["weather"]}, "Invalid enum value 'weather'"),
    ],
)
def test_mistake_is_one_line_that_says_where(table: dict[str, Any], said: str) -> None:
    """A table that cannot be is refused in one line with its number and name, and without a secret."""
    with pytest.raises(OutputError, match=said) as refused:
        configured([{"type": "file", "name": "first", "path": "/first"}, table])
    assert "\n" not in str(refused.value)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "accepted"),
    [
        ({}, True),
        ({"severity": "critical"}, False),
        ({"families": ["network", "pulls"]}, True),
        ({"families": ["config"]}, False),  # its only reason of that family is explained
    ],
)
def test_output_chooses_alerts(options: dict[str, Any], accepted: bool) -> None:  # noqa: FBT001 -- a case of the table
    """An output is told of alerts that are severe enough and have a reason of one of its families."""
    (output,) = configured([{"type": "file", "name": "x", "path": "/x", **options}])

    assert output.accepts(make_notice().alert) == accepted


@pytest.mark.parametrize("kind", KINDS)
def test_kind_is_complete(kind: type[Output]) -> None:
    """Every kind says how it sends, refuses unknown fields and has a name of its own."""
    assert kind.send is not Output.send
    assert msgspec.structs.fields(kind)
    assert kind.__struct_config__.forbid_unknown_fields
