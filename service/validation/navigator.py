"""The ATT&CK techniques of the scenarios that were played, as a layer for ATT&CK Navigator."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from service.validation.report import ONE, ScenarioRow

LAYER, ATTACK, NAVIGATOR = "4.5", "18", "5.1.0"
_COLOURS = ("#d9534f", "#f0d264", "#4caf6d")


def layer(rows: Iterable[ScenarioRow], title: str) -> bytes:
    """Write a Navigator layer: a technique's score is the share, in per cent, of its scenarios' runs that are caught.

    Parameters
    ----------
    rows
        Scenarios over all estates; counted at one false alert a day and 100 workloads.
    title
        Name of the layer.
    """
    own: dict[str, list[ScenarioRow]] = defaultdict(list)
    for row in rows:
        for technique in row.techniques:
            own[technique].append(row)
    techniques = []
    for technique, told in sorted(own.items()):
        caught, runs = sum(row.caught[ONE] for row in told), sum(row.runs for row in told)
        comment = "; ".join(f"{row.scenario} {row.variant} {row.caught[ONE]}/{row.runs}" for row in told)
        techniques.append(
            {
                "techniqueID": technique,
                "score": round(100 * caught / runs),
                "comment": f"caught {caught} of {runs} at one false alert a day per 100 workloads: {comment}",
                "enabled": True,
                "showSubtechniques": True,
            }
        )
    document = {
        "name": title,
        "versions": {"attack": ATTACK, "navigator": NAVIGATOR, "layer": LAYER},
        "domain": "enterprise-attack",
        "description": "Emulated scenarios and how many of their runs Wharfinger's validation caught.",
        "filters": {"platforms": ["Containers", "Linux", "IaaS"]},
        "sorting": 3,
        "techniques": techniques,
        "gradient": {"colors": list(_COLOURS), "minValue": 0, "maxValue": 100},
        "legendItems": [
            {"label": "missed", "color": _COLOURS[0]},
            {"label": "every run caught", "color": _COLOURS[2]},
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
