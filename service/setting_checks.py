"""What a setting may be: each check gives a complaint, or None where there is nothing to complain of."""

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit


def networks(value: tuple[str, ...]) -> str | None:
    """Accept networks in CIDR form."""
    for item in value:
        try:
            ipaddress.ip_network(item)
        except ValueError as error:
            return f"{error}; give networks such as 203.0.113.0/24"
    return None


def at_least(least: float, most: float = float("inf")) -> Callable[[float], str | None]:
    """Give a check that accepts numbers in a range, the ends included."""
    shown = f"at least {least:g}" if most == float("inf") else f"between {least:g} and {most:g}"
    return lambda value: None if least <= value <= most else f"must be {shown}"


def place(value: str) -> str | None:
    """Accept a directory, or a bucket of S3."""
    if "://" not in value or re.fullmatch(r"s3://[^/]+(/.*)?", value):
        return None
    return "give a directory, or s3://BUCKET/PREFIX"


def one_of(*choices: str) -> Callable[[str], str | None]:
    """Give a check that accepts some words."""
    return lambda value: None if value in choices else f"must be one of {', '.join(choices)}"


def database(value: str) -> str | None:
    """Accept the address of a database, or nothing."""
    known = ("", "sqlite", "postgres", "postgresql", "postgresql+psycopg")
    fits = value.partition("://")[0] in known
    return None if fits else "give postgresql://USER:PASSWORD@HOST/NAME or sqlite:///FILE"


def address(value: str) -> str | None:
    """Accept an http(s) address, or nothing."""
    return None if not value or re.fullmatch(r"https?://[^/?#@\s]+[^?#\s]*", value) else "must read https://host/path"


def keys_url(value: str) -> str | None:
    """Accept an https address, or nothing; http on this machine."""
    url = urlsplit(value)
    fits = not value or url.scheme == "https" or (url.scheme == "http" and url.hostname in ("localhost", "127.0.0.1"))
    return None if fits else "give an https address: who can change it on its way could sign any token"
