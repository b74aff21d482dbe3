"""Homes that tests work on."""

import subprocess
from pathlib import Path


def copy_home(home: Path, to: Path) -> None:
    """Copy a home whose database may be open in this process.

    Another process does it: one that closes a file gives up all its locks on it (POSIX), those of SQLite too, and who
    opens the database next would then take the log away from under the connection that is open here.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-r", "--", home, to], check=True)
