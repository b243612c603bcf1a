"""How days are asked for: as ranges by tags, each with a run key; and which days runs are about to do, or failed to do.

Why a day is asked for belongs to the schedules and sensors that do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

import dagster as dg

from shopify_xero_pipeline.defs.jobs import RESPECT_RETRY_SCHEDULE_TAG, SYNC
from shopify_xero_pipeline.defs.load import UPSTREAM_LOADS
from shopify_xero_pipeline.defs.partitions import RANGE_END, RANGE_START, partition_keys, range_tags
from shopify_xero_pipeline.defs.plan import ASSET_OF_KIND, PLAN_ORDERS_STEP
from shopify_xero_pipeline.defs.reconcile import RECONCILIATION_KEY
from shopify_xero_pipeline.pipeline.calendar import as_ranges, days_between

HIGH_PRIORITY_TAGS: Mapping[str, str] = {"dagster/priority": "10"}
"""Tags of requests that wait for one range of a backfill at most."""

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
"""The assets and the steps of the job `sync`."""
WAITING_STATUSES = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING)
ACTIVE_STATUSES = (*WAITING_STATUSES, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def run_requests(
    days: Iterable[date], key: Callable[[date, date], str], tags: Mapping[str, str] = HIGH_PRIORITY_TAGS
) -> list[dg.RunRequest]:
    """Return a request for each range of days.

    Args:
        days: in any order.
        key: given the first and last day of a range, what its run key says besides them.
        tags: besides those that name the days and say that nobody waits.
    """
    return [
        dg.RunRequest(
            run_key=f"{first}..{last}{key(first, last)}",
            tags={**range_tags(first, last), RESPECT_RETRY_SCHEDULE_TAG: "yes", **tags},
        )
        for first, last in as_ranges(days)
    ]


def days_of_runs(instance: dg.DagsterInstance, statuses: Sequence[dg.DagsterRunStatus]) -> set[date]:
    """Return the days of all whole syncs in some states.

    What a run that is still `WAITING` will read is not read yet, so nothing that was seen before has to be asked for
    again.
    """
    runs = instance.get_runs(dg.RunsFilter(job_name=SYNC.name, statuses=list(statuses)))
    return {day for run in runs if _is_whole(run) for day in days_of_run(run)}


def days_of_run(run: dg.DagsterRun) -> Sequence[date]:
    """Return the days of a run, as its tags name them; none for a job without days."""
    first = run.tags.get(RANGE_START) or run.tags.get(PARTITION_TAG)
    last = run.tags.get(RANGE_END) or first
    if first is None or last is None:
        return ()
    return days_between(date.fromisoformat(first), date.fromisoformat(last))


def failed_days(
    instance: dg.DagsterInstance, partitions: dg.PartitionsDefinition[str], days: Sequence[date]
) -> set[date]:
    """Return the days whose last run failed, whoever asked for it, and was not made good since."""
    found = instance.get_status_by_partition(RECONCILIATION_KEY, partition_keys(days), partitions) or {}
    return {date.fromisoformat(key) for key, status in found.items() if status is not None and status.value == "FAILED"}


def _is_whole(run: dg.DagsterRun) -> bool:
    """Tell whether a run executes every step of a sync: retried from its failed steps on, it reads nothing anew.

    Dagster names no steps in a run of a schedule, a sensor or a backfill, and all of them in a run that a command or
    *Materialize* in the UI starts; the latter also names all assets.
    """
    steps, assets = run.step_keys_to_execute, run.asset_selection
    return (steps is None or {*steps} >= SYNC_STEPS) and (not assets or {*assets} >= SYNC_ASSETS)
