"""Money at its edges: change and its parent, the order of moments, cash rounding, what is frozen, what never fits."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy, RefundPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome, PostedAllocation, PostedPayment, PostedRecords
from shopify_xero_pipeline.shopify.models import Agreement, Order, Transaction
from shopify_xero_pipeline.xero.models import Organisation
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    account,
    agreement,
    bag,
    ledger_of,
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

DAY = timedelta(days=1)
SOLD = agreement(1, sale("100.00"))
PLACED = BooksPolicy(post_when="placed")
ADJUST = BooksPolicy(refund=RefundPolicy(uncovered="adjust"))


def kept(
    subject: Order,
    policy: BooksPolicy | None = None,
    ledger: PostedRecords | None = None,
    xero: Organisation | None = None,
) -> OrderBooks:
    return build_order_books(subject, policy or BooksPolicy(), xero or organisation(), ledger or PostedRecords())


def posted(*arguments: Any, **more: Any) -> OrderBooks:
    books = kept(*arguments, **more)
    assert books.outcome is Outcome.POST, books.reason
    return books


def blocked(*arguments: Any, **more: Any) -> str:
    books = kept(*arguments, **more)
    assert books.outcome is Outcome.BLOCKED
    return books.reason


def returned(number: int, amount: str, at: int = 1, refund_id: int | None = None) -> Agreement:
    row = sale(f"-{amount}", action="RETURN")
    return agreement(number, row, reason="REFUND", at=NOON + at * DAY, refund=refund_id)


def cash(number: int, amount: str, kind: str = "SALE", **more: Any) -> Transaction:
    return transaction(number, amount, kind, gateway="cash", **more)


def test_change_is_taken_from_the_sale_it_names_not_from_the_latest() -> None:
    money = [
        cash(91, "60.00"),
        cash(92, "50.00", at=NOON + DAY),
        cash(93, "10.00", "CHANGE", parent=91, at=NOON + 2 * DAY),
    ]
    books = posted(order(SOLD, transactions=money))
    assert [(entry.shopify_id, str(entry.amount)) for entry in books.payments] == [
        ("91/SH-1001", "50.00"),
        ("92/SH-1001", "50.00"),
    ]


def test_change_whose_sale_moved_no_money_is_taken_from_the_latest_that_did() -> None:
    money = [
        cash(91, "60.00", status="FAILURE"),
        cash(92, "110.00"),
        cash(93, "10.00", "CHANGE", parent=91),
    ]
    assert shown_payments(posted(order(SOLD, transactions=money))) == [("SH-1001", "100.00", "603")]


def test_change_without_a_parent_is_taken_from_the_sale_before_it_else_from_the_one_after() -> None:
    money = [cash(91, "60.00"), cash(92, "10.00", "CHANGE", at=NOON + DAY), cash(93, "50.00", at=NOON + 2 * DAY)]
    books = posted(order(SOLD, transactions=money))
    assert [str(entry.amount) for entry in books.payments] == ["50.00", "50.00"]
    early = [cash(91, "10.00", "CHANGE"), cash(92, "110.00", at=NOON + DAY)]
    assert shown_payments(posted(order(SOLD, transactions=early))) == [("SH-1001", "100.00", "603")]


def test_change_of_another_gateway_is_not_taken_from_this_one() -> None:
    money = [transaction(91, "110.00"), cash(92, "10.00", "CHANGE")]
    assert blocked(order(SOLD, transactions=money)).startswith("transaction 92 gives 10.00 of change (cash)")


def test_change_is_not_taken_from_money_given_back() -> None:
    money = [transaction(91, "100.00"), cash(92, "10.00", "REFUND"), cash(93, "5.00", "CHANGE", parent=92)]
    assert blocked(order(SOLD, returned(2, "10.00"), transactions=money)).startswith("transaction 93 gives 5.00")


def test_change_rounded_up_at_the_till_is_less_cash_kept() -> None:
    money = [cash(91, "105.02"), cash(92, "5.02", "CHANGE", parent=91, rounding="0.03")]
    books = posted(order(SOLD, transactions=money))
    assert shown_documents(books) == [("SH-1001", "100.00", "0"), ("SH-1001-C91", "-0.03", "0")]
    assert shown_payments(books) == [("SH-1001", "99.97", "603")]
    assert shown_allocations(books) == [("SH-1001-C91", "SH-1001", "0.03")]
    assert (books.cash_rounding, books.expected_money) == (Decimal("-0.03"), Decimal("99.97"))


def test_change_rounded_down_at_the_till_is_more_cash_kept() -> None:
    money = [cash(91, "105.02", rounding="0.01"), cash(92, "5.02", "CHANGE", parent=91, rounding="-0.02")]
    books = posted(order(SOLD, transactions=money))
    assert shown_documents(books) == [("SH-1001", "100.00", "0"), ("SH-1001-C91", "0.03", "0")]
    assert shown_payments(books) == [("SH-1001", "100.00", "603"), ("SH-1001-C91", "0.03", "603")]


def test_a_cash_document_is_described_and_dated_by_its_cash_and_stands_on_rounding() -> None:
    (_, document) = posted(order(SOLD, transactions=[cash(91, "100.00", rounding="0.02", at=NOON + DAY)])).documents
    (line,) = document.lines
    assert (line.description, line.account_code, line.tax_type, str(line.amount)) == (
        "Cash rounding",
        "860",
        "NONE",
        "0.02",
    )
    assert (document.shopify_id, document.reference) == ("5001/C91", "#1001 shopify:5001/C91")
    assert (document.date, document.contact_id) == (date(2026, 9, 23), "7")


def test_a_cash_documents_number_and_day_stay_when_its_day_is_locked_later() -> None:
    subject = order(SOLD, transactions=[cash(91, "100.00", rounding="0.02")])
    ledger = ledger_of(posted(subject))
    renumbered = ledger.documents[1].model_copy(update={"number": "OLD-C91", "date": date(2026, 9, 24)})
    frozen = ledger.model_copy(update={"documents": (ledger.documents[0], renumbered)})
    later = posted(subject, ledger=frozen, xero=organisation(locked=date(2026, 9, 30)))
    assert [(entry.number, entry.date) for entry in later.documents] == [
        ("SH-1001", date(2026, 9, 22)),
        ("OLD-C91", date(2026, 9, 24)),
    ]


def test_a_cash_document_of_a_locked_day_blocks_under_its_own_number() -> None:
    first = ledger_of(posted(order(SOLD, transactions=[cash(91, "100.00")])))
    subject = order(SOLD, transactions=[cash(91, "100.00", rounding="0.02")])
    assert blocked(subject, ledger=first, xero=organisation(locked=date(2026, 9, 30))).startswith(
        "SH-1001-C91 is dated 2026-09-22, but Xero's lock date is 2026-09-30"
    )


def test_a_refund_beyond_what_was_returned_is_described_so() -> None:
    money = [transaction(91, "100.00"), transaction(92, "15.00", "REFUND", at=NOON + 2 * DAY)]
    document = posted(order(SOLD, returned(2, "10.00"), transactions=money), ADJUST).documents[2]
    assert (document.number, document.date, document.contact_id) == ("SH-1001-M92", date(2026, 9, 24), "7")
    (line,) = document.lines
    assert (line.description, line.account_code, line.tax_type) == ("Refund beyond what was returned", "208", "NONE")


def test_money_counts_from_when_it_was_processed_not_from_when_it_was_begun() -> None:
    begun_first = transaction(91, "60.00", at=NOON).model_copy(update={"processed_at": NOON + 3 * DAY})
    begun_later = transaction(92, "40.00", at=NOON + DAY)
    books = posted(order(SOLD, transactions=[begun_first, begun_later]))
    assert [(entry.shopify_id, entry.date) for entry in books.payments] == [
        ("92/SH-1001", date(2026, 9, 23)),
        ("91/SH-1001", date(2026, 9, 25)),
    ]


def test_money_without_a_processing_time_stands_where_it_was_begun() -> None:
    unprocessed = transaction(91, "60.00", at=NOON + 2 * DAY).model_copy(update={"processed_at": None})
    books = posted(order(SOLD, transactions=[unprocessed, transaction(92, "40.00", at=NOON + DAY)]))
    assert [entry.shopify_id for entry in books.payments] == ["92/SH-1001", "91/SH-1001"]


def test_credit_is_kept_free_on_the_refunds_own_credit_note_not_on_the_oldest() -> None:
    subject = order(
        SOLD,
        returned(2, "10.00", 1, 31),
        returned(3, "10.00", 2, 32),
        transactions=[transaction(91, "80.00"), transaction(92, "10.00", "REFUND", status="PENDING")],
        refunds=[refund(31), refund(32, 92)],
    )
    assert shown_allocations(posted(subject)) == [("SH-1001-R2", "SH-1001", "10.00")]


def allocation(credit_note: int, invoice: int, amount: str, day: int = 22) -> PostedAllocation:
    return PostedAllocation(
        credit_note_id=f"5001/{credit_note}",
        invoice_id=f"5001/{invoice}",
        amount=Decimal(amount),
        date=date(2026, 9, day),
    )


def test_allocations_stand_in_the_order_of_their_documents_whatever_was_posted_first() -> None:
    subject = order(
        SOLD,
        returned(9, "10.00", 1),
        agreement(8, sale("20.00"), reason="ORDER_EDIT", at=NOON + 2 * DAY),
        returned(10, "5.00", 3),
    )
    ledger = PostedRecords(allocations=(allocation(9, 8, "10.00"),))
    assert shown_allocations(posted(subject, PLACED, ledger)) == [
        ("SH-1001-R9", "SH-1001-E8", "10.00"),
        ("SH-1001-R10", "SH-1001", "5.00"),
    ]


def test_two_posted_allocations_of_one_pair_are_one_dated_by_the_later() -> None:
    ledger = PostedRecords(allocations=(allocation(2, 1, "6.00", 28), allocation(2, 1, "4.00", 25)))
    books = posted(order(SOLD, returned(2, "10.00")), PLACED, ledger)
    assert [(str(entry.amount), entry.date) for entry in books.allocations] == [("10.00", date(2026, 9, 28))]


def test_cash_rounding_closes_its_own_invoice_before_an_older_credit_note_can() -> None:
    money = [cash(91, "100.00", rounding="-0.02")]
    assert shown_allocations(posted(order(SOLD, returned(2, "5.00"), transactions=money))) == [
        ("SH-1001-C91", "SH-1001", "0.02")
    ]


def test_cash_rounding_of_a_refund_closes_its_own_credit_note_before_an_older_invoice_can() -> None:
    added = agreement(3, sale("7.00"), reason="ORDER_EDIT", at=NOON + 2 * DAY)
    money = [transaction(91, "100.00"), cash(92, "10.00", "REFUND", rounding="-0.02", at=NOON + 3 * DAY)]
    subject = order(SOLD, returned(2, "10.00", 1, 31), added, transactions=money, refunds=[refund(31, 92)])
    assert shown_allocations(posted(subject)) == [("SH-1001-R2", "SH-1001-C92", "0.02")]


def test_an_allocation_gives_way_to_a_refund_while_its_invoice_stays_unpaid() -> None:
    money = [transaction(92, "10.00", "REFUND", at=NOON + 2 * DAY)]
    ledger = PostedRecords(allocations=(allocation(2, 1, "10.00"),))
    books = posted(order(SOLD, returned(2, "10.00"), transactions=money), PLACED, ledger)
    assert shown_payments(books) == [("SH-1001-R2", "10.00", "601")]
    assert books.allocations == ()


def test_an_allocation_gives_way_to_a_payment_while_its_credit_note_stays_open() -> None:
    ledger = PostedRecords(allocations=(allocation(2, 1, "10.00"),))
    books = posted(order(SOLD, returned(2, "10.00"), transactions=[transaction(91, "100.00")]), PLACED, ledger)
    assert shown_payments(books) == [("SH-1001", "100.00", "601")]
    assert books.allocations == ()


def test_a_payment_is_never_put_on_a_credit_note_nor_a_refund_on_an_invoice() -> None:
    too_much_in = order(SOLD, returned(2, "10.00"), transactions=[transaction(91, "110.00")])
    assert blocked(too_much_in).startswith("payments exceed the invoices: 10.00 of transaction 91")
    too_much_out = order(
        SOLD, returned(2, "10.00"), transactions=[transaction(91, "80.00"), transaction(92, "25.00", "REFUND")]
    )
    assert blocked(too_much_out).startswith("refunds exceed the credit notes: 15.00 of transaction 92")


def test_a_transaction_is_never_placed_twice_on_one_document() -> None:
    part = PostedPayment(transaction_id="91", document_id="5001/1", amount=Decimal("60.00"), date=date(2026, 9, 22))
    reason = blocked(order(SOLD, transactions=[transaction(91, "100.00")]), ledger=PostedRecords(payments=(part,)))
    assert reason.startswith("payments exceed the invoices: 40.00 of transaction 91")


def test_an_account_kept_in_no_currency_of_its_own_takes_any() -> None:
    blank = organisation(accounts=[account("601", "BANK", "ASSET", currency="")])
    assert shown_payments(posted(order(SOLD, transactions=[transaction(91, "100.00")]), xero=blank)) == [
        ("SH-1001", "100.00", "601")
    ]


@pytest.mark.parametrize("kind", ["AUTHORIZATION", "EMV_AUTHORIZATION", "VOID", "SUGGESTED_REFUND"])
def test_what_only_promises_money_neither_pays_nor_blocks(kind: str) -> None:
    books = posted(order(SOLD, transactions=[transaction(91, "100.00", kind)]), PLACED)
    assert (books.payments, books.money) == ((), Decimal(0))
    assert kept(order(SOLD, transactions=[transaction(91, "100.00", kind)])).outcome is Outcome.WAITING


@pytest.mark.parametrize("status", ["PENDING", "AWAITING_RESPONSE", "FAILURE", "ERROR"])
def test_what_has_not_succeeded_moves_nothing_in_either_direction(status: str) -> None:
    money = [transaction(91, "100.00", status=status), transaction(92, "10.00", "REFUND", status=status)]
    assert posted(order(SOLD, returned(2, "10.00"), transactions=money), PLACED).payments == ()
    assert kept(order(SOLD, transactions=money)).outcome is Outcome.WAITING


@pytest.mark.parametrize("status", ["PAID", "PARTIALLY_REFUNDED", "REFUNDED"])
def test_an_order_that_was_paid_is_settled_by_the_channels_tax_whatever_came_after(status: str) -> None:
    remitted = agreement(1, sale("115.00", tax("15.00", channel_liable=True)))
    subject = order(remitted, transactions=[transaction(91, "100.00")], display_financial_status=status)
    assert posted(subject).channel_paid == Decimal("15.00")


@pytest.mark.parametrize("status", ["PENDING", "AUTHORIZED", "PARTIALLY_PAID", "VOIDED", "EXPIRED", None])
def test_an_order_that_was_not_paid_is_not_settled_by_the_channels_tax(status: str | None) -> None:
    remitted = agreement(1, sale("115.00", tax("15.00", channel_liable=True)))
    subject = order(remitted, transactions=[transaction(91, "100.00")], display_financial_status=status)
    assert posted(subject).channel_paid == Decimal(0)


def test_a_channels_account_kept_in_the_orders_currency_fits() -> None:
    remitted = agreement(1, sale("115.00", tax("15.00", channel_liable=True)))
    subject = order(remitted, transactions=[transaction(91, "100.00")], display_financial_status="PAID")
    own = organisation(accounts=[account("835", "CURRLIAB", "LIABILITY", pays=True, currency="NZD")])
    assert shown_payments(posted(subject, xero=own))[1] == ("SH-1001", "15.00", "835")


def test_a_channels_tax_of_less_than_one_is_settled_like_any() -> None:
    remitted = agreement(1, sale("4.60", tax("0.60", channel_liable=True)))
    subject = order(remitted, transactions=[transaction(91, "4.00")], display_financial_status="PAID")
    books = posted(subject)
    assert shown_payments(books) == [("SH-1001", "4.00", "601"), ("SH-1001", "0.60", "835")]
    assert (books.payments[1].gateway, books.payments[1].reference) == (
        "channel_tax",
        "shopify:5001/channel-tax-1",
    )
    assert books.channel_paid == Decimal("0.60")


def test_money_moved_before_the_start_date_is_stated_beside_what_is_kept() -> None:
    subject = order(
        SOLD,
        returned(2, "30.00", 5, 31),
        transactions=[transaction(91, "100.00"), transaction(92, "30.00", "REFUND", at=NOON + 5 * DAY)],
        refunds=[refund(31, 92, at=NOON + 5 * DAY)],
    )
    books = posted(subject, BooksPolicy(start_date=date(2026, 9, 25), opening="post"))
    assert (books.earlier_sales, books.earlier_money, books.money) == (
        Decimal("100.00"),
        Decimal("100.00"),
        Decimal("70.00"),
    )


def test_what_is_outstanding_is_compared_with_sales_less_money() -> None:
    assert posted(order(SOLD, transactions=[transaction(91, "60.00")])).warnings == ()
    odd = order(SOLD, transactions=[transaction(91, "60.00")], total_outstanding_set=bag("39.99"))
    assert posted(odd).warnings == ("Shopify's outstanding amount is 39.99, but its total less its payments is 40.00",)
