"""Profiles of HTTP clients: what stays of a user agent, a path or a Host header when what varies is left out."""

import re
from functools import lru_cache

_VERSION = re.compile(r"[\d.]+")
_VARIABLE = re.compile(r"[0-9a-fA-F]{8,}|\d+")  # numbers and identifiers, which differ from request to request
_FIRST_STEPS = re.compile(r"(?:/[^/]*){0,2}")
_QUESTION = re.compile(r"[?#]")
_PORT = re.compile(r":\d+\Z")
_PROGRAM = re.compile(r"[^/ ]+")
_LONGEST_AGENT, _LONGEST_PATH = 120, 80


@lru_cache(maxsize=1 << 14)
def agent_profile(user_agent: str) -> str:
    """Give a user agent without its version numbers.

    Examples
    --------
    >>> agent_profile("curl/8.5.0")
    'curl/#'
    """
    return _VERSION.sub("#", user_agent)[:_LONGEST_AGENT]


@lru_cache(maxsize=1 << 14)
def path_profile(uri: str) -> str:
    """Give the first two steps of a path, without numbers, identifiers and question.

    Examples
    --------
    >>> path_profile("/orders/17/lines?page=2")
    '/orders/#'
    """
    last_line = uri.rfind("\n") + 1
    question = _QUESTION.search(uri, last_line)
    path = _VARIABLE.sub("#", uri[: question.start()] if question else uri)
    steps = _FIRST_STEPS.match(path)
    return steps.group()[:_LONGEST_PATH] if steps else ""


def without_port(server_name: str) -> str:
    """Give the host that a client named, without a port.

    Examples
    --------
    >>> without_port("shop.example:8080")
    'shop.example'
    """
    return _PORT.sub("", server_name)


def program_of(user_agent: str) -> str | None:
    """Give the name of a client's program: what stands before the first slash or space; None if nothing does.

    Examples
    --------
    >>> program_of("kubectl/v1.33.1 (linux/amd64)")
    'kubectl'
    """
    name = _PROGRAM.match(user_agent)
    return name.group() if name else None
