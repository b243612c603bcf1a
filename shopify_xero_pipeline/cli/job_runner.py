"""Runs of the jobs from a command: in process, against the configured instance, in chunks of at most 31 days.

The runs stand in the UI under their job, as those of schedules do. What came of them is read from the stored plans and
from the reconciliation the sync service keeps; nothing is counted twice. Printing belongs to `output.py`.
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
from shopify_xero_pipeline.definitions import build_definitions
from shopify_xero_pipeline.defs.io_managers import JsonIOManager
from shopify_xero_pipeline.defs.jobs import RESPECT_RETRY_SCHEDULE_TAG
from shopify_xero_pipeline.defs.load import POOL, UPSTREAM_LOADS
from shopify_xero_pipeline.defs.partitions import range_tags
from shopify_xero_pipeline.defs.plan import ASSET_OF_KIND
from shopify_xero_pipeline.defs.run_liveness import end_dead_runs, hold_run_lock
from shopify_xero_pipeline.defs.step_failures import INTERRUPTED_MESSAGE, StepFailure, step_failures
from shopify_xero_pipeline.observability import events
from shopify_xero_pipeline.pipeline import storage_errors
from shopify_xero_pipeline.pipeline.api_quota import Forecast
from shopify_xero_pipeline.pipeline.calendar import as_ranges
from shopify_xero_pipeline.pipeline.connections import EXPECTED_ERRORS, TryLaterError
from shopify_xero_pipeline.pipeline.file_locations import check_storage, dagster_home
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.pipeline.sync_report import SyncReport
from shopify_xero_pipeline.pipeline.watchdog import TimeLimit, time_limit
from shopify_xero_pipeline.settings import LOCAL_FOLDER, check_folder, check_yaml

QUIET_RUN_CONFIG = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
ACTIVE_STATUSES = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
OnChunk = Callable[[date, date], None]
PLAN_ASSETS = ("contacts", "items", *ASSET_OF_KIND.values())
READS, PLANS, RECONCILIATIONS, RECORDS = 3, 3, 1, 1  # the three kinds of an order are planned in one step
STEPS_PER_RANGE = {
    "plan": READS + PLANS + RECORDS,
    "sync": READS + PLANS + len(UPSTREAM_LOADS) + RECONCILIATIONS + RECORDS,
}
"""Steps of a job for each range of days; each but the last logs an event when it begins and ends."""


TIME_LIMIT_MESSAGE = (
    "was ended. Take fewer days at once, or raise max_runtime_seconds of run_monitoring in dagster.yaml."
)


class RunConflictError(TryLaterError):
    """A run cannot be started now; the message says why and what to do."""


@contextmanager
def dagster_instance(settings_file: Path = Path("dagster.yaml")) -> Iterator[dg.DagsterInstance]:
    """Yield the instance of DAGSTER_HOME, made with the project's settings if it has none of its own.

    The default, `.local/dagster`, always has the project's.
    """
    home = dagster_home()
    os.environ["DAGSTER_HOME"] = str(home)
    check_folder("DAGSTER_HOME", home)
    with _translated(home), ExitStack() as stack:
        with _alone(home):
            _copy_settings(settings_file, home)
            instance = stack.enter_context(_opened(home))
        yield instance


@contextmanager
def _translated(home: Path) -> Iterator[None]:
    """Raise what Dagster's own storage cannot do as a problem for people."""
    try:
        yield
    except EXPECTED_ERRORS:
        raise
    except Exception as problem:
        found = storage_errors.from_dagster(problem, home)
        if found is None:
            raise
        raise found from problem


def _opened(home: Path) -> dg.DagsterInstance:
    try:
        return dg.DagsterInstance.get()
    except Exception as problem:
        found = storage_errors.from_dagster(problem, home, known_only=True)
        raise found or storage_errors.from_instance_settings(problem, home) from problem


def _copy_settings(settings_file: Path, home: Path) -> None:
    own = home / "dagster.yaml"
    if settings_file.is_file() and (home == (LOCAL_FOLDER / "dagster").resolve() or not own.exists()):
        check_yaml(settings_file)
        shutil.copyfile(settings_file, own)
    if own.is_file():
        check_yaml(own)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only command that opens an instance: two that make its database at once leave it broken for good."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


class _StandardError:
    """Standard error without what Dagster writes there of an event it cannot keep: the run fails and says the same."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if text.startswith("Exception while writing logger call") else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class JobRunner:
    """Runs jobs in process.

    Args:
        sync_service: does the work; its connections and counters are the caller's.
        instance: where the runs are recorded.
        storage: where assets are stored.

    Attributes:
        left: the days that the last run of a job did not begin, because Xero's calls of the day are used up.
        passing: whether all that failed in the last run of a job passes by itself.
        of_setting: whether it does so once settings, permissions or a disk are put right.
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
        """Run a job for days, chunk by chunk, and return the messages of failed steps.

        A sync ends with the chunk in which Xero's calls of the day were used up.

        Args:
            job: `sync` or `plan`.
            days: shop-local days; neighbours run together.
            on_chunk: called after each chunk with its first and last day.
            respect_retry_schedule: failed records whose next try is not due rest.

        Raises:
            RunRefused: another run is writing to Xero at this moment.
            SettingsError: credentials are missing, or assets cannot be stored where ASSET_STORAGE says.
        """
        self.sync_service.connections.check_settings()
        check_storage(self._storage)
        failures: list[StepFailure] = []
        self.postponed_days = []
        for number, (first, last) in enumerate(as_ranges(days)):
            if job == "sync":
                if number and self.sync_service.daily_quota().is_exhausted:
                    self.postponed_days = [day for day in sorted(set(days)) if day >= first]
                    break
                self._refuse_if_busy()
            failures += self._run(
                job, first, last, {RESPECT_RETRY_SCHEDULE_TAG: "yes"} if respect_retry_schedule else {}
            )
            if any(
                INTERRUPTED_MESSAGE in failure.message or TIME_LIMIT_MESSAGE in failure.message for failure in failures
            ):
                break
            if on_chunk is not None:
                on_chunk(first, last)
        self.is_transient = all(failure.is_transient for failure in failures)
        self.needs_setting = not self.is_transient and all(
            failure.is_transient or failure.needs_setting for failure in failures
        )
        return list(dict.fromkeys(failure.message for failure in failures))

    def sync(
        self, days: Sequence[date], on_chunk: OnChunk | None = None, *, respect_retry_schedule: bool = False
    ) -> SyncReport:
        """Sync days and return what came of them; see `run`."""
        started, before = time.monotonic(), self.sync_service.connections.calls
        failures = self.run("sync", days, on_chunk, respect_retry_schedule=respect_retry_schedule)
        after = self.sync_service.connections.calls
        done = [day for day in days if day not in self.postponed_days]
        return SyncReport(
            days=[] if failures else self.sync_service.stored_reconciliations(done),
            postponed_days=self.postponed_days,
            failures=failures,
            is_transient=self.is_transient,
            needs_setting=self.needs_setting,
            failed_records=[] if failures else self.sync_service.connections.store.failed_records(days=done),
            seconds=time.monotonic() - started,
            shopify_calls=after[0] - before[0],
            xero_calls=after[1] - before[1],
        )

    def forecast(self, days: Sequence[date], on_chunk: OnChunk | None = None) -> tuple[Forecast, list[str]]:
        """Plan days, and return what syncing them will take and the messages of failed steps; see `run`."""
        forecast, began = Forecast(), time.monotonic()

        def planned(first: date, last: date) -> None:
            forecast.add(self.plans(day for day in days if first <= day <= last))
            forecast.seconds = time.monotonic() - began
            if on_chunk is not None:
                on_chunk(first, last)

        return forecast, self.run("plan", days, planned)

    def plans(self, days: Iterable[date]) -> list[ChangeSet]:
        """Return the plans last made for days, in the order in which they would be carried out."""
        paths = [self._storage / "changes" / name / f"{day}.json" for day in days for name in PLAN_ASSETS]
        return [ChangeSet.model_validate_json(path.read_text()) for path in paths if path.exists()]

    @cached_property
    def definitions(self) -> dg.Definitions:
        """The code location with this sync_service in it."""
        resources = {
            "sync_service": self.sync_service,
            "io_manager": JsonIOManager(self._storage, self.sync_service.connections.payload_retention),
        }
        return build_definitions(policy=self.sync_service.connections.policy, resources=resources)

    def _refuse_if_busy(self) -> None:
        """Refuse to start beside a run that holds or waits for the pool: it would wait for us, we not for it."""
        active = [run for run in _active(self._instance) if _uses_pool(run)]
        if active:
            raise RunConflictError(
                f"Run {_named(active)} is using the pool {POOL}: wait until it ends, or end it in the Dagster UI, and "
                "try again."
            )

    def _run(self, job: str, first: date, last: date, tags: dict[str, str]) -> list[StepFailure]:
        one_day = first == last
        day = first.isoformat() if one_day else None
        tags = tags if one_day else {**range_tags(first, last), **tags}
        resolved = self.definitions.resolve_job_def(job)
        run_id = str(uuid.uuid4())
        quiet = redirect_stderr(cast("TextIO", _StandardError(sys.stderr)))
        longest = self._instance.run_monitoring_max_runtime_seconds
        with (
            quiet,
            hold_run_lock(self._instance, run_id),
            events.bind_context(sync_id=run_id),
            time_limit(longest) as limit,
        ):
            result = resolved.execute_in_process(
                instance=self._instance,
                run_id=run_id,
                run_config=QUIET_RUN_CONFIG,
                raise_on_error=False,
                tags=tags,
                partition_key=day,
            )
        if result.success:
            return []
        return [*step_failures(result, dagster_home()), *([_too_long(limit)] if limit.is_over else [])]


def refuse_while_runs_are_active(instance: dg.DagsterInstance) -> None:
    """Refuse to go on while any run is active, whatever it does.

    Raises:
        RunRefused: it names the runs.
    """
    if active := _active(instance):
        raise RunConflictError(
            f"Run {_named(active)} is under way and may store what it has read: wait until it ends, then try again."
        )


def _active(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    """Return the runs that wait or go on; those whose process died are ended first."""
    end_dead_runs(instance)
    return instance.get_runs(dg.RunsFilter(statuses=ACTIVE_STATUSES))


def _named(runs: Iterable[dg.DagsterRun]) -> str:
    return ", ".join(run.run_id[:8] for run in runs)


def _uses_pool(run: dg.DagsterRun) -> bool:
    """Tell whether a run loads: a sync from anywhere, or loads picked or backfilled in the UI, which Dagster notes."""
    noted = run.run_op_concurrency
    pools = noted.all_pools if noted is not None else None
    return run.job_name == "sync" or POOL in (pools or ())


def _too_long(limit: TimeLimit) -> StepFailure:
    return StepFailure(f"The run came near its limit of {limit.seconds:g} seconds and {TIME_LIMIT_MESSAGE}")
