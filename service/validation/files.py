"""The files of a validation: the report for tools, for people, and as a layer for ATT&CK Navigator."""

import hashlib
from pathlib import Path

from service.validation.navigator import layer
from service.validation.page import page
from service.validation.report import Report

JSON, PAGE, LAYER = "report.json", "report.html", "navigator.json"


def name_of(report: Report) -> str:
    """Name a report after its split and content: the same findings, the same name."""
    return f"{report.setting.split}-{hashlib.sha256(report.to_json()).hexdigest()[:12]}"


def store(report: Report, folder: Path) -> None:
    """Write the three files into a folder, which is made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / JSON).write_bytes(report.to_json())
    (folder / PAGE).write_text(page(report), encoding="utf-8")
    (folder / LAYER).write_bytes(layer(report.scenarios, f"Wharfinger validation, {report.setting.split} split"))
