"""Gateways without a payment: documents are posted, their money is entered in Xero by others."""

from datetime import timedelta
from decimal import Decimal

import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy, PolicyError
from shopify_xero_pipeline.books.preflight import policy_problems
from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.shopify.models import Order, Transaction
from shopify_xero_pipeline_tests.books.booking import blocked, edited, left_alone, posted, refunded
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    bag,
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

YAML = 'payments: {shopify_payments: "601", Afterpay: none, Zip: "None"}'
POLICY = BooksPolicy.from_yaml(YAML, "books.yaml")
ADJUST = BooksPolicy.from_yaml(YAML + "\nrefund: {uncovered: adjust}", "books.yaml")


def by(gateway: str, number: int, amount: str, kind: str = "SALE", days: int = 0) -> Transaction:
    return transaction(number, amount, kind, gateway=gateway, at=NOON + timedelta(days=days))


def sold(*later: object, money: list[Transaction], **more: object) -> Order:
    """Return an order of 115.00, GST of 15.00 included, and what happened to it later."""
    first = agreement(1, sale("115.00", tax("15.00"), line=11))
    return order(first, *later, lines=[line_item(11, "115.00")], transactions=money, **more)  # type: ignore[arg-type]


def documents(books: OrderBooks) -> list[tuple[str, str]]:
    return [(number, amount) for number, amount, _ in shown_documents(books)]


def money(books: OrderBooks) -> tuple[list[tuple[str, str, str]], Decimal, tuple[str, ...]]:
    return shown_payments(books), books.left_to_others, books.warnings


def test_an_order_paid_through_such_a_gateway_counts_as_paid_and_only_its_document_is_posted() -> None:
    books = posted(sold(money=[by("Afterpay", 91, "115.00")]), POLICY)
    assert documents(books) == [("SH-1001", "115.00")]
    assert money(books) == ([], Decimal("115.00"), ())
    assert (books.expected_sales, books.expected_money, books.waits_for_others) == (Decimal("115.00"), 0, True)


def test_capitals_and_quotes_make_no_difference() -> None:
    assert money(posted(sold(money=[by("AFTERPAY", 91, "115.00")]), POLICY))[1] == Decimal("115.00")
    assert money(posted(sold(money=[by("zip", 91, "115.00")]), POLICY))[1] == Decimal("115.00")


def test_money_through_other_gateways_leaves_room_for_theirs() -> None:
    books = posted(sold(money=[by("Afterpay", 91, "55.00"), by("shopify_payments", 92, "60.00")]), POLICY)
    assert money(books) == ([("SH-1001", "60.00", "601")], Decimal("55.00"), ())


def test_credit_is_set_off_only_against_what_neither_they_nor_a_payment_of_ours_settle() -> None:
    # 23.00 came off before 92.00 were paid through Afterpay: the invoice waits for those 92.00
    less = edited(2, sale("-23.00", tax("-3.00"), number=2, action="RETURN", line=11))
    books = posted(sold(less, money=[by("Afterpay", 91, "92.00", days=2)]), POLICY)
    assert shown_allocations(books) == [("SH-1001-E2", "SH-1001", "23.00")]
    assert money(books) == ([], Decimal("92.00"), ())


def test_a_refund_through_such_a_gateway_keeps_its_credit_note_for_them() -> None:
    back = refunded(2, sale("-23.00", tax("-3.00"), number=2, action="RETURN", line=11), refund=31)
    both = [by("Afterpay", 91, "115.00"), by("Afterpay", 92, "23.00", "REFUND", days=1)]
    books = posted(sold(back, money=both, refunds=[refund(31, 92)]), POLICY)
    assert documents(books) == [("SH-1001", "115.00"), ("SH-1001-R2", "-23.00")]
    assert shown_allocations(books) == []
    assert money(books) == ([], Decimal("92.00"), ())
    assert books.expected_money == 0


def test_a_card_payment_is_refunded_as_ever_beside_them() -> None:
    back = refunded(2, sale("-23.00", tax("-3.00"), number=2, action="RETURN", line=11), refund=31)
    both = [
        by("Afterpay", 91, "55.00"),
        by("shopify_payments", 92, "60.00"),
        by("shopify_payments", 93, "23.00", "REFUND", days=1),
    ]
    books = posted(sold(back, money=both, refunds=[refund(31, 93)]), POLICY)
    assert money(books)[:2] == ([("SH-1001", "60.00", "601"), ("SH-1001-R2", "23.00", "601")], Decimal("55.00"))


def test_money_beyond_the_documents_is_theirs_to_decide_about_and_blocks_nothing() -> None:
    assert money(posted(sold(money=[by("Afterpay", 91, "120.00")]), POLICY)) == (
        [],
        Decimal("120.00"),
        (
            "5.00 of transaction 91 (Afterpay) has no invoice; this gateway's money is entered in Xero by others, so"
            " they decide about it",
        ),
    )
    kind = [by("Afterpay", 91, "115.00"), by("Afterpay", 92, "10.00", "REFUND", days=1)]
    assert money(posted(sold(money=kind), POLICY)) == (
        [],
        Decimal("105.00"),
        (
            "10.00 of transaction 92 (Afterpay) has no credit note; this gateway's money is entered in Xero by"
            " others, so they decide about it",
        ),
    )


def test_a_refund_for_nothing_returned_has_its_document_if_books_yaml_adjusts_it() -> None:
    kind = [by("Afterpay", 91, "115.00"), by("Afterpay", 92, "10.00", "REFUND", days=1)]
    books = posted(sold(money=kind), ADJUST)
    assert documents(books) == [("SH-1001", "115.00"), ("SH-1001-M92", "-10.00")]
    assert money(books) == ([], Decimal("105.00"), ())


def test_a_refund_for_nothing_returned_through_another_gateway_still_blocks() -> None:
    kind = [by("Afterpay", 91, "115.00"), by("shopify_payments", 92, "10.00", "REFUND", days=1)]
    assert "refunds exceed the credit notes: 10.00 of transaction 92" in blocked(sold(money=kind), POLICY)


def test_money_that_came_twice_and_went_back_the_same_way_needs_nobody() -> None:
    twice = [
        by("Afterpay", 91, "115.00"),
        by("Afterpay", 92, "115.00", days=1),
        by("Afterpay", 93, "115.00", "REFUND", days=2),
    ]
    assert money(posted(sold(money=twice), POLICY)) == ([], Decimal("115.00"), ())


def test_money_that_went_back_through_another_of_them_is_not_the_same_money() -> None:
    twice = [
        by("Afterpay", 91, "115.00"),
        by("Afterpay", 92, "115.00", days=1),
        by("Zip", 93, "115.00", "REFUND", days=2),
    ]
    assert len(posted(sold(money=twice), POLICY).warnings) == 2


def test_a_payment_posted_before_the_gateway_was_left_to_others_stays_on_its_account() -> None:
    paid = [by("Afterpay", 91, "60.00")]
    before = posted(sold(money=paid), BooksPolicy.from_yaml('payments: {Afterpay: "607"}', "books.yaml"))
    later = [*paid, by("Afterpay", 92, "55.00", days=1)]
    books = posted(sold(money=later), POLICY, ledger_of(before))
    assert money(books) == ([("SH-1001", "60.00", "607")], Decimal("55.00"), ())
    assert books.expected_money == Decimal("60.00")


def test_cash_rounding_has_its_document_and_the_cash_is_left_to_them() -> None:
    policy = BooksPolicy.from_yaml("payments: {cash: none}", "books.yaml")
    cash = transaction(91, "115.00", gateway="cash", rounding="0.02")
    books = posted(sold(money=[cash]), policy)
    assert documents(books) == [("SH-1001", "115.00"), ("SH-1001-C91", "0.02")]
    assert money(books) == ([], Decimal("115.02"), ())
    assert books.expected_money == 0


def test_a_payment_under_way_is_waited_for_as_well() -> None:
    pending = transaction(91, "115.00", gateway="Afterpay", status="PENDING")
    placed = POLICY.model_copy(update={"post_when": "placed"})
    books = posted(sold(money=[pending]), placed)
    assert (books.waits_for_others, books.left_to_others) == (True, 0)
    failed = transaction(91, "115.00", gateway="Afterpay", status="FAILURE")
    assert not posted(sold(money=[failed]), placed).waits_for_others
    assert left_alone(sold(money=[pending]), POLICY)[0] == "waiting"


def test_tax_that_a_channel_remits_is_paid_from_its_account_beside_them() -> None:
    row = sale("115.00", tax("15.00", channel_liable=True), line=11)
    books = posted(
        order(
            agreement(1, row),
            lines=[line_item(11, "115.00")],
            transactions=[by("Afterpay", 91, "100.00")],
            display_financial_status="PAID",
            total_outstanding_set=bag("0.00"),
        ),
        POLICY,
    )
    assert money(books)[:2] == ([("SH-1001", "15.00", "835")], Decimal("100.00"))
    assert books.expected_money == Decimal("15.00")


def test_preflight_asks_xero_for_no_account_of_that_name() -> None:
    assert not [
        one for one in policy_problems(POLICY, organisation()) if "Afterpay" in one.message or "Zip" in one.message
    ]


def test_gift_cards_cannot_be_left_to_others() -> None:
    with pytest.raises(PolicyError, match=r"payments\.gift_card is none, but gift cards are sold on"):
        BooksPolicy.from_yaml("payments: {gift_card: none}", "books.yaml")


def test_an_order_without_such_money_waits_for_nobody() -> None:
    books = posted(sold(money=[by("shopify_payments", 91, "115.00")]), POLICY)
    assert (books.waits_for_others, books.left_to_others) == (False, 0)
