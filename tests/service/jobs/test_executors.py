"""Work in processes, in threads or on a Dask cluster gives the same bytes, whoever is killed meanwhile."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from service.jobs.errors import JobError
from service.jobs.executors import executing, unordered
from service.settings import Settings
from tests.estates import Estate
from tests.service.jobs.clusters import Cluster, await_that, cluster, run

EVENTS = 1500  # of a bucket: some thirty tasks, so that there is a middle to kill in


def digests(home: Path) -> dict[str, str]:
    """Give the digest of each file of windows."""
    root = home / "windows"
    paths = [path for path in root.glob("date=*/**/*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture
def home(estate: Estate, tmp_path: Path) -> Path:
    """A home with the estate's lake and no windows."""
    shutil.copytree(estate.lake.store.root, tmp_path / "home" / "lake")
    return tmp_path / "home"


@pytest.fixture(scope="module")
def undisturbed(estate: Estate, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one process makes when nothing happens to it."""
    home = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(estate.lake.store.root, home / "lake")
    ends(run(home, EVENTS, "threads"))
    return digests(home)


def ends(process: subprocess.Popen[bytes], code: int = 0) -> str:
    _, error = process.communicate()
    assert process.returncode == code, error.decode()
    return error.decode()


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stderr:
        process.stderr.close()


def first_bucket(home: Path) -> None:
    """Wait until the first bucket is finished."""
    await_that(lambda: any((home / "windows").glob("date=*/bucket=*/facts-*.parquet")))


def double(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_every_task_gives_its_result(tmp_path: Path, executor: str) -> None:
    """Results come in any order, each once."""
    with executing(Settings.load(tmp_path, {"WHARFINGER_JOBS": "2"}), executor=executor):
        assert sorted(unordered(double, range(5))) == [0, 2, 4, 6, 8]


def test_dask_without_a_scheduler_says_what_to_do(tmp_path: Path) -> None:
    """The address of the scheduler is asked for."""
    settings = Settings.load(tmp_path, {"WHARFINGER_EXECUTOR": "dask"})

    with pytest.raises(JobError, match="--scheduler"), executing(settings):
        pass


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """Where nobody answers the run ends after a while and says so."""
    settings = Settings.load(tmp_path, {"WHARFINGER_EXECUTOR": "dask"})

    with (
        pytest.raises(JobError, match="no Dask scheduler answers at"),
        executing(settings, scheduler="tcp://127.0.0.1:9"),
    ):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_processes_give_the_bytes_of_one(home: Path, undisturbed: dict[str, str], jobs: int) -> None:
    """However many processes work, the files are the same to the last byte."""
    (home / "wharfinger.toml").write_text(f"jobs = {jobs}\n")

    ends(run(home, EVENTS, "local"))

    assert digests(home) == undisturbed


@pytest.mark.slow
def test_a_killed_run_costs_what_was_missing(home: Path, undisturbed: dict[str, str]) -> None:
    """After kill -9 the next run goes on: what was finished stays as it was written, and the whole is the same."""
    driver = run(home, EVENTS, "local")
    first_bucket(home)
    kill(driver)
    finished = {path: path.stat().st_mtime_ns for path in (home / "windows").glob("date=*/bucket=*/facts-*.parquet")}
    ends(run(home, EVENTS, "threads"))

    assert digests(home) == undisturbed
    assert all(path.stat().st_mtime_ns == moment for path, moment in finished.items())


Victim = Callable[[Cluster, "subprocess.Popen[bytes]"], "subprocess.Popen[bytes]"]
VICTIMS: dict[str, Victim] = {
    "nobody": lambda _running, _driver: subprocess.Popen(["true"]),
    "worker": lambda running, _driver: running.workers[0],
    "driver": lambda _running, driver: driver,
    "scheduler": lambda running, _driver: running.scheduler,
}


@pytest.mark.slow
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_cluster_gives_the_bytes_of_one_process_whoever_is_killed(
    home: Path, undisturbed: dict[str, str], tmp_path: Path, victim: str
) -> None:
    """A lost worker is made up for; without driver or scheduler the run ends, and the next one completes it."""
    with cluster(tmp_path) as running:
        driver = run(home, EVENTS, "dask", running.address)
        first_bucket(home)
        killed = VICTIMS[victim](running, driver)
        kill(killed)
        if victim in ("nobody", "worker"):
            ends(driver)
        elif victim == "scheduler":
            assert "run it again" in ends(driver, 1)
        else:
            ends(run(home, EVENTS, "dask", running.address))
    if victim == "scheduler":
        with cluster(tmp_path / "again") as another:
            ends(run(home, EVENTS, "dask", another.address))

    assert digests(home) == undisturbed
