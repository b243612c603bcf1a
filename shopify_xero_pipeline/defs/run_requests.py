"""Run requests for days, and the days of active and of failed runs.

This module only builds requests and reads runs. Schedules and sensors decide which days to request.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

import dagster as dg

from shopify_xero_pipeline.defs.jobs import RESPECT_RETRY_SCHEDULE_TAG, SYNC
from shopify_xero_pipeline.defs.load import UPSTREAM_LOADS
from shopify_xero_pipeline.defs.partitions import RANGE_END, RANGE_START, range_tags
from shopify_xero_pipeline.defs.plan import ASSET_OF_KIND, PLAN_ORDERS_STEP
from shopify_xero_pipeline.defs.reconcile import RECONCILIATION_KEY
from shopify_xero_pipeline.pipeline.calendar import as_ranges, days_between

HIGH_PRIORITY_TAGS: Mapping[str, str] = {"dagster/priority": "10"}
"""Tags of requests that precede queued backfills, which wait in the queue."""

PARTITION_TAG = "dagster/partition"
SYNC_ASSETS = frozenset(
    dg.AssetKey(path)
    for path in (
        *(["shopify", name] for name in ("customers", "products", "orders")),
        *(["changes", name] for name in UPSTREAM_LOADS),
        *(["xero", name] for name in UPSTREAM_LOADS),
        RECONCILIATION_KEY.path,
    )
)
SYNC_STEPS = frozenset(
    {
        key.to_python_identifier()
        for key in SYNC_ASSETS
        if key.path[-1] not in ASSET_OF_KIND.values() or key.path[0] == "xero"
    }
    | {PLAN_ORDERS_STEP}
)
"""The steps of the job `sync`: one for each asset, except that one step plans the three kinds of an order."""
WAITING_STATUSES = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING)
ACTIVE_STATUSES = (*WAITING_STATUSES, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def run_requests(
    instance: dg.DagsterInstance,
    days: Iterable[date],
    key: Callable[[date, date], str],
    tags: Mapping[str, str] = HIGH_PRIORITY_TAGS,
) -> list[dg.RunRequest]:
    """Return a request for each range of days.

    Args:
        instance: the instance of the runs, whose time limit they have.
        days: the days, in any order.
        key: returns the suffix of a range's run key for its first and last day.
        tags: tags besides those of the range and of the retry schedule.
    """
    run_seconds = instance.run_monitoring_max_runtime_seconds
    return [
        dg.RunRequest(
            run_key=f"{first}..{last}{key(first, last)}",
            tags={**range_tags(first, last, run_seconds), RESPECT_RETRY_SCHEDULE_TAG: "yes", **tags},
        )
        for first, last in as_ranges(days)
    ]


def days_of_runs(instance: dg.DagsterInstance, statuses: Sequence[dg.DagsterRunStatus]) -> set[date]:
    """Return the days of all whole syncs with one of the statuses.

    A run with one of `WAITING_STATUSES` has read nothing yet, so a change that is known now needs no other run.
    """
    runs = instance.get_runs(dg.RunsFilter(job_name=SYNC.name, statuses=list(statuses)))
    return {day for run in runs if _is_whole(run) for day in days_of_run(run)}


def days_of_run(run: dg.DagsterRun) -> Sequence[date]:
    """Return the days in the tags of a run; none for a job without partitions."""
    first = run.tags.get(RANGE_START) or run.tags.get(PARTITION_TAG)
    last = run.tags.get(RANGE_END) or first
    if first is None or last is None:
        return ()
    return days_between(date.fromisoformat(first), date.fromisoformat(last))


def failed_days(
    instance: dg.DagsterInstance, partitions: dg.PartitionsDefinition[str], days: Sequence[date]
) -> set[date]:
    """Return the days whose latest reconciliation failed.

    Args:
        instance: the instance that records the runs.
        partitions: the daily partitions.
        days: the days to look up.
    """
    statuses = instance.get_status_by_partition(RECONCILIATION_KEY, [day.isoformat() for day in days], partitions) or {}
    return {
        date.fromisoformat(key) for key, status in statuses.items() if status is not None and status.value == "FAILED"
    }


def _is_whole(run: dg.DagsterRun) -> bool:
    """Return whether a run executes every step of a sync. A retry from its failed steps does not read Shopify again.

    Dagster lists no steps in a run of a schedule, a sensor or a backfill, and all steps in a run of a command or of
    *Materialize* in the UI; the latter also lists all assets.
    """
    steps, assets = run.step_keys_to_execute, run.asset_selection
    return (steps is None or {*steps} >= SYNC_STEPS) and (not assets or {*assets} >= SYNC_ASSETS)
