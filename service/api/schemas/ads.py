"""Types of detection strategies."""

import msgspec

from service.strategy import Outline


class StrategyList(msgspec.Struct, frozen=True, kw_only=True):
    """Every strategy."""

    ads: list[Outline]
