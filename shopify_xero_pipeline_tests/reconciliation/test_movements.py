"""An order's movements in three columns; every figure expected here is worked out by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy, TaxAccount, TaxPolicy
from shopify_xero_pipeline.reconciliation.movements import Movement, StatementSection, sum_movements
from shopify_xero_pipeline.shopify.models import Order, Sale
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.books.builders import agreement, bag, line_item, order, refund, sale, tax, transaction
from shopify_xero_pipeline_tests.books.policy_examples import euros_captured, euros_given_back
from shopify_xero_pipeline_tests.reconciliation.read_back import House, milliseconds

DAY, NOVEMBER = date(2026, 9, 22), date(2026, 11, 3)
LATER = datetime(2026, 11, 2, 22, 0, tzinfo=UTC)  # 3 November, 11 in the morning in Auckland

# 2 mugs at 23.00 less 11.50, shipping 5.75, a tip of 5.00 and a gift card of 50.00, all with 15 % GST included where
# there is any: goods 40.00 less 10.00 without tax, shipping 5.00, tax 4.50 + 0.75; 95.25 in all.


def discounted(row: Sale, before_taxes: str) -> Sale:
    return row.model_copy(update={"total_discount_amount_before_taxes": bag(before_taxes)})


def basket() -> Order:
    return order(
        agreement(
            11,
            discounted(sale("34.50", tax("4.50"), number=1, line=1, quantity=2), "10.00"),
            sale("5.75", tax("0.75"), number=2, line_type="SHIPPING"),
            sale("5.00", number=3, line_type="TIP", line=2),
            sale("50.00", number=4, line_type="GIFT_CARD", line=3),
        ),
        lines=[line_item(1, "23.00"), line_item(2, "5.00", title="Tip"), line_item(3, "50.00")],
        transactions=[transaction(21, "20.00", gateway="gift_card"), transaction(22, "75.25")],
    )


def figures(house: House, side: StatementSection, column: str) -> dict[tuple[str, str], str]:
    """Return one column by key and category, whatever the day."""
    day = house.reconcile(DAY)
    return {
        (one.key, one.category): str(getattr(one, column))
        for one in day.movements
        if one.side is side and getattr(one, column)
    }


def texts(house: House) -> list[str]:
    return [one.text for one in house.reconcile(DAY).broken]


def test_sales_are_split_into_goods_discounts_shipping_tips_and_gift_cards_without_tax() -> None:
    assert figures(House(basket()), StatementSection.SALES, "shopify") == {
        ("200", "goods sold"): "40.00",
        ("200", "discounts"): "-10.00",
        ("205", "shipping"): "5.00",
        ("209", "tips"): "5.00",
        ("830", "gift cards sold"): "50.00",
    }


def test_our_column_and_xeros_know_accounts_only() -> None:
    expected = {("200", ""): "30.00", ("205", ""): "5.00", ("209", ""): "5.00", ("830", ""): "50.00"}
    assert figures(House(basket()), StatementSection.SALES, "mapping") == expected
    assert figures(House(basket()), StatementSection.SALES, "xero") == expected


def test_tax_stands_by_rate_in_shopify_and_by_tax_type_in_xero() -> None:
    assert figures(House(basket()), StatementSection.TAX, "shopify") == {("OUTPUT2", "GST 15 %"): "5.25"}
    assert figures(House(basket()), StatementSection.TAX, "xero") == {("OUTPUT2", ""): "5.25"}


def test_money_stands_by_gateway_and_its_account() -> None:
    assert figures(House(basket()), StatementSection.PAYMENTS, "shopify") == {
        ("601", "shopify_payments"): "75.25",
        ("830", "gift_card"): "20.00",
    }
    assert figures(House(basket()), StatementSection.PAYMENTS, "xero") == {("601", ""): "75.25", ("830", ""): "20.00"}


def test_an_order_that_stands_in_xero_as_posted_agrees_on_every_account() -> None:
    day = House(basket()).reconcile(DAY)
    assert [row.outcome for row in day.rows] == ["posted"]
    assert not day.broken
    assert not day.unequal


def test_tax_on_top_of_prices_is_read_the_same() -> None:
    # 30.00 less 1.00 plus 4.35 of tax: 33.35
    sold = order(
        agreement(11, discounted(sale("33.35", tax("4.35"), line=1), "1.00")),
        lines=[line_item(1, "30.00")],
        transactions=[transaction(21, "33.35")],
        taxes_included=False,
    )
    house = House(sold)
    assert figures(house, StatementSection.SALES, "shopify") == {
        ("200", "goods sold"): "30.00",
        ("200", "discounts"): "-1.00",
    }
    assert figures(house, StatementSection.SALES, "xero") == {("200", ""): "29.00"}
    assert figures(house, StatementSection.TAX, "xero") == {("OUTPUT2", ""): "4.35"}
    assert not house.reconcile(DAY).broken


def test_the_us_way_taxes_stand_on_their_own_accounts() -> None:
    policy = BooksPolicy(tax=TaxPolicy(mode="lines", lines=(TaxAccount(title="State Tax", account="821"),)))
    sold = order(
        agreement(11, sale("107.25", tax("7.25", "State Tax", "0.0725"), line=1)),
        lines=[line_item(1, "100.00")],
        transactions=[transaction(21, "107.25")],
        taxes_included=False,
    )
    house = House(sold, policy=policy)
    assert figures(house, StatementSection.TAX, "shopify") == {("821", "State Tax 7.25 %"): "7.25"}
    assert figures(house, StatementSection.TAX, "xero") == {("821", ""): "7.25"}
    assert figures(house, StatementSection.SALES, "xero") == {("200", ""): "100.00"}
    assert not house.reconcile(DAY).broken


def test_a_tax_that_the_sales_channel_remits_stands_apart_and_is_settled_from_its_own_account() -> None:
    # 115.00, of which the channel keeps 15.00 of tax: Shopify calls it paid with 100.00
    sold = order(
        agreement(11, sale("115.00", tax("15.00", channel_liable=True), line=1)),
        lines=[line_item(1, "115.00")],
        transactions=[transaction(21, "100.00")],
        display_financial_status="PAID",
        total_outstanding_set=bag("0"),
    )
    house = House(sold)
    assert figures(house, StatementSection.TAX, "shopify") == {("835", "GST 15 % by the sales channel"): "15.00"}
    assert figures(house, StatementSection.PAYMENTS, "shopify") == {
        ("601", "shopify_payments"): "100.00",
        ("835", "tax paid by the sales channel"): "15.00",
    }
    assert not house.reconcile(DAY).broken


def returned_later() -> Order:
    """Two mugs of 11.50 sold in September, one of them given back in November."""
    return order(
        agreement(11, sale("23.00", tax("3.00"), line=1, quantity=2)),
        agreement(
            12,
            sale("-11.50", tax("-1.50"), number=2, line=1, quantity=-1, action="RETURN"),
            reason="REFUND", at=LATER, refund=31,
        ),
        lines=[line_item(1, "11.50")],
        transactions=[transaction(21, "23.00"), transaction(22, "11.50", "REFUND", at=LATER, parent=21)],
        refunds=[refund(31, 22, at=LATER)],
    )  # fmt: skip


def test_a_refund_bears_the_day_of_its_own_month_in_all_columns() -> None:
    day = House(returned_later()).reconcile(DAY)
    assert not day.broken
    november = {
        (one.side.value, one.key, one.category): tuple(map(str, one.amounts))
        for one in day.movements
        if one.posted == NOVEMBER
    }
    assert november == {
        ("sales", "200", ""): ("0.00", "-10.00", "-10.00"),
        ("sales", "200", "goods returned"): ("-10.00", "0.00", "0.00"),
        ("tax", "OUTPUT2", ""): ("0.00", "-1.50", "-1.50"),
        ("tax", "OUTPUT2", "GST 15 %"): ("-1.50", "0.00", "0.00"),
        ("documents", "credit notes", ""): ("0.00", "-11.50", "-11.50"),
        ("documents", "credit notes", "credit notes"): ("-11.50", "0.00", "0.00"),
        ("refunds", "601", ""): ("0.00", "11.50", "11.50"),
        ("refunds", "601", "shopify_payments"): ("11.50", "0.00", "0.00"),
    }


def test_what_falls_into_a_locked_period_bears_the_next_open_day_in_all_columns() -> None:
    house = House(returned_later(), policy=BooksPolicy(locked_period="next_open_day"), locked=date(2026, 10, 31))
    day = house.reconcile(DAY)
    assert {str(one.posted) for one in day.movements} == {"2026-11-01", "2026-11-03"}
    assert not day.broken


def test_money_on_two_documents_bears_the_day_of_each() -> None:
    # 40.00 paid at once, when the order stood at 34.50: what is left waits for the 11.50 added in November
    sold = order(
        agreement(11, sale("34.50", tax("4.50"), line=1)),
        agreement(12, sale("11.50", tax("1.50"), number=2, line=2), reason="ORDER_EDIT", at=LATER),
        lines=[line_item(1, "34.50"), line_item(2, "11.50")],
        transactions=[transaction(21, "40.00")],
    )
    day = House(sold, dues={"SH-1001-E12": "6.00"}).reconcile(DAY)
    assert {
        str(one.posted): str(one.shopify)
        for one in day.movements
        if one.side is StatementSection.PAYMENTS and one.shopify
    } == {"2026-09-22": "34.50", "2026-11-03": "5.50"}
    assert not day.broken


def test_cash_is_counted_with_its_change_given_and_its_rounding() -> None:
    # 10.03 due, rounded up to 10.05, paid with 20.05 of which 10.00 came back
    sold = order(
        agreement(11, sale("10.03", tax("1.31"), line=1)),
        lines=[line_item(1, "10.03")],
        transactions=[
            transaction(21, "20.03", gateway="cash", rounding="0.02"),
            transaction(22, "10.00", "CHANGE", gateway="cash", parent=21),
        ],
    )
    house = House(sold)
    assert figures(house, StatementSection.PAYMENTS, "shopify") == {("603", "cash"): "10.05"}
    assert figures(house, StatementSection.SALES, "shopify") == {
        ("200", "goods sold"): "8.72",
        ("860", "cash rounding"): "0.02",
    }
    assert figures(house, StatementSection.DOCUMENTS, "xero") == {("invoices", ""): "10.05"}
    assert not house.reconcile(DAY).broken


def test_change_that_is_rounded_down_is_cash_kept() -> None:
    # 10.03 due, 20.00 taken, 9.97 of change of which 9.95 was handed out
    sold = order(
        agreement(11, sale("10.03", tax("1.31"), line=1)),
        lines=[line_item(1, "10.03")],
        transactions=[
            transaction(21, "20.00", gateway="cash"),
            transaction(22, "9.97", "CHANGE", gateway="cash", parent=21, rounding="-0.02"),
        ],
    )
    house = House(sold)
    assert figures(house, StatementSection.PAYMENTS, "shopify") == {("603", "cash"): "10.05"}
    assert figures(house, StatementSection.SALES, "shopify")["860", "cash rounding"] == "0.02"
    assert not house.reconcile(DAY).broken


def test_a_refund_rounded_down_in_cash_is_a_gain() -> None:
    # 10.03 paid by card, given back as 10.00 in cash
    sold = order(
        agreement(11, sale("10.03", tax("1.31"), line=1)),
        agreement(
            12,
            sale("-10.03", tax("-1.31"), number=2, line=1, quantity=-1, action="RETURN"),
            reason="REFUND", at=LATER, refund=31,
        ),
        lines=[line_item(1, "10.03")],
        transactions=[
            transaction(21, "10.03"),
            transaction(22, "10.03", "REFUND", gateway="cash", at=LATER, parent=21, rounding="-0.03"),
        ],
        refunds=[refund(31, 22, at=LATER)],
    )  # fmt: skip
    house = House(sold)
    assert figures(house, StatementSection.REFUNDS, "shopify") == {("603", "cash"): "10.00"}
    assert figures(house, StatementSection.SALES, "shopify")["860", "cash rounding"] == "0.03"
    assert not house.reconcile(DAY).broken


def test_change_belongs_to_the_day_of_the_sale_it_was_given_on() -> None:
    # 10.00 on the first day (15.00 less 5.00), 13.00 in November
    sold = order(
        agreement(11, sale("23.00", tax("3.00"), line=1)),
        lines=[line_item(1, "23.00")],
        transactions=[
            transaction(21, "15.00", gateway="cash"),
            transaction(22, "5.00", "CHANGE", gateway="cash", parent=21),
            transaction(23, "13.00", gateway="cash", at=LATER),
        ],
    )
    day = House(sold).reconcile(DAY)
    assert {
        str(one.posted): str(one.shopify)
        for one in day.movements
        if one.side is StatementSection.PAYMENTS and one.shopify
    } == {"2026-09-22": "10.00", "2026-11-03": "13.00"}
    assert not day.broken


def test_what_rows_miss_to_the_total_the_order_began_with_is_rounding() -> None:
    sold = order(
        agreement(11, sale("23.00", tax("3.00"), line=1)),
        lines=[line_item(1, "23.00")],
        transactions=[transaction(21, "23.01")],
        original_total_price_set=bag("23.01"),
        current_total_price_set=bag("23.01"),
        total_outstanding_set=bag("0"),
    )
    house = House(sold)
    assert figures(house, StatementSection.SALES, "shopify") == {
        ("200", "goods sold"): "20.00",
        ("860", "rounding"): "0.01",
    }
    assert figures(house, StatementSection.DOCUMENTS, "shopify") == {("invoices", "invoices"): "23.01"}
    assert not house.reconcile(DAY).broken


def test_our_own_column_is_named_where_it_is_the_one_that_differs() -> None:
    house = House(basket())
    place = next(number for number, row in enumerate(house.mapped) if row.natural_key == "shopify:5001/22|SH-1001")
    payload = house.mapped[place].payload.replace("75.25", "75.00")
    house.mapped[place] = house.mapped[place].model_copy(update={"payload": payload})
    assert texts(house) == [
        "payments on 601 on 2026-09-22: Shopify 75.25, mapping 75.00, Xero 75.25, difference 0.00",
        "outstanding on 2026-09-22: Shopify 0.00, mapping 0.25, Xero 0.00, difference 0.00",
    ]


def test_what_was_owed_before_the_start_is_not_owed_in_these_books() -> None:
    # 23.00 of September, 8.00 of it paid then; 11.50 added in November, unpaid
    policy = BooksPolicy(start_date=date(2026, 10, 1), opening="post", post_when="placed")
    sold = order(
        agreement(11, sale("23.00", tax("3.00"), line=1)),
        agreement(12, sale("11.50", tax("1.50"), number=2, line=2), reason="ORDER_EDIT", at=LATER),
        lines=[line_item(1, "23.00"), line_item(2, "11.50")],
        transactions=[transaction(21, "8.00")],
    )
    house = House(sold, policy=policy, dues={"SH-1001-E12": "11.50"})
    assert figures(house, StatementSection.OUTSTANDING, "shopify") == {("outstanding", "outstanding"): "11.50"}
    assert not house.reconcile(DAY).broken


def test_what_is_still_owed_is_shopifys_figure_against_what_xero_says_is_due() -> None:
    sold = order(
        agreement(11, sale("23.00", tax("3.00"), line=1)),
        lines=[line_item(1, "23.00")],
        transactions=[transaction(21, "8.00")],
    )
    house = House(sold, dues={"SH-1001": "15.00"})
    assert not house.reconcile(DAY).broken
    assert figures(house, StatementSection.OUTSTANDING, "shopify") == {("outstanding", "outstanding"): "15.00"}
    house.change("SH-1001", AmountDue=Decimal("14.00"))
    assert texts(house) == ["outstanding on 2026-09-22: Shopify 15.00, Xero 14.00, difference -1.00"]


def test_of_an_order_from_before_the_start_only_what_came_later_counts() -> None:
    policy = BooksPolicy(start_date=date(2026, 10, 1), opening="post")
    house = House(returned_later(), policy=policy)
    assert figures(house, StatementSection.SALES, "shopify") == {("200", "goods returned"): "-10.00"}
    assert figures(house, StatementSection.DOCUMENTS, "shopify") == {("credit notes", "credit notes"): "-11.50"}
    assert figures(house, StatementSection.PAYMENTS, "shopify") == {}
    assert figures(house, StatementSection.REFUNDS, "shopify") == {("601", "shopify_payments"): "11.50"}
    assert not house.reconcile(DAY).broken


def test_a_refund_beyond_what_was_returned_is_taken_from_the_books() -> None:
    policy = BooksPolicy.from_yaml("refund: {uncovered: adjust}", "books.yaml")
    sold = order(
        agreement(11, sale("23.00", tax("3.00"), line=1)),
        lines=[line_item(1, "23.00")],
        transactions=[transaction(21, "23.00"), transaction(22, "4.00", "REFUND", parent=21)],
    )
    house = House(sold, policy=policy)
    assert figures(house, StatementSection.SALES, "shopify")["208", "refunds beyond returns"] == "-4.00"
    assert figures(house, StatementSection.DOCUMENTS, "shopify")["credit notes", "refunds beyond returns"] == "-4.00"
    assert not house.reconcile(DAY).broken


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"LineItems": [{"AccountCode": "201", "TaxType": "OUTPUT2", "TaxAmount": Decimal("3.00"),
                            "LineAmount": Decimal("23.00")}]},
            ["200 on 2026-09-22: Shopify 20.00, Xero 0.00, difference -20.00",
             "201 on 2026-09-22: Shopify 0.00, Xero 20.00, difference 20.00"],
        ),
        (
            {"LineItems": [{"AccountCode": "200", "TaxType": "OUTPUT2", "TaxAmount": Decimal("3.01"),
                            "LineAmount": Decimal("23.00")}]},
            ["200 on 2026-09-22: Shopify 20.00, Xero 19.99, difference -0.01",
             "tax OUTPUT2 on 2026-09-22: Shopify 3.00, Xero 3.01, difference 0.01"],
        ),
        (
            {"Total": Decimal("22.99")},
            ["invoices on 2026-09-22: Shopify 23.00, Xero 22.99, difference -0.01"],
        ),
        (
            {"Date": milliseconds(date(2026, 10, 1)), "LineItems": []},
            ["200 on 2026-09-22: Shopify 20.00, Xero 0.00, difference -20.00",
             "tax OUTPUT2 on 2026-09-22: Shopify 3.00, Xero 0.00, difference -3.00",
             "invoices on 2026-09-22: Shopify 23.00, Xero 0.00, difference -23.00",
             "invoices on 2026-10-01: Shopify 0.00, Xero 23.00, difference 23.00"],
        ),
    ],
    ids=["another account", "another tax", "another total", "another day, lines gone"],
)  # fmt: skip
def test_what_a_person_changed_on_a_document_is_named_with_the_arithmetic(
    fields: dict[str, object], expected: list[str]
) -> None:
    sold = order(
        agreement(11, sale("23.00", tax("3.00"), line=1)),
        lines=[line_item(1, "23.00")],
        transactions=[transaction(21, "23.00")],
    )
    house = House(sold)
    house.change("SH-1001", **fields)
    assert texts(house) == expected
    (row,) = house.reconcile(DAY).unequal
    assert [text for text in row.problems if text in expected] == expected


def test_another_tax_type_without_any_tax_is_named_too() -> None:
    sold = order(
        agreement(11, sale("23.00", tax("0.00", rate="0"), line=1)),
        lines=[line_item(1, "23.00")],
        transactions=[transaction(21, "23.00")],
    )
    house = House(sold)
    moved = {"AccountCode": "200", "TaxType": "NONE", "TaxAmount": Decimal(0), "LineAmount": Decimal("23.00")}
    house.change("SH-1001", LineItems=[moved])
    (row,) = house.reconcile(DAY).rows
    assert row.problems == (
        "invoice SH-1001: at tax type NONE posted 0, Xero shows 23.00",
        "invoice SH-1001: at tax type ZERORATED posted 23.00, Xero shows 0",
    )


def test_a_payment_moved_to_another_account_is_named() -> None:
    house = House(basket())
    house.change("shopify:5001/22|SH-1001", Account={"AccountID": "a-9"})
    assert texts(house) == [
        "payments on 601 on 2026-09-22: Shopify 75.25, Xero 0.00, difference -75.25",
        "payments on a-9 on 2026-09-22: Shopify 0.00, Xero 75.25, difference 75.25",
    ]


def test_a_refund_is_known_by_its_credit_note_where_xero_names_it() -> None:
    house = House(returned_later())
    note = {"CreditNoteID": "n-1", "CreditNoteNumber": "SH-1001-R12", "CurrencyCode": "NZD"}
    house.change("shopify:5001/22|SH-1001-R12", CreditNote=note, Invoice=None, PaymentType=None)
    assert texts(house) == []


def test_a_posted_document_that_xero_no_longer_shows_leaves_a_gap() -> None:
    house = House(basket())
    house.mirror[Kind.INVOICE] = []
    assert "830 on 2026-09-22: Shopify 50.00, Xero 0.00, difference -50.00" in texts(house)


def test_movements_of_the_same_kind_become_one_and_nothings_disappear() -> None:
    plain = {"posted": DAY, "currency": "NZD", "side": StatementSection.SALES, "key": "200", "category": "goods sold"}
    one, other = Movement(**plain, shopify=Decimal("1.10")), Movement(**plain, shopify=Decimal("2.20"))
    nothing = Movement(**{**plain, "key": "205"})
    assert sum_movements([one, other, nothing]) == [Movement(**plain, shopify=Decimal("3.30"))]
    assert sum_movements([]) == []


def test_money_that_came_twice_and_went_back_cancels_out_in_all_columns() -> None:
    twice = order(
        agreement(11, sale("115.00", tax("15.00"), line=1)),
        lines=[line_item(1, "115.00")],
        transactions=[
            transaction(21, "115.00"),
            transaction(22, "115.00"),
            transaction(23, "115.00", "REFUND", at=LATER),
        ],
    )
    house = House(twice)
    assert texts(house) == []
    for column in ("shopify", "mapping", "xero"):
        assert sum(Decimal(amount) for amount in figures(house, StatementSection.PAYMENTS, column).values()) == Decimal(
            "115.00"
        )
        assert figures(house, StatementSection.REFUNDS, column) == {}


def test_an_exchange_difference_stands_on_its_own_account_in_all_columns_and_nobody_owes_it() -> None:
    # EUR 20.00 that were 17.24 when the order was placed cost 17.50 when they were given back
    house = House(euros_given_back("17.50"))
    assert texts(house) == []
    for column in ("shopify", "mapping", "xero"):
        found = figures(house, StatementSection.SALES, column)
        assert {key: amount for (key, _), amount in found.items() if key == "861"} == {"861": "-0.26"}
    assert figures(house, StatementSection.SALES, "shopify")["861", "exchange differences"] == "-0.26"
    assert figures(house, StatementSection.OUTSTANDING, "shopify") == {}
    assert sum(Decimal(amount) for amount in figures(house, StatementSection.REFUNDS, "shopify").values()) == Decimal(
        "17.50"
    )


def test_a_gain_is_read_the_same_and_one_of_another_size_in_xero_is_named() -> None:
    # EUR 45.00 that were 38.79 when the order was placed brought 39.20 when they were captured
    house = House(euros_captured("39.20"))
    assert texts(house) == []
    assert figures(house, StatementSection.SALES, "xero")["861", ""] == "0.41"
    house.change("SH-1001-X92", LineItems=[], Total=Decimal("0.40"))
    assert any("0.41" in text for text in texts(house))


def left_to_others() -> House:
    """Return an order of 115.00 of which 55.00 came through a gateway that others enter, 23.00 of those given back."""
    policy = BooksPolicy(payments={"shopify_payments": "601", "Afterpay": "none"})
    sold = order(
        agreement(11, sale("115.00", tax("15.00"), line=1)),
        agreement(
            12, sale("-23.00", tax("-3.00"), number=2, action="RETURN", line=1), reason="REFUND", at=LATER, refund=31
        ),
        lines=[line_item(1, "115.00")],
        transactions=[
            transaction(21, "60.00"),
            transaction(22, "55.00", gateway="Afterpay"),
            transaction(23, "23.00", "REFUND", gateway="Afterpay", at=LATER),
        ],
        refunds=[refund(31, 23, at=LATER)],
    )
    return House(sold, policy=policy, dues={"SH-1001": "55.00", "SH-1001-R12": "23.00"})


def test_money_left_to_others_is_the_same_in_all_columns_and_nothing_of_it_is_owed() -> None:
    house = left_to_others()
    assert texts(house) == []
    for column in ("shopify", "mapping", "xero"):
        paid, back = (figures(house, side, column) for side in (StatementSection.PAYMENTS, StatementSection.REFUNDS))
        assert sum(map(Decimal, paid.values())) == Decimal("115.00")
        assert (paid["left to others", "Afterpay"], back) == ("55.00", {("left to others", "Afterpay"): "23.00"})
        assert figures(house, StatementSection.OUTSTANDING, column) == {}


def test_it_makes_no_difference_whether_others_have_entered_it_yet() -> None:
    house = left_to_others()
    house.change("SH-1001", AmountDue=Decimal("0.00"))
    assert texts(house) == []
    assert house.reconcile(DAY).rows[0].problems == ()
    assert house.reconcile(DAY).rows[0].money == Decimal("60.00")


def test_an_invoice_that_a_person_made_larger_is_named_beside_money_left_to_others_too() -> None:
    house = left_to_others()
    house.change("SH-1001", Total=Decimal("120.00"))
    assert any("outstanding on 2026-09-22: Shopify 0.00, Xero 5.00" in text for text in texts(house))
