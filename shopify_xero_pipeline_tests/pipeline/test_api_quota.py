"""Xero's daily quota: the days that a number of calls takes, and a backfill that uses it up."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from shopify_xero_pipeline.pipeline.api_quota import DailyQuota
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST


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
    assert DailyQuota(left, size, is_current=True, blocked_until=None).days_of(calls) == days


# -- measured ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(date(2026, 10, 5), 1)) as stage:
        yield stage


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
