"""Every record bears the calendar day of the shop: over both clock changes, month ends, imports and locked periods."""

from datetime import UTC, date, datetime

import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.shopify.models import PaymentSchedule, PaymentTerms
from shopify_xero_pipeline.xero.models import Invoice
from shopify_xero_pipeline_tests.books.booking import DAY, PLACED, blocked, left_alone, posted
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    ledger_of,
    line_item,
    order,
    organisation,
    refund,
    sale,
    shown_documents,
    transaction,
)

SINCE_MARCH = BooksPolicy(start_date=date(2026, 3, 1))
SOLD = sale("100.00", line=11)
BACK = sale("-30.00", action="RETURN", line=11)
LINES = [line_item(11, "100.00")]


def utc(text: str) -> datetime:
    """Return an instant from `2026-09-26 11:59`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def kept_over(sold: str, given_back: str, policy: BooksPolicy = SINCE_MARCH) -> OrderBooks:
    """Return the books of an order sold and paid at one instant, returned and refunded at another (both UTC)."""
    at, later = utc(sold), utc(given_back)
    return posted(
        order(
            agreement(1, SOLD, at=at),
            agreement(2, BACK, reason="REFUND", refund=31, at=later),
            at=at,
            lines=LINES,
            transactions=[transaction(91, "100.00", at=at), transaction(92, "30.00", "REFUND", at=later)],
            refunds=[refund(31, 92, at=later)],
        ),
        policy,
    )


def days(books: OrderBooks) -> list[str]:
    """Return the days of documents, then of payments."""
    return [entry.date.isoformat() for entry in (*books.documents, *books.payments)]


@pytest.mark.parametrize(
    ("sold", "given_back", "expected"),
    [
        # Clocks go forward on 27 September 2026 at 02:00: midnight before it is 12:00 UTC, the one after 11:00 UTC.
        ("2026-09-26 11:59", "2026-09-26 12:00", ("2026-09-26", "2026-09-27")),
        ("2026-09-26 13:59", "2026-09-26 14:00", ("2026-09-27", "2026-09-27")),
        ("2026-09-27 10:59", "2026-09-27 11:00", ("2026-09-27", "2026-09-28")),
        # Clocks go back on 5 April 2026 at 03:00: midnight before it is 11:00 UTC, the one after 12:00 UTC.
        ("2026-04-04 10:59", "2026-04-04 11:00", ("2026-04-04", "2026-04-05")),
        ("2026-04-04 13:30", "2026-04-04 14:30", ("2026-04-05", "2026-04-05")),
        ("2026-04-05 11:59", "2026-04-05 12:00", ("2026-04-05", "2026-04-06")),
        # Month ends, the year's end with daylight saving on, and a refund months later.
        ("2026-09-30 10:59", "2026-09-30 11:00", ("2026-09-30", "2026-10-01")),
        ("2026-04-30 11:59", "2026-04-30 12:00", ("2026-04-30", "2026-05-01")),
        ("2026-12-31 10:59", "2026-12-31 11:00", ("2026-12-31", "2027-01-01")),
        ("2026-03-31 00:00", "2026-10-14 00:00", ("2026-03-31", "2026-10-14")),
    ],
)
def test_sale_and_refund_bear_the_shops_day_over_clock_changes_and_month_ends(
    sold: str, given_back: str, expected: tuple[str, str]
) -> None:
    first, second = expected
    assert days(kept_over(sold, given_back)) == [first, second, first, second]


def test_a_refund_in_a_later_month_is_dated_in_that_month_and_leaves_the_first_as_it_was() -> None:
    books = kept_over("2026-09-28 00:00", "2026-11-03 00:00")
    assert shown_documents(books) == [("SH-1001", "100.00", "0"), ("SH-1001-R2", "-30.00", "0")]
    assert [document.date for document in books.documents] == [date(2026, 9, 28), date(2026, 11, 3)]


def test_two_refunds_in_two_months_are_two_credit_notes_each_in_its_own() -> None:
    october, november = utc("2026-10-05 00:00"), utc("2026-11-05 00:00")
    books = posted(
        order(
            agreement(1, SOLD),
            agreement(2, BACK, reason="REFUND", refund=31, at=october),
            agreement(3, BACK, reason="REFUND", refund=32, at=november),
            lines=LINES,
            transactions=[
                transaction(91, "100.00"),
                transaction(92, "30.00", "REFUND", at=october),
                transaction(93, "30.00", "REFUND", at=november),
            ],
            refunds=[refund(31, 92, at=october), refund(32, 93, at=november)],
        )
    )
    assert days(books) == ["2026-09-22", "2026-10-05", "2026-11-05"] * 2


def test_an_imported_order_is_dated_by_when_it_was_processed_not_by_when_it_was_entered() -> None:
    entered = utc("2026-11-20 00:00")
    back_dated = order(
        agreement(1, SOLD, at=entered),
        at=NOON,
        created_at=entered,
        updated_at=entered,
        lines=LINES,
        transactions=[transaction(91, "100.00", at=NOON)],
    )
    assert days(posted(back_dated)) == ["2026-09-22", "2026-09-22"]


def test_an_imported_orders_payment_entered_later_bears_its_own_day() -> None:
    paid = transaction(91, "100.00", at=utc("2026-11-20 00:00"))
    books = posted(order(agreement(1, SOLD, at=utc("2026-11-20 00:00")), lines=LINES, transactions=[paid]))
    assert days(books) == ["2026-09-22", "2026-11-20"]


def test_an_order_imported_from_before_the_start_date_belongs_to_the_earlier_books() -> None:
    entered = utc("2026-11-20 00:00")
    long_ago = utc("2025-02-03 00:00")
    imported = order(
        agreement(1, SOLD, at=entered),
        at=long_ago,
        created_at=entered,
        lines=LINES,
        transactions=[transaction(91, "100.00", at=long_ago)],
    )
    assert left_alone(imported) == ("skipped", "placed before the start date 2026-09-21 and unchanged since")


def test_the_first_day_of_the_books_is_kept_and_the_last_before_it_is_not() -> None:
    def starting_at(text: str) -> str:
        at = utc(text)
        subject = order(agreement(1, SOLD, at=at), at=at, lines=LINES, transactions=[transaction(91, "100.00", at=at)])
        return posted(subject).documents[0].date.isoformat()

    assert starting_at("2026-09-20 12:00") == "2026-09-21"
    at = utc("2026-09-20 11:59")
    before = order(agreement(1, SOLD, at=at), at=at, transactions=[transaction(91, "100.00", at=at)])
    assert left_alone(before)[0] == "skipped"


def test_money_of_an_older_order_is_for_the_invoice_of_the_earlier_books_and_says_so() -> None:
    at = utc("2026-09-20 00:00")
    late = order(agreement(1, SOLD, at=at), at=at, lines=LINES, transactions=[transaction(91, "100.00", at=NOON)])
    assert "opening: placed before the start date 2026-09-21 and changed or paid since" in blocked(late)
    assert "enter the money in Xero on its earlier invoice" in blocked(late, BooksPolicy(opening="post"))


def due(*instants: str, locked: date | None = None) -> tuple[str, str]:
    """Return day and due day of an order with instalments due at these instants (UTC)."""
    terms = PaymentTerms(payment_schedules=tuple(PaymentSchedule(due_at=utc(instant)) for instant in instants))
    policy = BooksPolicy(locked_period="next_open_day")
    books = posted(
        order(agreement(1, SOLD), lines=LINES, payment_terms=terms), policy, xero=organisation(locked=locked)
    )
    (document,) = books.documents
    assert isinstance(document, Invoice)
    return document.date.isoformat(), document.due_date.isoformat()


def test_payment_terms_are_due_on_their_last_day_by_the_shops_clock() -> None:
    assert due("2026-10-22 10:59") == ("2026-09-22", "2026-10-22")
    assert due("2026-10-22 11:00") == ("2026-09-22", "2026-10-23")
    assert due("2026-10-06 00:00", "2026-11-06 00:00", "2026-10-21 00:00") == ("2026-09-22", "2026-11-06")


def test_an_invoice_is_never_due_before_its_own_day() -> None:
    assert due("2026-09-01 00:00") == ("2026-09-22", "2026-09-22")
    assert due("2026-09-25 00:00", locked=date(2026, 9, 30)) == ("2026-10-01", "2026-10-01")


def test_both_lock_dates_count_and_the_later_one_decides() -> None:
    subject = order(agreement(1, SOLD), lines=LINES, transactions=[transaction(91, "100.00")])
    for year_end, period in ((date(2026, 9, 22), None), (date(2026, 3, 31), date(2026, 9, 22))):
        locked = organisation().model_copy(update={"end_of_year_lock_date": year_end, "period_lock_date": period})
        assert "Xero's lock date is 2026-09-22" in blocked(subject, xero=locked)


def test_a_refund_into_a_locked_month_moves_with_its_money_and_says_its_true_day() -> None:
    locked = organisation(locked=date(2026, 10, 31))
    policy = BooksPolicy(locked_period="next_open_day")
    at = utc("2026-10-05 00:00")
    first = order(agreement(1, SOLD), lines=LINES, transactions=[transaction(91, "100.00")])
    before = posted(first, policy)
    refunded = order(
        agreement(1, SOLD),
        agreement(2, BACK, reason="REFUND", refund=31, at=at),
        lines=LINES,
        transactions=[transaction(91, "100.00"), transaction(92, "30.00", "REFUND", at=at)],
        refunds=[refund(31, 92, at=at)],
    )
    books = posted(refunded, policy, ledger_of(before), locked)
    assert days(books) == ["2026-09-22", "2026-11-01", "2026-09-22", "2026-11-01"]
    assert books.documents[1].lines[0].description == "Mug (dated 2026-10-05 in Shopify)"


def test_an_allocation_in_a_locked_month_is_blocked_or_moved_as_the_merchant_says() -> None:
    # Both documents were posted before the month was locked; only the allocation is new.
    back = agreement(2, BACK, reason="RETURN", at=NOON + DAY)
    subject = order(agreement(1, SOLD), back, lines=LINES)
    posted_before = ledger_of(posted(subject, PLACED)).model_copy(update={"allocations": ()})
    locked = organisation(locked=date(2026, 9, 30))
    reason = blocked(subject, PLACED, posted_before, locked)
    assert "the allocation of SH-1001-T2 to SH-1001 is dated 2026-09-23" in reason
    moved = posted(subject, BooksPolicy(post_when="placed", locked_period="next_open_day"), posted_before, locked)
    assert [entry.date for entry in moved.allocations] == [date(2026, 10, 1)]
    assert [entry.date for entry in moved.documents] == [date(2026, 9, 22), date(2026, 9, 23)]
