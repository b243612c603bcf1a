"""Which records and which days are open, as our own files say; other days are not read for it."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from shopify_xero_pipeline.pipeline.open_failures import IN_DOUBT_REASON, PLANNED_REASON, days_with_most, open_records
from shopify_xero_pipeline.pipeline.reconciled_days import last_reconciled_at, store_reconciliations
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.disagreements import disagreement_of_day
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.rows import order_row
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, carry

KINDS = [kind.value for kind in Kind]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(FIRST + timedelta(days=2))) as stage:
        yield stage


def disagreements(stage: Stage) -> list[tuple[date, int, list[str]]]:
    found = stage.sync_service.reconciliations.disagreements()
    return [(one.day, one.orders, [order.order_name for order in one.named]) for one in found]


def remember(stage: Stage, day: date, *rows: object) -> None:
    compared = DayReconciliation.model_validate({"day": day, "rows": rows})
    stage.sync_service.connections.store.put_value(f"reconciliation.{day}", compared.model_dump_json())


@pytest.mark.campaign
def test_a_refused_record_is_open_with_its_order_and_reason_and_what_waits_for_it_is_open_as_well(stage: Stage) -> None:
    stage.sandbox.faults.add(Fault(kind=FaultKind.REFUSED, path="/Invoices", times=None, answer="No more invoices"))
    (day,) = carry(stage.sync_service, [FIRST])
    invoices = open_records(stage.sync_service.connections.store, ["invoice"])
    assert {(one.day, one.is_failed) for one in invoices} == {(FIRST, True)}
    assert {one.order_name for one in invoices} <= {row.order_name for row in day.rows}
    assert all("No more invoices" in one.reason and one.name.startswith("SH-") for one in invoices)
    payments = open_records(stage.sync_service.connections.store, ["payment", "allocation"])
    assert {one.is_failed for one in payments} == {False}
    assert all(one.reason.startswith(PLANNED_REASON) and "waits for its Invoice" in one.reason for one in payments)
    assert open_records(stage.sync_service.connections.store, ["contact"]) == []
    ((at_first, orders, _),) = disagreements(stage)
    assert (at_first, orders) == (FIRST, day.count("failed"))
    assert orders > 0


@pytest.mark.campaign
def test_a_write_whose_outcome_is_not_known_is_open_until_it_is_read_back(stage: Stage) -> None:
    drop = Fault(kind=FaultKind.DROP_AFTER, method="PUT", path="/Payments", times=None)
    stage.sandbox.faults.add(drop)
    carry(stage.sync_service, [FIRST])
    found = open_records(stage.sync_service.connections.store, ["payment"])
    assert found
    assert {one.is_failed for one in found} == {False}
    assert any(one.reason.startswith(IN_DOUBT_REASON) for one in found)
    stage.sandbox.faults.clear()
    stage.clock.sleep(3600)
    carry(stage.sync_service, [FIRST], "the next run")
    assert open_records(stage.sync_service.connections.store, KINDS) == []
    assert disagreements(stage) == []


def test_a_day_that_agrees_again_is_no_longer_listed(stage: Stage) -> None:
    broken = order_row(order_name="#9", problems=("sales: 10, 9",), outcome="posted")
    sync_service = stage.sync_service
    assert sync_service.reconciliations.disagreements() == []
    store_reconciliations(
        sync_service.connections.store, [DayReconciliation(day=FIRST, rows=(order_row(), broken))], "830"
    )
    assert disagreements(stage) == [(FIRST, 1, ["#9"])]
    store_reconciliations(sync_service.connections.store, [DayReconciliation(day=FIRST, rows=(order_row(),))], "830")
    assert disagreements(stage) == []


def test_only_days_of_the_books_are_listed(stage: Stage) -> None:
    broken = DayReconciliation(day=FIRST - timedelta(days=1), rows=(order_row(outcome="failed", reason="no"),))
    store_reconciliations(
        stage.sync_service.connections.store, [broken, broken.model_copy(update={"day": FIRST})], "830"
    )
    assert disagreements(stage) == [(FIRST, 1, ["#1001"])]


def test_the_days_of_a_store_from_before_are_looked_through_once_and_keep_the_time_of_their_comparison(
    stage: Stage,
) -> None:
    remember(stage, FIRST, order_row(outcome="failed", reason="refused"))
    before = last_reconciled_at(stage.sync_service.connections.store, [FIRST])
    stage.clock.sleep(60)
    assert disagreements(stage) == [(FIRST, 1, ["#1001"])]
    assert last_reconciled_at(stage.sync_service.connections.store, [FIRST]) == before
    remember(stage, FIRST + timedelta(days=1), order_row(outcome="failed", reason="refused"))
    assert [day for day, *_ in disagreements(stage)] == [FIRST]


def test_listing_the_days_that_disagree_reads_no_stored_day(stage: Stage) -> None:
    """However long the history: one question for the mark that they are kept, one for the few that disagree."""
    sync_service = stage.sync_service
    rows = tuple(order_row(order_name=f"#{number}") for number in range(50))
    days = [DayReconciliation(day=FIRST - timedelta(days=number), rows=rows) for number in range(100)]
    store_reconciliations(sync_service.connections.store, days, "830")
    sync_service.reconciliations.disagreements()
    asked: list[tuple[str, Any]] = []
    engine = sync_service.connections.store._engine
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    assert sync_service.reconciliations.disagreements() == []
    selects = [(words, values) for words, values in asked if "FROM key_value" in words]
    assert [values for _, values in selects] == [("day_summaries.stored",), ("disagreement.", "disagreement/")]
    others = [words for words, _ in asked if words.startswith("SELECT") and "FROM key_value" not in words]
    assert len(others) == 2  # whether an order is noted as an orphan, or mapped to a day before the start date
    with engine.begin() as connection:
        (plan,) = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {selects[1][0]}", selects[1][1]).all()
    assert "SEARCH key_value USING INDEX" in plan[3]


def test_the_first_twenty_orders_of_a_day_are_kept_and_all_are_counted() -> None:
    rows = tuple(order_row(order_name=f"#{number}", lost=1) for number in range(25))
    found = disagreement_of_day(DayReconciliation(day=FIRST, rows=rows))
    assert found is not None
    assert (found.orders, len(found.named)) == (25, 20)


def test_the_worst_days_come_first_and_of_equal_ones_the_older() -> None:
    first, second, third = (FIRST + timedelta(days=number) for number in range(3))
    assert days_with_most([third, second, first, second]) == [(second, 2), (first, 1), (third, 1)]
