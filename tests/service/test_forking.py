"""The web server loads the application once and forks: nothing that does not survive a fork may have begun by then."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, signal, sys
from pathlib import Path
from service.app import create_app
from service.settings import Settings

create_app(Settings.load(Path(sys.argv[1]), {}))
child = os.fork()
if not child:
    signal.alarm(30)  # a thread pool that was lost in the fork is waited for without end
    import polars as pl
    pl.DataFrame({"number": range(1000)}).lazy().filter(pl.col("number") > 1).collect()
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_worker_can_query_after_the_fork(tmp_path: Path) -> None:
    """A process that is forked once the application is made runs queries: polars' threads were not started before."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "home")], check=False, timeout=90)

    assert done.returncode == 0
