"""Entity tags (RFC 9110, section 8.8.3): who has the current answer already is spared it."""

import hashlib
from http import HTTPStatus
from typing import Any

from flask import Response, request

HEADER = "If-None-Match"
PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "`ETag` of an earlier answer: 304 says that it is still the same.",
    "schema": {"type": "string"},
}


def conditional(response: Response) -> Response:
    """Give an answer its strong entity tag, or 304 in its place if the caller has it.

    It may be kept by the caller alone, and not be used again without asking.
    """
    tag = hashlib.blake2b(response.get_data(), digest_size=16).hexdigest()
    response.set_etag(tag)
    response.headers["Cache-Control"] = "private, no-cache"
    if request.if_none_match.contains_weak(tag):
        response.status_code = HTTPStatus.NOT_MODIFIED
        response.set_data(b"")
        del response.headers["Content-Type"], response.headers["Content-Length"]
    return response
