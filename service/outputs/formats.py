"""Formats of one message as one JSON document, for outputs that let the operator choose."""

from typing import Literal

import msgspec

from service.outputs import ecs, ocsf
from service.outputs.notices import Notice, headline, story, techniques

Format = Literal["wharfinger", "ocsf", "ecs"]


def encode(notice: Notice, form: Format) -> bytes:
    """Write a message as one line of JSON, without the line's end: the same message gives the same bytes."""
    if form == "ocsf":
        document = ocsf.detection_finding(notice)
    elif form == "ecs":
        document = ecs.document(notice)
    else:
        words = {"title": headline(notice), "text": story(notice), "techniques": techniques(notice)}
        document = {**msgspec.to_builtins(notice), **words}
    return msgspec.json.encode(document)
