"""Addresses that requests are sent to."""

from typing import Annotated
from urllib.parse import urlsplit

import msgspec

Url = Annotated[str, msgspec.Meta(max_length=2_000)]


def check_url(url: str) -> None:
    """Refuse an address that is none, or that carries a password.

    Raises
    ------
    ValueError
        Without the address in it, which may be a secret.
    """
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        whole = False
    if not whole:
        raise ValueError("the url must read https://host/path or http://host/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the url holds a password; put it into authorization_env or authorization_file")
