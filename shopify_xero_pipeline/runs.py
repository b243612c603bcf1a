"""Runs of the jobs from a command: in process, against the configured instance, in chunks of at most 31 days.

The runs stand in the UI under their job, as those of schedules do. What came of them is read from the stored plans and
from the reconciliation the bookkeeper keeps; nothing is counted twice. Printing belongs to `terminal.py`.
"""

import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import dagster as dg
from upath import UPath

from shopify_xero_pipeline import events
from shopify_xero_pipeline.bookkeeper import Bookkeeper
from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.changes.reconciliation import DayReconciliation
from shopify_xero_pipeline.connections import BooksProblem
from shopify_xero_pipeline.definitions import build_definitions
from shopify_xero_pipeline.defs.assets.changes import PLANNED
from shopify_xero_pipeline.defs.assets.load import POOL
from shopify_xero_pipeline.defs.io_managers import JsonIOManager
from shopify_xero_pipeline.defs.jobs import PATIENT
from shopify_xero_pipeline.defs.liveness import alive, end_dead_runs
from shopify_xero_pipeline.defs.partitions import as_ranges, range_tags
from shopify_xero_pipeline.ownership import orphan_json
from shopify_xero_pipeline.quota import Forecast
from shopify_xero_pipeline.settings import LOCAL, LOCAL_PROTOCOLS, SettingsError, check_folder, check_yaml
from shopify_xero_pipeline.watchdog import TimeLimit, time_limit

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
OnChunk = Callable[[date, date], None]
_REQUEST = re.compile(r" \([^()]*\b(?:request|correlation id:) [^()]*\)$")
PLAN_ASSETS = ("contacts", "items", *PLANNED.values())


INTERRUPTIONS = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")
INTERRUPTED = "interrupted; what was under way is settled by the next run of these days"
TOO_LONG = "was ended. Take fewer days at once, or raise max_runtime_seconds of run_monitoring in dagster.yaml."


class RunRefused(BooksProblem):
    """A run cannot be started now; the message says why and what to do."""


@dataclass
class Report:
    """What runs came to. `failures` are the messages of failed steps; money figures are `Decimal`.

    `left` are the days that were not begun, because Xero's calls of the day are used up.
    """

    days: list[DayReconciliation] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    shopify_calls: int = 0
    xero_calls: int = 0
    left: list[date] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        """Whether every step ran, every record is in Xero, the books agree, and no day was left for later."""
        sound = all(not (day.unequal or day.unaccounted or day.count("failed") or day.undecided) for day in self.days)
        return sound and not self.failures and not self.left

    def summary(self) -> dict[str, object]:
        """Return the figures under the names that `--json` promises; money as text."""
        total: Callable[[str], int] = lambda outcome: sum(day.count(outcome) for day in self.days)  # noqa: E731
        return {
            "days": len(self.days),
            "orders": sum(len(day.rows) for day in self.days),
            **{outcome: total(outcome) for outcome in ("posted", "waiting", "skipped", "blocked", "failed")},
            "documents": sum(row.documents for day in self.days for row in day.rows),
            "payments": sum(row.payments for day in self.days for row in day.rows),
            "difference": f"{sum((day.difference for day in self.days), Decimal(0)):.2f}",
            "duplicates": sum(day.extra for day in self.days),
            "lost": sum(day.lost for day in self.days),
            "without_order": [orphan_json(order) for day in self.days for order in day.orphans],
            "xero_calls": self.xero_calls,
            "shopify_calls": self.shopify_calls,
            "seconds": round(self.seconds, 1),
            "failures": self.failures,
            "days_left_for_later": [str(day) for day in self.left],
        }


def dagster_home() -> Path:
    """Return DAGSTER_HOME, by default `.local/dagster`."""
    return Path(os.environ.get("DAGSTER_HOME") or LOCAL / "dagster").expanduser().resolve()


@contextmanager
def dagster_instance(settings_file: Path = Path("dagster.yaml")) -> Iterator[dg.DagsterInstance]:
    """Yield the instance of DAGSTER_HOME, made with the project's settings if it has none of its own.

    The default, `.local/dagster`, always has the project's.
    """
    home = dagster_home()
    os.environ["DAGSTER_HOME"] = str(home)
    check_folder("DAGSTER_HOME", home)
    own = home / "dagster.yaml"
    with ExitStack() as stack:
        with _alone(home):
            if settings_file.is_file() and (home == (LOCAL / "dagster").resolve() or not own.exists()):
                check_yaml(settings_file)
                shutil.copyfile(settings_file, own)
            if own.is_file():
                check_yaml(own)
            instance = stack.enter_context(_opened(own))
        yield instance


def _opened(settings_file: Path) -> dg.DagsterInstance:
    """Open the instance.

    Raises:
        SettingsError: Dagster does not accept what its settings say.
    """
    try:
        return dg.DagsterInstance.get()
    except dg.DagsterInvalidConfigError as error:
        said = " ".join(error.errors[0].message.partition(" Expected:")[0].split()).rstrip(".")
        raise SettingsError(
            f"{settings_file} is not accepted by Dagster ({said}): correct it after the project's dagster.yaml."
        ) from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only command that opens an instance: two that make its database at once leave it broken for good."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


class Runner:
    """Runs jobs in process.

    Args:
        bookkeeper: does the work; its connections and counters are the caller's.
        instance: where the runs are recorded.
        storage: where assets are stored.

    Attributes:
        left: the days that the last run of a job did not begin, because Xero's calls of the day are used up.
    """

    def __init__(self, bookkeeper: Bookkeeper, instance: dg.DagsterInstance, storage: UPath) -> None:
        self.bookkeeper = bookkeeper
        self.left: list[date] = []
        self._instance = instance
        self._storage = storage

    def run(
        self, job: str, days: Sequence[date], on_chunk: OnChunk | None = None, *, patient: bool = False
    ) -> list[str]:
        """Run a job for days, chunk by chunk, and return the messages of failed steps.

        A sync ends with the chunk in which Xero's calls of the day were used up.

        Args:
            job: `sync` or `plan`.
            days: shop-local days; neighbours run together.
            on_chunk: called after each chunk with its first and last day.
            patient: failed records whose next try is not due rest.

        Raises:
            RunRefused: another run is writing to Xero at this moment.
            SettingsError: credentials are missing, or assets cannot be stored where ASSET_STORAGE says.
        """
        self.bookkeeper.check_settings()
        check_storage(self._storage)
        failures: list[str] = []
        self.left = []
        for number, (first, last) in enumerate(as_ranges(days)):
            if job == "sync":
                if number and self.bookkeeper.budget().is_spent:
                    self.left = [day for day in sorted(set(days)) if day >= first]
                    break
                self._refuse_if_busy()
            failures += self._run(job, first, last, {PATIENT: "yes"} if patient else {})
            if any(INTERRUPTED in failure or TOO_LONG in failure for failure in failures):
                break
            if on_chunk is not None:
                on_chunk(first, last)
        return list(dict.fromkeys(failures))

    def sync(self, days: Sequence[date], on_chunk: OnChunk | None = None, *, patient: bool = False) -> Report:
        """Sync days and return what came of them; see `run`."""
        started, before = time.monotonic(), self.bookkeeper.calls
        failures = self.run("sync", days, on_chunk, patient=patient)
        after = self.bookkeeper.calls
        done = [day for day in days if day not in self.left]
        return Report(
            days=[] if failures else self.bookkeeper.reconciled(done),
            left=self.left,
            failures=failures,
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
        """The code location with this bookkeeper in it."""
        resources = {
            "bookkeeper": self.bookkeeper,
            "io_manager": JsonIOManager(self._storage, self.bookkeeper.keep_payloads),
        }
        return build_definitions(policy=self.bookkeeper.policy, resources=resources)

    def _refuse_if_busy(self) -> None:
        """Refuse to start beside a run that holds or waits for the pool: it would wait for us, we not for it."""
        active = [run for run in _active(self._instance) if _uses_pool(run)]
        if active:
            raise RunRefused(
                f"Run {_named(active)} is using the pool {POOL}: wait until it ends, or end it in the Dagster UI, and "
                "try again."
            )

    def _run(self, job: str, first: date, last: date, tags: dict[str, str]) -> list[str]:
        one_day = first == last
        day = first.isoformat() if one_day else None
        tags = tags if one_day else {**range_tags(first, last), **tags}
        resolved = self.definitions.resolve_job_def(job)
        run_id = str(uuid.uuid4())
        longest = self._instance.run_monitoring_max_runtime_seconds
        with alive(self._instance, run_id), events.about(sync_id=run_id), time_limit(longest) as limit:
            result = resolved.execute_in_process(
                instance=self._instance,
                run_id=run_id,
                run_config=QUIET,
                raise_on_error=False,
                tags=tags,
                partition_key=day,
            )
        if result.success:
            return []
        return [*_messages(result), *([_too_long(limit)] if limit.is_over else [])]


def check_storage(storage: UPath) -> UPath:
    """Return where assets are stored, if they can be; of a bucket only its library is looked for.

    Raises:
        SettingsError: they cannot.
    """
    if storage.protocol in LOCAL_PROTOCOLS:
        check_folder("ASSET_STORAGE", Path(storage.path))
        return storage
    try:
        _ = storage.fs
    except (ImportError, ValueError) as error:
        raise SettingsError(
            f"ASSET_STORAGE names {storage.protocol}://, which cannot be used here ({error}): install what it needs, "
            "or name a folder."
        ) from None
    return storage


def refuse_beside_runs(instance: dg.DagsterInstance) -> None:
    """Refuse to go on while any run is active, whatever it does.

    Raises:
        RunRefused: it names the runs.
    """
    if active := _active(instance):
        raise RunRefused(
            f"Run {_named(active)} is under way and may store what it has read: wait until it ends, then try again."
        )


def _active(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    """Return the runs that wait or go on; those whose process died are ended first."""
    end_dead_runs(instance)
    return instance.get_runs(dg.RunsFilter(statuses=ACTIVE))


def _named(runs: Iterable[dg.DagsterRun]) -> str:
    return ", ".join(run.run_id[:8] for run in runs)


def _uses_pool(run: dg.DagsterRun) -> bool:
    """Tell whether a run loads: a sync from anywhere, or loads picked or backfilled in the UI, which Dagster notes."""
    noted = run.run_op_concurrency
    pools = noted.all_pools if noted is not None else None
    return run.job_name == "sync" or POOL in (pools or ())


def _too_long(limit: TimeLimit) -> str:
    return f"The run came near its limit of {limit.seconds:g} seconds and {TOO_LONG}"


def _messages(result: dg.ExecuteInProcessResult) -> list[str]:
    """Return what failed steps say; what several say in the same words, each with its own request id, is said once."""
    said: dict[str, str] = {}
    steps: dict[str, list[str]] = {}
    for event in result.all_events:
        if event.is_step_failure:
            message = _message(event)
            words = _REQUEST.sub("", message)
            said.setdefault(words, message)
            steps.setdefault(words, []).append((event.step_key or "").replace("__", "/"))
    messages = [f"{', '.join(sorted(steps[words]))}: {message}" for words, message in said.items()]
    return messages or ["the run failed before its first step; see it in the Dagster UI"]


def _message(event: dg.DagsterEvent) -> str:
    failed = event.step_failure_data
    if failed.user_failure_data and failed.user_failure_data.description:
        return failed.user_failure_data.description
    error = failed.error
    if error is not None and error.cls_name in INTERRUPTIONS:
        return INTERRUPTED
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error else "failed"
