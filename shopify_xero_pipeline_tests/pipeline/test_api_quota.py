"""What a backfill will take of Xero's calls: counted by hand, and compared with what a fortnight really took."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from shopify_xero_pipeline.changes.compare import build_change
from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.pipeline.api_quota import DailyQuota, Forecast
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.one_order import contact, credit_note, invoice
from shopify_xero_pipeline_tests.support.rows import DAY
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST

UNKNOWN = DailyQuota(remaining=None, limit=5_000, is_current=False, blocked_until=None)


def plan(kind: Kind, *changes: Change) -> ChangeSet:
    return ChangeSet(kind=kind, day=DAY, changes=changes)


def contacts(first: int, last: int) -> ChangeSet:
    return plan(Kind.CONTACT, *(build_change(Action.CREATE, contact(str(n))) for n in range(first, last + 1)))


def test_a_run_takes_its_batches_and_three_sweeps_to_read_back() -> None:
    forecast = Forecast()
    forecast.add([contacts(1, 51), plan(Kind.INVOICE, build_change(Action.CREATE, invoice()))])
    assert (forecast.records, forecast.writes, forecast.reads, forecast.calls) == (52, 3, 3, 6)


def test_a_contact_of_two_runs_is_written_once() -> None:
    forecast = Forecast()
    forecast.add([contacts(1, 50)])
    forecast.add([contacts(26, 75)])
    assert (forecast.ranges, forecast.records, forecast.writes, forecast.reads) == (2, 75, 2, 6)
    forecast.add([contacts(1, 75)])
    assert (forecast.ranges, forecast.records, forecast.calls) == (3, 75, 8)


def test_a_plan_that_writes_nothing_takes_nothing() -> None:
    forecast = Forecast()
    forecast.add([plan(Kind.CREDIT_NOTE, build_change(Action.UNCHANGED, credit_note()))])
    assert (forecast.ranges, forecast.calls, forecast.minutes) == (1, 0, 0)
    assert forecast.days_of_quota(UNKNOWN) == 1


def test_minutes_are_those_of_planning_again_and_of_sixty_calls_a_minute() -> None:
    assert Forecast(writes=100, reads=20, seconds=61.0).minutes == 4
    assert Forecast(writes=60).minutes == 1


@pytest.mark.parametrize(
    ("calls", "left", "size", "days"),
    [
        (4_500, None, 5_000, 1),
        (4_501, None, 5_000, 2),
        (500, 1_000, 5_000, 1),
        (501, 1_000, 5_000, 2),
        (100, 400, 5_000, 2),
        (1_801, 1_000, 1_000, 3),
    ],
)
def test_the_reserve_of_each_day_is_not_counted_on_and_what_is_left_today_goes_first(
    calls: int, left: int | None, size: int, days: int
) -> None:
    assert Forecast(writes=calls).days_of_quota(DailyQuota(left, size, is_current=True, blocked_until=None)) == days


# -- measured ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(date(2026, 10, 5), 1)) as stage:
        yield stage


@pytest.mark.campaign
@pytest.mark.long
def test_the_forecast_of_a_fortnight_is_off_by_few_calls(stage: Stage, instance: dg.DagsterInstance) -> None:
    runner, days = stage.runner(instance), days_between(FIRST, FIRST + timedelta(days=13))
    forecast, failures = runner.forecast(days)
    assert failures == []
    report = runner.sync(days)
    assert report.succeeded
    assert (forecast.calls, report.xero_calls) == (19, 20)


@pytest.mark.campaign
@pytest.mark.long
def test_a_backfill_ends_with_the_range_in_which_the_day_was_used_up_and_names_the_days_it_left(
    stage: Stage, instance: dg.DagsterInstance
) -> None:
    stage.sandbox.faults.add(Fault(kind=FaultKind.DAY_LIMIT, method="PUT", path="/Invoices", retry_after=7 * 3600))
    runner, far = stage.runner(instance), FIRST + timedelta(days=10)
    report = runner.sync([FIRST, far])
    assert report.postponed_days == [far]
    assert len(report.failures) == 1
    assert "Xero accepts no more calls before 2026-10-04 19:0" in report.failures[0]
    assert not report.succeeded
    assert report.summary()["days_left_for_later"] == [str(far)]
    assert FIRST in stage.sync_service.record_ownership.unfinished_days()
    stage.clock.sleep(7 * 3600)
    again = runner.sync([FIRST, far])
    assert again.succeeded
    assert again.postponed_days == []
