"""Currencies of none, two and three decimals, customers' own, and shops whose currency is not Xero's base."""

from decimal import Decimal

import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.shopify.models import Sale
from shopify_xero_pipeline.xero.models import Organisation
from shopify_xero_pipeline_tests.books.booking import blocked, posted
from shopify_xero_pipeline_tests.books.builders import (
    account,
    agreement,
    line_item,
    order,
    organisation,
    refund,
    sale,
    shown_documents,
    shown_line,
    shown_payments,
    tax,
    transaction,
)

YEN_TAX = BooksPolicy.from_yaml("tax: {rates: [{rate: 0.1, tax_type: OUTPUT10}]}", "books.yaml")


def based_in(currency: str) -> Organisation:
    """Return an organisation whose base currency is this one."""
    return organisation(base=currency, currencies=(currency,))


def yen(total: str, own_tax: str, quantity: int = 1, action: str = "ORDER") -> Sale:
    return sale(
        total,
        tax(own_tax, "消費税", "0.1", currency="JPY"),
        quantity=quantity,
        line=11,
        action=action,
        currency="JPY",
    )


def test_yen_have_no_decimals_in_prices_tax_discounts_payments_and_refunds() -> None:
    books = posted(
        order(
            agreement(1, yen("3200", "291", quantity=3)),
            agreement(2, yen("-1067", "-97", quantity=-1, action="RETURN"), reason="REFUND", refund=31),
            lines=[line_item(11, "1100", currency="JPY")],
            transactions=[
                transaction(91, "3200", currency="JPY"),
                transaction(92, "1067", "REFUND", currency="JPY"),
            ],
            refunds=[refund(31, 92)],
            currency="JPY",
        ),
        YEN_TAX,
        xero=based_in("JPY"),
    )
    (line,) = books.documents[0].lines
    assert (str(line.quantity), str(line.unit_amount), str(line.discount_amount)) == ("3", "1100", "100")
    assert shown_documents(books) == [("SH-1001", "3200", "291"), ("SH-1001-R2", "-1067", "97")]
    assert shown_payments(books) == [("SH-1001", "3200", "601"), ("SH-1001-R2", "1067", "601")]


def test_the_trailing_zero_shopify_writes_behind_yen_is_no_decimal() -> None:
    books = posted(
        order(
            agreement(1, yen("3200.0", "291.0")),
            transactions=[transaction(91, "3200.0", currency="JPY")],
            currency="JPY",
        ),
        YEN_TAX,
        xero=based_in("JPY"),
    )
    assert shown_documents(books) == [("SH-1001", "3200", "291")]


def dinars(total: str, paid: str, unit: str = "12.500") -> OrderBooks | str:
    subject = order(
        agreement(1, sale(total, line=11, currency="KWD")),
        lines=[line_item(11, unit, currency="KWD")],
        transactions=[transaction(91, paid, currency="KWD")],
        currency="KWD",
    )
    if Decimal(total) == Decimal(total).quantize(Decimal("0.01")):
        return posted(subject, xero=based_in("KWD"))
    return blocked(subject, xero=based_in("KWD"))


def test_dinars_that_end_in_whole_cents_are_posted_with_two_decimals() -> None:
    books = dinars("12.500", "12.500")
    assert isinstance(books, OrderBooks)
    assert shown_documents(books) == [("SH-1001", "12.50", "0")]
    assert shown_payments(books) == [("SH-1001", "12.50", "601")]


def test_dinars_with_a_third_decimal_block_as_xero_could_not_keep_them() -> None:
    assert dinars("12.505", "12.505") == (
        "currency_precision: KWD 12.505 has more digits than Xero stores; enter this order in Xero by hand"
    )


def test_a_unit_price_with_a_third_decimal_is_not_shown_where_the_total_has_none() -> None:
    books = dinars("12.500", "12.500", unit="12.505")
    assert isinstance(books, OrderBooks)
    assert (str(books.documents[0].lines[0].unit_amount), books.documents[0].lines[0].discount_amount) == (
        "12.50",
        None,
    )


@pytest.mark.parametrize("part", ["payment", "tax", "refund"])
def test_a_third_decimal_anywhere_in_an_order_blocks_it_whole(part: str) -> None:
    own_tax = "1.631" if part == "tax" else "1.630"
    paid = "12.505" if part == "payment" else "12.500"
    back = "1.001" if part == "refund" else "1.000"
    subject = order(
        agreement(1, sale("12.500", tax(own_tax, currency="KWD"), currency="KWD")),
        agreement(2, sale("-1.000", action="RETURN", currency="KWD"), reason="REFUND", refund=31),
        transactions=[transaction(91, paid, currency="KWD"), transaction(92, back, "REFUND", currency="KWD")],
        refunds=[refund(31, 92)],
        currency="KWD",
    )
    assert blocked(subject, xero=based_in("KWD")).startswith("currency_precision: KWD ")


EUROS = ("24.95", "EUR")


def test_an_order_in_the_customers_currency_is_booked_in_the_shops_and_names_the_other() -> None:
    books = posted(
        order(
            agreement(1, sale("45.62", tax("5.95"), line=11, presentment=EUROS)),
            lines=[line_item(11, "45.62")],
            transactions=[transaction(91, "45.62")],
            presentment="EUR",
        )
    )
    assert (books.currency, books.documents[0].currency, books.payments[0].currency) == ("NZD", "NZD", "NZD")
    assert shown_line(books.documents[0].lines[0]) == ("45.62", "5.95", "200", "OUTPUT2")
    assert books.documents[0].lines[0].description == "Mug [EUR 24.95]"


IN_EUROS = order(
    agreement(1, sale("100.00", tax("13.04", currency="EUR"), line=11, currency="EUR")),
    lines=[line_item(11, "100.00", currency="EUR")],
    transactions=[transaction(91, "100.00", currency="EUR")],
    currency="EUR",
)


def test_a_shop_in_another_currency_than_xeros_base_needs_it_enabled() -> None:
    assert blocked(IN_EUROS) == (
        "the order is in EUR, which is not enabled in Xero (base currency NZD);"
        " add EUR in Xero under Settings, Currencies"
    )


def test_a_shop_in_another_currency_than_xeros_base_needs_accounts_in_its_own() -> None:
    both = organisation(currencies=("NZD", "EUR"))
    assert blocked(IN_EUROS, xero=both) == (
        "payments.shopify_payments names account 601, whose currency in Xero is NZD, but the order is in EUR;"
        " name an account in EUR there"
    )
    euro_account = organisation(currencies=("NZD", "EUR"), accounts=[account("601", "BANK", "ASSET", currency="EUR")])
    books = posted(IN_EUROS, xero=euro_account)
    assert (books.documents[0].currency, books.payments[0].currency) == ("EUR", "EUR")
    assert shown_documents(books) == [("SH-1001", "100.00", "13.04")]


def test_a_payments_account_that_is_no_bank_account_takes_every_currency() -> None:
    clearing = account("601", "CURRLIAB", "LIABILITY", pays=True)
    assert posted(IN_EUROS, xero=organisation(currencies=("NZD", "EUR"), accounts=[clearing])).payments


def test_a_shop_whose_currency_was_changed_blocks_its_older_orders_changes() -> None:
    mixed = order(agreement(1, sale("100.00", currency="NZD")), transactions=[], currency="AUD")
    assert "is in NZD, but the order is in AUD; the shop's currency was changed" in blocked(
        mixed, BooksPolicy(post_when="placed"), xero=organisation(currencies=("NZD", "AUD"))
    )


def test_a_price_or_rate_too_absurd_to_compute_with_blocks_instead_of_failing() -> None:
    placed = BooksPolicy.from_yaml("post_when: placed\ntax: {rates: [{title: GST, tax_type: X}]}", "books.yaml")
    dear = order(agreement(1, sale("1.00", line=11)), lines=[line_item(11, "1" + "0" * 40)])
    assert blocked(dear, placed).startswith("currency_precision: NZD 1")
    faint = order(agreement(1, sale("1.00", tax("2.00", "GST", "1E-40"))))
    assert blocked(faint, placed).startswith("currency_precision: NZD 2.00E+40")
