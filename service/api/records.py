"""Records out of a body, in every form that senders of telemetry use."""

import io
from collections.abc import Iterator
from typing import Any

import msgpack
import msgspec

from features.documents import JsonDocuments, Malformed, decode_line
from features.protocols import Record

_UNREADABLE = (msgpack.UnpackException, ValueError, TypeError, RecursionError, OverflowError, msgspec.MsgspecError)


def from_json(raw: bytes) -> Iterator[Record | Malformed]:
    """Read an object, an array of objects, one object to a line, or objects one after the other, in any mixture."""
    try:
        whole = msgspec.json.decode(raw)
    except _UNREADABLE:
        nothing = True
        for outcome in _documents(raw):
            nothing = False
            yield outcome
        if nothing:
            yield Malformed("there is no JSON in it", raw[:200].decode(errors="replace"))
    else:
        yield from (_object(element) for element in (whole if isinstance(whole, list) else [whole]))


def _documents(raw: bytes) -> Iterator[Record | Malformed]:
    documents = JsonDocuments()
    for number, line in enumerate(io.BytesIO(raw.removeprefix(b"\xef\xbb\xbf")), start=1):
        record = None if documents.underway else decode_line(line)
        if record is not None:
            yield record
        else:
            yield from (outcome for _, outcome in documents.feed(number, line))
    yield from (outcome for _, outcome in documents.close())


def from_msgpack(raw: bytes) -> Iterator[Record | Malformed]:
    """Read maps, arrays of maps, or a collector's entries `[time, map]`, one after the other.

    What follows something that cannot be read is set aside with it: where the next begins cannot be known.
    """
    unpacker = msgpack.Unpacker(unicode_errors="replace", strict_map_key=False, max_buffer_size=0)
    unpacker.feed(raw)
    while unpacker.tell() < len(raw):
        try:
            found = unpacker.unpack()
        except _UNREADABLE as error:
            told = "the data is cut short" if isinstance(error, msgpack.OutOfData) else str(error) or repr(error)
            yield Malformed(f"not msgpack: {told}", "")
            return
        yield from map(_record, _elements(found))


def _elements(found: Any) -> list[Any]:  # noqa: ANN401 -- whatever msgpack can hold
    if not isinstance(found, list):
        return [found]
    entry = len(found) == 2 and not isinstance(found[0], dict) and isinstance(found[1], dict)  # noqa: PLR2004 -- a pair
    return [found[1]] if entry else found


def _record(found: Any) -> Record | Malformed:  # noqa: ANN401 -- whatever msgpack can hold
    """Bring a record to what JSON can hold, so that sources meet no other values."""
    try:
        return _object(msgspec.json.decode(msgspec.json.encode(found)))
    except _UNREADABLE as error:
        return Malformed(f"holds what JSON cannot: {error}", repr(found)[:200])


def _object(found: Any) -> Record | Malformed:  # noqa: ANN401 -- JSON
    return found if isinstance(found, dict) else Malformed("not an object", repr(found)[:200])
