"""The web server loads the application once and forks: nothing that does not survive a fork may have begun by then."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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


LOADED = """
import json, sys
from pathlib import Path
from service.app import create_app
from service.settings import Settings

app = create_app(Settings.load(Path(sys.argv[1]), {}))
with app.app_context():
    from service.state import state
    assert state().model.get() is not None
window = {"workload": "docker:shop/api", "window_start": "2026-09-13T12:00:00Z", "features": {"network.connections": 9}}
assert app.test_client().post("/v1/scores", json={"windows": [window]}).status_code == 200
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} | set(sys.modules))))
"""


@pytest.mark.slow
def test_a_web_worker_loads_nothing_that_only_learning_needs(fleet: Any) -> None:
    """To get ready and to score a window neither scikit-learn, scipy, joblib, alembic nor the emulation is imported."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(fleet.settings.home)], check=True, timeout=90, capture_output=True, text=True
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))

    assert "models.detector" in loaded
    assert not loaded & {"sklearn", "scipy", "joblib", "alembic", "pandas", "service.emulation", "service.validation"}
