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
_THREADS = "POLARS_MAX_THREADS"
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
        If Dask is asked for and not installed, its scheduler is not named or not there, or workers are lost.
    """
    chosen = executor or settings.executor
    try:
        if chosen in _LOCAL:
            with _one_thread_each(), joblib.parallel_config(backend=_LOCAL[chosen], n_jobs=settings.jobs or -1):
                yield
        else:
            with _cluster(scheduler or settings.scheduler), joblib.parallel_config(backend="dask"):
                yield
    except TerminatedWorkerError:
        raise JobError(
            "a worker process was killed, perhaps for want of memory (run it again: what is finished stays; "
            "the setting jobs makes it fewer processes)"
        ) from None


def unordered(function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """Run a function on every task, and give each result as it comes."""
    parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
    yield from parallel(joblib.delayed(function)(task) for task in tasks)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let workers that start inside use one thread: they are as many as there are cores."""
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before


@contextmanager
def _cluster(scheduler: str) -> Iterator[None]:
    try:
        from distributed import Client  # noqa: PLC0415 -- an optional dependency, imported when asked for
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
    with client:
        yield
