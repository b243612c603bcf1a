"""Sensors for changed orders, unfinished writes and dead runs.

A tick only requests runs or ends dead ones. `pipeline/change_detection.py` detects changes,
`pipeline/retry_schedule.py` selects the days to retry.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from hashlib import sha256
from zoneinfo import ZoneInfo

import dagster as dg

from shopify_xero_pipeline.defs.jobs import SYNC
from shopify_xero_pipeline.defs.resources import as_dagster_failure
from shopify_xero_pipeline.defs.run_liveness import end_dead_runs
from shopify_xero_pipeline.defs.run_requests import (
    ACTIVE_STATUSES,
    WAITING_STATUSES,
    days_of_runs,
    failed_days,
    run_requests,
)
from shopify_xero_pipeline.defs.schedules import hourly_days
from shopify_xero_pipeline.pipeline.api_quota import daily_quota
from shopify_xero_pipeline.pipeline.change_detection import ChangeDetector, DetectionResult
from shopify_xero_pipeline.pipeline.retry_schedule import RetryReason, RetryState, retry_reasons, select_due_days
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.reconciliation.verdict import count_of

FAST_INTERVAL_SECONDS, SLOW_INTERVAL_SECONDS = 30, 60

DESCRIPTIONS = {
    "dead_runs": (
        "Ends runs whose process has ended, so that the next run gets the pool. Runs with retries are then retried."
    ),
    "changed_orders": (
        "Syncs the day of every order that was edited, refunded, cancelled or paid later, within two minutes."
    ),
    "unfinished_writes": (
        "Retries days with unfinished writes, transient failures or a failed run, with exponential back-off."
    ),
}
"""Descriptions for the UI, which does not display docstrings of sensors."""


@dg.sensor(
    minimum_interval_seconds=FAST_INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,  # also without automation: it requests no run
    description=DESCRIPTIONS["dead_runs"],
)
def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """End runs whose process has ended."""
    run_ids = end_dead_runs(context.instance)
    return dg.SkipReason(f"ended {', '.join(run_ids)}" if run_ids else "every active run has its process")


def build_sensors(
    *, zone: str, partitions: dg.PartitionsDefinition[str], automation: bool
) -> list[dg.SensorDefinition]:
    """Return the sensors.

    Args:
        zone: the shop's time zone.
        partitions: the daily partitions.
        automation: whether the sensors that request days are on by default.
    """
    status = dg.DefaultSensorStatus.RUNNING if automation else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        job=SYNC,
        minimum_interval_seconds=FAST_INTERVAL_SECONDS,
        default_status=status,
        description=DESCRIPTIONS["changed_orders"],
    )
    def changed_orders(
        context: dg.SensorEvaluationContext, sync_service: dg.ResourceParam[SyncService]
    ) -> dg.SensorResult:
        """Sync the day of every order that was edited, refunded, cancelled or paid later, within two minutes.

        With webhooks of Xero, also sync the days of posted records that people changed in Xero. Days that the hourly
        schedule syncs are left to it.
        """
        with as_dagster_failure():
            detection = ChangeDetector(sync_service.connections).detect(context.cursor)
            scheduled_days = hourly_days(sync_service.connections.clock.now().astimezone(ZoneInfo(zone)))
        unscheduled = [change for change in detection.changes if change.day not in scheduled_days]
        waiting_days = days_of_runs(context.instance, WAITING_STATUSES) if unscheduled else set()
        changes = [change for change in unscheduled if change.day not in waiting_days]

        def key(first: date, last: date) -> str:
            in_range = [change for change in changes if first <= change.day <= last]
            latest = max(change.at for change in in_range)
            return f":{latest:%Y-%m-%dT%H:%M:%SZ} {_hash_names(change.name for change in in_range)}"

        requests = run_requests(context.instance, [change.day for change in changes], key)
        return _build_result(requests, detection.cursor, _explain_skip(detection, len(unscheduled), len(changes)))

    @dg.sensor(
        job=SYNC,
        minimum_interval_seconds=SLOW_INTERVAL_SECONDS,
        default_status=status,
        description=DESCRIPTIONS["unfinished_writes"],
    )
    def unfinished_writes(
        context: dg.SensorEvaluationContext, sync_service: dg.ResourceParam[SyncService]
    ) -> dg.SensorResult:
        """Retry unfinished days once they are due.

        Reasons are writes that were never sent or whose outcome is unknown, transient failures, days whose run failed,
        and an unfinished token refresh.
        """
        with as_dagster_failure():
            connections = sync_service.connections
            quota, now = daily_quota(connections.store), connections.clock.now()
            if quota.blocked_until is not None:
                return dg.SensorResult(
                    skip_reason=f"Xero accepts no calls before {quota.blocked_until:%Y-%m-%d %H:%M} UTC"
                )
            reasons = retry_reasons(sync_service, failed_days(context.instance, partitions, connections.days()))
        busy = days_of_runs(context.instance, ACTIVE_STATUSES)
        due_days, state = select_due_days(
            reasons, RetryState.read(context.cursor), now, busy=busy, budget_is_low=quota.is_low
        )

        def key(first: date, last: date) -> str:
            return f":{_hash_names(f'{day} {state.root[day]}' for day in due_days if first <= day <= last)}"

        requests = run_requests(context.instance, due_days, key)
        return _build_result(requests, state.model_dump_json(), _describe_next(reasons, state))

    return [changed_orders, unfinished_writes, dead_runs]


def _build_result(requests: list[dg.RunRequest], cursor: str | None, skip_reason: str) -> dg.SensorResult:
    if requests:
        return dg.SensorResult(run_requests=requests, cursor=cursor)
    return dg.SensorResult(skip_reason=skip_reason, cursor=cursor)


def _explain_skip(detection: DetectionResult, unscheduled: int, requested: int) -> str:
    """Return why no day is requested."""
    if detection.cursor is None:
        return "no day was synced yet, so no synced order can have changed"
    if not detection.changes:
        return "no order has changed"
    count, waiting = len(detection.changes), unscheduled - requested
    return (
        f"{count_of(count, 'order')} changed: {count - unscheduled} on days that are synced every hour, "
        f"{waiting} on days with a waiting run"
    )


def _describe_next(reasons: Mapping[date, RetryReason], state: RetryState) -> str:
    """Return the number of unfinished days and the one that is retried next."""
    if not reasons:
        return "no day is unfinished"
    first = min(reasons, key=lambda day: state.root[day].next)
    return f"{count_of(len(reasons), 'day')} unfinished; the next retry is of {first}: {reasons[first].reason}"


def _hash_names(names: Iterable[str]) -> str:
    """Return a short hash of a set of names, independent of their order."""
    return sha256("\n".join(sorted(names)).encode()).hexdigest()[:8]
