"""A fortnight with automation on and without a person: the books agree, and each alert was sent once."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
import pytest

from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline_tests.campaigns.fortnight.play import FIRST, LAST, Play, play, playing
from shopify_xero_pipeline_tests.campaigns.proof.content import content_of
from shopify_xero_pipeline_tests.support.sync_round import OF_ORDERS, plans

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning"),
]

DAYS = days_between(FIRST, LAST)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    with playing(tmp_path_factory.mktemp("fortnight")) as fortnight:
        play(fortnight)
        yield fortnight


def test_in_the_end_the_books_of_every_day_agree_to_the_cent(played: Play) -> None:
    days = played.stage.sync_service.reconciliations.of_days(DAYS)
    assert [day.day for day in days] == DAYS
    for day in days:
        assert (day.unequal, day.unaccounted, day.lost, day.extra, day.count("failed")) == ([], [], 0, 0, 0), day.day
    assert played.stage.sync_service.connections.store.failed_records() == []
    assert played.stage.sync_service.record_ownership.unfinished_days() == set()


def test_every_order_is_accounted_for_once(played: Play) -> None:
    rows = [row.order_id for day in played.stage.sync_service.reconciliations.of_days(DAYS) for row in day.rows]
    assert sorted(rows) == sorted(played.shop.orders())
    content_of(played.stage.sandbox.books)  # raises for a duplicate in Xero


def test_nothing_of_an_order_is_left_to_be_written(played: Play) -> None:
    changes = [
        f"{line.action} {line.natural_key}"
        for family in plans(played.stage.sync_service, DAYS)
        for plan in family
        if plan.kind in OF_ORDERS
        for line in plan.changes
        if line.action in ("create", "update", "adopt", "delete", "conflict")
    ]
    assert changes == []


def test_people_were_told_of_each_cause_once_and_of_its_end_once(played: Play) -> None:
    assert played.recorder.sent == [
        "+ run:sync",  # 24 September: Shopify cannot be reached
        "- run:sync",
        "+ run:sync",  # 26 September: Xero cannot be reached
        "- run:sync",
        "+ checks:2026-10-01",  # an Invoice is refused
        "- checks:2026-10-01",
    ]


def test_days_of_orders_changed_later_were_synced_again_by_the_sensor(played: Play) -> None:
    runs = played.daemon.instance.get_runs(dg.RunsFilter(tags={"dagster/sensor_name": "changed_orders"}))
    reopened = {run.tags["dagster/asset_partition_range_start"] for run in runs}
    assert len(reopened) >= 5
    assert str(FIRST) in reopened


def test_the_night_the_machine_was_off_was_made_up_for_in_the_morning(played: Play) -> None:
    missed, morning = date(2026, 9, 28), date(2026, 9, 29)
    (day,) = played.stage.sync_service.reconciliations.of_days([missed])
    assert day.rows
    runs = played.daemon.instance.get_run_records(dg.RunsFilter(job_name="sync"))
    made_up = [
        run.create_timestamp
        for run in runs
        if run.dagster_run.tags["dagster/asset_partition_range_start"] == str(missed)
        and run.create_timestamp.date() >= morning - timedelta(days=1)
    ]
    assert made_up
