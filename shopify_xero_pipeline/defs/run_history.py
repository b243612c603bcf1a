"""Recent failures in a Dagster instance: failed runs without a later success, and failed asset checks."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

import dagster as dg

from shopify_xero_pipeline.alerts.rules import FailedCheck, FailedRun
from shopify_xero_pipeline.defs.jobs import SYNC
from shopify_xero_pipeline.defs.load import UPSTREAM_LOADS
from shopify_xero_pipeline.defs.mapping import MAPPING_CHECK_NAMES
from shopify_xero_pipeline.defs.plan import MAPPING
from shopify_xero_pipeline.defs.reconcile import RECONCILIATION_CHECKS, RECONCILIATION_KEY
from shopify_xero_pipeline.defs.run_requests import days_of_run

RUNS_PER_QUERY = 1_000
ENDED_STATUSES = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
WATCHED_CHECKS = [
    *(dg.AssetCheckKey(dg.AssetKey(["xero", name]), "all_loaded") for name in UPSTREAM_LOADS),
    *(dg.AssetCheckKey(RECONCILIATION_KEY, name) for name in RECONCILIATION_CHECKS),
    *(dg.AssetCheckKey(MAPPING, name) for name in MAPPING_CHECK_NAMES),
]


class InstanceHistory:
    """The history of one Dagster instance.

    Args:
        instance: the instance that records the runs.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def failed_runs(self, since: datetime) -> Sequence[FailedRun]:
        """Return the runs that failed since an aware instant and whose days have no later success, newest first."""
        return _failed_runs(self._instance, self._ended_runs(since))

    def _ended_runs(self, since: datetime) -> Iterator[dg.DagsterRun]:
        """Yield all runs that were created since an instant and have ended, newest first."""
        ended, cursor = dg.RunsFilter(statuses=ENDED_STATUSES, created_after=since), None
        while runs := self._instance.get_runs(ended, cursor=cursor, limit=RUNS_PER_QUERY):
            yield from runs
            cursor = runs[-1].run_id

    def failed_checks(self) -> Sequence[FailedCheck]:
        """Return the asset checks whose latest result is a failure, by day."""
        return [
            FailedCheck(
                info.check_key.asset_key.to_user_string(),
                info.check_key.name,
                date.fromisoformat(info.partition_key) if info.partition_key else None,
            )
            for info in self._instance.event_log_storage.get_asset_check_partition_info(WATCHED_CHECKS)
            if info.latest_execution_status.value == "FAILED"
        ]


def _failed_runs(instance: dg.DagsterInstance, runs: Iterable[dg.DagsterRun]) -> list[FailedRun]:
    """Return the failed runs whose days have no later success, newest first.

    Only the newest one of each job has a reason, because each reason is a query of the event log.
    """
    succeeded: set[tuple[str, date | None]] = set()
    failed_runs: list[FailedRun] = []
    for run in runs:  # newest first, so that a success precedes the failures that it replaces
        days: list[date | None] = [*days_of_run(run)] or [None]
        if run.status is dg.DagsterRunStatus.SUCCESS:
            succeeded |= {(run.job_name, day) for day in days}
        elif run.tags.get("dagster/will_retry") != "true":
            open_days = [day for day in days if not {(run.job_name, day), (SYNC.name, day)} & succeeded]
            if open_days:
                is_older = any(failed_run.job == run.job_name for failed_run in failed_runs)
                reason = "" if is_older else _find_reason(instance, run.run_id)
                failed_days = tuple(day for day in open_days if day is not None)
                failed_runs.append(FailedRun(run.job_name, run.run_id, failed_days, reason))
    return failed_runs


def _find_reason(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return the message of an expected error, or the class of another one, whose message may contain any text."""
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records:
        event = record.event_log_entry.dagster_event
        failure = event.step_failure_data if event is not None else None
        if failure is None or failure.error is None:
            continue
        if failure.user_failure_data is not None and failure.user_failure_data.description:
            return failure.user_failure_data.description
        error = failure.error
        while error.cause is not None:
            error = error.cause
        return f"The step {event.step_key} failed with {error.cls_name}." if event is not None else ""
    return "It ended before its last step."
