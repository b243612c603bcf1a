"""Money: every movement on a document, placements kept, the rest allocated."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.books.cash_movements import cash_rounding, net_payment, pending_refunds
from shopify_xero_pipeline.books.documents import net_amount
from shopify_xero_pipeline.books.lines import lines_total, tax_total
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy, RefundPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome, PostedAllocation, PostedPayment, PostedRecords
from shopify_xero_pipeline.shopify.models import Agreement, Transaction
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
    transaction,
)

PLACED = BooksPolicy(post_when="placed")
ADJUST = BooksPolicy(refund=RefundPolicy(uncovered="adjust"))
DAY = timedelta(days=1)
SOLD = agreement(1, sale("100.00"))


def returned(number: int, amount: str, day: int = 1, refund_id: int | None = None) -> Agreement:
    return agreement(
        number, sale(f"-{amount}", action="RETURN"), reason="REFUND", at=NOON + day * DAY, refund=refund_id
    )


def kept(
    *agreements: Agreement,
    money: list[Transaction],
    policy: BooksPolicy | None = None,
    ledger: PostedRecords | None = None,
    **more: Any,
) -> OrderBooks:
    subject = order(*agreements, transactions=money, **more)
    return build_order_books(subject, policy or BooksPolicy(), organisation(), ledger or PostedRecords())


def posted(*agreements: Agreement, **more: Any) -> OrderBooks:
    books = kept(*agreements, **more)
    assert books.outcome is Outcome.POST, books.reason
    return books


def blocked(*agreements: Agreement, **more: Any) -> str:
    books = kept(*agreements, **more)
    assert books.outcome is Outcome.BLOCKED
    assert (books.documents, books.payments, books.allocations, books.contact) == ((), (), (), None)
    return books.reason


def test_a_payment_carries_its_transaction_and_document_as_its_key() -> None:
    (payment,) = posted(SOLD, money=[transaction(91, "100.00", gateway="paypal")]).payments
    assert payment.shopify_id == "91/SH-1001"
    assert payment.reference == "shopify:5001/91"
    assert (payment.account_code, payment.gateway, payment.date) == ("602", "paypal", date(2026, 9, 22))


def test_only_successes_move_money() -> None:
    attempts = [
        transaction(91, "100.00", "AUTHORIZATION"),
        transaction(92, "100.00", "CAPTURE", status="FAILURE"),
        transaction(93, "100.00", "CAPTURE", status="ERROR"),
        transaction(94, "40.00", "CAPTURE"),
        transaction(95, "60.00", "CAPTURE", status="PENDING"),
        transaction(96, "100.00", "VOID"),
        transaction(97, "100.00", "SUGGESTED_REFUND"),
    ]
    assert shown_payments(posted(SOLD, money=attempts)) == [("SH-1001", "40.00", "601")]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (transaction(91, "1.00", "TRANSMUTATION"), "the kind TRANSMUTATION"),
        (transaction(91, "1.00", status="UNKNOWN"), "the status UNKNOWN"),
        (transaction(91, "1.00", gateway="mystery_pay"), "mystery_pay: '604'}"),
        (transaction(91, "1.00", gateway=None), "names no gateway"),
        (transaction(91, "-1.00"), "negative amount, -1.00"),
    ],
)
def test_money_without_a_rule_blocks_the_order(entry: Transaction, words: str) -> None:
    assert words in blocked(SOLD, money=[entry, transaction(99, "1.00")])


def test_a_gateway_is_found_whatever_its_capitals() -> None:
    books = posted(SOLD, money=[transaction(91, "100.00", gateway="bank deposit")])
    assert shown_payments(books) == [("SH-1001", "100.00", "604")]


def test_a_transaction_of_nothing_is_no_payment() -> None:
    books = posted(SOLD, money=[transaction(91, "0.00"), transaction(92, "100.00")])
    assert len(books.payments) == 1


def test_one_payment_that_covers_two_invoices_is_split_in_document_order() -> None:
    added = agreement(2, sale("20.00"), reason="ORDER_EDIT", at=NOON + DAY)
    books = posted(SOLD, added, money=[transaction(91, "120.00", at=NOON + 2 * DAY)])
    assert shown_payments(books) == [("SH-1001", "100.00", "601"), ("SH-1001-E2", "20.00", "601")]
    assert len({payment.reference for payment in books.payments}) == 1


def test_a_payment_is_never_dated_before_its_document() -> None:
    added = agreement(2, sale("20.00"), reason="ORDER_EDIT", at=NOON + 3 * DAY)
    books = posted(SOLD, added, money=[transaction(91, "120.00")])
    assert [payment.date for payment in books.payments] == [date(2026, 9, 22), date(2026, 9, 25)]


def test_a_payment_bears_the_day_it_was_processed_else_created() -> None:
    late = transaction(91, "100.00", at=NOON + DAY)
    assert posted(SOLD, money=[late]).payments[0].date == date(2026, 9, 23)
    unprocessed = late.model_copy(update={"processed_at": None, "created_at": NOON + 2 * DAY})
    assert posted(SOLD, money=[unprocessed]).payments[0].date == date(2026, 9, 24)


def test_a_refund_goes_to_its_own_credit_note_before_older_ones() -> None:
    books = posted(
        SOLD,
        returned(2, "10.00", 1, 31),
        returned(3, "20.00", 2, 32),
        money=[transaction(91, "100.00"), transaction(92, "20.00", "REFUND", at=NOON + 2 * DAY)],
        refunds=[refund(31, at=NOON + DAY), refund(32, 92, at=NOON + 2 * DAY)],
    )
    assert shown_payments(books)[1:] == [("SH-1001-R3", "20.00", "601")]


def test_a_refund_larger_than_its_own_credit_note_goes_on_to_the_oldest_open_one() -> None:
    books = posted(
        SOLD,
        returned(2, "10.00", 1, 31),
        returned(3, "20.00", 2, 32),
        money=[transaction(91, "100.00"), transaction(92, "30.00", "REFUND", at=NOON + 2 * DAY)],
        refunds=[refund(31, at=NOON + DAY), refund(32, 92, at=NOON + 2 * DAY)],
    )
    assert shown_payments(books)[1:] == [("SH-1001-R2", "10.00", "601"), ("SH-1001-R3", "20.00", "601")]


def test_payments_above_the_invoices_block() -> None:
    reason = blocked(SOLD, money=[transaction(91, "100.00"), transaction(92, "100.00")])
    assert reason.startswith("payments exceed the invoices: 100.00 of transaction 92 (shopify_payments)")


def test_refunds_above_the_credit_notes_block_and_name_the_policy() -> None:
    money = [transaction(91, "100.00"), transaction(92, "15.00", "REFUND")]
    reason = blocked(SOLD, returned(2, "10.00"), money=money)
    assert "refunds exceed the credit notes: 5.00 of transaction 92" in reason
    assert "refund: {uncovered: adjust}" in reason


def test_an_uncovered_refund_is_adjusted_if_the_merchant_says_so_and_stays_so() -> None:
    money = [transaction(91, "100.00"), transaction(92, "15.00", "REFUND")]
    books = posted(SOLD, returned(2, "10.00"), money=money, policy=ADJUST)
    assert shown_documents(books)[1:] == [("SH-1001-R2", "-10.00", "0"), ("SH-1001-M92", "-5.00", "0")]
    assert books.documents[2].lines[0].account_code == "208"
    assert shown_payments(books)[1:] == [("SH-1001-R2", "10.00", "601"), ("SH-1001-M92", "5.00", "601")]
    assert (books.expected_sales, books.expected_money) == (Decimal("90.00"), Decimal("85.00"))
    later = posted(SOLD, returned(2, "10.00"), returned(3, "5.00", 2), money=money, ledger=ledger_of(books))
    assert shown_payments(later) == shown_payments(books)
    assert shown_documents(later)[-1] == ("SH-1001-M92", "-5.00", "0")


def test_an_adjusting_credit_note_planned_before_its_payment_still_gets_it() -> None:
    money = [transaction(91, "100.00"), transaction(92, "15.00", "REFUND")]
    books = posted(SOLD, returned(2, "10.00"), money=money, policy=ADJUST)
    unpaid = ledger_of(books).model_copy(update={"payments": ()})
    later = posted(SOLD, returned(2, "10.00"), returned(3, "5.00", 2), money=money, ledger=unpaid)
    assert ("SH-1001-M92", "5.00", "601") in shown_payments(later)


def test_what_is_neither_paid_nor_refunded_is_allocated_oldest_first() -> None:
    books = posted(
        SOLD,
        returned(2, "10.00", 1),
        agreement(3, sale("20.00"), reason="ORDER_EDIT", at=NOON + 2 * DAY),
        returned(4, "25.00", 3),
        money=[transaction(91, "85.00")],
    )
    assert shown_allocations(books) == [
        ("SH-1001-R2", "SH-1001", "10.00"),
        ("SH-1001-R4", "SH-1001", "5.00"),
        ("SH-1001-R4", "SH-1001-E3", "20.00"),
    ]
    assert [entry.date for entry in books.allocations] == [date(2026, 9, 23), date(2026, 9, 25), date(2026, 9, 25)]
    assert books.allocations[0].shopify_id == "SH-1001-R2/SH-1001/10"


def test_credit_is_kept_free_for_a_refund_under_way() -> None:
    money = [transaction(91, "80.00"), transaction(92, "10.00", "REFUND", status="PENDING")]
    books = posted(SOLD, returned(2, "30.00", 1, 31), money=money, refunds=[refund(31, 92)])
    assert shown_allocations(books) == [("SH-1001-R2", "SH-1001", "20.00")]
    failed = [money[0], money[1].model_copy(update={"status": "FAILURE"})]
    assert shown_allocations(posted(SOLD, returned(2, "30.00", 1, 31), money=failed)) == [
        ("SH-1001-R2", "SH-1001", "20.00")
    ]


def test_a_pending_refund_for_more_than_there_is_keeps_all_credit_free() -> None:
    money = [transaction(91, "80.00"), transaction(92, "50.00", "REFUND", status="AWAITING_RESPONSE", gateway=None)]
    assert posted(SOLD, returned(2, "30.00"), money=money).allocations == ()


def test_an_allocation_in_the_way_of_money_gives_way_and_a_payment_never_does() -> None:
    before = posted(SOLD, returned(2, "30.00", 1, 31), money=[], policy=PLACED)
    assert shown_allocations(before) == [("SH-1001-R2", "SH-1001", "30.00")]
    after = posted(
        SOLD,
        returned(2, "30.00", 1, 31),
        money=[transaction(91, "100.00", at=NOON + DAY), transaction(92, "30.00", "REFUND", at=NOON + DAY)],
        refunds=[refund(31, 92)],
        policy=PLACED,
        ledger=ledger_of(before),
    )
    assert shown_payments(after) == [("SH-1001", "100.00", "601"), ("SH-1001-R2", "30.00", "601")]
    assert after.allocations == ()


def test_a_posted_allocation_keeps_its_day_and_grows_only_on_a_new_one() -> None:
    before = posted(SOLD, returned(2, "30.00"), money=[], policy=PLACED)
    ledger = ledger_of(before)
    moved = ledger.allocations[0].model_copy(update={"date": date(2026, 9, 30)})
    same = posted(
        SOLD, returned(2, "30.00"), money=[], policy=PLACED, ledger=ledger.model_copy(update={"allocations": (moved,)})
    )
    assert same.allocations[0].date == date(2026, 9, 30)
    part = moved.model_copy(update={"amount": Decimal("10.00")})
    grown = posted(
        SOLD, returned(2, "30.00"), money=[], policy=PLACED, ledger=ledger.model_copy(update={"allocations": (part,)})
    )
    assert shown_allocations(grown) == [("SH-1001-R2", "SH-1001", "30.00")]
    assert grown.allocations[0].date == date(2026, 9, 23)


def test_placements_already_posted_stay_where_they_are() -> None:
    added = agreement(2, sale("100.00"), reason="ORDER_EDIT", at=NOON + DAY)
    money = [transaction(91, "100.00", at=NOON + DAY), transaction(92, "100.00", at=NOON + 2 * DAY)]
    everything = posted(SOLD, added, money=money)
    assert shown_payments(everything)[0] == ("SH-1001", "100.00", "601")
    swapped = PostedRecords(
        payments=(
            PostedPayment(transaction_id="91", document_id="5001/2", amount=Decimal("100.00"), date=date(2026, 10, 1)),
        )
    )
    kept_there = posted(SOLD, added, money=money, ledger=swapped)
    assert [payment.shopify_id for payment in kept_there.payments] == ["92/SH-1001", "91/SH-1001-E2"]
    assert kept_there.payments[1].date == date(2026, 10, 1)


def placement(transaction_id: str, document_id: str, amount: str) -> PostedRecords:
    entry = PostedPayment(
        transaction_id=transaction_id, document_id=document_id, amount=Decimal(amount), date=date(2026, 9, 22)
    )
    return PostedRecords(payments=(entry,))


@pytest.mark.parametrize(
    ("ledger", "words"),
    [
        (placement("91", "5001/77", "10.00"), "posted on document 5001/77, which Shopify's history no longer contains"),
        (placement("91", "5001/1", "120.00"), "more than the transaction's 100.00 or the document's 100.00 allow"),
        (placement("66", "5001/1", "10.00"), "no longer contains that money"),
    ],
)
def test_posted_money_that_no_longer_fits_blocks(ledger: PostedRecords, words: str) -> None:
    assert words in blocked(SOLD, money=[transaction(91, "100.00")], ledger=ledger)


def test_an_allocation_of_a_document_that_is_gone_blocks() -> None:
    gone = PostedAllocation(
        credit_note_id="5001/77", invoice_id="5001/1", amount=Decimal("10.00"), date=date(2026, 9, 22)
    )
    reason = blocked(SOLD, money=[transaction(91, "100.00")], ledger=PostedRecords(allocations=(gone,)))
    assert "allocated between documents 5001/77 and 5001/1" in reason


def cash(amount: str, kind: str = "SALE", number: int = 91, **more: Any) -> Transaction:
    return transaction(number, amount, kind, gateway="cash", **more)


def test_change_without_a_parent_is_taken_from_the_latest_sale_of_its_gateway() -> None:
    money = [cash("60.00"), cash("50.00", number=92, at=NOON + DAY), cash("10.00", "CHANGE", 93, at=NOON + DAY)]
    assert [str(payment.amount) for payment in posted(SOLD, money=money).payments] == ["60.00", "40.00"]


def test_change_that_was_all_the_cash_leaves_no_payment() -> None:
    money = [cash("5.00"), cash("5.00", "CHANGE", 92, parent=91), transaction(93, "100.00")]
    assert shown_payments(posted(SOLD, money=money)) == [("SH-1001", "100.00", "601")]


@pytest.mark.parametrize("taken", [[], [cash("4.00")]])
def test_change_for_which_no_cash_was_taken_blocks(taken: list[Transaction]) -> None:
    money = [*taken, cash("5.00", "CHANGE", 92), transaction(93, "100.00")]
    assert "gives 5.00 of change (cash), but no sale received that much" in blocked(SOLD, money=money)


def test_less_cash_than_due_is_a_credit_note_allocated_to_the_invoice() -> None:
    books = posted(agreement(1, sale("10.02")), money=[cash("10.02", rounding="-0.02")])
    assert shown_documents(books) == [("SH-1001", "10.02", "0"), ("SH-1001-C91", "-0.02", "0")]
    assert shown_payments(books) == [("SH-1001", "10.00", "603")]
    assert shown_allocations(books) == [("SH-1001-C91", "SH-1001", "0.02")]
    assert (books.money, books.cash_rounding, books.expected_money) == (
        Decimal("10.02"),
        Decimal("-0.02"),
        Decimal("10.00"),
    )


def test_a_net_payment_that_counts_the_rounding_is_accepted_too() -> None:
    books = posted(agreement(1, sale("10.02")), money=[cash("10.02", rounding="-0.02")], net_payment_set=bag("10.00"))
    assert (books.cash_rounding, books.expected_money) == (Decimal(0), Decimal("10.00"))


def refunded_in_cash(rounding: str) -> OrderBooks:
    return posted(
        agreement(1, sale("10.02")),
        returned(2, "10.02", 1, 31),
        money=[transaction(91, "10.02"), cash("10.02", "REFUND", 92, rounding=rounding, at=NOON + DAY)],
        refunds=[refund(31, 92)],
    )


def test_more_cash_refunded_than_due_is_a_credit_note_paid_from_the_same_cash() -> None:
    books = refunded_in_cash("0.03")
    assert shown_documents(books)[-1] == ("SH-1001-C92", "-0.03", "0")
    assert shown_payments(books)[1:] == [("SH-1001-R2", "10.02", "603"), ("SH-1001-C92", "0.03", "603")]


def test_less_cash_refunded_than_due_is_an_invoice_set_off_against_the_credit_note() -> None:
    books = refunded_in_cash("-0.02")
    assert shown_documents(books)[-1] == ("SH-1001-C92", "0.02", "0")
    assert shown_payments(books)[1:] == [("SH-1001-R2", "10.00", "603")]
    assert shown_allocations(books) == [("SH-1001-R2", "SH-1001-C92", "0.02")]


def test_cash_rounding_of_a_refund_is_set_off_before_an_invoice_of_a_later_edit() -> None:
    books = posted(
        agreement(1, sale("10.02")),
        returned(2, "10.02", 1, 31),
        agreement(3, sale("20.00"), reason="ORDER_EDIT", at=NOON + 2 * DAY),
        money=[transaction(91, "10.02"), cash("10.02", "REFUND", 92, rounding="-0.02", at=NOON + DAY)],
        refunds=[refund(31, 92)],
    )
    assert shown_payments(books) == [("SH-1001", "10.02", "601"), ("SH-1001-R2", "10.00", "603")]
    assert shown_allocations(books) == [("SH-1001-R2", "SH-1001-C92", "0.02")]


def test_an_account_in_another_currency_blocks() -> None:
    dollars = account("601", "BANK", "ASSET", currency="USD")
    books = build_order_books(
        order(SOLD, transactions=[transaction(91, "100.00")]), BooksPolicy(), organisation(accounts=[dollars])
    )
    assert books.outcome is Outcome.BLOCKED
    assert "payments.shopify_payments names account 601, whose currency in Xero is USD" in books.reason


def test_a_net_payment_that_is_not_the_transactions_blocks_with_both_figures() -> None:
    reason = blocked(SOLD, money=[transaction(91, "100.00")], net_payment_set=bag("90.00"))
    assert "the transactions add up to 100.00, but Shopify's net payment is 90.00" in reason


def test_an_outstanding_amount_that_does_not_fit_is_reported() -> None:
    books = posted(SOLD, money=[transaction(91, "60.00")], total_outstanding_set=bag("0.00"))
    assert books.warnings == ("Shopify's outstanding amount is 0.00, but its total less its payments is 40.00",)


def test_money_in_another_currency_than_the_orders_blocks() -> None:
    assert "is in USD, but the order is in NZD" in blocked(
        SOLD, money=[transaction(91, "100.00", currency="USD")], net_payment_set=bag("100.00")
    )


def test_two_transactions_of_one_instant_are_taken_by_id() -> None:
    at = datetime(2026, 9, 22, tzinfo=UTC)
    books = posted(SOLD, money=[transaction(100, "40.00", at=at), transaction(99, "60.00", at=at)])
    assert [payment.shopify_id for payment in books.payments] == ["99/SH-1001", "100/SH-1001"]


def test_rounding_of_cash_that_never_arrived_counts_for_nothing() -> None:
    failed = cash("10.02", number=90, status="FAILURE", rounding="0.03")
    books = posted(agreement(1, sale("10.02")), money=[failed, cash("10.02", rounding="-0.02")])
    assert books.cash_rounding == Decimal("-0.02")
    assert shown_payments(books) == [("SH-1001", "10.00", "603")]


def test_a_refund_under_way_has_no_account_yet_and_may_have_no_gateway() -> None:
    under_way = transaction(92, "5.00", "REFUND", status="PENDING", gateway=None)
    context = OrderContext(order(SOLD, transactions=[under_way]), BooksPolicy(), organisation(), PostedRecords())
    (movement,) = pending_refunds(context)
    assert (movement.account, movement.gateway, movement.amount) == ("", "", Decimal("5.00"))


def test_a_sum_of_nothing_is_an_amount_too() -> None:
    context = OrderContext(order(SOLD), BooksPolicy(), organisation(), PostedRecords())
    sums = (
        net_payment(context, ()),
        cash_rounding(context, ()),
        net_amount(context, agreement(2)),
        lines_total((), "Inclusive"),
        tax_total(()),
    )
    assert [type(amount) for amount in sums] == [Decimal] * 5
    assert not any(sums)
