"""Everything an order can charge for, in both tax modes: on its account, with its tax, adding up to the cent."""

from typing import Any

import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.shopify.models import ProductRef, Sale
from shopify_xero_pipeline_tests.books.booking import PLACED, blocked, posted
from shopify_xero_pipeline_tests.books.builders import (
    agreement,
    gid,
    line_item,
    order,
    sale,
    shown_documents,
    shown_line,
    shown_payments,
    tax,
    transaction,
)


def lines_of(*rows: Sale, policy: BooksPolicy = PLACED, **more: Any) -> list[tuple[str, str, str, str]]:
    """Return the lines of an order that began with these rows."""
    return [shown_line(line) for line in posted(order(agreement(1, *rows), **more), policy).documents[0].lines]


CUSTOM = line_item(11, "40.00", title="Engraving")


def test_a_custom_line_without_variant_is_a_sale_without_an_item() -> None:
    books = posted(order(agreement(1, sale("40.00", tax("5.22"), line=11)), lines=[CUSTOM]), PLACED)
    (line,) = books.documents[0].lines
    assert (line.description, line.variant_id, line.account_code) == ("Engraving", None, "200")


def test_a_line_of_a_variant_names_it_for_its_item() -> None:
    item = line_item(11, "40.00", title="Mug", variant_title="Blue", variant=77)
    (line,) = posted(order(agreement(1, sale("40.00", line=11)), lines=[item]), PLACED).documents[0].lines
    assert (line.description, line.variant_id) == ("Mug - Blue", "77")


def test_of_a_deleted_product_no_item_is_made_so_a_line_of_it_names_none() -> None:
    item = line_item(11, "40.00", title="Mug", variant=77).model_copy(update={"product": None})
    (line,) = posted(order(agreement(1, sale("40.00", line=11)), lines=[item]), PLACED).documents[0].lines
    assert line.variant_id is None


OVERRIDES = BooksPolicy.from_yaml(
    "post_when: placed\naccounts:\n  overrides:\n"
    "    - {product_type: Books, account: '201'}\n"
    "    - {vendor: Acme, tag: consignment, account: '202'}\n"
    "    - {sku: HIRE-01, account: '203'}\n",
    "books.yaml",
)


def product(kind: str = "", vendor: str = "", *tags: str) -> ProductRef:
    return ProductRef(id=gid("Product", 1), title="Thing", product_type=kind, vendor=vendor, tags=tags)


@pytest.mark.parametrize(
    ("facts", "account"),
    [
        ({"product": product("Books")}, "201"),
        ({"product": product(" books ")}, "201"),
        ({"vendor": "Acme", "product": product("", "Acme", "sale", "Consignment")}, "202"),
        ({"vendor": "Acme", "product": product("", "Acme")}, "200"),
        ({"sku": "HIRE-01", "product": product()}, "203"),
        ({"sku": "HIRE-01", "product": None}, "203"),
        ({"sku": "HIRE-01", "product": product("Books")}, "201"),
        ({"product": None}, "200"),
    ],
)
def test_goods_go_to_the_account_of_their_type_vendor_tag_or_sku(facts: dict[str, Any], account: str) -> None:
    rows = lines_of(sale("40.00", line=11), policy=OVERRIDES, lines=[line_item(11, "40.00", **facts)])
    assert rows == [("40.00", "0", account, "NONE")]


def test_a_line_of_a_deleted_product_goes_to_sales_with_a_warning_where_its_type_would_decide() -> None:
    gone = line_item(11, "40.00", title="Old atlas", product=None)
    books = posted(order(agreement(1, sale("40.00", line=11)), lines=[gone]), OVERRIDES)
    assert books.documents[0].lines[0].account_code == "200"
    assert books.documents[0].lines[0].description == "Old atlas"
    assert books.warnings == (
        "line 11: its product was deleted in Shopify, so overrides by product type or tag do not apply to it",
    )


def test_refunded_goods_leave_the_account_they_were_sold_on() -> None:
    facts = line_item(11, "40.00", product=product("Books"))
    back = agreement(2, sale("-40.00", action="RETURN", quantity=-1, line=11), reason="RETURN")
    books = posted(order(agreement(1, sale("40.00", line=11)), back, lines=[facts]), OVERRIDES)
    assert [document.lines[0].account_code for document in books.documents] == ["201", "201"]


def test_tips_are_a_liability_outside_tax_and_part_of_what_was_paid() -> None:
    rows = [sale("57.50", tax("7.50"), line=11), sale("6.00", line_type="TIP", line=12)]
    lines = [line_item(11, "57.50", title="Lunch"), line_item(12, "6.00", title="Tip")]
    books = posted(order(agreement(1, *rows), lines=lines, transactions=[transaction(91, "63.50")]))
    assert [shown_line(line) for line in books.documents[0].lines] == [
        ("57.50", "7.50", "200", "OUTPUT2"),
        ("6.00", "0", "209", "NONE"),
    ]
    assert shown_payments(books) == [("SH-1001", "63.50", "601")]


def test_an_order_of_goods_and_a_gift_card_is_sales_and_liability_side_by_side() -> None:
    rows = [sale("57.50", tax("7.50"), line=11), sale("50.00", line_type="GIFT_CARD", title="Gift card")]
    books = posted(order(agreement(1, *rows), lines=[line_item(11, "57.50")], transactions=[transaction(91, "107.50")]))
    assert [shown_line(line) for line in books.documents[0].lines] == [
        ("57.50", "7.50", "200", "OUTPUT2"),
        ("50.00", "0", "830", "NONE"),
    ]
    assert shown_documents(books) == [("SH-1001", "107.50", "7.50")]


def test_a_gift_card_bought_with_a_gift_card_leaves_the_liability_as_it_was() -> None:
    sold = agreement(1, sale("50.00", line_type="GIFT_CARD", title="Gift card"))
    books = posted(order(sold, transactions=[transaction(91, "50.00", gateway="gift_card")]))
    assert books.documents[0].lines[0].account_code == "830"
    assert shown_payments(books) == [("SH-1001", "50.00", "830")]


def test_duties_import_fees_and_other_fees_stand_on_accounts_of_their_own() -> None:
    assert lines_of(
        sale("115.00", tax("15.00"), line=11),
        sale("11.50", tax("1.50"), line_type="DUTY", title="Duty on mug"),
        sale("4.60", tax("0.60"), line_type="ADDITIONAL_FEE", title="Import fee"),
        sale("2.30", tax("0.30"), line_type="FEE", title="Return shipping"),
        lines=[line_item(11, "115.00")],
    ) == [
        ("115.00", "15.00", "200", "OUTPUT2"),
        ("11.50", "1.50", "207", "OUTPUT2"),
        ("4.60", "0.60", "206", "OUTPUT2"),
        ("2.30", "0.30", "206", "OUTPUT2"),
    ]


def test_duties_without_tax_are_untaxed_goods_rows_not_outside_tax() -> None:
    policy = BooksPolicy.from_yaml("post_when: placed\ntax: {untaxed: EXEMPTOUTPUT, none: NONE}", "books.yaml")
    assert lines_of(sale("11.50", line_type="DUTY"), sale("3.00", line_type="TIP"), policy=policy) == [
        ("11.50", "0", "207", "EXEMPTOUTPUT"),
        ("3.00", "0", "209", "NONE"),
    ]


def test_tax_on_shipping_stands_on_the_shipping_line_in_both_tax_modes() -> None:
    rows = [
        sale("115.00", tax("15.00"), line=11),
        sale("11.50", tax("1.50"), line_type="SHIPPING", title="Courier"),
    ]
    lines = [line_item(11, "115.00")]
    assert lines_of(*rows, lines=lines)[1] == ("11.50", "1.50", "205", "OUTPUT2")
    lines = [line_item(11, "100.00")]
    assert lines_of(*rows, lines=lines, taxes_included=False)[1] == ("10.00", "1.50", "205", "OUTPUT2")


def test_a_tax_exempt_order_has_no_tax_on_any_line() -> None:
    rows = [sale("100.00", line=11), sale("10.00", line_type="SHIPPING", title="Courier")]
    books = posted(order(agreement(1, *rows), lines=[line_item(11, "100.00")], taxes_included=False), PLACED)
    assert [shown_line(line) for line in books.documents[0].lines] == [
        ("100.00", "0", "200", "NONE"),
        ("10.00", "0", "205", "NONE"),
    ]
    assert shown_documents(books) == [("SH-1001", "110.00", "0")]


THREE_TAXES = (
    tax("5.00", "GST", "0.05"),
    tax("9.98", "QST", "0.09975"),
    tax("1.00", "Eco levy", "0.01"),
)
COMBINED = BooksPolicy.from_yaml(
    "post_when: placed\ntax:\n  rates:\n"
    "    - {combination: [{title: GST, rate: 0.05}, {title: QST, rate: 0.09975}, {title: Eco levy}],"
    " tax_type: TAX003}\n"
    "    - {combination: [{title: GST}, {title: QST}], tax_type: TAX002}\n",
    "books.yaml",
)


def test_one_line_with_three_taxes_carries_their_sum_under_the_entry_for_the_three() -> None:
    row = sale("115.98", *THREE_TAXES, line=11)
    lines = [line_item(11, "100.00")]
    assert lines_of(row, policy=COMBINED, lines=lines, taxes_included=False) == [("100.00", "15.98", "200", "TAX003")]
    two = sale("114.98", *THREE_TAXES[:2], line=11)
    assert lines_of(two, policy=COMBINED, lines=lines, taxes_included=False) == [("100.00", "14.98", "200", "TAX002")]


def test_a_line_with_three_taxes_and_no_entry_for_the_three_blocks_with_the_entry_to_add() -> None:
    reason = blocked(order(agreement(1, sale("115.98", *THREE_TAXES))), PLACED)
    assert (
        "{combination: [{title: GST, rate: 0.05}, {title: QST, rate: 0.09975}, {title: Eco levy, rate: 0.01}],"
        " tax_type: TAX_TYPE}"
    ) in reason


def test_an_order_of_260_lines_is_one_invoice_of_260_lines() -> None:
    rows = [sale("1.15", tax("0.15"), number=number, line=number) for number in range(1, 261)]
    lines = [line_item(number, "1.15", title=f"Bead {number}") for number in range(1, 261)]
    books = posted(order(agreement(1, *rows), lines=lines, transactions=[transaction(91, "299.00")]))
    assert len(books.documents[0].lines) == 260
    assert books.documents[0].lines[259].description == "Bead 260"
    assert shown_documents(books) == [("SH-1001", "299.00", "39.00")]
    assert shown_payments(books) == [("SH-1001", "299.00", "601")]


AMERICAN = BooksPolicy.from_yaml(
    "post_when: placed\ntax:\n  mode: lines\n  lines:\n"
    "    - {title: State, account: '821'}\n"
    "    - {title: County, account: '822'}\n"
    "    - {title: City, account: '823'}\n",
    "books.yaml",
)


@pytest.mark.parametrize(
    ("line_type", "account"),
    [
        ("PRODUCT", "200"),
        ("SHIPPING", "205"),
        ("FEE", "206"),
        ("ADDITIONAL_FEE", "206"),
        ("DUTY", "207"),
        ("ADJUSTMENT", "208"),
        ("TIP", "209"),
    ],
)
def test_in_mode_lines_every_kind_of_row_stands_without_its_tax_and_the_tax_beside_it(
    line_type: str, account: str
) -> None:
    for included in (True, False):
        assert lines_of(
            sale("107.25", tax("7.25", "State", "0.0725"), line_type=line_type),
            policy=AMERICAN,
            taxes_included=included,
        ) == [("100.00", "0", account, "NONE"), ("7.25", "0", "821", "NONE")]


def test_in_mode_lines_three_taxes_of_one_line_are_three_lines() -> None:
    row = sale("109.00", tax("6.00", "State", "0.06"), tax("2.00", "County", "0.02"), tax("1.00", "City", "0.01"))
    assert lines_of(row, policy=AMERICAN, taxes_included=False) == [
        ("100.00", "0", "200", "NONE"),
        ("6.00", "0", "821", "NONE"),
        ("2.00", "0", "822", "NONE"),
        ("1.00", "0", "823", "NONE"),
    ]


def test_in_mode_lines_gift_cards_are_the_liability_and_an_exempt_order_has_no_tax_lines() -> None:
    assert lines_of(sale("50.00", line_type="GIFT_CARD"), policy=AMERICAN) == [("50.00", "0", "830", "NONE")]
    assert lines_of(sale("100.00"), policy=AMERICAN) == [("100.00", "0", "200", "NONE")]


def test_in_mode_lines_a_refund_takes_each_tax_off_its_own_account() -> None:
    state = ("State", "0.0725")
    sold = agreement(1, sale("107.25", tax("7.25", *state), line=11))
    back = agreement(2, sale("-107.25", tax("-7.25", *state), action="RETURN", quantity=-1, line=11), reason="RETURN")
    books = posted(order(sold, back, lines=[line_item(11, "100.00")], taxes_included=False), AMERICAN)
    assert [shown_line(line) for line in books.documents[1].lines] == [
        ("100.00", "0", "200", "NONE"),
        ("7.25", "0", "821", "NONE"),
    ]
    assert shown_documents(books) == [("SH-1001", "107.25", "0"), ("SH-1001-T2", "-107.25", "0")]


def test_in_mode_lines_discounts_are_in_the_amount() -> None:
    sold = sale("96.53", tax("6.53", "State", "0.0725"), quantity=2, line=11)
    books = posted(order(agreement(1, sold), lines=[line_item(11, "50.00")], taxes_included=False), AMERICAN)
    goods = books.documents[0].lines[0]
    assert (str(goods.amount), goods.discount_amount, goods.description) == ("90.00", None, "Mug (2 units)")


def test_tax_the_channel_remits_beside_tax_of_our_own_is_split_by_who_owes_it() -> None:
    policy = BooksPolicy.from_yaml("post_when: placed\ntax: {rates: [{title: Local, tax_type: T1}]}", "books.yaml")
    row = sale("108.00", tax("5.00", "Local", "0.05"), tax("3.00", "Market", "0.03", channel_liable=True), line=11)
    lines = [line_item(11, "100.00")]
    assert lines_of(row, policy=policy, lines=lines, taxes_included=False) == [
        ("100.00", "5.00", "200", "T1"),
        ("3.00", "0", "835", "NONE"),
    ]


def test_goods_whose_tax_the_channel_remits_bear_the_tax_type_chosen_for_them() -> None:
    policy = BooksPolicy.from_yaml("post_when: placed\ntax: {channel_liable: REVERSE}", "books.yaml")
    row = sale("115.00", tax("15.00", channel_liable=True))
    assert lines_of(row, policy=policy) == [("100.00", "0", "200", "REVERSE"), ("15.00", "0", "835", "NONE")]
