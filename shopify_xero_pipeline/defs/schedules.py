"""Schedules: today is synced every hour, yesterday and unfinished days every night, in the shop's time zone.

This module only selects days, with pure functions of the tick and of the state of the days.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
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
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.pipeline.reconciled_days import last_reconciled_at, reconciled_up_to
from shopify_xero_pipeline.pipeline.sync import SyncService

EARLY_HOUR = 3  # before it the hourly schedule also syncs yesterday
MORNING_HOUR = 5  # from it on the nightly schedule (04:30) has run
OUTAGE_LOOKBACK = timedelta(days=31)
DAYS_PER_NIGHT = 7
"""The least recently reconciled days that are synced again each night."""

MIN_RECONCILIATION_AGE = timedelta(days=7)
"""The age from which on a day's reconciliation is repeated."""

DESCRIPTIONS = {
    "hourly": "Syncs today; before 03:00 also yesterday; from 05:00 on the days that the nightly schedule missed.",
    "nightly": (
        "Syncs yesterday, every day never synced, every unfinished day, every day whose last run failed, and the seven "
        "least recently reconciled days, which detects orders deleted in Shopify."
    ),
    "nightly_mapping_checks": "Checks the consistency of the mapping. Calls neither Shopify nor Xero.",
    "nightly_open_failures": "Lists the open failures of all days. Calls neither Shopify nor Xero.",
}
"""Descriptions for the UI, which does not display docstrings of schedules."""


def hourly_days(tick: datetime) -> list[date]:
    """Return today, and before 03:00 also yesterday, because Shopify's search index may lag behind its last orders."""
    today = tick.date()
    return [today - timedelta(days=1), today] if tick.hour < EARLY_HOUR else [today]


def nightly_days(tick: datetime, start: date, done: Collection[date], unfinished: Collection[date]) -> list[date]:
    """Return yesterday, the ended days that were never synced, and the unfinished days.

    Args:
        tick: instant of the tick, in the shop's time zone.
        start: the first day of the books.
        done: the days that were synced at least once.
        unfinished: the days with work left or whose reconciliation is due again.
    """
    yesterday = tick.date() - timedelta(days=1)
    unsynced = [day for day in days_between(start, yesterday) if day not in done]
    return sorted(day for day in {yesterday, *unsynced, *unfinished} if day >= start)


def least_recently_reconciled(tick: datetime, reconciled_at: Mapping[date, datetime]) -> list[date]:
    """Return the seven least recently reconciled days, of those reconciled at least seven days ago.

    Shopify's list of changed orders does not contain deleted ones. Without a webhook only a sync of their day detects
    them.

    Args:
        tick: instant of the tick.
        reconciled_at: instant of the last reconciliation by day.
    """
    days = [day for day, at in reconciled_at.items() if at <= tick - MIN_RECONCILIATION_AGE]
    return sorted(days, key=lambda day: (reconciled_at[day], day))[:DAYS_PER_NIGHT]


def missed_days(tick: datetime, start: date, reconciled_up_to: Mapping[date, datetime]) -> list[date]:
    """Return the days of the last month without a sync since their end, from 05:00 on.

    These are the days that a host missed because it was off at night.

    Args:
        tick: instant of the tick, in the shop's time zone.
        start: the first day of the books.
        reconciled_up_to: instant by day up to which its orders were read, by Shopify's clock, like the end of the day.
    """
    if tick.hour < MORNING_HOUR:
        return []
    ended = days_between(max(start, tick.date() - OUTAGE_LOOKBACK), tick.date() - timedelta(days=1))
    ends = {day: datetime.combine(day + timedelta(days=1), time(), tick.tzinfo) for day in ended}
    return [day for day, end in ends.items() if day not in reconciled_up_to or reconciled_up_to[day] < end]


def build_schedules(
    *, zone: str, start: date, partitions: dg.PartitionsDefinition[str], automation: bool
) -> list[dg.ScheduleDefinition]:
    """Return the hourly schedule and the nightly ones.

    Args:
        zone: the shop's time zone.
        start: the first day of the books.
        partitions: the daily partitions.
        automation: whether the schedules are on by default.
    """
    status = dg.DefaultScheduleStatus.RUNNING if automation else dg.DefaultScheduleStatus.STOPPED
    common: dict[str, Any] = {"execution_timezone": zone, "default_status": status}

    @dg.schedule(job=SYNC, cron_schedule="10 * * * *", description=DESCRIPTIONS["hourly"], **common)
    def hourly(
        context: dg.ScheduleEvaluationContext, sync_service: dg.ResourceParam[SyncService]
    ) -> list[dg.RunRequest]:
        tick = context.scheduled_execution_time.astimezone(ZoneInfo(zone))
        days = {day for day in hourly_days(tick) if day >= start} - days_of_runs(context.instance, WAITING_STATUSES)
        with as_dagster_failure():
            recent = sync_service.connections.days()[-OUTAGE_LOOKBACK.days - 2 :]
            missed = missed_days(tick, start, reconciled_up_to(sync_service.connections.store, recent))
        if missed:
            days |= {*missed} - days_of_runs(context.instance, ACTIVE_STATUSES)
        return run_requests(context.instance, days, _build_key(tick))

    @dg.schedule(job=SYNC, cron_schedule="30 4 * * *", description=DESCRIPTIONS["nightly"], **common)
    def nightly(
        context: dg.ScheduleEvaluationContext, sync_service: dg.ResourceParam[SyncService]
    ) -> list[dg.RunRequest]:
        tick = context.scheduled_execution_time.astimezone(ZoneInfo(zone))
        instance = context.instance
        done = {date.fromisoformat(key) for key in instance.get_materialized_partitions(RECONCILIATION_KEY)}
        with as_dagster_failure():
            store, all_days = sync_service.connections.store, sync_service.connections.days()
            unfinished = sync_service.record_ownership.unfinished_days() | failed_days(instance, partitions, all_days)
            unfinished |= {*least_recently_reconciled(tick, last_reconciled_at(store, all_days))}
        days, yesterday = nightly_days(tick, start, done, unfinished), tick.date() - timedelta(days=1)
        # A started run may have read yesterday before its end, so only a waiting one replaces the request.
        busy = (days_of_runs(instance, ACTIVE_STATUSES) - {yesterday}) | days_of_runs(instance, WAITING_STATUSES)
        return run_requests(context.instance, set(days) - busy, _build_key(tick), {})

    checks = [
        dg.ScheduleDefinition(name, job=job, cron_schedule=cron, description=DESCRIPTIONS[name], **common)
        for name, job, cron in (
            ("nightly_mapping_checks", MAPPING_CHECKS, "0 5 * * *"),
            ("nightly_open_failures", OPEN_FAILURES, "5 5 * * *"),
        )
    ]
    return [hourly, nightly, *checks]


def _build_key(tick: datetime) -> Callable[[date, date], str]:
    """Return the suffix of a schedule's run keys: the tick with its UTC offset, as a clock change repeats an hour."""
    return lambda *_: f"@{tick.isoformat()}"
