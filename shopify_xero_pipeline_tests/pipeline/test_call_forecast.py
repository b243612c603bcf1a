"""The forecast of a backfill's calls to Xero: counted by hand, and compared with the calls that the sync made."""

from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from shopify_xero_pipeline.changes.compare import build_change
from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.changes.plan import NUMBERED_ADOPTION
from shopify_xero_pipeline.pipeline.calendar import days_between
from shopify_xero_pipeline.pipeline.call_forecast import Forecast
from shopify_xero_pipeline.xero.models import AnyRecord, Kind
from shopify_xero_pipeline_tests.campaigns.bench.call_workloads import START_DATE, WITH_CHANGES, Workload
from shopify_xero_pipeline_tests.support.one_order import contact, credit_note, invoice
from shopify_xero_pipeline_tests.support.records import allocation
from shopify_xero_pipeline_tests.support.rows import DAY
from shopify_xero_pipeline_tests.support.stage import at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, books_file


def plan(kind: Kind, *changes: Change) -> ChangeSet:
    return ChangeSet(kind=kind, day=DAY, changes=changes)


def created(*records: AnyRecord) -> list[Change]:
    return [build_change(Action.CREATE, record) for record in records]


def contacts(first: int, last: int) -> ChangeSet:
    return plan(Kind.CONTACT, *created(*(contact(str(n)) for n in range(first, last + 1))))


def invoices(count: int) -> ChangeSet:
    line = build_change(Action.CREATE, invoice())
    return plan(Kind.INVOICE, *(line.model_copy(update={"shopify_id": str(n)}) for n in range(count)))


def counts(forecast: Forecast) -> tuple[int, int, int]:
    return forecast.writes, forecast.read_calls, forecast.calls


def test_one_run_takes_its_batches_and_one_look_at_the_documents_that_it_wrote() -> None:
    forecast = Forecast()
    forecast.add([contacts(1, 51), invoices(1)])
    assert (forecast.ranges, forecast.records) == (1, 52)
    assert counts(forecast) == (3, 1, 4)


def test_planning_that_takes_a_minute_is_followed_by_another_look_before_the_first_write() -> None:
    forecast = Forecast()
    forecast.add([contacts(1, 51), invoices(1)])
    forecast.seconds = 59.9
    assert counts(forecast) == (3, 1, 4)
    forecast.seconds = 60.0  # Contacts and Invoices
    assert counts(forecast) == (3, 3, 6)
    forecast.seconds = 600.0  # and the organisation
    assert counts(forecast) == (3, 4, 7)


def test_each_later_run_looks_at_xero_before_it_writes() -> None:
    forecast = Forecast()
    for _ in range(3):
        forecast.add([invoices(1)])
    assert (forecast.ranges, forecast.records) == (3, 1), "the same record of three runs"
    assert counts(forecast) == (1, 1, 2)
    forecast.add([contacts(1, 1), plan(Kind.INVOICE, *created(invoice(agreement="99")))])
    assert counts(forecast) == (3, 1 + 2 + 1, 7)  # Contacts and Invoices before, Invoices after


def test_a_contact_of_two_runs_is_written_once() -> None:
    forecast = Forecast()
    forecast.add([contacts(1, 50)])
    forecast.add([contacts(26, 75)])
    assert (forecast.records, counts(forecast)) == (75, (2, 1, 3))  # Contacts before the second run


def test_the_first_write_of_a_store_looks_for_contacts_of_ours_and_reads_all_documents_and_payments_back() -> None:
    forecast = Forecast(is_first_write=True)
    forecast.add([invoices(1)])
    assert counts(forecast) == (1, 1 + 3, 5)
    forecast.add([plan(Kind.INVOICE, *created(invoice(agreement="99")))])
    assert counts(forecast) == (2, 4 + 2 + 1, 9)


def test_contacts_and_items_are_not_read_back() -> None:
    forecast = Forecast()
    forecast.add([contacts(1, 3)])
    assert counts(forecast) == (1, 0, 1)


def test_an_allocation_is_a_call_and_both_of_its_documents_are_read_back() -> None:
    forecast = Forecast()
    forecast.add([plan(Kind.PAYMENT, *created(allocation(credit_note(), invoice(), "1.00")))])
    assert counts(forecast) == (1, 2, 3)


def test_a_deleted_allocation_is_looked_up_in_its_credit_note() -> None:
    forecast = Forecast()
    line = build_change(Action.DELETE, allocation(credit_note(), invoice(), "1.00"))
    forecast.add([plan(Kind.PAYMENT, line)])
    assert counts(forecast) == (1, 3, 4)


def test_a_list_of_documents_has_a_page_for_each_thousand() -> None:
    forecast = Forecast()
    forecast.add([invoices(2_001)])
    assert counts(forecast) == (41, 3, 44)
    forecast.add([plan(Kind.INVOICE, *created(invoice(agreement="99")))])
    assert counts(forecast) == (42, 3 + 1 + 3 + 3, 52)  # Contacts, and twice the same Invoices, which the overlap has


def test_a_sweep_reads_the_records_of_the_last_300_calls_again() -> None:
    """Runs of 20 calls: before the sixteenth, the overlap of five minutes has the Invoices of fifteen."""
    forecast, reads = Forecast(), []
    for run in range(30):
        before = forecast.read_calls
        lines = [
            build_change(Action.CREATE, invoice()).model_copy(update={"shopify_id": f"{run}/{n}"}) for n in range(850)
        ]
        forecast.add([plan(Kind.INVOICE, *lines)])
        reads.append(forecast.read_calls - before)
    assert forecast.writes == 30 * 17
    assert reads[:3] == [1, 1 + 1 + 2, 1 + 2 + 3]  # Contacts and Invoices before, Invoices after
    assert max(reads) <= 1 + 2 * (300 // 17 + 1)


def test_the_lock_dates_are_read_again_after_ten_minutes_of_calls() -> None:
    forecast = Forecast()
    forecast.add([contacts(1, 599 * 50)])
    forecast.add([contacts(50_000, 50_000)])
    assert counts(forecast) == (600, 30, 630)  # 29,950 Contacts of the first run
    later = Forecast()
    later.add([contacts(1, 600 * 50)])
    later.add([contacts(50_000, 50_000)])
    assert counts(later) == (601, 30 + 1, 632)


def test_a_plan_that_writes_nothing_takes_nothing() -> None:
    forecast = Forecast()
    forecast.add([plan(Kind.CREDIT_NOTE, build_change(Action.UNCHANGED, credit_note()))])
    assert (forecast.ranges, forecast.calls, forecast.minutes) == (1, 0, 0)
    forecast.seconds = 3_600.0
    assert forecast.calls == 0


def test_an_adoption_takes_a_call_only_if_it_sets_the_contacts_number() -> None:
    known, found = (build_change(Action.ADOPT, contact(), reason=reason) for reason in ("known", NUMBERED_ADOPTION))
    for line, writes in ((known, 0), (found, 1)):
        forecast = Forecast()
        forecast.add([plan(Kind.CONTACT, line)])
        assert (forecast.records, forecast.writes, forecast.read_calls) == (writes, writes, 0)


def test_a_conflict_makes_each_run_look_at_all_kinds() -> None:
    forecast, conflict = Forecast(), plan(Kind.INVOICE, build_change(Action.CONFLICT, invoice()))
    forecast.add([conflict])
    forecast.add([conflict])
    assert counts(forecast) == (0, 4, 4)  # Contacts, Invoices, Credit Notes, Payments


def test_minutes_are_those_of_planning_again_and_of_sixty_calls_a_minute() -> None:
    assert Forecast(writes=100, reads=20, seconds=59.0).minutes == 3
    assert Forecast(writes=60).minutes == 1


# -- measured ----------------------------------------------------------------------------------------------------------

WORKLOADS = {
    "ten orders of a day": Workload("", 10),
    "three runs of plain orders": Workload("", 120, 90),
    "refunds, edits and Allocations in a run": Workload("", 60, 10, WITH_CHANGES),
    "refunds, edits and Allocations in two runs": Workload("", 40, 40, WITH_CHANGES),
}


@pytest.mark.campaign
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if "three runs" in name else ()) for name in WORKLOADS]
)
def test_the_forecast_is_right_within_five_percent(name: str, tmp_path: Path, instance: dg.DagsterInstance) -> None:
    workload = WORKLOADS[name]
    file = books_file(tmp_path, ("start_date: 2026-09-21", f"start_date: {START_DATE}"))
    with staged(tmp_path, workload.synced_at, workload.shop(), BOOKS_FILE=file) as stage:
        assert stage.runner(instance).sync([START_DATE]).succeeded
        stage.clock.sleep(3_600)
        stage.restart()
        runner = stage.runner(instance)
        forecast, failures = runner.forecast(workload.dates)
        assert failures == []
        report = runner.sync(workload.dates)
        assert report.succeeded, report.message
        assert abs(forecast.calls - report.xero_calls) <= 0.05 * report.xero_calls
        again, failures = runner.forecast(workload.dates)
        assert (failures, again.calls) == ([], 0)
        assert runner.sync(workload.dates).xero_calls == 0


@pytest.mark.campaign
@pytest.mark.long
def test_the_forecast_of_a_generated_fortnight_is_right_within_five_percent(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    with staged(tmp_path, at(date(2026, 10, 5), 1)) as stage:
        runner, days = stage.runner(instance), days_between(FIRST, FIRST + timedelta(days=13))
        forecast, failures = runner.forecast(days)
        report = runner.sync(days)
        assert (failures, report.succeeded) == ([], True)
        assert abs(forecast.calls - report.xero_calls) <= 0.05 * report.xero_calls
