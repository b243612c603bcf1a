"""Lines: unit prices and discounts where they say something, exact amounts always."""

from decimal import Decimal
from typing import Any

import pytest

from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import AccountOverride, AccountPolicy, BooksPolicy
from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.shopify.models import Agreement, LineItem, ProductRef, Sale
from shopify_xero_pipeline.xero.models import Line
from shopify_xero_pipeline_tests.books.builders import (
    agreement,
    gid,
    line_item,
    order,
    organisation,
    sale,
    shown_documents,
    shown_line,
    tax,
)

PLACED = BooksPolicy(post_when="placed")


def kept(*agreements: Agreement, lines: list[LineItem] | None = None, **more: Any) -> OrderBooks:
    policy = more.pop("policy", PLACED)
    assert isinstance(policy, BooksPolicy)
    return build_order_books(order(*agreements, lines=lines or [], **more), policy, organisation())


def first_line(row: Sale, lines: list[LineItem] | None = None, **more: Any) -> Line:
    books = kept(agreement(1, row), lines=lines, **more)
    assert books.outcome is Outcome.POST, books.reason
    return books.documents[0].lines[0]


def test_an_undiscounted_product_shows_quantity_and_unit_price_and_no_discount() -> None:
    line = first_line(sale("30.00", tax("3.91"), quantity=3, line=11), [line_item(11, "10.00")])
    assert (line.quantity, line.unit_amount, line.discount_amount) == (3, Decimal("10.00"), None)


def test_a_product_without_its_order_line_is_divided_by_its_quantity() -> None:
    line = first_line(sale("30.00", quantity=3))
    assert (line.quantity, line.unit_amount, line.description) == (3, Decimal("10.00"), "Product")


def test_an_amount_that_cannot_be_divided_stands_once_with_the_quantity_in_words() -> None:
    line = first_line(sale("10.00", quantity=3, title="Ribbon"))
    assert (line.quantity, line.unit_amount, line.description) == (1, Decimal("10.00"), "Ribbon (3 units)")


def test_yen_are_divided_into_whole_yen_only() -> None:
    policy = BooksPolicy(post_when="placed")
    books = build_order_books(
        order(agreement(1, sale("25", quantity=2, currency="JPY")), currency="JPY"),
        policy,
        organisation(currencies=("NZD", "JPY")),
    )
    assert (books.documents[0].lines[0].quantity, books.documents[0].currency) == (1, "JPY")


def test_a_price_below_what_was_charged_is_no_negative_discount() -> None:
    line = first_line(sale("12.00", line=11), [line_item(11, "10.00")])
    assert (line.quantity, line.unit_amount, line.discount_amount) == (1, Decimal("12.00"), None)


def test_a_unit_price_finer_than_a_cent_is_not_shown() -> None:
    line = first_line(sale("31.80", quantity=10, line=11), [line_item(11, "3.183")])
    assert (line.quantity, line.unit_amount, line.discount_amount) == (10, Decimal("3.18"), None)


def test_tax_above_the_unit_price_needs_a_single_unit() -> None:
    line = first_line(sale("10.00", tax("1.30"), quantity=10, line=11), [line_item(11, "1.00")])
    assert (line.quantity, line.unit_amount, line.tax_amount) == (1, Decimal("10.00"), Decimal("1.30"))
    assert line.description == "Mug (10 units)"


def test_a_free_product_is_a_line_of_nothing() -> None:
    books = kept(agreement(1, sale("0.00", line=11), sale("5.00")), lines=[line_item(11, "10.00")])
    assert shown_line(books.documents[0].lines[0]) == ("0.00", "0", "200", "NONE")


def test_a_price_change_is_a_single_amount_not_a_discount() -> None:
    books = kept(
        agreement(1, sale("50.00", line=11)),
        agreement(2, sale("5.00", action="UPDATE", line=11), reason="ORDER_EDIT"),
        lines=[line_item(11, "55.00")],
    )
    line = books.documents[1].lines[0]
    assert (line.quantity, line.unit_amount, line.discount_amount) == (1, Decimal("5.00"), None)


def test_a_row_that_only_changes_tax_is_its_base_with_the_tax_and_the_rest_without() -> None:
    rows = agreement(2, sale("2.00", tax("2.00", rate="0.2"), action="UPDATE", line=11), reason="ORDER_EDIT")
    policy = BooksPolicy.from_yaml("post_when: placed\ntax: {rates: [{rate: 0.2, tax_type: OUTPUT2}]}", "books.yaml")
    excluded = kept(
        agreement(1, sale("10.00", line=11)), rows, lines=[line_item(11, "10.00")], policy=policy, taxes_included=False
    )
    assert [shown_line(line) for line in excluded.documents[1].lines] == [
        ("10.00", "2.00", "200", "OUTPUT2"),
        ("-10.00", "0", "200", "NONE"),
    ]
    assert shown_documents(excluded)[1] == ("SH-1001-E2", "2.00", "2.00")
    included = kept(agreement(1, sale("10.00", line=11)), rows, lines=[line_item(11, "10.00")], policy=policy)
    assert [shown_line(line)[:2] for line in included.documents[1].lines] == [("12.00", "2.00"), ("-10.00", "0")]
    assert shown_documents(included)[1] == ("SH-1001-E2", "2.00", "2.00")


def test_tax_taken_off_while_the_price_stays_is_a_zero_invoice_of_two_lines() -> None:
    books = kept(
        agreement(1, sale("11.50", tax("1.50"), line=11)),
        agreement(2, sale("0.00", tax("-1.50"), action="UPDATE", line=11), reason="ORDER_EDIT"),
        lines=[line_item(11, "11.50")],
    )
    assert [shown_line(line)[:2] for line in books.documents[1].lines] == [("-11.50", "-1.50"), ("11.50", "0")]
    assert shown_documents(books)[1] == ("SH-1001-E2", "0.00", "-1.50")


def test_a_tax_change_without_a_rate_blocks() -> None:
    policy = BooksPolicy.from_yaml("post_when: placed\ntax: {rates: [{title: GST, tax_type: X}]}", "books.yaml")
    books = kept(agreement(1, sale("0.00", tax("1.50", rate=None), action="UPDATE"), sale("5.00")), policy=policy)
    assert books.outcome is Outcome.BLOCKED
    assert "has no rate, so its base is unknown" in books.reason


@pytest.mark.parametrize(
    ("line_type", "account", "tax_type", "words"),
    [
        ("SHIPPING", "205", "NONE", "Shipping"),
        ("FEE", "206", "NONE", "Fee"),
        ("ADDITIONAL_FEE", "206", "NONE", "Additional fee"),
        ("DUTY", "207", "NONE", "Duty"),
        ("TIP", "209", "NONE", "Tip"),
        ("GIFT_CARD", "830", "NONE", "Gift card"),
        ("ADJUSTMENT", "208", "NONE", "Refund adjustment"),
    ],
)
def test_each_kind_of_row_has_its_account(line_type: str, account: str, tax_type: str, words: str) -> None:
    line = first_line(sale("5.00", line_type=line_type))
    assert shown_line(line) == ("5.00", "0", account, tax_type)
    assert line.description == words


def test_a_taxed_tip_and_a_taxed_adjustment_carry_their_tax() -> None:
    assert first_line(sale("5.00", tax("0.65"), line_type="TIP")).tax_type == "OUTPUT2"
    assert first_line(sale("5.00", tax("0.65"), line_type="ADJUSTMENT")).tax_type == "OUTPUT2"


def test_a_gift_card_with_tax_blocks() -> None:
    books = kept(agreement(1, sale("50.00", tax("6.52"), line_type="GIFT_CARD")))
    assert books.outcome is Outcome.BLOCKED
    assert "gift card with tax" in books.reason


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (sale("5.00", line_type="UNKNOWN"), "the type UNKNOWN"),
        (sale("5.00", action="UNKNOWN"), "the action UNKNOWN"),
        (sale("5.00", line_type="SOMETHING_NEW"), "the type SOMETHING_NEW"),
    ],
)
def test_a_row_these_books_do_not_know_blocks_the_order(row: Sale, words: str) -> None:
    books = kept(agreement(1, row))
    assert books.outcome is Outcome.BLOCKED
    assert words in books.reason
    assert books.documents == ()


def test_a_line_is_described_by_title_and_variant_without_control_characters() -> None:
    named = line_item(11, "5.00", title="Mug\x07 \n big", variant_title="Blue\x00", variant=21)
    line = first_line(sale("5.00", line=11), [named])
    assert (line.description, line.variant_id) == ("Mug big - Blue", "21")
    default = line_item(11, "5.00", variant_title="Default Title")
    assert first_line(sale("5.00", line=11), [default]).description == "Mug"


def test_a_description_is_cut_at_4000_characters_and_keeps_its_quantity() -> None:
    line = first_line(sale("10.00", quantity=3, title="x" * 5000))
    assert len(line.description) == 4000
    assert line.description.endswith("x… (3 units)")


def test_the_customers_currency_is_named_in_the_description_only() -> None:
    line = first_line(sale("10.00", presentment=("6.11", "USD")), presentment="USD")
    assert (line.description, line.unit_amount) == ("Product [USD 6.11]", Decimal("10.00"))


def test_goods_of_an_overridden_product_go_to_their_account_and_the_first_entry_that_fits_wins() -> None:
    overrides = (
        AccountOverride(sku="HIRE-01", account="201"),
        AccountOverride(vendor="acme", tag="Consignment", account="202"),
        AccountOverride(product_type="Books", account="203"),
    )
    policy = BooksPolicy(post_when="placed", accounts=AccountPolicy(overrides=overrides))
    product = ProductRef(id=gid("Product", 1), product_type="Books", vendor="Acme", tags=("new", "consignment"))

    def account(item: LineItem) -> str:
        return first_line(sale("5.00", line=11), [item], policy=policy).account_code

    assert account(line_item(11, "5.00", sku="hire-01", product=product)) == "201"
    assert account(line_item(11, "5.00", product=product)) == "202"
    assert account(line_item(11, "5.00", vendor="Other", product=product)) == "203"
    assert account(line_item(11, "5.00")) == "200"
    assert first_line(sale("5.00"), policy=policy).account_code == "200"


def test_a_line_whose_product_is_gone_is_warned_about_where_type_or_tag_decide() -> None:
    policy = BooksPolicy(
        post_when="placed", accounts=AccountPolicy(overrides=(AccountOverride(tag="hire", account="201"),))
    )
    books = kept(agreement(1, sale("5.00", line=11)), lines=[line_item(11, "5.00")], policy=policy)
    assert books.warnings == (
        "line 11: its product was deleted in Shopify, so overrides by product type or tag do not apply to it",
    )


def test_a_credit_note_has_no_discounts_and_positive_amounts() -> None:
    books = kept(
        agreement(1, sale("30.00", tax("3.91"), quantity=3, line=11)),
        agreement(2, sale("-18.00", tax("-2.35"), action="RETURN", quantity=2, line=11), reason="REFUND"),
        lines=[line_item(11, "10.00")],
    )
    line = books.documents[1].lines[0]
    assert (line.quantity, line.unit_amount, line.tax_amount) == (2, Decimal("9.00"), Decimal("2.35"))
    assert line.discount_amount is None


def test_rows_whose_taxes_do_not_add_up_block_with_both_figures() -> None:
    books = kept(agreement(1, sale("11.50", tax("1.49"), total_tax="1.50")))
    assert books.outcome is Outcome.BLOCKED
    assert "add up to 1.49, but Shopify states 1.50" in books.reason
