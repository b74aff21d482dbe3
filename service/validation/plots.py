"""Plots of a report as SVG that takes its colours from the page around it."""

from collections.abc import Iterable, Sequence
from html import escape

from service.validation.outcomes import FULL, alone
from service.validation.report import Condition, LookalikeRow, Outcome, Point

WIDTH, WIDE = 520, 1080
_LEFT, _LEFT_WIDE, _RIGHT, _ROW = 150, 230, 18, 22
FAMILIES = {
    "I": "Images and supply chain",
    "D": "Configuration and escape",
    "E": "Exec, discovery, credentials",
    "N": "Network",
    "C": "Chains",
}


def curve(points: Sequence[Point]) -> str:
    """Draw the share caught against the false alerts accepted, evenly spaced, for rates grow by factors."""
    height, left, bottom = 320, 44, 44
    step = (WIDTH - left - _RIGHT) / max(len(points) - 1, 1)

    def y(share: float) -> float:
        return 12 + (1 - share) * (height - bottom - 12)

    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(_line(left, y(share), WIDTH - _RIGHT, y(share), "grid"))
        parts.append(_text(left - 8, y(share) + 4, f"{share:.0%}", "end"))
    for place, point in enumerate(points):
        parts.append(_text(left + place * step, height - bottom + 18, f"{point.rate:g}", "middle"))
    middle = left + (WIDTH - left - _RIGHT) / 2
    parts.append(_text(middle, height - 6, "false alerts a day and 100 workloads", "middle"))
    for name in ("dampened", "full"):
        shares = [getattr(point, name) for point in points]
        spots = [(left + place * step, y(share)) for place, share in enumerate(shares)]
        path = " ".join(f"{'L' if place else 'M'}{x:.1f} {level:.1f}" for place, (x, level) in enumerate(spots))
        parts.append(f'<path d="{path}" class="line {name}"/>')
        parts += [_dot(x, level, name, f"{share:.0%}") for (x, level), share in zip(spots, shares, strict=True)]
    return _svg(parts, height, "Share of attacks caught against false alerts accepted")


def strips(outcomes: Iterable[Outcome], lookalikes: Sequence[LookalikeRow], thresholds: Sequence[float]) -> str:
    """Draw the bits of attacks, a row for each family, above those of their lookalikes, a row for each kind."""
    told = alone(outcomes)
    families = [letter for letter in FAMILIES if any(outcome.scenario.startswith(letter) for outcome in told)]
    height = _ROW * (len(families) + len(lookalikes)) + 58
    most = max([outcome.bits for outcome in told] + [row.spread[4] for row in lookalikes] + [*thresholds, 1.0])
    scale = (WIDE - _LEFT_WIDE - _RIGHT) / (most * 1.05)
    parts = []
    for mark in range(0, int(most) + 1, 5 if most < 40 else 10):  # noqa: PLR2004 -- about eight marks
        x = _LEFT_WIDE + mark * scale
        parts += [_line(x, 8, x, height - 40, "grid"), _text(x, height - 24, str(mark), "middle")]
    for threshold in sorted(set(thresholds)):
        x = _LEFT_WIDE + threshold * scale
        parts.append(_line(x, 4, x, height - 40, "threshold"))
    row = 8 + _ROW / 2
    for letter in families:
        parts.append(_text(_LEFT_WIDE - 10, row + 4, FAMILIES[letter], "end"))
        own = [outcome for outcome in told if outcome.scenario.startswith(letter)]
        for outcome in sorted(own, key=lambda outcome: outcome.variant == FULL):
            name = "full" if outcome.variant == FULL else "dampened"
            lift = -3.5 if name == "full" else 3.5
            title = f"{outcome.scenario} {outcome.variant}: {outcome.bits:.1f} bits"
            parts.append(_dot(_LEFT_WIDE + outcome.bits * scale, row + lift, name, title))
        row += _ROW
    for kind in lookalikes:
        least, lower, middle, upper, strongest = (_LEFT_WIDE + bits * scale for bits in kind.spread)
        title = f"{kind.name}: {kind.acts} acts, {kind.spread[2]:.1f} bits at the median, {kind.spread[4]:.1f} at most"
        parts += [
            _text(_LEFT_WIDE - 10, row + 4, f"{kind.kind} {kind.name}".strip() or "others", "end", "quiet"),
            _line(least, row, strongest, row, "whisker"),
            _bar(lower, row - 5, (max(upper - lower, 1.5), 10), "box", title),
            _line(middle, row - 5, middle, row + 5, "median"),
            _dot(strongest, row, "benign", title),
        ]
        row += _ROW
    parts.append(
        _text(_LEFT_WIDE + (WIDE - _LEFT_WIDE - _RIGHT) / 2, height - 6, "bits of the strongest window", "middle")
    )
    return _svg(parts, height, "Bits of attacks beside those of benign lookalikes", WIDE)


def bars(conditions: Sequence[Condition]) -> str:
    """Draw what is still caught through each kind of worse sensors; the first is full visibility."""
    height = _ROW * len(conditions) + 12
    most = max([condition.caught for condition in conditions] + [1])
    scale = (WIDTH - _LEFT - 90) / most
    parts, row = [], 6 + _ROW / 2
    for condition in conditions:
        share = condition.caught / conditions[0].caught if conditions[0].caught else 0.0
        parts += [
            _text(_LEFT - 10, row + 4, condition.name, "end"),
            _bar(_LEFT, row - 7, (most * scale, 14), "rest", condition.meaning),
            _bar(_LEFT, row - 7, (condition.caught * scale, 14), "bar", condition.meaning),
            _text(_LEFT + most * scale + 8, row + 4, f"{condition.caught} ({share:.0%})", "start"),
        ]
        row += _ROW
    return _svg(parts, height, "Attacks still caught through worse sensors")


def _bar(x: float, y: float, size: tuple[float, float], name: str, title: str) -> str:
    wide, high = size
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" rx="3" class="{name}">'
        f"<title>{escape(title)}</title></rect>"
    )


def _svg(parts: Iterable[str], height: float, title: str, width: float = WIDTH) -> str:
    inside = "".join(parts)
    return f'<svg viewBox="0 0 {width} {height:.0f}" role="img" aria-label="{escape(title)}">{inside}</svg>'


def _line(x: float, y: float, to_x: float, to_y: float, name: str) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" class="{name}"/>'


def _text(x: float, y: float, text: str, anchor: str, name: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{name}">{escape(text)}</text>'


def _dot(x: float, y: float, name: str, title: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" class="{name}"><title>{escape(title)}</title></circle>'
