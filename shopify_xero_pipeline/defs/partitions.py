"""Daily partitions, and the tags of runs that cover a range of days.

A partition is a calendar day in the shop's time zone. The day in progress is a partition. This module defines no asset
and no schedule.
"""

from collections.abc import Mapping
from datetime import date

import dagster as dg

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.pipeline.watchdog import DEFAULT_SECONDS

DAYS_OF_TIME_LIMIT = 31
"""Days for which a run has the time limit of the instance."""

# Private tags of Dagster: a run request has no public field for a range of partitions.
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def daily_partitions(policy: BooksPolicy) -> dg.DailyPartitionsDefinition:
    """Return the partitions from the start date to the day in progress, in the shop's time zone."""
    return dg.DailyPartitionsDefinition(
        start_date=policy.start_date.isoformat(), timezone=policy.time_zone, end_offset=1
    )


def range_tags(first: date, last: date, run_seconds: float = 0) -> dict[str, str]:
    """Return the tags of a run that covers a range of days, with a time limit if the range is long.

    Args:
        first: the first day.
        last: the last day, included.
        run_seconds: `run_monitoring.max_runtime_seconds` of the instance; 0 selects the default. A run has it once for
            each `DAYS_OF_TIME_LIMIT` of its days, as several runs of so many days would.
    """
    tags = {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}
    times = -(-((last - first).days + 1) // DAYS_OF_TIME_LIMIT)
    if times > 1:
        tags[dg.MAX_RUNTIME_SECONDS_TAG] = f"{times * (run_seconds or DEFAULT_SECONDS):g}"
    return tags


def run_time_limit(tags: Mapping[str, str], run_seconds: float) -> float:
    """Return the time limit of a run in seconds, from its tags as for Dagster's daemon.

    Args:
        tags: the tags of the run.
        run_seconds: `run_monitoring.max_runtime_seconds` of the instance, for a run without a limit of its own.
    """
    text = tags.get(dg.MAX_RUNTIME_SECONDS_TAG, "")
    return float(text) if text.replace(".", "", 1).isdecimal() else run_seconds
