"""The twelve worked examples of the books, every figure by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.books.contacts import contact_of, with_suffix
from shopify_xero_pipeline.books.orders import keep_order
from shopify_xero_pipeline.books.policy import BooksPolicy, TaxPolicy, TaxRule
from shopify_xero_pipeline.books.records import OrderBooks, OrderLedger, Outcome
from shopify_xero_pipeline.shopify.models import Order
from shopify_xero_pipeline.xero.models import CreditNote, Invoice
from shopify_xero_pipeline_tests.books.builders import (
    agreement,
    customer,
    ledger_of,
    line_item,
    order,
    organisation,
    refund,
    sale,
    shown_allocations,
    shown_documents,
    shown_line,
    shown_payments,
    tax,
    transaction,
)

GST_10 = BooksPolicy(tax=TaxPolicy(rates=(TaxRule(title="GST", rate=Decimal("0.1"), tax_type="OUTPUT"),)))
VAT_20 = BooksPolicy(
    tax=TaxPolicy(
        rates=(
            TaxRule(title="VAT", rate=Decimal("0.2"), tax_type="OUTPUT2"),
            TaxRule(rate=Decimal(0), tax_type="ZERORATEDOUTPUT"),
        )
    )
)
PLACED = BooksPolicy(post_when="placed")
OCTOBER = datetime(2026, 10, 14, 1, 0, tzinfo=UTC)


def kept(subject: Order, policy: BooksPolicy | None = None, ledger: OrderLedger | None = None) -> OrderBooks:
    books = keep_order(subject, policy or BooksPolicy(), organisation(), ledger or OrderLedger())
    assert books.outcome is Outcome.POST, books.reason
    return books


def test_1_tax_included_with_an_order_discount_on_the_item_row() -> None:
    books = kept(
        order(
            agreement(
                1,
                sale("59.00", tax("5.36", rate="0.1"), quantity=2, line=11),
                sale("11.00", tax("1.00", rate="0.1"), line_type="SHIPPING", title="Courier"),
            ),
            lines=[line_item(11, "33.00", quantity=2)],
            transactions=[transaction(91, "70.00")],
        ),
        GST_10,
    )
    (document,) = books.documents
    goods, shipping = document.lines
    assert document.line_amount_types == "Inclusive"
    assert (goods.quantity, goods.unit_amount, goods.discount_amount) == (2, Decimal("33.00"), Decimal("7.00"))
    assert shown_line(goods) == ("59.00", "5.36", "200", "OUTPUT")
    assert shown_line(shipping) == ("11.00", "1.00", "205", "OUTPUT")
    assert shown_documents(books) == [("SH-1001", "70.00", "6.36")]
    assert shown_payments(books) == [("SH-1001", "70.00", "601")]


def example_2(*more: Any, **changes: Any) -> Order:
    vat: Any = {"title": "VAT", "rate": "0.2"}
    return order(
        agreement(
            1,
            sale("35.99", tax("6.00", **vat), quantity=3, line=11),
            sale("6.00", tax("1.00", **vat), line_type="SHIPPING", title="Post"),
        ),
        *more,
        lines=[line_item(11, "10.00", quantity=3)],
        taxes_included=False,
        **changes,
    )


def test_2_tax_excluded_with_a_discount_of_a_cent() -> None:
    books = kept(example_2(transactions=[transaction(91, "41.99")]), VAT_20)
    (document,) = books.documents
    assert document.line_amount_types == "Exclusive"
    assert [shown_line(line) for line in document.lines] == [
        ("29.99", "6.00", "200", "OUTPUT2"),
        ("5.00", "1.00", "205", "OUTPUT2"),
    ]
    assert document.lines[0].discount_amount == Decimal("0.01")
    assert shown_documents(books) == [("SH-1001", "41.99", "7.00")]


def test_3_the_discounted_unit_is_refunded_next_month() -> None:
    returned = sale("-11.99", tax("-2.00", title="VAT", rate="0.2"), action="RETURN", line=11)
    books = kept(
        example_2(
            agreement(2, returned, reason="REFUND", refund=31, at=OCTOBER),
            transactions=[transaction(91, "41.99"), transaction(92, "11.99", "REFUND", at=OCTOBER)],
            refunds=[refund(31, 92, at=OCTOBER)],
        ),
        VAT_20,
    )
    credit_note = books.documents[1]
    assert isinstance(credit_note, CreditNote)
    assert [shown_line(line) for line in credit_note.lines] == [("9.99", "2.00", "200", "OUTPUT2")]
    assert shown_documents(books) == [("SH-1001", "41.99", "7.00"), ("SH-1001-R2", "-11.99", "2.00")]
    assert credit_note.date == date(2026, 10, 14)
    assert shown_payments(books) == [("SH-1001", "41.99", "601"), ("SH-1001-R2", "11.99", "601")]
    assert books.allocations == ()


def test_4_a_gift_card_is_a_liability_when_sold_and_pays_from_it_when_used() -> None:
    sold = kept(
        order(
            agreement(1, sale("50.00", line_type="GIFT_CARD", title="Gift card")),
            transactions=[transaction(91, "50.00")],
        )
    )
    assert [shown_line(line) for line in sold.documents[0].lines] == [("50.00", "0", "830", "NONE")]
    used = kept(
        order(
            agreement(1, sale("80.00", tax("10.43"), line=11)),
            number=5002,
            name="#1002",
            lines=[line_item(11, "80.00")],
            transactions=[transaction(92, "50.00", gateway="gift_card"), transaction(93, "30.00")],
        )
    )
    assert shown_payments(used) == [("SH-1002", "50.00", "830"), ("SH-1002", "30.00", "601")]


def test_5_a_line_added_to_a_paid_order_is_a_second_invoice() -> None:
    first = agreement(1, sale("100.00", tax("13.04"), line=11))
    lines = [line_item(11, "100.00"), line_item(12, "20.00")]
    before = kept(order(first, lines=lines, transactions=[transaction(91, "100.00")]))
    after = kept(
        order(
            first,
            agreement(2, sale("20.00", tax("2.61"), line=12), reason="ORDER_EDIT", at=OCTOBER),
            lines=lines,
            transactions=[transaction(91, "100.00"), transaction(92, "20.00", at=OCTOBER)],
        ),
        ledger=ledger_of(before),
    )
    assert after.documents[0] == before.documents[0]
    assert shown_documents(after) == [("SH-1001", "100.00", "13.04"), ("SH-1001-E2", "20.00", "2.61")]
    assert shown_payments(after) == [("SH-1001", "100.00", "601"), ("SH-1001-E2", "20.00", "601")]


def test_6_an_exchange_in_one_agreement_is_one_invoice_of_the_difference() -> None:
    books = kept(
        order(
            agreement(1, sale("40.00", tax("5.22"), line=11)),
            agreement(
                2,
                sale("-40.00", tax("-5.22"), action="RETURN", line=11),
                sale("55.00", tax("7.17"), line=12),
                reason="RETURN",
                at=OCTOBER,
            ),
            lines=[line_item(11, "40.00"), line_item(12, "55.00")],
            transactions=[transaction(91, "40.00"), transaction(92, "15.00", at=OCTOBER)],
        )
    )
    assert [shown_line(line)[:2] for line in books.documents[1].lines] == [("-40.00", "-5.22"), ("55.00", "7.17")]
    assert shown_documents(books) == [("SH-1001", "40.00", "5.22"), ("SH-1001-T2", "15.00", "1.95")]
    assert shown_payments(books) == [("SH-1001", "40.00", "601"), ("SH-1001-T2", "15.00", "601")]


def test_7_two_customers_called_the_same_are_two_contacts() -> None:
    first = contact_of(customer(7, "John Smith", "john@example.com"), BooksPolicy())
    second = with_suffix(contact_of(customer(8, "John Smith", None), BooksPolicy()))
    assert (first.contact_number, first.name, first.email) == ("shopify:7", "John Smith", "john@example.com")
    assert (second.contact_number, second.name, second.email) == ("shopify:8", "John Smith (8)", None)


def test_8_half_past_eleven_on_the_31st_is_dated_the_31st() -> None:
    policy = BooksPolicy(time_zone="America/New_York")
    late = datetime(2026, 11, 1, 3, 30, tzinfo=UTC)  # 23:30 on 31 October in New York
    books = kept(
        order(agreement(1, sale("10.00"), at=late), at=late, transactions=[transaction(91, "10.00", at=late)]), policy
    )
    assert books.documents[0].date == date(2026, 10, 31)
    assert books.payments[0].date == date(2026, 10, 31)


def test_9_an_unpaid_order_cancelled_after_posting_is_credited_and_allocated() -> None:
    first = agreement(1, sale("100.00", tax("13.04"), line=11))
    placed = kept(order(first, lines=[line_item(11, "100.00")]), PLACED)
    cancelled = kept(
        order(
            first,
            agreement(
                2, sale("-100.00", tax("-13.04"), action="RETURN", line=11), reason="REFUND", refund=31, at=OCTOBER
            ),
            lines=[line_item(11, "100.00")],
            refunds=[refund(31, at=OCTOBER)],
            cancelled_at=OCTOBER,
        ),
        PLACED,
        ledger_of(placed),
    )
    assert shown_documents(cancelled) == [("SH-1001", "100.00", "13.04"), ("SH-1001-R2", "-100.00", "13.04")]
    assert shown_payments(cancelled) == []
    assert shown_allocations(cancelled) == [("SH-1001-R2", "SH-1001", "100.00")]


def test_10_change_is_taken_from_the_cash_before_it_is_a_payment() -> None:
    books = kept(
        order(
            agreement(1, sale("45.00", tax("5.87"), line=11)),
            lines=[line_item(11, "45.00")],
            transactions=[
                transaction(91, "50.00", gateway="cash"),
                transaction(92, "5.00", "CHANGE", gateway="cash", parent=91),
            ],
        )
    )
    assert shown_payments(books) == [("SH-1001", "45.00", "603")]


def test_10_cash_rounded_up_is_an_invoice_on_rounding_paid_by_the_same_cash() -> None:
    books = kept(
        order(
            agreement(1, sale("10.03", tax("1.31"), line=11)),
            lines=[line_item(11, "10.03")],
            transactions=[transaction(91, "10.03", gateway="cash", rounding="0.02")],
        )
    )
    assert shown_documents(books) == [("SH-1001", "10.03", "1.31"), ("SH-1001-C91", "0.02", "0")]
    assert [shown_line(line) for line in books.documents[1].lines] == [("0.02", "0", "860", "NONE")]
    assert shown_payments(books) == [("SH-1001", "10.03", "603"), ("SH-1001-C91", "0.02", "603")]


def test_11_an_even_swap_between_tax_rates_is_an_invoice_of_nothing_with_both_rows() -> None:
    books = kept(
        order(
            agreement(1, sale("12.00", tax("2.00", "VAT", "0.2"), line=11)),
            agreement(
                2,
                sale("-12.00", tax("-2.00", "VAT", "0.2"), action="RETURN", line=11),
                sale("12.00", tax("0", "VAT", "0"), line=12),
                reason="ORDER_EDIT",
                at=OCTOBER,
            ),
            lines=[line_item(11, "12.00"), line_item(12, "12.00", title="Book")],
            transactions=[transaction(91, "12.00")],
        ),
        VAT_20,
    )
    swap = books.documents[1]
    assert isinstance(swap, Invoice)
    assert (swap.total, swap.total_tax) == (Decimal(0), Decimal("-2.00"))
    assert [shown_line(line)[:2] for line in swap.lines] == [("-12.00", "-2.00"), ("12.00", "0.00")]
    assert len(books.payments) == 1


def test_12_a_return_of_an_unpaid_order_is_allocated_and_the_rest_paid() -> None:
    first = agreement(1, sale("100.00", tax("13.04"), line=11))
    second = agreement(
        2, sale("-30.00", tax("-3.91"), action="RETURN", line=11), reason="RETURN", at=datetime(2026, 9, 25, tzinfo=UTC)
    )
    lines = [line_item(11, "100.00")]
    returned = kept(order(first, second, lines=lines), PLACED)
    paid = kept(
        order(first, second, lines=lines, transactions=[transaction(91, "70.00", "CAPTURE", at=OCTOBER)]),
        PLACED,
        ledger_of(returned),
    )
    assert shown_payments(paid) == [("SH-1001", "70.00", "601")]
    assert shown_allocations(returned) == shown_allocations(paid) == [("SH-1001-T2", "SH-1001", "30.00")]
