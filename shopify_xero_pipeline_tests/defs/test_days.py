from datetime import date, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.definitions import build_definitions
from shopify_xero_pipeline.defs.partitions import as_ranges, days_between
from shopify_xero_pipeline.defs.schedules import hourly_days, nightly_days

ZONE = ZoneInfo("Pacific/Auckland")


def day(number: int, month: int = 9) -> date:
    return date(2026, month, number)


def test_neighbouring_days_run_together_and_gaps_of_up_to_three_days_are_bridged() -> None:
    assert as_ranges([day(1), day(2), day(6)]) == [(day(1), day(6))]
    assert as_ranges([day(1), day(6)]) == [(day(1), day(1)), (day(6), day(6))]


def test_a_range_never_holds_more_than_31_days() -> None:
    ranges = as_ranges(days_between(day(1, 7), day(30)))
    assert [(last - first).days + 1 for first, last in ranges] == [31, 31, 30]


def test_days_in_any_order_and_named_twice_make_the_same_ranges() -> None:
    assert as_ranges([day(3), day(1), day(3), day(2)]) == [(day(1), day(3))]
    assert as_ranges([]) == []


@pytest.mark.parametrize(
    ("tick", "days"),
    [
        (datetime(2026, 9, 23, 0, 10, tzinfo=ZONE), [day(22), day(23)]),
        (datetime(2026, 9, 23, 2, 10, tzinfo=ZONE), [day(22), day(23)]),
        (datetime(2026, 9, 23, 3, 10, tzinfo=ZONE), [day(23)]),
        (datetime(2026, 9, 27, 1, 10, tzinfo=ZONE), [day(26), day(27)]),
        (datetime(2026, 9, 27, 3, 10, tzinfo=ZONE), [day(27)]),
        (datetime(2026, 4, 5, 2, 10, fold=1, tzinfo=ZONE), [day(4, 4), day(5, 4)]),
    ],
)
def test_every_hour_today_is_synced_and_early_in_the_day_yesterday_too(tick: datetime, days: list[date]) -> None:
    assert hourly_days(tick) == days


def test_every_night_asks_for_yesterday_for_days_never_synced_and_for_days_with_work_left() -> None:
    tick = datetime(2026, 9, 26, 4, 30, tzinfo=ZONE)
    done = {day(21), day(22), day(24), day(25)}
    assert nightly_days(tick, day(21), done, {day(22)}) == [day(22), day(23), day(25)]
    assert nightly_days(tick, day(21), done, set()) == [day(23), day(25)]


def test_no_day_from_before_the_start_date_is_asked_for() -> None:
    tick = datetime(2026, 9, 26, 4, 30, tzinfo=ZONE)
    assert nightly_days(tick, day(25), {day(25)}, {day(3)}) == [day(25)]
    assert nightly_days(tick, day(26), set(), set()) == []


def test_an_hourly_tick_asks_for_a_range_by_tags_that_waits_for_no_backfill() -> None:
    repository = build_definitions(policy=BooksPolicy()).get_repository_def()
    tick = datetime(2026, 9, 23, 0, 10, tzinfo=ZONE)
    context = dg.build_schedule_context(scheduled_execution_time=tick, repository_def=repository)
    requests = repository.get_schedule_def("hourly").evaluate_tick(context).run_requests
    assert requests is not None
    assert [request.tags["dagster/asset_partition_range_start"] for request in requests] == ["2026-09-22"]
    assert [request.tags["dagster/asset_partition_range_end"] for request in requests] == ["2026-09-23"]
    assert requests[0].tags["dagster/priority"] == "10"
    assert requests[0].run_key == "2026-09-22..2026-09-23@2026-09-23T00:10:00+12:00"


def test_on_the_very_first_day_yesterday_is_not_asked_for() -> None:
    repository = build_definitions(policy=BooksPolicy()).get_repository_def()
    tick = datetime(2026, 9, 21, 0, 10, tzinfo=ZONE)
    context = dg.build_schedule_context(scheduled_execution_time=tick, repository_def=repository)
    requests = repository.get_schedule_def("hourly").evaluate_tick(context).run_requests
    assert requests is not None
    assert [request.tags["dagster/asset_partition_range_start"] for request in requests] == ["2026-09-21"]
