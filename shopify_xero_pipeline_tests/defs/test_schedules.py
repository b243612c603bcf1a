"""When days are asked for: by Dagster's own reckoning of the ticks, as clocks change, after a gap, beside runs."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.execution.api import create_execution_plan
from dagster._utils.schedules import schedule_execution_time_iterator

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.definitions import build_definitions
from shopify_xero_pipeline.defs.partitions import range_tags
from shopify_xero_pipeline.defs.reconcile import RECONCILIATION_KEY
from shopify_xero_pipeline.defs.run_requests import SYNC_ASSETS, SYNC_STEPS
from shopify_xero_pipeline.defs.schedules import hourly_days, least_recently_reconciled, missed_days, nightly_days
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline_tests.defs.daemon import emptied, ends

AUCKLAND, BERLIN, NEW_YORK = "Pacific/Auckland", "Europe/Berlin", "America/New_York"
ZONE = ZoneInfo(AUCKLAND)


def day(number: int, month: int = 9) -> date:
    return date(2026, month, number)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Kept:
    """What the schedules ask the sync service: the books' days, up to when each was read, where work is left."""

    books: list[date] = field(default_factory=list)
    compared: dict[date, datetime] = field(default_factory=dict)
    left: set[date] = field(default_factory=set)

    @property
    def connections(self) -> "Kept":
        return self

    @property
    def store(self) -> "Kept":
        return self

    @property
    def record_ownership(self) -> "Kept":
        return self

    def days(self) -> list[date]:
        return self.books

    def get_present(self, names: Collection[str]) -> dict[str, tuple[str, datetime]]:
        """Return the texts of the store: the summary of each day, and up to when it has Shopify's changes."""
        return {
            f"{key}.{day}": (at.isoformat(), at)
            for day, at in self.compared.items()
            for key in ("day_summary", "reconciled_up_to")
            if f"{key}.{day}" in names
        }

    def get_value(self, _name: str) -> tuple[str, datetime]:
        """Return that the store has a summary of each day."""
        return "yes", datetime.now(UTC)

    def unfinished_days(self) -> set[date]:
        return self.left


class Timetable:
    """The schedules of a shop in a zone, as Dagster evaluates them."""

    def __init__(
        self, instance: dg.DagsterInstance, kept: Kept, zone: str = AUCKLAND, start: date = date(2026, 1, 1)
    ) -> None:
        self._instance, self._kept = instance, kept
        policy = BooksPolicy(time_zone=zone, start_date=start)
        self._repository = build_definitions(policy=policy, resources={"sync_service": kept}).get_repository_def()

    def ticks(self, name: str, first: datetime, before: datetime) -> Iterator[datetime]:
        """Yield the ticks from an instant on, by Dagster's reckoning, in UTC."""
        schedule = self._repository.get_schedule_def(name)
        found = schedule_execution_time_iterator(
            first.timestamp(), str(schedule.cron_schedule), schedule.execution_timezone
        )
        return takewhile(lambda one: one < before, (one.astimezone(UTC) for one in found))

    def requests(self, name: str, tick: datetime) -> list[dg.RunRequest]:
        context = dg.build_schedule_context(
            instance=self._instance,
            scheduled_execution_time=tick,
            repository_def=self._repository,
            resources={"sync_service": self._kept},
        )
        found = self._repository.get_schedule_def(name).evaluate_tick(context)
        return list(found.run_requests or [])

    def asks(self, name: str, tick: datetime) -> list[tuple[str, str]]:
        """Return the ranges a tick asks for."""
        return [ends(one.tags) for one in self.requests(name, tick)]


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture(scope="module")
def lasting() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def instance(lasting: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    return emptied(lasting, monkeypatch)


def run_of(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, first: date, last: date) -> None:
    instance.add_run(dg.DagsterRun(job_name="sync", status=status, tags=range_tags(first, last)))


# -- both changes of the clocks ----------------------------------------------------------------------------------------

LONG_DAYS = [
    # zone, day, its first hourly tick, how many there are, how many of them come before three in the morning
    (AUCKLAND, "2026-09-27", "2026-09-26T12:10", 23, 2),
    (AUCKLAND, "2027-04-04", "2027-04-03T11:10", 25, 4),
    (BERLIN, "2026-10-25", "2026-10-24T22:10", 25, 4),
    (BERLIN, "2027-03-28", "2027-03-27T23:10", 23, 2),
    (NEW_YORK, "2026-11-01", "2026-11-01T04:10", 25, 4),
    (NEW_YORK, "2027-03-14", "2027-03-14T05:10", 23, 2),
]


@pytest.mark.parametrize(("zone", "today", "first", "hours", "early"), LONG_DAYS)
def test_every_hour_of_a_day_with_23_or_25_hours_is_asked_for_once_hour_by_hour(
    instance: dg.DagsterInstance, kept: Kept, zone: str, today: str, first: str, hours: int, early: int
) -> None:
    yesterday = str(date.fromisoformat(today) - timedelta(days=1))
    books = Timetable(instance, kept, zone, start=date.fromisoformat(yesterday))
    kept.books = [date.fromisoformat(yesterday)]
    kept.compared = {kept.books[0]: utc(first)}
    begin = utc(first) - timedelta(minutes=10)
    ticks = list(books.ticks("hourly", begin, begin + timedelta(hours=hours)))
    assert ticks == [utc(first) + timedelta(hours=number) for number in range(hours)]
    asked = [one for tick in ticks for one in books.requests("hourly", tick)]
    assert [ends(one.tags) for one in asked] == [(yesterday, today)] * early + [(today, today)] * (hours - early)
    assert len({one.run_key for one in asked}) == hours


@pytest.mark.parametrize(
    ("zone", "today", "tick"),
    [
        (AUCKLAND, "2026-09-27", "2026-09-26T15:30"),
        (AUCKLAND, "2027-04-04", "2027-04-03T16:30"),
        (BERLIN, "2026-10-25", "2026-10-25T03:30"),
        (BERLIN, "2027-03-28", "2027-03-28T02:30"),
        (NEW_YORK, "2026-11-01", "2026-11-01T09:30"),
        (NEW_YORK, "2027-03-14", "2027-03-14T08:30"),
    ],
)
def test_the_night_the_clocks_change_has_one_nightly_tick_and_it_asks_for_yesterday(
    instance: dg.DagsterInstance, kept: Kept, zone: str, today: str, tick: str
) -> None:
    yesterday = date.fromisoformat(today) - timedelta(days=1)
    books = Timetable(instance, kept, zone, start=yesterday)
    noon = utc(tick) - timedelta(hours=12)
    assert list(books.ticks("nightly", noon, noon + timedelta(hours=24))) == [utc(tick)]
    assert books.asks("nightly", utc(tick)) == [(str(yesterday), str(yesterday))]


# -- which days --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tick", "days"),
    [
        (datetime(2026, 9, 23, 0, 10, tzinfo=ZONE), [day(22), day(23)]),
        (datetime(2026, 9, 23, 2, 10, tzinfo=ZONE), [day(22), day(23)]),
        (datetime(2026, 9, 23, 3, 10, tzinfo=ZONE), [day(23)]),
    ],
)
def test_every_hour_today_is_synced_and_early_in_the_day_yesterday_too(tick: datetime, days: list[date]) -> None:
    assert hourly_days(tick) == days


def test_every_night_asks_for_yesterday_for_days_never_synced_and_for_days_with_work_left() -> None:
    tick = datetime(2026, 9, 26, 4, 30, tzinfo=ZONE)
    done = {day(21), day(22), day(24), day(25)}
    assert nightly_days(tick, day(21), done, {day(22)}) == [day(22), day(23), day(25)]
    assert nightly_days(tick, day(21), done, set()) == [day(23), day(25)]


def test_seven_days_that_rested_for_a_week_come_round_each_night_the_one_compared_longest_ago_first() -> None:
    tick = datetime(2026, 9, 26, 4, 30, tzinfo=ZONE)
    compared = {day(number): tick - timedelta(days=30 - number) for number in range(1, 24)}
    assert least_recently_reconciled(tick, compared) == [day(number) for number in range(1, 8)]
    assert least_recently_reconciled(tick, compared | {day(1): tick - timedelta(days=8)})[-1] == day(8)
    assert least_recently_reconciled(
        tick, {day(24): tick - timedelta(days=7), day(25): tick - timedelta(days=6, hours=23)}
    ) == [day(24)]


def test_the_night_asks_for_the_days_whose_turn_it_is(instance: dg.DagsterInstance, kept: Kept) -> None:
    tick = datetime(2026, 9, 26, 4, 30, tzinfo=ZONE)
    kept.books = days_between(day(1), day(26))
    kept.compared = {day(number): tick - timedelta(days=26 - number) for number in range(1, 26)}
    for one in days_between(day(1), day(25)):
        key = str(one)
        instance.report_runless_asset_event(dg.AssetMaterialization(RECONCILIATION_KEY, partition=key))
    books = Timetable(instance, kept, start=day(1))
    assert books.asks("nightly", tick) == [("2026-09-01", "2026-09-07"), ("2026-09-25", "2026-09-25")]


def test_no_day_from_before_the_start_date_is_asked_for() -> None:
    tick = datetime(2026, 9, 26, 4, 30, tzinfo=ZONE)
    assert nightly_days(tick, day(25), {day(25)}, {day(3)}) == [day(25)]
    assert nightly_days(tick, day(26), set(), set()) == []


def test_an_hourly_tick_asks_for_a_range_by_tags_that_waits_for_no_backfill(
    instance: dg.DagsterInstance, kept: Kept
) -> None:
    tick = datetime(2026, 9, 23, 0, 10, tzinfo=ZONE)
    (request,) = Timetable(instance, kept, start=day(21)).requests("hourly", tick)
    assert ends(request.tags) == ("2026-09-22", "2026-09-23")
    assert request.tags["dagster/priority"] == "10"
    assert request.tags["shopify-xero/respect-retry-schedule"] == "yes"
    assert request.run_key == "2026-09-22..2026-09-23@2026-09-23T00:10:00+12:00"


def test_on_the_very_first_day_yesterday_is_not_asked_for(instance: dg.DagsterInstance, kept: Kept) -> None:
    tick = datetime(2026, 9, 21, 0, 10, tzinfo=ZONE)
    assert Timetable(instance, kept, start=day(21)).asks("hourly", tick) == [("2026-09-21", "2026-09-21")]


# -- after downtime, and when ticks overlap ----------------------------------------------------------------------------


def test_a_day_counts_as_missed_if_it_ended_without_being_compared_since() -> None:
    morning = datetime(2026, 9, 26, 5, 10, tzinfo=ZONE)
    midnight = datetime(2026, 9, 26, tzinfo=ZONE)
    before, after = midnight - timedelta(minutes=1), midnight + timedelta(minutes=20)
    earlier = {day(23): after - timedelta(days=2), day(24): after - timedelta(days=1)}
    assert missed_days(morning, day(23), earlier | {day(25): after}) == []
    assert missed_days(morning, day(23), earlier | {day(25): before}) == [day(25)]
    assert missed_days(morning, day(23), {day(24): after}) == [day(23), day(25)]
    assert missed_days(morning - timedelta(hours=1), day(23), {}) == []
    assert missed_days(morning, date(2026, 1, 1), {})[0] == date(2026, 8, 26)


def test_a_machine_that_was_off_for_two_nights_finds_the_days_with_its_first_tick(
    instance: dg.DagsterInstance, kept: Kept
) -> None:
    kept.books = days_between(day(21), day(25))
    kept.compared = {day(21): datetime(2026, 9, 22, 0, 10, tzinfo=ZONE), day(22): datetime(2026, 9, 22, 9, tzinfo=ZONE)}
    books = Timetable(instance, kept, start=day(21))
    assert books.asks("hourly", datetime(2026, 9, 25, 9, 10, tzinfo=ZONE)) == [("2026-09-22", "2026-09-25")]


def test_a_tick_asks_for_nothing_that_a_waiting_run_will_read_anyway(instance: dg.DagsterInstance, kept: Kept) -> None:
    books, tick = Timetable(instance, kept, start=day(21)), datetime(2026, 9, 23, 9, 10, tzinfo=ZONE)
    kept.books = days_between(day(21), day(23))
    run_of(instance, dg.DagsterRunStatus.STARTING, day(21), day(23))
    assert books.asks("hourly", tick) == []
    assert books.asks("nightly", tick.replace(hour=4, minute=30)) == []


def test_what_a_run_under_way_has_read_already_is_read_again_but_missed_days_are_left_to_it(
    instance: dg.DagsterInstance, kept: Kept
) -> None:
    books, tick = Timetable(instance, kept, start=day(21)), datetime(2026, 9, 24, 9, 10, tzinfo=ZONE)
    kept.books = days_between(day(21), day(24))
    run_of(instance, dg.DagsterRunStatus.STARTED, day(21), day(24))
    assert books.asks("hourly", tick) == [("2026-09-24", "2026-09-24")]
    assert books.asks("nightly", tick.replace(hour=4, minute=30)) == [("2026-09-23", "2026-09-23")]


def test_a_run_that_only_plans_or_takes_up_failed_steps_keeps_no_tick_from_asking(
    instance: dg.DagsterInstance, kept: Kept
) -> None:
    waiting, tags = dg.DagsterRunStatus.STARTING, range_tags(day(23), day(23))
    instance.add_run(dg.DagsterRun(job_name="plan", status=waiting, tags=tags))
    instance.add_run(dg.DagsterRun(job_name="sync", status=waiting, tags=tags, step_keys_to_execute=["xero__items"]))
    instance.add_run(
        dg.DagsterRun(job_name="sync", status=waiting, tags=tags, asset_selection=frozenset({RECONCILIATION_KEY}))
    )
    kept.compared, kept.books = {day(22): datetime(2026, 9, 23, 1, tzinfo=ZONE)}, [day(22)]
    books, tick = Timetable(instance, kept, start=day(22)), datetime(2026, 9, 23, 9, 10, tzinfo=ZONE)
    assert books.asks("hourly", tick) == [("2026-09-23", "2026-09-23")]


def sync_job() -> dg.JobDefinition:
    policy = BooksPolicy(time_zone=AUCKLAND, start_date=day(1))
    return build_definitions(policy=policy, resources={"sync_service": Kept()}).resolve_job_def("sync")


def test_the_steps_and_assets_of_a_whole_sync_are_those_of_the_job() -> None:
    job = sync_job()
    assert {node.name for node in job.nodes} == SYNC_STEPS
    assert {*job.asset_layer.executable_asset_keys} & {*job.asset_layer.selected_asset_keys} == SYNC_ASSETS


def test_a_sync_that_a_person_materialises_in_the_ui_keeps_ticks_from_asking_again(
    instance: dg.DagsterInstance, kept: Kept
) -> None:
    """The UI lists all steps in the run that it creates (dagster_graphql, `run_lifecycle.py`)."""
    instance.create_run_for_job(
        sync_job(),
        status=dg.DagsterRunStatus.STARTING,
        tags=range_tags(day(21), day(23)),
        execution_plan=create_execution_plan(sync_job(), tags=range_tags(day(21), day(23))),
    )
    (run,) = instance.get_runs()
    assert set(run.step_keys_to_execute or ()) >= SYNC_STEPS
    kept.books = days_between(day(21), day(23))
    assert Timetable(instance, kept, start=day(21)).asks("hourly", datetime(2026, 9, 23, 9, 10, tzinfo=ZONE)) == []


def test_the_night_leaves_a_long_backfill_under_way_alone_and_asks_for_the_other_days(
    instance: dg.DagsterInstance, kept: Kept
) -> None:
    run_of(instance, dg.DagsterRunStatus.STARTED, day(1), day(10))
    kept.left = {day(3), day(20)}
    books = Timetable(instance, kept, start=day(1))
    tick = datetime(2026, 9, 26, 4, 30, tzinfo=ZONE)
    assert books.asks("nightly", tick) == [("2026-09-11", "2026-09-25")]
    assert [one.tags.get("dagster/priority") for one in books.requests("nightly", tick)] == [None]
