"""What failed lately, as Dagster's instance knows it: runs that nothing made good since, and red asset checks."""

from collections.abc import Sequence
from datetime import date, datetime

import dagster as dg

from shopify_xero_pipeline.alerts.rules import FailedCheck, FailedRun
from shopify_xero_pipeline.defs.jobs import SYNC
from shopify_xero_pipeline.defs.load import UPSTREAM_LOADS
from shopify_xero_pipeline.defs.mapping_checks import MAPPING_CHECK_NAMES as MAPPING_CHECKS
from shopify_xero_pipeline.defs.plan import MAPPING
from shopify_xero_pipeline.defs.reconcile import RECONCILIATION_CHECKS, RECONCILIATION_KEY
from shopify_xero_pipeline.defs.run_requests import days_of_run

MAX_RUNS = 1_000
ENDED_STATUSES = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
WATCHED_CHECKS = [
    *(dg.AssetCheckKey(dg.AssetKey(["xero", name]), "all_loaded") for name in UPSTREAM_LOADS),
    *(dg.AssetCheckKey(RECONCILIATION_KEY, name) for name in RECONCILIATION_CHECKS),
    *(dg.AssetCheckKey(MAPPING, name) for name in MAPPING_CHECKS),
]


class InstanceHistory:
    """The history of one Dagster instance.

    Args:
        instance: where the runs are recorded.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def failed_runs(self, since: datetime) -> Sequence[FailedRun]:
        """Return failed runs since an instant that no later run of their days made good, newest first."""
        runs = self._instance.get_runs(dg.RunsFilter(statuses=ENDED_STATUSES, created_after=since), limit=MAX_RUNS)
        return _failed_runs(self._instance, runs)

    def failed_checks(self) -> Sequence[FailedCheck]:
        """Return the asset checks whose latest result is a failure, of each day."""
        return [
            FailedCheck(
                info.check_key.asset_key.to_user_string(),
                info.check_key.name,
                date.fromisoformat(info.partition_key) if info.partition_key else None,
            )
            for info in self._instance.event_log_storage.get_asset_check_partition_info(WATCHED_CHECKS)
            if info.latest_execution_status.value == "FAILED"
        ]


def _failed_runs(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]) -> list[FailedRun]:
    """Return the failed ones that no later run of their days has made good, newest first.

    Args:
        instance: asked why the newest run of each job failed.
        runs: newest first.
    """
    mended: set[tuple[str, date | None]] = set()
    found: list[FailedRun] = []
    for run in runs:
        days: list[date | None] = [*days_of_run(run)] or [None]
        if run.status is dg.DagsterRunStatus.SUCCESS:
            mended |= {(run.job_name, day) for day in days}
        elif run.tags.get("dagster/will_retry") != "true":
            left = [day for day in days if not {(run.job_name, day), (SYNC.name, day)} & mended]
            if left:
                why = "" if any(one.job == run.job_name for one in found) else _why(instance, run.run_id)
                found.append(FailedRun(run.job_name, run.run_id, tuple(day for day in left if day is not None), why))
    return found


def _why(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return what our own rooms said to people; of anything else only its name, as its words may be anybody's."""
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records:
        event = record.event_log_entry.dagster_event
        failed = event.step_failure_data if event is not None else None
        if failed is None or failed.error is None:
            continue
        if failed.user_failure_data is not None and failed.user_failure_data.description:
            return failed.user_failure_data.description
        error = failed.error
        while error.cause is not None:
            error = error.cause
        return f"The step {event.step_key} ended with {error.cls_name}." if event is not None else ""
    return "It ended before its last step."
