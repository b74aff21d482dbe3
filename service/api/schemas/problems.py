"""Problem details of RFC 9457, as every error is told."""

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong with a request: a sentence, and a JSON pointer (as a URI fragment) to where."""

    detail: str
    pointer: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details of RFC 9457; `errors` lists the single faults where there are several or they have a place."""

    title: str
    status: int
    type: str = "about:blank"
    detail: str = ""
    errors: list[Fault] = []
    checks: dict[str, str] = {}
