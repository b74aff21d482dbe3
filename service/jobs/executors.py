"""Where heavy work runs: processes or threads of this machine, or workers of a Dask cluster, with the same code."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from service.jobs.errors import JobError
from service.settings import Settings

Task = TypeVar("Task")
Result = TypeVar("Result")
# A worker is one of as many as there are cores, so it has one thread; and polars is to return memory within a task.
WORKER = {"POLARS_MAX_THREADS": "1", "_RJEM_MALLOC_CONF": "dirty_decay_ms:100,muzzy_decay_ms:0"}
ANSWER = 10  # seconds that a Dask scheduler may take to answer
_LOCAL = {"local": "loky", "threads": "threading"}


@contextmanager
def executing(settings: Settings, *, executor: str | None = None, scheduler: str | None = None) -> Iterator[None]:
    """Run the tasks of `unordered` inside where the settings say.

    Parameters
    ----------
    executor, scheduler
        In place of the settings of the same names.

    Raises
    ------
    JobError
        If Dask is asked for and not installed, its scheduler is not named or not there, or whoever works is lost.
    """
    chosen = executor or settings.executor
    where = _local(chosen, settings.jobs) if chosen in _LOCAL else _cluster(scheduler or settings.scheduler)
    with where:
        yield


def unordered(function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """Run a function on every task, and give each result as it comes."""
    parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
    yield from parallel(joblib.delayed(function)(task) for task in tasks)


@contextmanager
def _local(executor: str, jobs: int) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in WORKER}
    os.environ.update(WORKER)  # that of processes which start inside
    try:
        with joblib.parallel_config(backend=_LOCAL[executor], n_jobs=jobs or -1):
            yield
    except TerminatedWorkerError:
        raise JobError(
            "a worker process was killed, perhaps for want of memory (run it again: what is finished stays; "
            "the setting jobs makes it fewer processes)"
        ) from None
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _cluster(scheduler: str) -> Iterator[None]:
    try:
        from distributed import Client, KilledWorker  # noqa: PLC0415 -- an optional dependency, imported when asked for
        from distributed.client import FutureCancelledError  # noqa: PLC0415
        from distributed.comm import CommClosedError  # noqa: PLC0415
    except ImportError:
        raise JobError(
            "the executor dask is not installed (pip install distributed, or use --executor local)"
        ) from None
    if not scheduler:
        raise JobError("the executor dask needs its scheduler (give --scheduler tcp://HOST:8786)")
    try:
        client = Client(scheduler, timeout=ANSWER)
    except OSError as error:
        raise JobError(f"no Dask scheduler answers at {scheduler} ({error})") from None
    try:
        with client, joblib.parallel_config(backend="dask"):
            yield
    except (FutureCancelledError, CommClosedError):
        raise JobError(f"the Dask scheduler at {scheduler} was lost (run it again: what is finished stays)") from None
    except KilledWorker as error:
        raise JobError(f"Dask workers were lost, perhaps for want of memory: {error}") from None
