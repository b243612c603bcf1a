"""Money in every order it can come: several gateways, authorised and captured, late, failed, in cash."""

from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy, RefundPolicy
from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.shopify.models import Agreement, Transaction
from shopify_xero_pipeline_tests.books.booking import DAY, PLACED, blocked, edited, left_alone, posted, refunded
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    ledger_of,
    line_item,
    order,
    organisation,
    refund,
    sale,
    shown_allocations,
    shown_documents,
    shown_payments,
    tax,
    transaction,
)

SOLD = agreement(1, sale("100.00", tax("13.04"), line=11))
LINES = [line_item(11, "100.00"), line_item(12, "20.00")]


def books_of(*money: Transaction, later: tuple[Agreement, ...] = (), before: OrderBooks | None = None) -> OrderBooks:
    ledger = ledger_of(before) if before is not None else None
    return posted(order(SOLD, *later, lines=LINES, transactions=money), ledger=ledger)


def test_an_order_paid_through_four_gateways_has_a_payment_on_each_account() -> None:
    books = books_of(
        transaction(91, "40.00"),
        transaction(92, "30.00", gateway="paypal"),
        transaction(93, "20.00", gateway="gift_card"),
        transaction(94, "10.00", gateway="cash"),
    )
    assert shown_payments(books) == [
        ("SH-1001", "40.00", "601"),
        ("SH-1001", "30.00", "602"),
        ("SH-1001", "20.00", "830"),
        ("SH-1001", "10.00", "603"),
    ]


def test_an_authorisation_waits_and_every_part_captured_is_a_payment_of_its_day() -> None:
    authorised = transaction(91, "100.00", "AUTHORIZATION")
    waiting = order(SOLD, lines=LINES, transactions=[authorised], display_financial_status="AUTHORIZED")
    assert left_alone(waiting)[0] == "waiting"
    first = transaction(92, "60.00", "CAPTURE", parent=91, at=NOON + DAY)
    half = books_of(authorised, first)
    assert shown_payments(half) == [("SH-1001", "60.00", "601")]
    whole = books_of(authorised, first, transaction(93, "40.00", "CAPTURE", parent=91, at=NOON + 3 * DAY), before=half)
    assert shown_payments(whole) == [("SH-1001", "60.00", "601"), ("SH-1001", "40.00", "601")]
    assert [entry.date for entry in whole.payments] == [date(2026, 9, 23), date(2026, 9, 25)]


def test_an_authorisation_at_a_card_terminal_moves_no_money() -> None:
    authorised = transaction(91, "100.00", "EMV_AUTHORIZATION")
    captured = transaction(92, "100.00", "CAPTURE", parent=91)
    assert left_alone(order(SOLD, transactions=[authorised]))[0] == "waiting"
    assert shown_payments(books_of(authorised, captured)) == [("SH-1001", "100.00", "601")]


def test_a_voided_authorisation_leaves_the_order_waiting() -> None:
    money = [transaction(91, "100.00", "AUTHORIZATION"), transaction(92, "100.00", "VOID", parent=91)]
    outcome, reason = left_alone(order(SOLD, transactions=money, display_financial_status="VOIDED"))
    assert outcome == "waiting"
    assert "Shopify calls it voided" in reason


def test_a_part_payment_posts_the_whole_invoice_and_leaves_the_rest_due() -> None:
    books = books_of(transaction(91, "25.00"))
    assert shown_documents(books) == [("SH-1001", "100.00", "13.04")]
    assert (shown_payments(books), books.outstanding) == ([("SH-1001", "25.00", "601")], Decimal("75.00"))


def test_a_pending_payment_waits_and_is_dated_by_the_day_it_settled() -> None:
    pending = transaction(91, "100.00", gateway="Bank Deposit", status="PENDING")
    assert left_alone(order(SOLD, transactions=[pending], display_financial_status="PENDING"))[0] == "waiting"
    settled = transaction(91, "100.00", gateway="Bank Deposit", at=NOON + 4 * DAY)
    books = books_of(settled)
    assert shown_payments(books) == [("SH-1001", "100.00", "604")]
    assert (books.documents[0].date, books.payments[0].date) == (date(2026, 9, 22), date(2026, 9, 26))


def test_a_failed_payment_and_the_second_try_are_one_payment() -> None:
    books = books_of(transaction(91, "100.00", status="FAILURE"), transaction(92, "100.00"))
    assert [payment.shopify_id for payment in books.payments] == ["92/SH-1001"]


def test_a_payment_in_error_never_posts_the_order_by_itself() -> None:
    assert left_alone(order(SOLD, transactions=[transaction(91, "100.00", status="ERROR")]))[0] == "waiting"


def test_too_much_paid_blocks_until_the_order_is_worth_it() -> None:
    over = [transaction(91, "100.00"), transaction(92, "10.00", at=NOON + DAY)]
    assert "payments exceed the invoices: 10.00 of transaction 92" in blocked(
        order(SOLD, lines=LINES, transactions=over)
    )
    added = edited(2, sale("10.00", tax("1.30"), line=12))
    assert shown_payments(books_of(*over, later=(added,)))[1:] == [("SH-1001-E2", "10.00", "601")]


def test_a_second_payment_by_mistake_cancels_out_once_it_was_given_back() -> None:
    twice = [transaction(91, "100.00"), transaction(92, "100.00")]
    assert "payments exceed the invoices: 100.00 of transaction 92" in blocked(
        order(SOLD, lines=LINES, transactions=twice)
    )
    books = books_of(*twice, transaction(93, "100.00", "REFUND", at=NOON + DAY))
    assert shown_payments(books) == [("SH-1001", "100.00", "601")]
    assert [found.number for found in books.documents] == ["SH-1001"]


def test_what_cancelled_out_stays_so_whatever_is_added_to_the_order_later() -> None:
    twice = [transaction(91, "100.00"), transaction(92, "100.00"), transaction(93, "100.00", "REFUND", at=NOON + DAY)]
    later = edited(2, sale("20.00", tax("2.61"), line=12), day=2)
    unpaid = books_of(*twice, later=(later,))
    assert [document.number for document in unpaid.documents] == ["SH-1001", "SH-1001-E2"]
    assert shown_payments(unpaid) == [("SH-1001", "100.00", "601")]
    paid = books_of(*twice, transaction(94, "20.00", at=NOON + 3 * DAY), later=(later,), before=unpaid)
    assert shown_payments(paid) == [("SH-1001", "100.00", "601"), ("SH-1001-E2", "20.00", "601")]
    assert [payment.shopify_id for payment in paid.payments] == ["91/SH-1001", "94/SH-1001-E2"]


def test_of_too_much_paid_only_what_went_back_cancels_out() -> None:
    money = [transaction(91, "130.00"), transaction(92, "20.00", "REFUND", at=NOON + DAY)]
    assert "payments exceed the invoices: 10.00 of transaction 91" in blocked(
        order(SOLD, lines=LINES, transactions=money)
    )
    rest = transaction(93, "10.00", "REFUND", at=NOON + 2 * DAY)
    assert shown_payments(books_of(*money, rest)) == [("SH-1001", "100.00", "601")]


def test_too_much_paid_does_not_cancel_out_with_money_given_back_from_another_account() -> None:
    crossed = [transaction(91, "200.00"), transaction(92, "100.00", "REFUND", gateway="paypal", at=NOON + DAY)]
    assert "payments exceed the invoices: 100.00 of transaction 91" in blocked(
        order(SOLD, lines=LINES, transactions=crossed)
    )


def test_with_uncovered_refunds_adjusted_only_what_paid_nothing_back_gets_a_credit_note() -> None:
    policy = BooksPolicy(refund=RefundPolicy(uncovered="adjust"))
    money = [transaction(91, "130.00"), transaction(92, "50.00", "REFUND", at=NOON + DAY)]
    books = build_order_books(order(SOLD, lines=LINES, transactions=money), policy, organisation())
    assert [(document.number, str(document.total)) for document in books.documents] == [
        ("SH-1001", "100.00"),
        ("SH-1001-M92", "20.00"),
    ]
    assert shown_payments(books) == [("SH-1001", "100.00", "601"), ("SH-1001-M92", "20.00", "601")]


def cash(number: int, amount: str, kind: str = "SALE", rounding: str | None = None) -> Transaction:
    return transaction(number, amount, kind, gateway="cash", rounding=rounding)


def test_change_from_a_mixed_payment_comes_off_the_cash_only() -> None:
    books = books_of(transaction(91, "55.00"), cash(92, "50.00"), cash(93, "5.00", "CHANGE"))
    assert shown_payments(books) == [("SH-1001", "55.00", "601"), ("SH-1001", "45.00", "603")]


def test_cash_rounded_up_and_down_on_one_order_are_two_small_documents() -> None:
    later = edited(2, sale("20.00", tax("2.61"), line=12))
    down = cash(92, "20.00", rounding="-0.01")
    books = books_of(cash(91, "100.00", rounding="0.02"), down, later=(later,))
    assert shown_documents(books)[2:] == [("SH-1001-C91", "0.02", "0"), ("SH-1001-C92", "-0.01", "0")]
    assert shown_payments(books) == [
        ("SH-1001", "100.00", "603"),
        ("SH-1001-E2", "19.99", "603"),
        ("SH-1001-C91", "0.02", "603"),
    ]
    assert shown_allocations(books) == [("SH-1001-C92", "SH-1001-E2", "0.01")]


def test_change_of_rounded_cash_is_rounded_once_wherever_shopify_notes_it() -> None:
    # due 10.03, in cash 10.05: 20.00 taken, 9.95 given back
    small = agreement(1, sale("10.03", tax("1.31"), line=11))
    on_the_sale = [cash(91, "19.98", rounding="0.02"), cash(92, "9.95", "CHANGE")]
    on_the_change = [cash(91, "20.00"), cash(92, "9.97", "CHANGE", rounding="-0.02")]
    for money in (on_the_sale, on_the_change):
        books = posted(order(small, lines=[line_item(11, "10.03")], transactions=money))
        assert shown_documents(books)[1:] == [("SH-1001-C91", "0.02", "0")]
        assert shown_payments(books) == [("SH-1001", "10.03", "603"), ("SH-1001-C91", "0.02", "603")]


def test_rounded_cash_given_back_both_ways_leaves_nothing_open() -> None:
    back = refunded(2, sale("-100.00", tax("-13.04"), action="RETURN", quantity=-1, line=11), refund=31)
    for rounding, note, more in (("0.02", "-0.02", [("SH-1001-C92", "0.02", "603")]), ("-0.02", "0.02", [])):
        subject = order(
            SOLD,
            back,
            lines=LINES,
            transactions=[transaction(91, "100.00"), cash(92, "100.00", "REFUND", rounding)],
            refunds=[refund(31, 92)],
        )
        books = posted(subject)
        assert shown_documents(books)[-1] == ("SH-1001-C92", note, "0")
        paid_back = "100.00" if more else "99.98"
        assert shown_payments(books)[1:] == [("SH-1001-R2", paid_back, "603"), *more]
        assert shown_allocations(books) == ([] if more else [("SH-1001-R2", "SH-1001-C92", "0.02")])


def test_a_late_payment_fills_only_what_the_earlier_one_left() -> None:
    later = edited(2, sale("20.00", tax("2.61"), line=12))
    first = transaction(91, "110.00")
    before = books_of(first, later=(later,))
    assert shown_payments(before) == [("SH-1001", "100.00", "601"), ("SH-1001-E2", "10.00", "601")]
    after = books_of(
        first, transaction(92, "10.00", gateway="paypal", at=NOON + 9 * DAY), later=(later,), before=before
    )
    assert after.payments[:2] == before.payments
    assert shown_payments(after)[2:] == [("SH-1001-E2", "10.00", "602")]


def test_an_edit_that_turns_up_late_leaves_the_money_where_it_was_placed() -> None:
    added = edited(3, sale("20.00", tax("2.61"), line=12), day=2)
    both = (transaction(91, "100.00"), transaction(92, "20.00", at=NOON + 2 * DAY))
    before = books_of(*both, later=(added,))
    earlier = edited(2, sale("20.00", tax("2.61"), line=12), day=1)
    after = books_of(*both, later=(earlier, added), before=before)
    assert shown_documents(after) == [
        ("SH-1001", "100.00", "13.04"),
        ("SH-1001-E2", "20.00", "2.61"),
        ("SH-1001-E3", "20.00", "2.61"),
    ]
    assert shown_payments(after) == [("SH-1001", "100.00", "601"), ("SH-1001-E3", "20.00", "601")]


def test_a_refund_that_settles_late_finds_its_credit_note_although_others_came_between() -> None:
    first = refunded(2, sale("-30.00", tax("-3.91"), action="RETURN", line=11), day=1, refund=31)
    second = refunded(3, sale("-20.00", tax("-2.61"), action="RETURN", line=11), day=2, refund=32)
    refunds = [refund(31, 92, at=NOON + DAY), refund(32, 93, at=NOON + 2 * DAY)]
    money = [
        transaction(91, "100.00"),
        transaction(92, "30.00", "REFUND", status="PENDING", at=NOON + DAY),
        transaction(93, "20.00", "REFUND", at=NOON + 2 * DAY),
    ]
    before = posted(order(SOLD, first, second, lines=LINES, transactions=money, refunds=refunds))
    assert shown_payments(before)[1:] == [("SH-1001-R3", "20.00", "601")]
    settled = transaction(92, "30.00", "REFUND", at=NOON + 5 * DAY)
    subject = order(SOLD, first, second, lines=LINES, transactions=[money[0], settled, money[2]], refunds=refunds)
    after = posted(subject, ledger=ledger_of(before))
    assert shown_payments(after)[1:] == [("SH-1001-R2", "30.00", "601"), ("SH-1001-R3", "20.00", "601")]
    assert after.payments[1].date == date(2026, 9, 27)


def test_credit_allocated_earlier_stays_allocated_when_the_rest_is_paid_late() -> None:
    back = refunded(2, sale("-30.00", tax("-3.91"), action="RETURN", line=11))
    before = posted(order(SOLD, back, lines=LINES), PLACED)
    late = order(SOLD, back, lines=LINES, transactions=[transaction(91, "70.00", at=NOON + 30 * DAY)])
    after = posted(late, PLACED, ledger_of(before))
    assert after.allocations == before.allocations
    assert shown_payments(after) == [("SH-1001", "70.00", "601")]
    assert after.payments[0].date == date(2026, 10, 22)
