"""When days are synced by themselves: today every hour, yesterday and what is unfinished every night, in shop time.

Only the choice of days belongs here, as pure functions of the tick and of what is already done.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from shopify_xero_pipeline.defs.jobs import MAPPING_CHECKS, OPEN_FAILURES, SYNC
from shopify_xero_pipeline.defs.reconcile import RECONCILIATION_KEY
from shopify_xero_pipeline.defs.resources import as_dagster_failure
from shopify_xero_pipeline.defs.run_requests import (
    ACTIVE_STATUSES,
    WAITING_STATUSES,
    days_of_runs,
    failed_days,
    run_requests,
)
from shopify_xero_pipeline.pipeline.calendar import MAX_DAYS_PER_RUN, days_between
from shopify_xero_pipeline.pipeline.sync import SyncService

EARLY, MORNING = 3, 5
OUTAGE_LOOKBACK = timedelta(days=MAX_DAYS_PER_RUN)
DAYS_PER_NIGHT, MIN_RECONCILIATION_AGE = 7, timedelta(days=7)
"""How many days a night go round, and for how long a day rests in between."""


DESCRIPTIONS = {
    "hourly": "Syncs today; before three in the morning also yesterday; after five the days that the night has missed.",
    "nightly": (
        "Syncs yesterday, every day never synced, every day with work left, every day whose last run failed, and the "
        "seven days compared longest ago, so that an order deleted in Shopify is found."
    ),
    "nightly_mapping_checks": "Looks at the mapping's own consistency, without asking either side.",
    "nightly_open_failures": "Looks for what is open on all days, without asking either side.",
}
"""What the UI says of them; a docstring does not get there."""


def hourly_days(tick: datetime) -> list[date]:
    """Return today, and early in the day also yesterday, whose last orders the index may have shown late."""
    today = tick.date()
    return [today - timedelta(days=1), today] if tick.hour < EARLY else [today]


def nightly_days(tick: datetime, start: date, done: Collection[date], unfinished: Collection[date]) -> list[date]:
    """Return yesterday, every finished day that was never synced, and every day the state store calls unfinished."""
    yesterday = tick.date() - timedelta(days=1)
    never = [day for day in days_between(start, yesterday) if day not in done]
    return sorted(day for day in {yesterday, *never, *unfinished} if day >= start)


def least_recently_reconciled(tick: datetime, compared: Mapping[date, datetime]) -> list[date]:
    """Return the days compared longest ago, a few each night, if they have rested.

    Shopify's list of changed orders does not give those that were deleted; without a webhook only a sync of their day
    finds them.
    """
    rested = [day for day, at in compared.items() if at <= tick - MIN_RECONCILIATION_AGE]
    return sorted(rested, key=lambda day: (compared[day], day))[:DAYS_PER_NIGHT]


def missed_days(tick: datetime, start: date, compared: Mapping[date, datetime]) -> list[date]:
    """Return the days of the last month that ended without being synced since, once the night is over.

    That is what a machine that was off at night has missed; while one was up, nothing.

    Args:
        tick: in the shop's zone.
        start: the first day of the books.
        compared: up to when each day's orders were read, by Shopify's clock, as its end is one of Shopify's instants.
    """
    if tick.hour < MORNING:
        return []
    ended = days_between(max(start, tick.date() - OUTAGE_LOOKBACK), tick.date() - timedelta(days=1))
    return [day for day in ended if day not in compared or compared[day] < _end_of(day, tick)]


def _end_of(day: date, tick: datetime) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), tick.tzinfo)


def build_schedules(
    *, zone: str, start: date, partitions: dg.PartitionsDefinition[str], running: bool
) -> list[dg.ScheduleDefinition]:
    """Return the hourly and nightly schedules and the nightly checks; they run only if asked to."""
    status = dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(
        job=SYNC,
        cron_schedule="10 * * * *",
        execution_timezone=zone,
        default_status=status,
        description=DESCRIPTIONS["hourly"],
    )
    def hourly(
        context: dg.ScheduleEvaluationContext, sync_service: dg.ResourceParam[SyncService]
    ) -> list[dg.RunRequest]:
        tick = context.scheduled_execution_time.astimezone(ZoneInfo(zone))
        days = {day for day in hourly_days(tick) if day >= start} - days_of_runs(context.instance, WAITING_STATUSES)
        with as_dagster_failure():
            missed = missed_days(
                tick, start, sync_service.reconciled_up_to(sync_service.days()[-MAX_DAYS_PER_RUN - 2 :])
            )
        if missed:
            days |= {*missed} - days_of_runs(context.instance, ACTIVE_STATUSES)
        return run_requests(days, _at(tick))

    @dg.schedule(
        job=SYNC,
        cron_schedule="30 4 * * *",
        execution_timezone=zone,
        default_status=status,
        description=DESCRIPTIONS["nightly"],
    )
    def nightly(
        context: dg.ScheduleEvaluationContext, sync_service: dg.ResourceParam[SyncService]
    ) -> list[dg.RunRequest]:
        tick = context.scheduled_execution_time.astimezone(ZoneInfo(zone))
        instance = context.instance
        done = {date.fromisoformat(key) for key in instance.get_materialized_partitions(RECONCILIATION_KEY)}
        with as_dagster_failure():
            left = sync_service.unfinished_days() | failed_days(instance, partitions, sync_service.days())
            left |= {*least_recently_reconciled(tick, sync_service.last_reconciled_at(sync_service.days()))}
        wanted, yesterday = nightly_days(tick, start, done, left), tick.date() - timedelta(days=1)
        busy = (days_of_runs(instance, ACTIVE_STATUSES) - {yesterday}) | days_of_runs(instance, WAITING_STATUSES)
        return run_requests(set(wanted) - busy, _at(tick), {})

    looks = {
        "nightly_mapping_checks": (MAPPING_CHECKS, "0 5 * * *"),
        "nightly_open_failures": (OPEN_FAILURES, "5 5 * * *"),
    }
    checks = [
        dg.ScheduleDefinition(
            name=name,
            description=DESCRIPTIONS[name],
            job=job,
            cron_schedule=cron,
            execution_timezone=zone,
            default_status=status,
        )
        for name, (job, cron) in looks.items()
    ]
    return [hourly, nightly, *checks]


def _at(tick: datetime) -> Callable[[date, date], str]:
    """Return what a schedule's run keys say besides the days: the tick, with its offset, as an hour may come twice."""
    return lambda *_: f"@{tick.isoformat()}"
