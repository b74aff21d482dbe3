"""Requests under an `Idempotency-Key`: sent again, they get the first one's answer and do nothing."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from flask import Response, g, request

from service.answers import ReusedKeyError
from service.api.problems import refuse
from service.state import state

KEY = "Idempotency-Key"
_LONGEST = 256
_FORM = re.compile(rf"[\x21-\x7e]{{1,{_LONGEST}}}")
PARAMETER: dict[str, Any] = {
    "name": KEY,
    "in": "header",
    "required": False,
    "description": "Names the request for a day: sent again, it gets the same answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": _LONGEST, "pattern": "^[!-~]+$"},
}


def answered_once(answer: Callable[[], bytes]) -> Response:
    """Answer the current request, or give the answer that it got under its key before; errors are not remembered.

    Keys are those of one caller: nobody is told what another's were used for.

    Parameters
    ----------
    answer
        Does what is asked and gives the answer as JSON.

    Raises
    ------
    ProblemError
        422 if the key is none or was used for another request, 503 if answers cannot be kept now.
    """
    given = request.headers[KEY]
    if not _FORM.fullmatch(given):
        raise refuse(422, f"The {KEY} is wrong: give 1 to {_LONGEST} printable characters of ASCII.")
    key, digest, answers = f"{g.caller.name} {given}", _digest(), state().home.answers
    try:
        found = answers.get(key, digest)
        if found is None:
            found = answers.keep(key, digest, answer(), datetime.now(UTC))
    except ReusedKeyError:
        raise refuse(
            422, f"The key {given} was given with another request; choose another for this one.", kind="reused-key"
        ) from None
    except sa.exc.OperationalError:
        raise refuse(503, "The database cannot be reached now; send the request again.", kind="unavailable") from None
    return Response(found, content_type="application/json")


def _digest() -> bytes:
    asked = (request.method, request.path, request.query_string.decode("latin-1"), request.mimetype)
    return hashlib.sha256("\n".join(asked).encode() + b"\n" + request.get_data()).digest()
