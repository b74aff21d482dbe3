"""A place for the lake's files that keeps count of those that are opened."""

from datetime import date
from pathlib import Path

from features.stores import Directory


class CountedFiles(Directory):
    """A directory that keeps count of the files that are opened."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: list[str] = []

    def location(self, name: str) -> str:
        """Note that a file is about to be opened."""
        self.opened.append(name)
        return super().location(name)

    def days(self) -> set[date]:
        """Tell of which days files were opened since the last call."""
        opened, self.opened = self.opened, []
        return {date.fromisoformat(name[len("date=") :][:10]) for name in opened}
