"""Reads bodies and query strings into typed structs, or refuses them saying where and why."""

import re
import zlib
from collections.abc import Collection
from functools import cache
from typing import TypeVar

import msgspec
from flask import current_app, request

from service.api.problems import ProblemError, refuse
from service.api.schemas.problems import Fault

T = TypeVar("T")
_JSON = re.compile(r"application/(?:[\w.-]+\+)?json", re.IGNORECASE)
_PLACE = re.compile(r" - at `\$?(.*)`$")


def read_body() -> bytes:
    """Read the body of the current request: JSON, optionally gzip-compressed, within the limits of the settings.

    Raises
    ------
    ProblemError
        413 if it is too large, 415 if it is not JSON or compressed another way, 400 if the compression is damaged.
    """
    if not _JSON.fullmatch(request.mimetype):
        raise _unsupported("application/json")
    raw = _received()
    try:
        raw.decode()  # the decoder skips ignored fields without looking
    except UnicodeDecodeError as error:
        raise refuse(400, f"The body is not UTF-8: {error.reason} at byte {error.start}.") from None
    return raw


def receive(media: Collection[str]) -> bytes:
    """Read the body of the current request, of one of several media types, as `read_body` reads JSON."""
    if request.mimetype not in media:
        raise _unsupported(" or ".join(media))
    return _received()


def _unsupported(wanted: str) -> ProblemError:
    return refuse(415, f"Send {wanted}, not {request.mimetype or 'a body without a content type'}.")


def _received() -> bytes:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise refuse(415, f"Send the body as it is or with gzip, not {encoding}.")
    raw = request.get_data(cache=False)
    if request.content_length is None and len(raw) == request.max_content_length:
        # of a body that comes in chunks no more is read than the limit, and nobody says that there was more
        raise refuse(413, f"The body has {len(raw)} bytes or more; send less at a time.")
    if encoding == "identity":
        return raw
    sent, inflated = request.max_content_length, current_app.config["MAX_INFLATED_LENGTH"]
    if sent is not None and sent < current_app.config["MAX_CONTENT_LENGTH"]:
        inflated = min(sent, inflated)  # what may be small only is small when inflated, too
    return inflate(raw, inflated)


def inflate(raw: bytes, limit: int) -> bytes:
    """Inflate gzip data (one or more members) without ever holding more than `limit` bytes of it.

    Raises
    ------
    ProblemError
        413 if it would inflate to more, 400 if it is damaged.
    """
    parts, room = [], limit
    while raw:
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            part = stream.decompress(raw, room + 1)
        except zlib.error as error:
            raise refuse(400, f"The gzip data is damaged: {error}.") from None
        room -= len(part)
        if room < 0:
            raise refuse(413, f"The body inflates to more than {limit} bytes; send less at a time.")
        if not stream.eof:
            raise refuse(400, "The gzip data is cut short.")
        parts.append(part)
        raw = stream.unused_data
    return b"".join(parts)


def decode(raw: bytes | msgspec.Raw, kind: type[T], place: str = "#") -> T:
    """Decode JSON into `kind`; unknown fields are ignored.

    Parameters
    ----------
    place
        Pointer to `raw` within the whole body, for messages.

    Raises
    ------
    ProblemError
        400 if it is not JSON (NaN and Infinity are not), 422 if it is of another type or shape, with a pointer.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        _require_json(raw)  # the decoder stops at the first wrong type, before the rest is read
        fault = _fault(str(error), place)
        raise refuse(422, f"{fault.detail} (at {fault.pointer})", errors=[fault]) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from None


def _require_json(raw: bytes | msgspec.Raw) -> None:
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from None


def _malformed(error: Exception) -> ProblemError:
    deep = isinstance(error, RecursionError)
    return refuse(400, "The body is nested too deeply." if deep else f"The body is not JSON: {error}.")


def read_query(kind: type[T]) -> T:
    """Decode the query string of the current request into `kind`.

    Raises
    ------
    ProblemError
        422 if a parameter is unknown (a misspelt filter would otherwise answer another question), repeated, or has a
        value it cannot have.
    """
    known, moments = _parameters(kind)  # type: ignore[arg-type]  # mypy takes a class for unhashable
    given = request.args.to_dict(flat=False)
    for name, values in given.items():
        if name not in known:
            raise refuse(422, f"There is no parameter {name!r}; there are {', '.join(sorted(known))}.")
        if len(values) > 1:
            raise refuse(422, f"The parameter {name!r} is given more than once.")
        if values[0].lower() == "null":  # msgspec would read it as absent, which is another question
            raise refuse(422, f"The parameter {name!r} is wrong: leave it out instead of `null`.")
        if name in moments and ":" not in values[0]:  # msgspec would read a number as seconds since 1970
            raise refuse(422, f"The parameter {name!r} is wrong: {values[0][:40]!r} is no RFC 3339 time.")
    try:
        return msgspec.convert({name: values[0] for name, values in given.items()}, kind, strict=False)
    except msgspec.ValidationError as error:
        fault = _fault(str(error), "")
        name = fault.pointer.strip("/")
        raise refuse(
            422, f"The parameter {name!r} is wrong: {fault.detail}.", errors=[Fault(detail=fault.detail)]
        ) from None


@cache
def _parameters(kind: type) -> tuple[set[str], set[str]]:
    """Name the parameters of a query, and those of them that are times."""
    fields = {field.encode_name: str(field.type) for field in msgspec.inspect.type_info(kind).fields}  # type: ignore[attr-defined]  # structs only
    return set(fields), {name for name, shape in fields.items() if "DateTimeType" in shape}


def _fault(message: str, place: str) -> Fault:
    """Turn msgspec's `... - at `$.windows[3].features`` into a sentence and a JSON pointer."""
    found = _PLACE.search(message)
    path = found[1] if found else ""
    steps = re.sub(r"\[(\d+)\]", r".\1", path).replace("[...]", "").replace("key in ", "")
    return Fault(detail=message[: found.start()] if found else message, pointer=place + steps.replace(".", "/"))
