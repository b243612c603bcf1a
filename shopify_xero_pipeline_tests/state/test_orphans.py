"""Tests of orphan notes, people's decisions and the days of an order's records; on both databases."""

from contextlib import closing
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.state import row_writes
from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.records import KeptRecord, OrphanNote
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline_tests.support.rows import mapped_row

NOW = datetime(2026, 10, 5, 9, tzinfo=UTC)
FIRST, NEXT = date(2026, 10, 1), date(2026, 10, 2)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def note(order_id: str = "1", cause: str = "deleted", at: datetime = NOW, day: date = FIRST) -> OrphanNote:
    return OrphanNote(order_id=order_id, partition=day, cause=cause, noted_at=at, looked_up_at=at)


def kept(xero_id: str = "x-1", order_id: str = "1", because: str = "written off") -> KeptRecord:
    return KeptRecord(
        xero_id=xero_id, kind="invoice", natural_key="SH-1", order_id=order_id, because=because, decided_at=NOW
    )


def mapped(store: StateStore, order_id: str | None, day: date, number: int) -> None:
    row = mapped_row(
        kind="invoice" if order_id else "contact",
        shopify_id=f"{number}",
        xero_id=f"x-{number}",
        natural_key=f"SH-{number}",
        order_id=order_id,
        partition=day,
        posted_at=NOW,
    )
    with store._engine.begin() as connection:
        row_writes.write_mapping(connection, [row], NOW)


def test_a_note_keeps_since_when_its_cause_holds_and_when_shopify_was_asked_last(store: StateStore) -> None:
    later = NOW + timedelta(hours=1)
    store.orphans.note([note("2", day=NEXT), note("1")])
    store.orphans.note([note("1", at=later)])
    store.orphans.note([note("2", "hidden", at=later, day=NEXT)])
    found = [(one.order_id, one.cause, one.noted_at, one.looked_up_at) for one in store.orphans.notes()]
    assert found == [("1", "deleted", NOW, later), ("2", "hidden", later, later)]
    store.orphans.clear(["1", "3"])
    assert [one.order_id for one in store.orphans.notes()] == ["2"]


def test_a_decision_is_kept_with_its_reason_until_another_one_or_until_it_is_taken_back(store: StateStore) -> None:
    store.orphans.keep([kept("x-1"), kept("x-2", "2")])
    store.orphans.keep([kept("x-1", because="on second thoughts")])
    assert {key: one.because for key, one in store.orphans.decisions(["1", "2"]).items()} == {
        "x-1": "on second thoughts",
        "x-2": "written off",
    }
    assert store.orphans.kept_ids() == {"x-1", "x-2"}
    assert store.orphans.release(["1"]) == 1
    assert store.orphans.decisions(["1"]) == {}
    assert store.orphans.release([]) == 0


def test_orders_are_found_by_the_days_of_their_records_and_move_with_all_of_them(store: StateStore) -> None:
    for number, (order_id, day) in enumerate(
        [("1", FIRST), ("1", NEXT), ("2", NEXT), (None, FIRST), ("3", FIRST - timedelta(days=9))]
    ):
        mapped(store, order_id, day, number)
    assert store.orders_of_days([FIRST]) == {"1": FIRST}
    assert store.orders_of_days([FIRST, NEXT]) == {"1": FIRST, "2": NEXT}
    assert store.orders_before(FIRST) == {"3"}
    assert store.days_of_orders(["1", "2", "9"]) == {"1": {FIRST, NEXT}, "2": {NEXT}}

    second = timedelta(seconds=1)
    assert store.days_posted_since({}) == {FIRST - timedelta(days=9), FIRST, NEXT}
    assert store.days_posted_since({FIRST: NOW, NEXT: NOW - second}) == {FIRST - timedelta(days=9), NEXT}
    assert store.days_posted_since({FIRST - timedelta(days=9): NOW, FIRST: None, NEXT: NOW}) == {FIRST}

    store.assign({"1": NEXT, "3": FIRST, "9": FIRST})
    assert store.days_of_orders(["1", "2", "3"]) == {"1": {NEXT}, "2": {NEXT}, "3": {FIRST}}
    assert [row.natural_key for row in store.mapped_of_orders(["1"])] == ["SH-0", "SH-1"]


def test_a_decision_that_says_something_else_than_was_written_is_not_believed(
    store: StateStore, url: str, clock: ManualClock
) -> None:
    store.orphans.keep([kept()])
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE kept_record SET because = 'forged'"))
    with pytest.raises(StoreDamagedError, match="kept_record"):
        store.orphans.decisions(["1"])
    store.close()
    with closing(StateStore(url, clock)) as again, pytest.raises(StoreDamagedError):
        again.verify()
