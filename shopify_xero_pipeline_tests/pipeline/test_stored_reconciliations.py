"""Days, months and taxes from the summaries of reconciled days: the same figures as from the days themselves."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import event

from shopify_xero_pipeline.pipeline.books_status import books_status
from shopify_xero_pipeline.pipeline.reconciled_days import (
    last_reconciled_at,
    load_summaries,
    load_totals,
    store_reconciliations,
)
from shopify_xero_pipeline.reconciliation.card_changes import REDEEMED, REFUNDED, SOLD
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.day_summaries import summarize_day, total_day
from shopify_xero_pipeline.reconciliation.movements import Movement, StatementSection
from shopify_xero_pipeline.reconciliation.verdict import agreement_of_orders, sum_agreements
from shopify_xero_pipeline_tests.support.rows import order_row
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, carry

NEXT = FIRST + timedelta(days=1)
DAYS = [FIRST + timedelta(days=number) for number in range(5)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, at(FIRST + timedelta(days=2))) as stage:
        yield stage


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Five days of a generated shop, with skipped orders, warnings and gift cards, are in Xero."""
    with staged(tmp_path_factory.mktemp("house"), at(DAYS[-1], 23)) as stage:
        carry(stage.sync_service, DAYS)
        yield stage


def forget_summaries(stage: Stage) -> None:
    """Make the store one of the version before the summaries."""
    store = stage.sync_service.connections.store
    names = [
        name for prefix in ("day_summary", "day_totals", "day_summaries") for name in store.names_of_values(prefix)
    ]
    assert names
    store.put_values(dict.fromkeys(names))


def test_the_summaries_of_a_shop_have_the_figures_of_its_days(house: Stage) -> None:
    reconciliations = house.sync_service.reconciliations
    days, summaries = reconciliations.of_days(DAYS), reconciliations.summaries(DAYS)
    assert [summary.day for summary in summaries] == DAYS
    assert summaries == [summarize_day(day) for day in days]
    assert sum_agreements(summary.agreement for summary in summaries) == agreement_of_orders(days)
    assert reconciliations.totals(DAYS) == [total_day(day, "830") for day in days]
    assert {row.outcome for summary in summaries for row in summary.rows} == {"posted", "skipped"}
    assert sum(len(summary.rows) for summary in summaries) < sum(summary.orders for summary in summaries) / 2


def test_a_store_without_summaries_gets_them_at_the_first_look_and_shows_the_same(house: Stage) -> None:
    sync_service = house.sync_service
    store, reconciliations = sync_service.connections.store, sync_service.reconciliations
    seen = [
        lambda: books_status(sync_service).summary(reconciliations.of_days(DAYS)),
        lambda: reconciliations.month_statement(date(2026, 9, 1)),
        lambda: reconciliations.totals(DAYS),
        lambda: reconciliations.disagreements(),
        lambda: last_reconciled_at(store, DAYS),
    ]
    for look in seen:
        before = look()
        forget_summaries(house)
        house.clock.sleep(60)
        assert look() == before


def test_an_order_that_moved_is_on_the_day_compared_last_only(stage: Stage) -> None:
    store = stage.sync_service.connections.store
    waiting = order_row(order_id="7", outcome="waiting", reason="not paid")
    store_reconciliations(store, [DayReconciliation(day=FIRST, rows=(waiting, order_row(order_id="8")))], "830")
    stage.clock.sleep(60)
    store_reconciliations(store, [DayReconciliation(day=NEXT, rows=(waiting,))], "830")

    first, second = load_summaries(store, [FIRST, NEXT], "830")
    assert (first.orders, first.rows, first.agreement.of("waiting").count) == (1, (), 0)
    assert (second.orders, second.rows) == (1, (waiting,))


@pytest.mark.campaign
def test_an_order_that_is_posted_on_another_day_since_is_not_waiting_on_the_former_one(house: Stage) -> None:
    store, reconciliations = house.sync_service.connections.store, house.sync_service.reconciliations
    before = reconciliations.summaries(DAYS)
    first, second = reconciliations.of_days(DAYS[:2])
    posted = next(row for row in second.rows if row.outcome == "posted")
    stale = posted.model_copy(update={"outcome": "waiting", "reason": "not paid"})
    house.clock.sleep(60)
    store_reconciliations(store, [first.model_copy(update={"rows": (*first.rows, stale), "orphans": ()})], "830")
    house.clock.sleep(60)
    assert stale in reconciliations.summaries(DAYS)[0].rows, "its day was compared after the other"
    store_reconciliations(store, [second.model_copy(update={"orphans": ()})], "830")

    assert reconciliations.summaries(DAYS) == before
    store_reconciliations(store, [first.model_copy(update={"orphans": ()})], "830")


def test_the_totals_of_a_day_are_by_the_month_of_the_posting_date() -> None:
    def movement(posted: date, amount: str, category: str = "goods") -> Movement:
        columns = dict.fromkeys(("shopify", "mapping", "xero"), Decimal(amount))
        side = StatementSection.SALES
        return Movement(posted=posted, currency="NZD", side=side, key="200", category=category, **columns)

    movements = (
        movement(date(2026, 9, 21), "10.00"), movement(date(2026, 9, 30), "0.10"),
        movement(date(2026, 9, 30), "5.00", "shipping"), movement(date(2026, 10, 1), "-10.00"),
    )  # fmt: skip
    totals = total_day(DayReconciliation(day=FIRST, rows=(), movements=movements, left=movements[1:2]), "830")

    september, october = date(2026, 9, 1), date(2026, 10, 1)
    assert totals.movements == (
        movement(september, "10.10"), movement(september, "5.00", "shipping"), movement(october, "-10.00")
    )  # fmt: skip
    assert totals.left == (movement(september, "0.10"),)


def test_a_dropped_reconciliation_has_no_summary(stage: Stage) -> None:
    sync_service = stage.sync_service
    store = sync_service.connections.store
    store_reconciliations(store, [DayReconciliation(day=FIRST, rows=(order_row(outcome="failed"),))], "830")
    assert len(load_summaries(store, [FIRST], "830")) == len(load_totals(store, [FIRST], "830")) == 1
    sync_service.record_ownership._move_records({"5001": NEXT}, {"5001": FIRST}, {}, [NEXT])

    assert (load_summaries(store, [FIRST], "830"), load_totals(store, [FIRST], "830")) == ([], [])
    assert sync_service.reconciliations.disagreements() == []


def rows_of(stage: Stage, look: str) -> int:
    """Return the number of orders' texts that a look reads, as rows of `key_value` with a whole reconciliation."""
    sync_service, names = stage.sync_service, list[str]()
    engine = sync_service.connections.store._engine

    def note(_connection: object, _cursor: object, _text: str, parameters: tuple[object, ...], *_: object) -> None:
        names.extend(str(value) for value in parameters if str(value).startswith("reconciliation."))

    event.listen(engine, "before_cursor_execute", note)
    try:
        if look == "status":
            books_status(sync_service)
        else:
            sync_service.reconciliations.month_statement(FIRST.replace(day=1))
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return len(names)


@pytest.mark.parametrize("look", ["status", "month"])
def test_a_look_at_days_or_a_month_reads_no_whole_day(house: Stage, look: str) -> None:
    rows_of(house, look)  # a store of an earlier version gets its summaries
    assert rows_of(house, look) == 0


def test_a_month_has_the_same_gift_cards_from_compared_days_and_from_their_records(
    house: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconciliations, store = house.sync_service.reconciliations, house.sync_service.connections.store
    before = reconciliations.month_statement(date(2026, 9, 1))
    monkeypatch.setattr(store, "days_posted_since", lambda instants: {*instants})
    assert reconciliations.month_statement(date(2026, 9, 1)) == before
    assert before.gift_cards


def test_another_account_of_gift_cards_has_the_changes_on_that_account(house: Stage) -> None:
    store = house.sync_service.connections.store
    before = load_totals(store, DAYS, "830")
    on_sales = load_totals(store, DAYS, "200")
    assert {change.line for day in before for change in day.card_changes} == {REDEEMED, REFUNDED}
    assert {change.line for day in on_sales for change in day.card_changes} == {SOLD}
    assert load_totals(store, DAYS, "830") == before


def test_the_gift_cards_of_a_day_are_read_anew_while_its_comparison_is_older_than_its_records(stage: Stage) -> None:
    sync_service = stage.sync_service
    store = sync_service.connections.store
    carry(sync_service, [FIRST, NEXT])
    before = sync_service.reconciliations.month_statement(date(2026, 9, 1)).gift_cards
    assert before
    store.put_values(dict.fromkeys([*store.names_of_values("reconciliation"), *store.names_of_values("day_summary")]))

    (cards,) = sync_service.reconciliations.month_statement(date(2026, 9, 1)).gift_cards
    assert {other.why.partition(" is ")[2] for other in cards.others} == {"not compared yet"}
    assert cards.lines[-1] == before[0].lines[-1], "the balance of the account in Xero is the same"
