"""Loads of ranges, whose change-sets are read portion by portion: full batches, each record once, bounded memory."""

import gc
import logging
import weakref
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import pytest

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.loading import loader as loader_module
from shopify_xero_pipeline.loading.load_report import LoadOutcome, LoadReport
from shopify_xero_pipeline.observability.events import watch_events
from shopify_xero_pipeline.sandbox.faults import FaultKind
from shopify_xero_pipeline.xero.models import Contact, Kind
from shopify_xero_pipeline_tests.support.records import DAY, contact, invoice, payment
from shopify_xero_pipeline_tests.support.world import World, change_set


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def days_of_contacts(days: int, each: int) -> list[list[ChangeSet]]:
    """One day a portion, each with contacts of its own."""
    numbers = iter(range(1, days * each + 1))
    return [[change_set(*(contact(next(numbers)) for _ in range(each)), day=day(at))] for at in range(days)]


def load(world: World, portions: Sequence[Sequence[ChangeSet]]) -> list[LoadReport]:
    reports: list[LoadReport] = []
    world.loader.load_portions(portions, "run", reports.append)
    return reports


def test_batches_are_filled_across_portions_and_each_portion_has_its_report(world: World) -> None:
    reports = load(world, days_of_contacts(days=4, each=30))

    assert [report.days for report in reports] == [(day(0),), (day(1),), (day(2),), (day(3),)]
    assert [report.count(LoadOutcome.CREATED) for report in reports] == [30, 30, 30, 30]
    assert {report.calls for report in reports} == {1 + 3}, "Xero's time, and 120 contacts in batches of 50"
    assert [(row.partition, row.created) for row in world.store.history()] == [(day(at), 30) for at in range(4)]


def test_a_record_that_two_portions_want_is_written_once_with_the_content_of_the_later_one(world: World) -> None:
    early, late = contact(1), contact(1).model_copy(update={"email": "new@example.com"})

    first, second = load(world, [[change_set(early, day=day(0))], [change_set(late, day=day(1))]])

    assert [one.outcome for one in first.results] == [LoadOutcome.CREATED]
    assert [one.outcome for one in second.results] == [LoadOutcome.UNCHANGED]
    assert [one.texts["EmailAddress"] for one in world.live(Kind.CONTACT)] == ["new@example.com"]
    (row,) = world.store.mapped(Kind.CONTACT).values()
    assert row.partition == day(0), "it belongs to the first day that wants it"


def test_a_failure_counts_on_every_day_that_wants_the_record(world: World) -> None:
    world.fault(FaultKind.REFUSED, body="shopify:1", answer="The record is not acceptable")
    same = contact(1)

    first, second = load(world, [[change_set(same, day=day(0))], [change_set(same, day=day(1))]])

    assert [one.outcome for one in (*first.results, *second.results)] == [LoadOutcome.FAILED] * 2


def test_a_report_of_each_portion_has_the_duration_of_its_own_load(world: World) -> None:
    load(world, days_of_contacts(days=1, each=1))
    world.wait(3_600)
    load(world, [[change_set(contact(99), day=day(1))]])
    assert [row.duration_ms < 60_000 for row in world.store.history()] == [True, True]


def test_a_load_logs_the_number_of_its_writes_for_developers(world: World, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[tuple[str, object]] = []
    with watch_events(lambda event, fields: seen.append((event, fields.get("records")))), caplog.at_level(logging.INFO):
        load(world, days_of_contacts(days=2, each=3))
    assert ("load_planned", 6) in seen
    assert "load_planned" not in caplog.text, "it is not for Dagster's event log"


def test_a_person_who_loads_portions_does_not_wait_for_the_next_attempt_of_failed_records(world: World) -> None:
    rule = world.fault(FaultKind.REFUSED, body="shopify:1", answer="The record is not acceptable")
    portions = [[change_set(contact(1), day=day(0))]]
    load(world, portions)
    world.faults.clear()
    assert rule.fired

    (report,) = load(world, portions)
    assert report.count(LoadOutcome.CREATED) == 1


def test_failed_records_of_every_portion_wait_for_their_next_attempt(world: World) -> None:
    portions = [[change_set(contact(number, email="nobody"), day=day(number))] for number in (1, 2)]
    load(world, portions)

    reports: list[LoadReport] = []
    world.loader.load_portions(portions, "scheduled", reports.append, respect_retry_schedule=True)
    assert [one.outcome for report in reports for one in report.results] == [LoadOutcome.FAILED] * 2
    assert {report.calls for report in reports} == {0}


def test_a_record_that_no_portion_wants_any_more_is_withdrawn_and_one_that_a_later_portion_wants_is_not(
    world: World,
) -> None:
    waiting = [payment(invoice(number)) for number in (1001, 1002)]
    load(world, [[change_set(waiting[0], day=day(0)), change_set(waiting[1], day=day(0))]])
    assert world.store.unfinished_days() == {day(0)}

    load(world, [[ChangeSet(kind=Kind.PAYMENT, day=day(0), changes=())], [change_set(waiting[1], day=day(1))]])

    assert world.store.unfinished_days() == {day(1)}


class Watched:
    """Portions that count how many of the earlier ones are still in memory when the next one is asked for."""

    def __init__(self, days: int) -> None:
        self.days = days
        self.most_alive = 0

    def __iter__(self) -> Iterator[list[ChangeSet]]:
        earlier: list[weakref.ref[Contact]] = []
        for at in range(self.days):
            gc.collect()
            self.most_alive = max(self.most_alive, sum(one() is not None for one in earlier))
            record = contact(at + 1)
            earlier.append(weakref.ref(record))
            portion = [change_set(record, day=day(at))]
            del record
            yield portion
            del portion


@pytest.mark.parametrize("days", [5, 20])
def test_the_portions_in_memory_do_not_grow_with_the_range(
    world: World, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    monkeypatch.setattr(loader_module, "WRITES_IN_HAND", 4)
    portions = Watched(days)

    reports: list[LoadReport] = []
    world.loader.load_portions(portions, "run", reports.append)

    assert sum(report.count(LoadOutcome.CREATED) for report in reports) == days
    assert portions.most_alive <= 1, "the one that was just read"
    assert {report.calls for report in reports} == {1 + days // 4 + (days % 4 > 0)}
