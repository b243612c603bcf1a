"""Tax: looked up, never computed; what no entry covers stops the order and names the entry."""

from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.shopify.models import Address, Sale
from shopify_xero_pipeline_tests.books.builders import (
    agreement,
    ledger_of,
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

HEAD = "post_when: placed\ntax:\n"
RATES = """
  rates:
    - {title: VAT, tax_type: ANY_VAT}
    - {title: vat, rate: 0.20, tax_type: UK20}
    - {title: VAT, rate: 0.2, country: DE, tax_type: DE20}
    - {rate: 0, tax_type: ZERO}
    - {combination: [{title: GST, rate: 0.05}, {title: PST, rate: 0.07}], tax_type: CA12}
  untaxed: EXEMPT
  untaxed_by_country: {AU: EXPORT}
"""


def kept(*rows: Sale, policy: str = RATES, country: str | None = None, **more: Any) -> OrderBooks:
    address = Address(country_code_v2=country) if country else None
    return build_order_books(
        order(agreement(1, *rows), billing_address=address, **more),
        BooksPolicy.from_yaml(HEAD + policy, "books.yaml"),
        organisation(),
    )


def tax_types(books: OrderBooks) -> list[str]:
    assert books.outcome is Outcome.POST, books.reason
    return [line.tax_type for line in books.documents[0].lines]


def test_the_entry_that_says_most_about_a_tax_wins() -> None:
    row = sale("12.00", tax("2.00", "VAT", "0.2"))
    assert tax_types(kept(row)) == ["UK20"]
    assert tax_types(kept(row, country="DE")) == ["DE20"]
    assert tax_types(kept(sale("12.00", tax("0.57", "VAT", "0.05")))) == ["ANY_VAT"]
    assert tax_types(kept(sale("12.00", tax("0.57", "VAT", None)))) == ["ANY_VAT"]


def test_the_country_is_where_the_goods_go() -> None:
    row = sale("12.00", tax("2.00", "VAT", "0.2"))
    assert tax_types(kept(row, country="GB", shipping_address=Address(country_code_v2="DE"))) == ["DE20"]
    assert tax_types(kept(row, country="DE", shipping_address=Address(city="Bonn"))) == ["DE20"]


def test_a_tax_of_nothing_is_looked_up_too() -> None:
    assert tax_types(kept(sale("12.00", tax("0", "Zero", "0")))) == ["ZERO"]


def test_a_row_without_any_tax_is_untaxed_by_country() -> None:
    assert tax_types(kept(sale("12.00"))) == ["EXEMPT"]
    assert tax_types(kept(sale("12.00"), country="AU")) == ["EXPORT"]


def test_several_taxes_need_an_entry_for_their_combination_in_any_order() -> None:
    gst, pst = tax("0.50", "GST", "0.05"), tax("0.70", "PST", "0.07")
    assert tax_types(kept(sale("11.20", pst, gst))) == ["CA12"]
    assert kept(sale("11.20", gst, gst)).outcome is Outcome.BLOCKED


def test_a_tax_that_no_entry_covers_blocks_and_names_the_entry() -> None:
    books = kept(sale("10.70", tax("0.70", "QST", "0.09975")), country="CA")
    assert books.outcome is Outcome.BLOCKED
    assert books.reason == (
        "no tax rate for QST 9.975 % (goods to CA); with Xero's code for it instead of TAX_TYPE, add to books.yaml"
        " under tax.rates: - {title: QST, rate: 0.09975, tax_type: TAX_TYPE}"
    )


def test_a_combination_that_no_entry_covers_names_the_combination() -> None:
    books = kept(sale("11.20", tax("0.50", "GST", "0.05"), tax("0.70", "QST", None)))
    assert "- {combination: [{title: GST, rate: 0.05}, {title: QST}], tax_type: TAX_TYPE}" in books.reason


LINES = """
  mode: lines
  lines:
    - {title: State Tax, account: "821"}
    - {title: State Tax, rate: 0.0725, account: "822"}
    - {title: City Tax, country: US, account: "823"}
"""


def test_in_mode_lines_each_tax_is_a_line_on_its_liability_account() -> None:
    row = sale("108.25", tax("7.25", "State Tax", "0.0725"), tax("1.00", "City Tax", "0.01"), quantity=2)
    books = kept(row, policy=LINES, country="US", taxes_included=False)
    assert books.documents[0].line_amount_types == "NoTax"
    assert [shown_line(line) for line in books.documents[0].lines] == [
        ("100.00", "0", "200", "NONE"),
        ("7.25", "0", "822", "NONE"),
        ("1.00", "0", "823", "NONE"),
    ]
    assert books.documents[0].lines[0].description == "Product (2 units)"
    assert shown_documents(books) == [("SH-1001", "108.25", "0")]


def test_in_mode_lines_a_tax_of_nothing_needs_no_account() -> None:
    assert tax_types(kept(sale("10.00", tax("0.00", "Other", "0")), policy=LINES)) == ["NONE"]


def test_in_mode_lines_a_tax_without_an_account_blocks_and_names_the_entry() -> None:
    books = kept(sale("10.10", tax("0.10", "City Tax", "0.01")), policy=LINES)
    assert books.reason == (
        "no account for the tax City Tax 1 %; with Xero's code for it instead of ACCOUNT, add to books.yaml under"
        " tax.lines: - {title: City Tax, rate: 0.01, account: ACCOUNT}"
    )


CHANNEL_ROW = sale("115.00", tax("15.00", "GST", "0.15", channel_liable=True))


def channel_order(**more: Any) -> OrderBooks:
    policy = more.pop("policy", BooksPolicy())
    assert isinstance(policy, BooksPolicy)
    subject = order(agreement(1, CHANNEL_ROW), **more)
    return build_order_books(subject, policy, organisation())


def test_tax_the_channel_remits_is_a_line_of_its_own_and_the_total_stays() -> None:
    for included in (True, False):
        books = channel_order(transactions=[transaction(91, "115.00")], taxes_included=included)
        assert [shown_line(line) for line in books.documents[0].lines] == [
            ("100.00", "0", "200", "NONE"),
            ("15.00", "0", "835", "NONE"),
        ]
        assert shown_documents(books) == [("SH-1001", "115.00", "0")]
        assert shown_payments(books) == [("SH-1001", "115.00", "601")]


def test_in_mode_lines_the_channels_tax_stands_on_the_channels_account() -> None:
    policy = BooksPolicy.from_yaml("tax: {mode: lines}", "books.yaml")
    books = channel_order(transactions=[transaction(91, "115.00")], policy=policy)
    assert [line.account_code for line in books.documents[0].lines] == ["200", "835"]


def test_an_order_paid_short_by_the_channels_tax_is_settled_from_its_account() -> None:
    books = channel_order(transactions=[transaction(91, "100.00")], display_financial_status="PAID")
    assert shown_payments(books) == [("SH-1001", "100.00", "601"), ("SH-1001", "15.00", "835")]
    assert books.payments[1].shopify_id == "channel-tax-1/SH-1001"
    assert (books.channel_paid, books.money, books.expected_money) == (15, 100, 115)


def test_an_order_paid_short_by_anything_else_blocks() -> None:
    books = channel_order(transactions=[transaction(91, "99.00")], display_financial_status="PAID")
    assert books.outcome is Outcome.BLOCKED
    assert "16.00 is missing, and the tax its sales channel remits is 15.00" in books.reason


def test_a_later_entry_without_channel_tax_leaves_the_channels_payment_as_it_is() -> None:
    subject = order(
        agreement(1, CHANNEL_ROW),
        agreement(2, sale("20.00"), reason="ORDER_EDIT"),
        transactions=[transaction(91, "120.00")],
        display_financial_status="PAID",
    )
    books = build_order_books(subject, BooksPolicy(), organisation())
    assert shown_payments(books) == [
        ("SH-1001", "115.00", "601"),
        ("SH-1001-E2", "5.00", "601"),
        ("SH-1001-E2", "15.00", "835"),
    ]


def test_an_order_not_yet_paid_waits_for_the_rest_before_the_channel_settles_anything() -> None:
    books = channel_order(transactions=[transaction(91, "100.00")], display_financial_status="PARTIALLY_PAID")
    assert shown_payments(books) == [("SH-1001", "100.00", "601")]


def test_a_refund_gives_the_channels_tax_back_to_its_account() -> None:
    first = agreement(1, CHANNEL_ROW)
    back = agreement(
        2,
        sale("-115.00", tax("-15.00", channel_liable=True), action="RETURN"),
        reason="REFUND",
        refund=31,
    )
    money = [transaction(91, "100.00"), transaction(92, "100.00", "REFUND")]
    before = channel_order(transactions=money[:1], display_financial_status="PAID")
    refunded = order(first, back, transactions=money, refunds=[refund(31, 92)], display_financial_status="REFUNDED")
    after = build_order_books(refunded, BooksPolicy(), organisation(), ledger_of(before))
    assert shown_payments(after) == [
        ("SH-1001", "100.00", "601"),
        ("SH-1001", "15.00", "835"),
        ("SH-1001-R2", "100.00", "601"),
        ("SH-1001-R2", "15.00", "835"),
    ]
    assert after.channel_paid == Decimal(0)
    at_once = build_order_books(refunded, BooksPolicy(), organisation())
    assert shown_allocations(at_once) == [("SH-1001-R2", "SH-1001", "15.00")]


def test_what_the_channel_settled_stays_settled_while_a_refund_is_unclear() -> None:
    before = channel_order(transactions=[transaction(91, "100.00")], display_financial_status="PAID")
    unclear = order(
        agreement(1, CHANNEL_ROW),
        agreement(2, sale("-23.00", tax("-3.00", channel_liable=True), action="RETURN"), reason="RETURN"),
        transactions=[transaction(91, "100.00")],
        display_financial_status="PARTIALLY_REFUNDED",
    )
    after = build_order_books(unclear, BooksPolicy(), organisation(), ledger_of(before))
    assert after.outcome is Outcome.POST, after.reason
    assert shown_payments(after) == [("SH-1001", "100.00", "601"), ("SH-1001", "15.00", "835")]


INDIA = "  rates: [{title: IGST, rate: 0.05, tax_type: GST5}]\n"


def test_tax_of_all_rows_that_stands_on_the_first_is_posted_as_it_stands_and_the_base_in_xero_is_said() -> None:
    rows = sale("375.34", tax("53.62", "IGST", "0.05")), sale("500.66"), sale("250.00", line_type="SHIPPING")
    books = kept(*rows, policy=INDIA)
    (document,) = books.documents
    assert (sum(line.tax_amount for line in document.lines), books.tax) == (Decimal("53.62"), Decimal("53.62"))
    assert tax_types(books) == ["GST5", "NONE", "NONE"]
    assert books.warnings == (
        "all tax (IGST 5 %, 53.62) is on rows of 321.72, but was charged on 1,072.38: Xero's tax report shows 321.72"
        " as its base",
    )


def test_rows_that_are_free_of_tax_are_no_reason_for_a_warning() -> None:
    assert kept(sale("105.00", tax("5.00", "IGST", "0.05")), sale("50.00"), policy=INDIA).warnings == ()
    assert kept(sale("105.00", tax("5.00", "IGST", "0.05")), policy=INDIA).warnings == ()
    assert kept(sale("50.00"), policy=INDIA).warnings == ()


def test_two_taxes_of_all_rows_on_the_first_are_both_named() -> None:
    split = "  rates: [{combination: [{title: CGST}, {title: SGST}], tax_type: GST5}]\n"
    both = tax("26.81", "CGST", "0.025"), tax("26.81", "SGST", "0.025")
    assert kept(sale("375.34", *both), sale("750.66"), policy=split).warnings == (
        "all tax (CGST 2.5 % and SGST 2.5 %, 53.62) is on rows of 321.72, but was charged on 1,072.38: Xero's tax"
        " report shows 321.72 as its base",
    )


@pytest.mark.parametrize(
    ("taxed", "amount", "others", "warned"),
    [
        ("55.00", "5.00", "51.00", True),  # 5 % of 101.00 is 5.05: five cents can come from rounding
        ("55.00", "5.00", "51.20", False),  # 5 % of 101.20 is 5.06
        ("375.34", "53.62", "760.28", True),  # 5 % of 1,082.00 is 54.10: less than a hundredth of the tax
        ("375.34", "53.62", "765.00", False),  # 5 % of 1,086.72 is 54.34
        ("351.72", "30.00", "750.66", False),  # the tax of neither base
        ("105.00", "5.00", "0.50", False),  # the tax of both bases
    ],
)
def test_tax_counts_as_charged_on_all_rows_only_if_it_fits_their_sum_and_not_its_own_row(
    taxed: str, amount: str, others: str, warned: bool
) -> None:
    rows = sale(taxed, tax(amount, "IGST", "0.05")), sale(others)
    assert bool(kept(*rows, policy=INDIA).warnings) is warned


def test_in_mode_lines_no_tax_has_a_base_in_xero_to_warn_of() -> None:
    rows = sale("375.34", tax("53.62", "IGST", "0.05")), sale("750.66")
    books = kept(*rows, policy="  mode: lines\n  lines: [{title: IGST, account: '835'}]\n")
    assert (books.outcome, books.warnings) == (Outcome.POST, ())


def test_the_channel_counts_what_a_refund_under_way_will_give_back() -> None:
    """After goods of 23.00 came back, 20.00 are under way: of 92.00, 80.00 stay paid, and 12.00 are the tax."""
    back = agreement(2, sale("-23.00", tax("-3.00", channel_liable=True), action="RETURN"), reason="REFUND", refund=31)
    subject = order(
        agreement(1, CHANNEL_ROW),
        back,
        transactions=[transaction(91, "100.00"), transaction(92, "20.00", "REFUND", status="PENDING")],
        refunds=[refund(31, 92)],
        display_financial_status="PAID",
    )
    books = build_order_books(subject, BooksPolicy(), organisation())
    assert shown_payments(books) == [
        ("SH-1001", "100.00", "601"),
        ("SH-1001", "15.00", "835"),
        ("SH-1001-R2", "3.00", "835"),
    ]
