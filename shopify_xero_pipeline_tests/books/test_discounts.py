"""Discounts of every kind: what was charged is booked, and the line says how it came about."""

from decimal import Decimal

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.xero.models import Line
from shopify_xero_pipeline_tests.books.booking import PLACED, left_alone, posted, refunded
from shopify_xero_pipeline_tests.books.builders import (
    agreement,
    line_item,
    order,
    refund,
    sale,
    shown_documents,
    shown_line,
    shown_payments,
    tax,
    transaction,
)


def priced(line: Line) -> tuple[str, str, str | None]:
    """Return quantity, unit price and discount of a line."""
    discount = None if line.discount_amount is None else str(line.discount_amount)
    return str(line.quantity), str(line.unit_amount), discount


def test_a_discount_on_one_line_leaves_the_others_alone() -> None:
    sold = agreement(1, sale("90.00", tax("11.74"), line=11), sale("50.00", tax("6.52"), line=12))
    books = posted(order(sold, lines=[line_item(11, "100.00"), line_item(12, "50.00")]), PLACED)
    assert [priced(line) for line in books.documents[0].lines] == [("1", "100.00", "10.00"), ("1", "50.00", None)]
    assert shown_documents(books) == [("SH-1001", "140.00", "18.26")]


def test_an_order_discount_stands_on_the_lines_it_was_spread_over_to_the_cent() -> None:
    # 10.00 over three lines of 30.00: 3.34, 3.33, 3.33
    rows = [
        sale("26.66", tax("3.48"), line=11),
        sale("26.67", tax("3.48"), line=12),
        sale("26.67", tax("3.48"), line=13),
    ]
    lines = [line_item(number, "30.00") for number in (11, 12, 13)]
    books = posted(order(agreement(1, *rows), lines=lines), PLACED)
    assert [priced(line)[2] for line in books.documents[0].lines] == ["3.34", "3.33", "3.33"]
    assert shown_documents(books) == [("SH-1001", "80.00", "10.44")]


def test_a_discount_code_on_three_units_that_do_not_divide_is_one_line_with_its_discount() -> None:
    sold = agreement(1, sale("25.00", tax("3.26"), quantity=3, line=11))
    books = posted(order(sold, lines=[line_item(11, "9.99")]), PLACED)
    assert priced(books.documents[0].lines[0]) == ("3", "9.99", "4.97")
    assert shown_documents(books) == [("SH-1001", "25.00", "3.26")]


def test_an_automatic_discount_on_prices_without_tax_is_taken_before_the_tax() -> None:
    sold = agreement(1, sale("103.50", tax("13.50"), quantity=2, line=11))
    books = posted(order(sold, lines=[line_item(11, "50.00")], taxes_included=False), PLACED)
    assert priced(books.documents[0].lines[0]) == ("2", "50.00", "10.00")
    assert shown_line(books.documents[0].lines[0]) == ("90.00", "13.50", "200", "OUTPUT2")
    assert shown_documents(books) == [("SH-1001", "103.50", "13.50")]


def test_buy_two_get_one_free_on_lines_of_their_own_shows_the_free_one_at_its_price() -> None:
    sold = agreement(1, sale("60.00", tax("7.83"), quantity=2, line=11), sale("0.00", tax("0.00"), line=12))
    books = posted(order(sold, lines=[line_item(11, "30.00"), line_item(12, "30.00")]), PLACED)
    assert priced(books.documents[0].lines[0]) == ("2", "30.00", None)
    assert shown_line(books.documents[0].lines[1]) == ("0.00", "0.00", "200", "OUTPUT2")
    assert shown_documents(books) == [("SH-1001", "60.00", "7.83")]


def test_shipping_at_half_price_is_what_was_charged_for_it() -> None:
    rows = [sale("50.00", tax("6.52"), line=11), sale("5.75", tax("0.75"), line_type="SHIPPING", title="Courier")]
    books = posted(order(agreement(1, *rows), lines=[line_item(11, "50.00")]), PLACED)
    assert shown_line(books.documents[0].lines[1]) == ("5.75", "0.75", "205", "OUTPUT2")
    assert priced(books.documents[0].lines[1])[2] is None


def test_free_shipping_is_a_line_of_nothing() -> None:
    rows = [sale("50.00", tax("6.52"), line=11), sale("0.00", line_type="SHIPPING", title="Courier")]
    books = posted(order(agreement(1, *rows), lines=[line_item(11, "50.00")]), PLACED)
    assert shown_line(books.documents[0].lines[1]) == ("0.00", "0", "205", "NONE")
    assert shown_documents(books) == [("SH-1001", "50.00", "6.52")]


def test_goods_discounted_to_nothing_with_shipping_charged_are_posted() -> None:
    rows = [sale("0.00", tax("0.00"), line=11), sale("5.75", tax("0.75"), line_type="SHIPPING", title="Courier")]
    money = [transaction(91, "5.75")]
    books = posted(order(agreement(1, *rows), lines=[line_item(11, "50.00")], transactions=money))
    assert shown_documents(books) == [("SH-1001", "5.75", "0.75")]
    assert shown_payments(books) == [("SH-1001", "5.75", "601")]


def test_an_order_discounted_by_a_hundred_per_cent_is_skipped_or_an_invoice_of_nothing() -> None:
    free = order(agreement(1, sale("0.00", tax("0.00"), line=11)), lines=[line_item(11, "50.00")])
    assert left_alone(free)[0] == "skipped"
    books = posted(free, BooksPolicy(zero_value="post"))
    assert shown_documents(books) == [("SH-1001", "0.00", "0.00")]
    assert books.payments == ()


def test_a_discounted_unit_is_credited_at_what_was_paid_for_it_without_any_discount() -> None:
    sold = agreement(1, sale("59.00", tax("7.70"), quantity=2, line=11))
    back = refunded(2, sale("-29.50", tax("-3.85"), action="RETURN", quantity=-1, line=11), refund=31)
    money = [transaction(91, "59.00"), transaction(92, "29.50", "REFUND")]
    books = posted(order(sold, back, lines=[line_item(11, "33.00")], transactions=money, refunds=[refund(31, 92)]))
    assert priced(books.documents[1].lines[0]) == ("1", "29.50", None)
    assert books.documents[1].total == Decimal("29.50")
