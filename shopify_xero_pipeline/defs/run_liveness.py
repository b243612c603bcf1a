"""Which runs are alive: each holds a lock for as long as its process lives, and the kernel frees it when that dies.

Dagster on a host of its own learns of a run's death only from the code server that started it. If that died as well
(power, memory, a container replaced), or if the run was a command's, the run would stay STARTED and keep the pool for
as long as `max_runtime_seconds` says. Only the locks and what is done with runs that lost theirs belong here; what such
a run has left behind in Xero is for the journal.
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
    """Hold a run's lock, a file below DAGSTER_HOME; it appears under its name only when it is held.

    An exception leaves the file, without its lock: Dagster may not have been able to note that the run is over, so that
    it has to be ended like one whose process died.
    """
    file = _file(instance, run_id)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_suffix(".new")
    with draft.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        draft.replace(file)
        with suppress(GeneratorExit):
            yield
        file.unlink(missing_ok=True)


def end_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Report the runs whose process is gone as failed, or as canceled where that was asked for; return their ids.

    A run without a lock, because it is just beginning or ending or is another host's, is left alone.
    """
    dead = [run for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE_STATUSES)) if _died(instance, run.run_id)]
    for run in dead:
        message = "The run's process is gone. What it left unfinished is taken up by the next run of its days."
        if run.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message)
        else:
            instance.report_run_failed(run, message)
        _file(instance, run.run_id).unlink(missing_ok=True)
    return [run.run_id for run in dead]


def _died(instance: dg.DagsterInstance, run_id: str) -> bool:
    with suppress(FileNotFoundError, BlockingIOError), _file(instance, run_id).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _file(instance: dg.DagsterInstance, run_id: str) -> Path:
    return Path(instance.root_directory) / LOCK_FOLDER / run_id
