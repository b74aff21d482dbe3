"""The outputs there are: each kind named here, on purpose, and read from the `[[outputs]]` tables of the settings."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from service.outputs.alertmanager import Alertmanager
from service.outputs.errors import OutputError
from service.outputs.file import File
from service.outputs.output import Output
from service.outputs.slack import Slack
from service.outputs.syslog import Syslog
from service.outputs.webhook import Webhook

KINDS = (Alertmanager, File, Slack, Syslog, Webhook)


def configured(tables: Sequence[Mapping[str, Any]]) -> list[Output]:
    """Read the outputs that an operator configured.

    Raises
    ------
    OutputError
        If one is not as it can be, or two have the same name. The message holds no secret.
    """
    found: list[Output] = []
    for number, table in enumerate(tables, 1):
        kinds = {str(kind.__struct_config__.tag): kind for kind in KINDS}
        kind = kinds.get(str(table.get("type")))
        if kind is None:
            raise OutputError(f"outputs table {number} needs a type: one of {', '.join(kinds)}")
        try:
            output = msgspec.convert(dict(table), kind)
        except msgspec.ValidationError as error:
            named = f" ({table['name']})" if isinstance(table.get("name"), str) else ""
            raise OutputError(f"outputs table {number}{named}: {error}") from None
        if output.name in {other.name for other in found}:
            raise OutputError(f"outputs table {number}: another output has the name {output.name}")
        found.append(output)
    return found


def kind_of(output: Output) -> str:
    """Give the name of an output's kind, as its `type` reads."""
    return str(output.__struct_config__.tag)
