"""When days are synced by themselves: today every hour, yesterday and what is unfinished every night, in shop time.

Only the choice of days belongs here, as pure functions of the tick and of what is already done.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from shopify_xero_pipeline.bookkeeper import Bookkeeper
from shopify_xero_pipeline.defs.assets.reconciliation import KEY
from shopify_xero_pipeline.defs.jobs import MAPPING_CHECKS, PATIENT, SYNC
from shopify_xero_pipeline.defs.partitions import as_ranges, days_between, range_tags

SOON = {"dagster/priority": "10"}
EARLY = 3


def hourly_days(tick: datetime) -> list[date]:
    """Return today, and early in the day also yesterday, whose last orders the index may have shown late."""
    today = tick.date()
    return [today - timedelta(days=1), today] if tick.hour < EARLY else [today]


def nightly_days(tick: datetime, start: date, done: Collection[date], unfinished: Collection[date]) -> list[date]:
    """Return yesterday, every finished day that was never synced, and every day the state store calls unfinished."""
    yesterday = tick.date() - timedelta(days=1)
    never = [day for day in days_between(start, yesterday) if day not in done]
    return sorted(day for day in {yesterday, *never, *unfinished} if day >= start)


def requests(days: Sequence[date], tick: datetime, tags: dict[str, str]) -> Iterator[dg.RunRequest]:
    """Yield a run for each range of days."""
    for first, last in as_ranges(days):
        tagged = {**range_tags(first, last), PATIENT: "yes", **tags}
        yield dg.RunRequest(run_key=f"{first}..{last}@{tick.isoformat()}", tags=tagged)


def schedules(
    *,
    zone: str,
    start: date,
    running: bool,
) -> list[dg.ScheduleDefinition]:
    """Return the hourly and nightly schedules and the nightly check of the mapping; they run only if asked to."""
    status = dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(job=SYNC, cron_schedule="10 * * * *", execution_timezone=zone, default_status=status)
    def hourly(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        """Sync today; before three in the morning also yesterday."""
        tick = context.scheduled_execution_time.astimezone(ZoneInfo(zone))
        yield from requests([day for day in hourly_days(tick) if day >= start], tick, SOON)

    @dg.schedule(job=SYNC, cron_schedule="30 4 * * *", execution_timezone=zone, default_status=status)
    def nightly(
        context: dg.ScheduleEvaluationContext, bookkeeper: dg.ResourceParam[Bookkeeper]
    ) -> Iterator[dg.RunRequest]:
        """Sync yesterday, every day never synced, and every day with work left."""
        tick = context.scheduled_execution_time.astimezone(ZoneInfo(zone))
        done = {date.fromisoformat(key) for key in context.instance.get_materialized_partitions(KEY)}
        yield from requests(nightly_days(tick, start, done, bookkeeper.unfinished_days()), tick, {})

    mapping = dg.ScheduleDefinition(
        name="nightly_mapping_checks",
        job=MAPPING_CHECKS,
        cron_schedule="0 5 * * *",
        execution_timezone=zone,
        default_status=status,
    )
    return [hourly, nightly, mapping]
