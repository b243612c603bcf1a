"""Liveness of runs by file locks, which the kernel releases when the process of a run ends.

Only the code server that started a run reports the end of its process to Dagster. If the server ended too (power,
memory, a replaced container), or if a command started the run, the run stays STARTED and occupies the pool until
`max_runtime_seconds`. This module only has the locks and the end of dead runs; the journal settles their writes.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg

ACTIVE_STATUSES = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
LOCK_FOLDER = "alive"


@contextmanager
def hold_run_lock(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Hold the lock of a run, a file below DAGSTER_HOME.

    After an exception the file remains, without the lock, because Dagster may have failed to record the end of the run.
    `end_dead_runs` then ends the run.
    """
    file = _lock_file(instance, run_id)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_suffix(".new")
    with draft.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        draft.replace(file)  # after the lock, so that the file never exists without it
        with suppress(GeneratorExit):
            yield
        file.unlink(missing_ok=True)


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Report runs without a process as failed, or as canceled if their status is CANCELING; return their ids.

    A run without a lock file is unchanged: it is starting or ending, or it belongs to another host.
    """
    dead = [run for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE_STATUSES)) if _is_dead(instance, run.run_id)]
    for run in dead:
        message = "The process of the run has ended. The next run of its days completes its work."
        if run.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message)
        else:
            instance.report_run_failed(run, message)
        _lock_file(instance, run.run_id).unlink(missing_ok=True)
    return [run.run_id for run in dead]


def _is_dead(instance: dg.DagsterInstance, run_id: str) -> bool:
    with suppress(FileNotFoundError, BlockingIOError), _lock_file(instance, run_id).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _lock_file(instance: dg.DagsterInstance, run_id: str) -> Path:
    return Path(instance.root_directory) / LOCK_FOLDER / run_id
