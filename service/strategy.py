"""What a written detection strategy consists of."""

import msgspec


class Technique(msgspec.Struct, frozen=True, kw_only=True):
    """A technique of ATT&CK that a strategy is categorised under."""

    id: str
    name: str
    tactics: list[str]


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy is about.

    `features` are those declared of its family, `scenarios` those that it claims fire in continuous validation.
    """

    id: str
    title: str
    techniques: list[Technique]
    features: list[str]
    scenarios: tuple[str, ...]


class Strategy(Outline, frozen=True, kw_only=True):
    """A strategy in full: `sections` are its parts in Markdown, by their headings, in the order of the page."""

    sections: dict[str, str]
