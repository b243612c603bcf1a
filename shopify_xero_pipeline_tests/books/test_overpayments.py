"""Money that was paid too much and went back through the same account: how much of it cancels out, and how much not."""

import pytest

from shopify_xero_pipeline.shopify.models import Agreement, Order, Refund, Transaction
from shopify_xero_pipeline_tests.books.booking import DAY, blocked, edited, posted, refunded
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    ledger_of,
    order,
    refund,
    sale,
    shown_payments,
    transaction,
)

SOLD = agreement(1, sale("100.00"))


def moved(
    number: int,
    amount: str,
    kind: str = "SALE",
    day: int = 0,
    gateway: str = "shopify_payments",
    rounding: str | None = None,
) -> Transaction:
    return transaction(number, amount, kind, at=NOON + day * DAY, gateway=gateway, rounding=rounding)


def of_100(*later: Agreement, money: list[Transaction], refunds: tuple[Refund, ...] = ()) -> Order:
    return order(SOLD, *later, transactions=money, refunds=refunds)


def taken_back(amount: str, day: int) -> Agreement:
    return refunded(2, sale(f"-{amount}", action="RETURN"), day=day, refund=31)


@pytest.mark.parametrize(("paid", "excess"), [("100.50", "0.50"), ("101.00", "1.00"), ("120.00", "20.00")])
def test_all_that_was_too_much_cancels_out(paid: str, excess: str) -> None:
    money = [moved(91, paid), moved(92, excess, "REFUND", day=1)]
    assert shown_payments(posted(of_100(money=money))) == [("SH-1001", "100.00", "601")]


def test_only_what_went_back_beyond_the_goods_cancels_out() -> None:
    """Of 20.00 too much, 10.00 went back with the 20.00 for the goods."""
    money = [moved(91, "120.00"), moved(92, "30.00", "REFUND", day=1)]
    assert blocked(of_100(taken_back("20.00", 1), money=money, refunds=(refund(31, 92),))).startswith(
        "payments exceed the invoices: 10.00 of transaction 91"
    )


def test_goods_that_are_credited_the_day_after_their_refund_count_for_it() -> None:
    """Of 20.00 too much, 15.00 went back with the 30.00 for the goods."""
    money = [moved(91, "120.00"), moved(92, "45.00", "REFUND", day=7)]
    assert blocked(of_100(taken_back("30.00", 8), money=money, refunds=(refund(31, 92),))).startswith(
        "payments exceed the invoices: 5.00 of transaction 91"
    )


def test_the_latest_payment_gives_way_first_and_the_earlier_one_for_the_rest() -> None:
    """20.00 of 105.00 and 15.00 are too much: all of the second payment, and 5.00 of the first."""
    money = [moved(91, "105.00"), moved(92, "15.00", day=1), moved(93, "50.00", "REFUND", day=2)]
    books = posted(of_100(taken_back("30.00", 2), money=money, refunds=(refund(31, 93),)))
    assert shown_payments(books) == [("SH-1001", "100.00", "601"), ("SH-1001-R2", "30.00", "601")]


def test_two_gateways_of_one_account_are_one_place_and_two_of_two_are_not() -> None:
    paid = moved(91, "120.00", gateway="manual")
    one = [paid, moved(92, "20.00", "REFUND", day=1, gateway="Bank Deposit")]
    assert shown_payments(posted(of_100(money=one))) == [("SH-1001", "100.00", "604")]
    two = [paid, moved(92, "20.00", "REFUND", day=1, gateway="paypal")]
    assert blocked(of_100(money=two)).startswith("payments exceed the invoices: 20.00 of transaction 91 (manual)")


def test_money_that_is_posted_on_a_later_invoice_stays_there() -> None:
    more = edited(2, sale("20.00"), day=5)
    paid = moved(91, "120.00")
    before = posted(of_100(more, money=[paid]))
    late = of_100(more, money=[paid, moved(92, "20.00", "REFUND", day=3)])
    assert blocked(late, ledger=ledger_of(before)).startswith(
        "refunds exceed the credit notes: 20.00 of transaction 92"
    )
    assert shown_payments(posted(late)) == [("SH-1001", "100.00", "601")]


def test_rounded_cash_never_cancels_out() -> None:
    money = [moved(91, "110.00", gateway="cash", rounding="0.02"), moved(92, "10.00", "REFUND", day=1, gateway="cash")]
    assert blocked(of_100(money=money)).startswith("payments exceed the invoices: 10.00 of transaction 91 (cash)")
