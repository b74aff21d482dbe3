"""What every output has: a name, which alerts it is told of, and a way to send one message."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from features.protocols import Family
from models.incidents import Alert
from models.scores import SEVERITIES
from service.outputs.notices import Notice, families

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What sending depends on besides the message: the time, and the environment that secrets come from."""

    now: datetime
    environ: Mapping[str, str]


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """One `[[outputs]]` table of `wharfinger.toml`.

    `severity` is that from which windows are strange, so that an output is told of the alerts that
    `wharfinger incidents --severity` lists. With `families`, only of those that have a reason of one of them.
    """

    name: Name
    severity: Literal["low", "medium", "high", "critical"] = "high"
    families: list[Family] = []

    def accepts(self, alert: Alert) -> bool:
        """Say whether the output is to be told of an alert that it does not know yet."""
        severe = SEVERITIES.index(alert.severity) >= SEVERITIES.index(self.severity)
        return severe and (not self.families or not set(self.families).isdisjoint(families(alert)))

    @abstractmethod
    def send(self, notice: Notice, surroundings: Surroundings) -> None:
        """Hand one message to the receiver; return once it has it.

        Raises
        ------
        service.outputs.errors.DeliveryError
            If it did not arrive.
        """
