"""Who calls, and what they may do."""

from dataclasses import dataclass
from typing import Literal, get_args

Scope = Literal["score", "ingest", "read", "operate", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


class RefusedError(Exception):
    """What a caller showed is not accepted; the message says why and never repeats it."""


class UnverifiableError(Exception):
    """What a caller showed cannot be checked now; the message says why."""


@dataclass(frozen=True)
class Caller:
    """Somebody who calls.

    Parameters
    ----------
    name
        `key:` and the prefix of an API key, `oidc:` and the subject of a token, or `anyone` where nobody need say.
    scopes
        What the caller may do. No scope contains another.
    """

    name: str
    scopes: frozenset[Scope]


ANYONE = Caller("anyone", frozenset(SCOPES))
