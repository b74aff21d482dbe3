"""Keys and tokens that stand where they should not, such as in an address, taken out of what is written down."""

import re
from typing import Any

from service.access.keys import PATTERN

_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)


def redact(text: str) -> str:
    """Leave of a key its prefix, and of a token nothing.

    Examples
    --------
    >>> redact("no wf_0123456789ab_" + "x" * 43 + " here")
    'no wf_0123456789ab_... here'
    """
    return _TOKEN.sub("...", PATTERN.sub(r"wf_\1_...", text))


def redact_line(_: object, __: str, line: Any) -> str:  # noqa: ANN401 -- structlog hands on what the last one gave
    """Redact a rendered line, as structlog's last processor."""
    return redact(line)
