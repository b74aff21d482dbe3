"""What all steps of a scenario share."""

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True):
    """What all steps share; `only` limits a step to some variants."""

    at: float = 0.0
    only: tuple[str, ...] = ("low", "middle", "high", "dampened")
