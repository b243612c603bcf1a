"""In-process runs of the jobs for commands, on the configured Dagster instance, one run for each range of days.

The UI lists these runs under their job, like those of schedules. Results are read from the stored plans and
reconciliations, so nothing is counted twice. `output.py` prints them.
"""

import fcntl
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO, cast

import dagster as dg
from upath import UPath

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.cli import options
from shopify_xero_pipeline.definitions import build_definitions
from shopify_xero_pipeline.defs.io_managers import JsonIOManager
from shopify_xero_pipeline.defs.jobs import RESPECT_RETRY_SCHEDULE_TAG
from shopify_xero_pipeline.defs.load import POOL, UPSTREAM_LOADS
from shopify_xero_pipeline.defs.partitions import range_tags, run_time_limit
from shopify_xero_pipeline.defs.plan import ASSET_OF_KIND
from shopify_xero_pipeline.defs.run_liveness import end_dead_runs, hold_run_lock
from shopify_xero_pipeline.defs.run_requests import ACTIVE_STATUSES
from shopify_xero_pipeline.defs.step_failures import INTERRUPTED_MESSAGE, StepFailure, step_failures
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline import storage_errors
from shopify_xero_pipeline.pipeline.api_quota import daily_quota
from shopify_xero_pipeline.pipeline.calendar import as_ranges
from shopify_xero_pipeline.pipeline.call_forecast import Forecast
from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS, TryLaterError
from shopify_xero_pipeline.pipeline.file_locations import check_storage, dagster_home
from shopify_xero_pipeline.pipeline.mirror_refresh import LAST_WRITE_KEY
from shopify_xero_pipeline.pipeline.plan_inputs import posted_documents
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.pipeline.sync_report import SyncReport
from shopify_xero_pipeline.pipeline.watchdog import time_limit
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.settings import LOCAL_FOLDER, check_folder, check_yaml

QUIET_RUN_CONFIG = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
OnChunk = Callable[[date, date], None]
PLAN_ASSETS = ("contacts", "items", *ASSET_OF_KIND.values())
READS, PLANS, RECONCILIATIONS, RECORDS = 3, 3, 1, 1  # one step plans the three kinds of an order
STEPS_PER_RANGE = {
    "plan": READS + PLANS + RECORDS,
    "sync": READS + PLANS + len(UPSTREAM_LOADS) + RECONCILIATIONS + RECORDS,
}
"""Steps of a job for each range of days; each but the last logs an event at its start and at its end."""

TIME_LIMIT_MESSAGE = "Sync fewer days at once, or raise max_runtime_seconds of run_monitoring in dagster.yaml."


class RunConflictError(TryLaterError):
    """A run cannot start now, because of another run."""


@contextmanager
def dagster_instance(settings_file: Path = Path("dagster.yaml")) -> Iterator[dg.DagsterInstance]:
    """Yield the instance of DAGSTER_HOME.

    Args:
        settings_file: the `dagster.yaml` for a DAGSTER_HOME without one. The default folder, `.local/dagster`, always
            gets it.

    Raises:
        PipelineError: the folder, the settings or the storage of the instance cannot be used.
    """
    home = dagster_home()
    os.environ["DAGSTER_HOME"] = str(home)
    check_folder("DAGSTER_HOME", home)
    with _translate_storage_errors(home), ExitStack() as stack:
        with _lock_folder(home):  # two commands that create a database at once damage it
            _copy_settings(settings_file, home)
            instance = stack.enter_context(_open_instance(home))
        yield instance


@contextmanager
def _translate_storage_errors(home: Path) -> Iterator[None]:
    """Raise errors of Dagster's storage with a message for people."""
    try:
        yield
    except EXPECTED_ERRORS:
        raise
    except Exception as error:
        storage_error = storage_errors.from_dagster(error, home)
        if storage_error is None:
            raise
        raise storage_error from error


def _open_instance(home: Path) -> dg.DagsterInstance:
    try:
        return dg.DagsterInstance.get()
    except Exception as error:
        storage_error = storage_errors.from_dagster(error, home, known_only=True)
        raise storage_error or storage_errors.from_instance_settings(error, home) from error


def _copy_settings(settings_file: Path, home: Path) -> None:
    instance_file = home / "dagster.yaml"
    if settings_file.is_file() and (home == (LOCAL_FOLDER / "dagster").resolve() or not instance_file.exists()):
        check_yaml(settings_file)
        shutil.copyfile(settings_file, instance_file)
    if instance_file.is_file():
        check_yaml(instance_file)


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on a folder."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


class _StandardError:
    """Standard error without Dagster's message on an event that it cannot store; the run fails with that message."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if text.startswith("Exception while writing logger call") else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class JobRunner:
    """Runs jobs in process.

    Args:
        sync_service: the sync service of all runs; the caller closes its connections.
        instance: the instance that records the runs.
        storage: the folder or bucket of the assets.

    Attributes:
        postponed_days: days that the last job did not start, because Xero's daily quota is used up.
        is_transient: whether all failures of the last job are transient.
        needs_setting: whether all its failures are transient or need a setting, a permission or a disk, and one does.
    """

    def __init__(self, sync_service: SyncService, instance: dg.DagsterInstance, storage: UPath) -> None:
        self.sync_service = sync_service
        self.postponed_days: list[date] = []
        self.is_transient = False
        self.needs_setting = False
        self._instance = instance
        self._storage = storage

    def run(
        self, job: str, days: Sequence[date], on_chunk: OnChunk | None = None, *, respect_retry_schedule: bool = False
    ) -> list[str]:
        """Run a job for days, range by range, and return the messages of failed steps.

        A sync ends after the range in which Xero's daily quota was used up.

        Args:
            job: `sync` or `plan`.
            days: days in the shop's time zone; consecutive days share a run, however many they are.
            on_chunk: called after each range with its first and last day.
            respect_retry_schedule: whether failed records are skipped until their next attempt is due.

        Raises:
            RunConflictError: another run uses the pool.
            SettingsError: credentials are missing, or ASSET_STORAGE cannot be written.
        """
        self.sync_service.connections.check_settings()
        check_storage(self._storage)
        failures: list[StepFailure] = []
        messages: dict[str, None] = {}
        self.postponed_days = []
        for number, (first, last) in enumerate(as_ranges(days)):
            if job == "sync":
                if number and daily_quota(self.sync_service.connections.store).is_exhausted:
                    self.postponed_days = [day for day in sorted(set(days)) if day >= first]
                    break
                self._check_pool()
            tags = {RESPECT_RETRY_SCHEDULE_TAG: "yes"} if respect_retry_schedule else {}
            failures += self._run(job, first, last, tags)
            messages = dict.fromkeys(failure.message for failure in failures)
            if any(INTERRUPTED_MESSAGE in message or TIME_LIMIT_MESSAGE in message for message in messages):
                break
            if on_chunk is not None:
                on_chunk(first, last)
        self.is_transient = all(failure.is_transient for failure in failures)
        self.needs_setting = not self.is_transient and all(
            failure.is_transient or failure.needs_setting for failure in failures
        )
        return list(messages)

    def sync(self, days: Sequence[date], on_chunk: OnChunk | None = None) -> SyncReport:
        """Sync days and return the report; arguments and errors are those of `run`."""
        started_at, before = time.monotonic(), self.sync_service.connections.calls
        failures = self.run("sync", days, on_chunk)
        after = self.sync_service.connections.calls
        done = [day for day in days if day not in self.postponed_days]
        return SyncReport(
            days=[] if failures else self._reconciliations(done),
            postponed_days=self.postponed_days,
            failures=failures,
            is_transient=self.is_transient,
            needs_setting=self.needs_setting,
            failed_records=[] if failures else self.sync_service.connections.store.failed_records(days=done),
            seconds=time.monotonic() - started_at,
            shopify_calls=after[0] - before[0],
            xero_calls=after[1] - before[1],
        )

    def _reconciliations(self, days: Sequence[date]) -> list[DayReconciliation]:
        """Return the reconciliations of days without their movements, which the report of a sync does not use."""
        each = self.sync_service.reconciliations.each_of(sorted(set(days)), ())
        return [day.model_copy(update={"movements": (), "left": ()}) for day in each]

    def forecast(self, days: Sequence[date], on_chunk: OnChunk | None = None) -> tuple[Forecast, list[str]]:
        """Plan days; return the forecast of their sync and the messages of failed steps.

        Args:
            days: days in the shop's time zone.
            on_chunk: called after each range with its first and last day.

        Raises:
            SettingsError: see `run`.
        """
        connections = self.sync_service.connections
        is_first_write = connections.store.get_value(LAST_WRITE_KEY) is None
        forecast, started_at = Forecast(is_first_write=is_first_write), connections.clock.elapsed()

        def add_range(first: date, last: date) -> None:
            plans = self.plans(day for day in days if first <= day <= last)
            forecast.add(plans, posted_documents(connections.store, plans))
            forecast.seconds = connections.clock.elapsed() - started_at
            if on_chunk is not None:
                on_chunk(first, last)

        return forecast, self.run("plan", days, add_range)

    def plans(self, days: Iterable[date]) -> list[ChangeSet]:
        """Return the latest stored plans of days, for each day in the order of loading."""
        paths = [self._storage / "changes" / name / f"{day}.json" for day in days for name in PLAN_ASSETS]
        return [ChangeSet.model_validate_json(path.read_text()) for path in paths if path.exists()]

    @cached_property
    def definitions(self) -> dg.Definitions:
        """The code location with this runner's sync service and storage."""
        resources = {
            "sync_service": self.sync_service,
            "io_manager": JsonIOManager(self._storage, self.sync_service.connections.payload_retention),
        }
        return build_definitions(policy=self.sync_service.connections.policy, resources=resources)

    def _check_pool(self) -> None:
        """Raise if a run uses or awaits the pool, because runs in process do not wait for it."""
        runs = [run for run in _active_runs(self._instance) if _uses_pool(run)]
        if runs:
            raise RunConflictError(
                f"Run {_format_ids(runs)} is using the pool {POOL}: wait until it ends, or end it in the Dagster UI, "
                "then try again."
            )

    def _run(self, job: str, first: date, last: date, tags: dict[str, str]) -> list[StepFailure]:
        is_single_day = first == last
        partition_key = first.isoformat() if is_single_day else None
        run_seconds = self._instance.run_monitoring_max_runtime_seconds
        tags = tags if is_single_day else {**range_tags(first, last, run_seconds), **tags}
        resolved = self.definitions.resolve_job_def(job)
        run_id = str(uuid.uuid4())
        with (
            redirect_stderr(cast("TextIO", _StandardError(sys.stderr))),
            hold_run_lock(self._instance, run_id),
            events.bind_context(sync_id=run_id),
            time_limit(run_time_limit(tags, run_seconds)) as limit,
        ):
            result = resolved.execute_in_process(
                instance=self._instance,
                run_id=run_id,
                run_config=QUIET_RUN_CONFIG,
                raise_on_error=False,
                tags=tags,
                partition_key=partition_key,
            )
        if result.success:
            return []
        failures = step_failures(result, dagster_home())
        if limit.is_over:
            message = f"The run was ended near its time limit of {limit.seconds:g} seconds. {TIME_LIMIT_MESSAGE}"
            failures.append(StepFailure(message))
        return failures


@contextmanager
def open_runner() -> Iterator[JobRunner]:
    """Yield a runner for the environment's settings and the instance of DAGSTER_HOME."""
    with options.open_service() as (sync_service, storage), dagster_instance() as instance:
        yield JobRunner(sync_service, instance, storage)


def refuse_while_runs_are_active(instance: dg.DagsterInstance) -> None:
    """Raise if any run is active, whatever its job.

    Raises:
        RunConflictError: runs are active; the message names them.
    """
    if runs := _active_runs(instance):
        raise RunConflictError(
            f"Run {_format_ids(runs)} is active and may store data that it has read: wait until it ends, "
            "then try again."
        )


def _active_runs(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    """Return the queued and the started runs, after the end of dead ones."""
    end_dead_runs(instance)
    return instance.get_runs(dg.RunsFilter(statuses=[*ACTIVE_STATUSES]))


def _format_ids(runs: Iterable[dg.DagsterRun]) -> str:
    return ", ".join(run.run_id[:8] for run in runs)


def _uses_pool(run: dg.DagsterRun) -> bool:
    """Return whether a run loads: a sync, or a run of loads from the UI, whose pools Dagster records."""
    concurrency = run.run_op_concurrency
    pools = concurrency.all_pools if concurrency is not None else None
    return run.job_name == "sync" or POOL in (pools or ())
