"""The twelve worked examples of the books, every figure by hand."""

from datetime import date
from decimal import Decimal

from shopify_xero_pipeline.books.contacts import build_contact, with_id_suffix
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.xero.models import CreditNote, Invoice
from shopify_xero_pipeline_tests.books import examples
from shopify_xero_pipeline_tests.books.builders import shown_allocations, shown_documents, shown_line, shown_payments


def test_1_tax_included_with_an_order_discount_on_the_item_row() -> None:
    books = examples.tax_included().kept()
    (document,) = books.documents
    goods, shipping = document.lines
    assert document.line_amount_types == "Inclusive"
    assert (goods.quantity, goods.unit_amount, goods.discount_amount) == (2, Decimal("33.00"), Decimal("7.00"))
    assert shown_line(goods) == ("59.00", "5.36", "200", "OUTPUT")
    assert shown_line(shipping) == ("11.00", "1.00", "205", "OUTPUT")
    assert shown_documents(books) == [("SH-1001", "70.00", "6.36")]
    assert shown_payments(books) == [("SH-1001", "70.00", "601")]


def test_2_tax_excluded_with_a_discount_of_a_cent() -> None:
    books = examples.tax_excluded().kept()
    (document,) = books.documents
    assert document.line_amount_types == "Exclusive"
    assert [shown_line(line) for line in document.lines] == [
        ("29.99", "6.00", "200", "OUTPUT2"),
        ("5.00", "1.00", "205", "OUTPUT2"),
    ]
    assert document.lines[0].discount_amount == Decimal("0.01")
    assert shown_documents(books) == [("SH-1001", "41.99", "7.00")]


def test_3_the_discounted_unit_is_refunded_next_month() -> None:
    books = examples.refunded_next_month().kept()
    credit_note = books.documents[1]
    assert isinstance(credit_note, CreditNote)
    assert [shown_line(line) for line in credit_note.lines] == [("9.99", "2.00", "200", "OUTPUT2")]
    assert shown_documents(books) == [("SH-1001", "41.99", "7.00"), ("SH-1001-R2", "-11.99", "2.00")]
    assert credit_note.date == date(2026, 10, 14)
    assert shown_payments(books) == [("SH-1001", "41.99", "601"), ("SH-1001-R2", "11.99", "601")]
    assert books.allocations == ()


def test_4_a_gift_card_is_a_liability_when_sold_and_pays_from_it_when_used() -> None:
    sold = examples.gift_card_sold().kept()
    assert [shown_line(line) for line in sold.documents[0].lines] == [("50.00", "0", "830", "NONE")]
    used = examples.gift_card_used().kept()
    assert shown_payments(used) == [("SH-1002", "50.00", "830"), ("SH-1002", "30.00", "601")]


def test_5_a_line_added_to_a_paid_order_is_a_second_invoice() -> None:
    example = examples.line_added()
    before, after = example.kept_before(), example.kept()
    assert after.documents[0] == before.documents[0]
    assert shown_documents(after) == [("SH-1001", "100.00", "13.04"), ("SH-1001-E2", "20.00", "2.61")]
    assert shown_payments(after) == [("SH-1001", "100.00", "601"), ("SH-1001-E2", "20.00", "601")]


def test_6_an_exchange_in_one_agreement_is_one_invoice_of_the_difference() -> None:
    books = examples.exchange().kept()
    assert [shown_line(line)[:2] for line in books.documents[1].lines] == [("-40.00", "-5.22"), ("55.00", "7.17")]
    assert shown_documents(books) == [("SH-1001", "40.00", "5.22"), ("SH-1001-T2", "15.00", "1.95")]
    assert shown_payments(books) == [("SH-1001", "40.00", "601"), ("SH-1001-T2", "15.00", "601")]


def test_7_two_customers_called_the_same_are_two_contacts() -> None:
    with_email, without = examples.two_called_the_same()
    first = build_contact(with_email, BooksPolicy())
    second = with_id_suffix(build_contact(without, BooksPolicy()))
    assert (first.contact_number, first.name, first.email) == ("shopify:7", "John Smith", "john@example.com")
    assert (second.contact_number, second.name, second.email) == ("shopify:8", "John Smith (8)", None)


def test_8_half_past_eleven_on_the_31st_is_dated_the_31st() -> None:
    books = examples.late_on_the_31st().kept()
    assert books.documents[0].date == date(2026, 10, 31)
    assert books.payments[0].date == date(2026, 10, 31)


def test_9_an_unpaid_order_cancelled_after_posting_is_credited_and_allocated() -> None:
    cancelled = examples.cancelled_unpaid().kept()
    assert shown_documents(cancelled) == [("SH-1001", "100.00", "13.04"), ("SH-1001-R2", "-100.00", "13.04")]
    assert shown_payments(cancelled) == []
    assert shown_allocations(cancelled) == [("SH-1001-R2", "SH-1001", "100.00")]


def test_10_change_is_taken_from_the_cash_before_it_is_a_payment() -> None:
    assert shown_payments(examples.change_given().kept()) == [("SH-1001", "45.00", "603")]


def test_10_cash_rounded_up_is_an_invoice_on_rounding_paid_by_the_same_cash() -> None:
    books = examples.cash_rounded_up().kept()
    assert shown_documents(books) == [("SH-1002", "10.03", "1.31"), ("SH-1002-C91", "0.02", "0")]
    assert [shown_line(line) for line in books.documents[1].lines] == [("0.02", "0", "860", "NONE")]
    assert shown_payments(books) == [("SH-1002", "10.03", "603"), ("SH-1002-C91", "0.02", "603")]


def test_11_an_even_swap_between_tax_rates_is_an_invoice_of_nothing_with_both_rows() -> None:
    books = examples.even_swap().kept()
    swap = books.documents[1]
    assert isinstance(swap, Invoice)
    assert (swap.total, swap.total_tax) == (Decimal(0), Decimal("-2.00"))
    assert [shown_line(line)[:2] for line in swap.lines] == [("-12.00", "-2.00"), ("12.00", "0.00")]
    assert len(books.payments) == 1


def test_12_a_return_of_an_unpaid_order_is_allocated_and_the_rest_paid() -> None:
    example = examples.returned_unpaid()
    returned, paid = example.kept_before(), example.kept()
    assert shown_payments(paid) == [("SH-1001", "70.00", "601")]
    assert shown_allocations(returned) == shown_allocations(paid) == [("SH-1001-T2", "SH-1001", "30.00")]
