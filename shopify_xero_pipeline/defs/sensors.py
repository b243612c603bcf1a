"""What is looked after between the schedules: changed orders, work left over, and runs whose process died.

Each tick asks for days and does nothing about them. What is news stands in `pipeline/change_detection.py`, what is left
to do in `pipeline/retry_schedule.py`.
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
from shopify_xero_pipeline.pipeline.change_detection import ChangeDetector, DetectionResult
from shopify_xero_pipeline.pipeline.retry_schedule import RetryReason, RetryState, retry_reasons, select_due_days
from shopify_xero_pipeline.pipeline.sync import SyncService

FAST_INTERVAL_SECONDS, SLOW_INTERVAL_SECONDS = 30, 60


DESCRIPTIONS = {
    "dead_runs": (
        "Ends the runs whose process is gone, so that the next one gets the pool; a run that can be retried then is."
    ),
    "changed_orders": (
        "Syncs the day of every order that was edited, refunded, cancelled or paid since, within two minutes."
    ),
    "unfinished_writes": (
        "Syncs the days with work left that may succeed by itself: writes left over, failures worth another try, "
        "failed runs. Each waits longer after each try."
    ),
}
"""What the UI says of them; a docstring does not get there."""


@dg.sensor(
    minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING, description=DESCRIPTIONS["dead_runs"]
)
def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """End the runs whose process is gone, so that the next one gets the pool; a run that can be retried then is."""
    ended = end_dead_runs(context.instance)
    return dg.SkipReason(f"ended {', '.join(ended)}" if ended else "every run under way has its process")


def build_sensors(*, zone: str, partitions: dg.PartitionsDefinition[str], running: bool) -> list[dg.SensorDefinition]:
    """Return the sensors; those that ask for days run only if asked to."""
    status = dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        job=SYNC,
        minimum_interval_seconds=FAST_INTERVAL_SECONDS,
        default_status=status,
        description=DESCRIPTIONS["changed_orders"],
    )
    def changed_orders(
        context: dg.SensorEvaluationContext, sync_service: dg.ResourceParam[SyncService]
    ) -> dg.SensorResult:
        """Sync the day of every order that was edited, refunded, cancelled or paid since, within two minutes.

        Where Xero sends webhooks, also the days of records of ours that somebody changed there. The days the hourly
        schedule asks for anyway are left to it.
        """
        with as_dagster_failure():
            found = ChangeDetector(sync_service).detect(context.cursor)
            at_hand = hourly_days(sync_service.connections.clock.now().astimezone(ZoneInfo(zone)))
        late = [one for one in found.changes if one.day not in at_hand]
        waiting = days_of_runs(context.instance, WAITING_STATUSES) if late else set()
        news = [one for one in late if one.day not in waiting]

        def key(first: date, last: date) -> str:
            these = [one for one in news if first <= one.day <= last]
            return f":{max(one.at for one in these):%Y-%m-%dT%H:%M:%SZ} {_short(one.name for one in these)}"

        asked = run_requests([one.day for one in news], key)
        return _answer(asked, found.cursor, _seen(found, len(late), len(news)))

    @dg.sensor(
        job=SYNC,
        minimum_interval_seconds=SLOW_INTERVAL_SECONDS,
        default_status=status,
        description=DESCRIPTIONS["unfinished_writes"],
    )
    def unfinished_writes(
        context: dg.SensorEvaluationContext, sync_service: dg.ResourceParam[SyncService]
    ) -> dg.SensorResult:
        """Sync the days with work left that may succeed by itself, once it is due.

        That is: writes that were never sent or whose outcome is unclear, failures worth another try, days whose run
        failed, a renewal of the sign-in that was not finished.
        """
        with as_dagster_failure():
            budget, days, now = sync_service.daily_quota(), sync_service.days(), sync_service.connections.clock.now()
            if budget.blocked_until is not None:
                return dg.SensorResult(
                    skip_reason=f"Xero takes no calls before {budget.blocked_until:%Y-%m-%d %H:%M} UTC"
                )
            left = retry_reasons(sync_service, failed_days(context.instance, partitions, days))
        busy = days_of_runs(context.instance, ACTIVE_STATUSES)
        tried, tries = select_due_days(
            left, RetryState.read(context.cursor), now, busy=busy, budget_is_low=budget.is_low
        )

        def key(first: date, last: date) -> str:
            return f":{_short(f'{day} {tries.root[day]}' for day in tried if first <= day <= last)}"

        return _answer(run_requests(tried, key), tries.model_dump_json(), _said(left, tries))

    return [changed_orders, unfinished_writes, dead_runs]


def _answer(asked: list[dg.RunRequest], cursor: str | None, otherwise: str) -> dg.SensorResult:
    if asked:
        return dg.SensorResult(run_requests=asked, cursor=cursor)
    return dg.SensorResult(skip_reason=otherwise, cursor=cursor)


def _seen(found: DetectionResult, late: int, news: int) -> str:
    """Say why no day is asked for."""
    if found.cursor is None:
        return "no day was synced yet, so none can have changed since"
    if not found.changes:
        return "no order has changed"
    hourly, waiting = len(found.changes) - late, late - news
    return f"{len(found.changes)} orders changed: {hourly} of days synced every hour, {waiting} of days whose run waits"


def _said(left: Mapping[date, RetryReason], tries: RetryState) -> str:
    """Say what is left and when the first of it is tried again."""
    if not left:
        return "nothing is left to do"
    first = min(left, key=lambda day: tries.root[day].next)
    return f"work is left on {len(left)} days; {first} is next: {left[first].reason}"


def _short(names: Iterable[str]) -> str:
    """Return a short name for all of these, the same for the same ones."""
    return sha256("\n".join(sorted(names)).encode()).hexdigest()[:8]
