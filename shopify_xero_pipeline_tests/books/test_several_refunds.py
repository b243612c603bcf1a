"""Several refunds of one order, their money under way, failed, or sent another way than it came."""

from datetime import date

from shopify_xero_pipeline.books.policy import DEFAULT_PAYMENTS, BooksPolicy, RefundPolicy
from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.shopify.models import Sale, Transaction
from shopify_xero_pipeline_tests.books.booking import DAY, PLACED, blocked, posted, refunded
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    ledger_of,
    line_item,
    order,
    refund,
    sale,
    shown_allocations,
    shown_documents,
    shown_line,
    shown_payments,
    tax,
    transaction,
)

SOLD = agreement(1, sale("10.00", tax("1.30"), quantity=3, line=11))
LINES = [line_item(11, "4.00")]
PAID = transaction(91, "10.00")


def unit(total: str, own_tax: str) -> Sale:
    return sale(total, tax(own_tax), action="RETURN", quantity=-1, line=11)


def test_three_units_refunded_one_by_one_give_back_every_cent_of_price_and_tax() -> None:
    books = posted(
        order(
            SOLD,
            refunded(2, unit("-3.34", "-0.44"), day=1, refund=31),
            refunded(3, unit("-3.33", "-0.43"), day=2, refund=32),
            refunded(4, unit("-3.33", "-0.43"), day=3, refund=33),
            lines=LINES,
            transactions=[
                PAID,
                transaction(92, "3.34", "REFUND", at=NOON + DAY),
                transaction(93, "3.33", "REFUND", at=NOON + 2 * DAY),
                transaction(94, "3.33", "REFUND", at=NOON + 3 * DAY),
            ],
            refunds=[
                refund(31, 92, at=NOON + DAY),
                refund(32, 93, at=NOON + 2 * DAY),
                refund(33, 94, at=NOON + 3 * DAY),
            ],
        )
    )
    assert shown_documents(books) == [
        ("SH-1001", "10.00", "1.30"),
        ("SH-1001-R2", "-3.34", "0.44"),
        ("SH-1001-R3", "-3.33", "0.43"),
        ("SH-1001-R4", "-3.33", "0.43"),
    ]
    assert shown_payments(books)[1:] == [
        ("SH-1001-R2", "3.34", "601"),
        ("SH-1001-R3", "3.33", "601"),
        ("SH-1001-R4", "3.33", "601"),
    ]
    assert [entry.date for entry in books.documents[1:]] == [date(2026, 9, 23), date(2026, 9, 24), date(2026, 9, 25)]


def test_two_units_refunded_together_stand_once_where_the_cents_do_not_divide() -> None:
    back = refunded(2, sale("-6.67", tax("-0.87"), action="RETURN", quantity=-2, line=11))
    books = posted(order(SOLD, back, lines=LINES, transactions=[PAID]))
    (line,) = books.documents[1].lines
    assert (str(line.quantity), str(line.unit_amount), line.description) == ("1", "6.67", "Mug (2 units)")


def test_two_units_refunded_together_are_two_units_where_the_cents_divide() -> None:
    back = refunded(2, sale("-6.66", tax("-0.86"), action="RETURN", quantity=-2, line=11))
    (line,) = posted(order(SOLD, back, lines=LINES, transactions=[PAID])).documents[1].lines
    assert (str(line.quantity), str(line.unit_amount), str(line.tax_amount)) == ("2", "3.33", "0.86")


def one_refund(*money: Transaction, policy: BooksPolicy | None = None, ids: tuple[int, ...] = (92,)) -> OrderBooks:
    back = refunded(2, unit("-4.00", "-0.52"), refund=31)
    subject = order(SOLD, back, lines=LINES, transactions=[PAID, *money], refunds=[refund(31, *ids, at=NOON + DAY)])
    return posted(subject, policy)


def test_a_refund_whose_money_is_under_way_is_credited_and_its_payment_waits() -> None:
    under_way = transaction(92, "4.00", "REFUND", status="PENDING", at=NOON + DAY)
    books = one_refund(under_way)
    assert shown_documents(books)[1:] == [("SH-1001-R2", "-4.00", "0.52")]
    assert shown_payments(books) == [("SH-1001", "10.00", "601")]
    settled = one_refund(under_way.model_copy(update={"status": "SUCCESS"}))
    assert shown_payments(settled)[1:] == [("SH-1001-R2", "4.00", "601")]


def test_a_refund_whose_money_failed_leaves_the_credit_open_for_the_second_try() -> None:
    failed = transaction(92, "4.00", "REFUND", status="FAILURE", at=NOON + DAY)
    assert shown_payments(one_refund(failed)) == [("SH-1001", "10.00", "601")]
    again = transaction(93, "4.00", "REFUND", at=NOON + 2 * DAY)
    books = one_refund(failed, again, ids=(92, 93))
    assert shown_payments(books)[1:] == [("SH-1001-R2", "4.00", "601")]
    assert books.payments[1].date == date(2026, 9, 24)


def test_a_refund_through_another_gateway_leaves_that_gateways_account() -> None:
    assert shown_payments(one_refund(transaction(92, "4.00", "REFUND", gateway="paypal", at=NOON + DAY)))[1:] == [
        ("SH-1001-R2", "4.00", "602")
    ]


def test_a_refund_over_two_gateways_is_two_payments_of_one_credit_note() -> None:
    card = transaction(92, "3.00", "REFUND", at=NOON + DAY)
    cash = transaction(93, "1.00", "REFUND", gateway="cash", at=NOON + DAY)
    assert shown_payments(one_refund(card, cash, ids=(92, 93)))[1:] == [
        ("SH-1001-R2", "3.00", "601"),
        ("SH-1001-R2", "1.00", "603"),
    ]


def test_a_refund_to_a_gift_card_goes_back_onto_the_gift_card_liability() -> None:
    to_card = transaction(92, "4.00", "REFUND", gateway="gift_card", at=NOON + DAY)
    assert shown_payments(one_refund(to_card))[1:] == [("SH-1001-R2", "4.00", "830")]


STORE_CREDIT = BooksPolicy(payments={**DEFAULT_PAYMENTS, "shopify_store_credit": "831"})


def test_a_refund_as_store_credit_goes_onto_the_account_named_for_it() -> None:
    credit = transaction(92, "4.00", "REFUND", gateway="shopify_store_credit", at=NOON + DAY)
    assert shown_payments(one_refund(credit, policy=STORE_CREDIT))[1:] == [("SH-1001-R2", "4.00", "831")]


def test_an_order_paid_with_store_credit_is_paid_from_the_account_named_for_it() -> None:
    books = posted(
        order(
            SOLD,
            lines=LINES,
            transactions=[transaction(91, "6.00", gateway="shopify_store_credit"), transaction(92, "4.00")],
        ),
        STORE_CREDIT,
    )
    assert shown_payments(books) == [("SH-1001", "6.00", "831"), ("SH-1001", "4.00", "601")]


def test_store_credit_without_an_account_blocks_and_names_the_entry() -> None:
    money = [transaction(91, "10.00", gateway="shopify_store_credit")]
    assert (
        "no account for money through shopify_store_credit; with Xero's code for it instead of ACCOUNT, add"
        in blocked(order(SOLD, lines=LINES, transactions=money))
    )


def test_a_gift_card_that_is_returned_comes_off_the_liability_again() -> None:
    sold = agreement(1, sale("50.00", line_type="GIFT_CARD", title="Gift card"))
    back = refunded(2, sale("-50.00", line_type="GIFT_CARD", action="RETURN", title="Gift card"), refund=31)
    money = [transaction(91, "50.00"), transaction(92, "50.00", "REFUND", at=NOON + DAY)]
    books = posted(order(sold, back, transactions=money, refunds=[refund(31, 92, at=NOON + DAY)]))
    assert [shown_line(line) for line in books.documents[1].lines] == [("50.00", "0", "830", "NONE")]
    assert shown_payments(books)[1:] == [("SH-1001-R2", "50.00", "601")]


def test_a_return_of_an_unpaid_order_is_allocated_and_one_of_a_paid_order_refunded() -> None:
    back = refunded(2, unit("-4.00", "-0.52"), refund=31)
    unpaid = posted(order(SOLD, back, lines=LINES, refunds=[refund(31, at=NOON + DAY)]), PLACED)
    assert shown_allocations(unpaid) == [("SH-1001-R2", "SH-1001", "4.00")]
    paid = one_refund(transaction(92, "4.00", "REFUND", at=NOON + DAY))
    assert (shown_allocations(paid), shown_payments(paid)[1:]) == ([], [("SH-1001-R2", "4.00", "601")])


def test_a_return_of_a_half_paid_order_is_allocated_as_far_as_it_was_unpaid() -> None:
    back = refunded(2, sale("-8.00", tax("-1.04"), action="RETURN", quantity=-2, line=11), refund=31)
    money = [transaction(91, "6.00"), transaction(92, "4.00", "REFUND", at=NOON + DAY)]
    books = posted(order(SOLD, back, lines=LINES, transactions=money, refunds=[refund(31, 92, at=NOON + DAY)]))
    assert shown_payments(books) == [("SH-1001", "6.00", "601"), ("SH-1001-R2", "4.00", "601")]
    assert shown_allocations(books) == [("SH-1001-R2", "SH-1001", "4.00")]


def test_a_refund_before_its_return_is_blocked_adjusted_if_wanted_and_found_again_later() -> None:
    early = [PAID, transaction(92, "4.00", "REFUND", at=NOON + DAY)]
    assert "refunds exceed the credit notes: 4.00 of transaction 92" in blocked(
        order(SOLD, lines=LINES, transactions=early)
    )
    adjust = BooksPolicy(refund=RefundPolicy(uncovered="adjust"))
    books = posted(order(SOLD, lines=LINES, transactions=early), adjust)
    assert shown_documents(books)[1:] == [("SH-1001-M92", "-4.00", "0")]
    assert shown_line(books.documents[1].lines[0]) == ("4.00", "0", "208", "NONE")
    late = order(SOLD, refunded(2, unit("-4.00", "-0.52"), day=5), lines=LINES, transactions=early)
    after = posted(late, adjust, ledger_of(books))
    assert shown_documents(after)[1:] == [("SH-1001-R2", "-4.00", "0.52"), ("SH-1001-M92", "-4.00", "0")]
    assert shown_payments(after)[1:] == [("SH-1001-M92", "4.00", "601")]
