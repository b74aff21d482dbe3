"""Types of announced changes."""

from typing import Annotated

import msgspec
from msgspec import Meta

from service.api.schemas import Moment, Name, Named, Note, Person
from service.statements import Change


class ChangeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A change to announce; what it names is explained, and nothing else."""

    workload: Annotated[Name, Meta(description="Name of a workload; `*` stands for any text.")]
    until: Annotated[Moment, Meta(description="When the announcement expires.")]
    by: Person
    since: Annotated[Moment | None, Meta(description="From when on; now by default.")] = msgspec.field(
        name="from", default=None
    )
    image: Annotated[Name | None, Meta(description="Image that is rolled out: repository, with tag or digest.")] = None
    fields: Annotated[
        Named,
        Meta(description="Settings that change: `Memory`, or `EnvKey=MODE` for a variable."),
    ] = []
    destinations: Annotated[Named, Meta(description="New destinations: `host` or `host:port`.")] = []
    link: Annotated[Note, Meta(description="Where to read more.")] = ""


class ChangeList(msgspec.Struct, frozen=True, kw_only=True):
    """Announced changes."""

    changes: list[Change]
