"""Gift cards sold below their face value: what is owed is what holders can spend, whatever happens to the order."""

import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.shopify.models import LineItem, Order, Sale
from shopify_xero_pipeline_tests.books.booking import DAY, edited, left_alone, posted, refunded, returned
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    line_item,
    order,
    organisation,
    refund,
    sale,
    tax,
    transaction,
)

CARDS = line_item(11, "50.00", title="Gift card")
MUG = line_item(12, "23.00", title="Mug")


def cards(total: str, quantity: int | None, action: str = "ORDER") -> Sale:
    return sale(total, number=1, line_type="GIFT_CARD", quantity=quantity, action=action, line=11)


def lines(subject: Order, number: str, policy: BooksPolicy | None = None) -> list[tuple[str, str, str, str, str]]:
    (document,) = [one for one in posted(subject, policy).documents if one.number == number]
    return [
        (line.description, f"{line.quantity}", str(line.unit_amount), line.account_code, line.tax_type)
        for line in document.lines
    ]


def sold(*later: object, lines: tuple[LineItem, ...] = (CARDS,), **stated: object) -> Order:
    """Return an order of two cards of 50.00 for 89.99 in all, and what came later."""
    return order(agreement(1, cards("89.99", 2)), *later, lines=lines, **stated)  # type: ignore[arg-type]


def test_cards_sold_at_a_discount_stand_at_their_price_and_the_discount_beside_them() -> None:
    subject = sold(transactions=[transaction(91, "89.99")])
    assert lines(subject, "SH-1001") == [
        ("Gift card", "2", "50.00", "830", "NONE"),
        ("Discount on Gift card", "1", "-10.01", "200", "NONE"),
    ]
    own = BooksPolicy.from_yaml("accounts: {gift_card_discounts: '208'}", "books.yaml")
    assert lines(subject, "SH-1001", own)[1] == ("Discount on Gift card", "1", "-10.01", "208", "NONE")


def test_a_card_at_its_price_is_one_line() -> None:
    subject = order(agreement(1, cards("100.00", 2)), lines=[CARDS], transactions=[transaction(91, "100.00")])
    assert lines(subject, "SH-1001") == [("Gift card", "2", "50.00", "830", "NONE")]


def test_a_card_given_away_for_nothing_is_owed_for_all_the_same() -> None:
    rows = agreement(1, cards("0.00", 1), sale("23.00", tax("3.00"), number=2, line=12))
    subject = order(rows, lines=[CARDS, MUG], transactions=[transaction(91, "23.00")])
    assert lines(subject, "SH-1001")[:2] == [
        ("Gift card", "1", "50.00", "830", "NONE"),
        ("Discount on Gift card", "1", "-50.00", "200", "NONE"),
    ]


def test_an_order_of_nothing_but_a_card_given_away_is_posted_though_it_is_worth_nothing() -> None:
    given = agreement(1, cards("0.00", 1))
    assert lines(order(given, lines=[CARDS]), "SH-1001") == [
        ("Gift card", "1", "50.00", "830", "NONE"),
        ("Discount on Gift card", "1", "-50.00", "200", "NONE"),
    ]
    taken_back = order(given, edited(2, cards("0.00", -1, "RETURN")), lines=[CARDS])
    assert left_alone(taken_back)[0] == "skipped"


def test_a_card_that_comes_back_takes_its_discount_back_too() -> None:
    back = refunded(2, cards("-45.00", -1, "RETURN"), refund=31)
    money = [transaction(91, "89.99"), transaction(92, "45.00", "REFUND", at=NOON + DAY)]
    subject = sold(back, transactions=money, refunds=[refund(31, 92, at=NOON + DAY)])
    assert lines(subject, "SH-1001-R2") == [
        ("Gift card", "1", "50.00", "830", "NONE"),
        ("Discount on Gift card", "1", "-5.00", "200", "NONE"),
    ]


def test_a_card_exchanged_for_goods_is_taken_off_at_its_face_value() -> None:
    swap = returned(2, cards("-45.00", -1, "RETURN"), sale("69.00", tax("9.00"), number=2, line=12))
    money = [transaction(91, "89.99"), transaction(92, "24.00", at=NOON + DAY)]
    subject = sold(swap, lines=(CARDS, MUG), transactions=money)
    assert lines(subject, "SH-1001-T2")[:2] == [
        ("Gift card", "1", "-50.00", "830", "NONE"),
        ("Discount on Gift card", "1", "5.00", "200", "NONE"),
    ]


def test_a_price_taken_down_after_the_sale_makes_no_card_smaller() -> None:
    cheaper = edited(2, cards("-9.99", None, "UPDATE"))
    money = [transaction(91, "89.99"), transaction(92, "9.99", "REFUND", at=NOON + DAY)]
    subject = sold(cheaper, transactions=money)
    assert lines(subject, "SH-1001-E2") == [("Discount on Gift card", "1", "9.99", "200", "NONE")]


@pytest.mark.parametrize("mode", ["rates", "lines"])
def test_it_is_the_same_in_both_tax_modes(mode: str) -> None:
    policy = BooksPolicy.from_yaml(f"tax: {{mode: {mode}}}", "books.yaml")
    found = lines(sold(transactions=[transaction(91, "89.99")]), "SH-1001", policy)
    assert [line[2:4] for line in found] == [("50.00", "830"), ("-10.01", "200")]


def test_a_card_without_its_order_line_or_of_more_than_its_price_is_owed_as_it_stands() -> None:
    alone = order(agreement(1, cards("40.00", 1)), transactions=[transaction(91, "40.00")])
    assert lines(alone, "SH-1001") == [("Gift card", "1", "40.00", "830", "NONE")]
    dearer = order(agreement(1, cards("60.00", 1)), lines=[CARDS], transactions=[transaction(91, "60.00")])
    assert lines(dearer, "SH-1001") == [("Gift card", "1", "60.00", "830", "NONE")]


@pytest.mark.parametrize("quantity", [None, 0])
def test_a_sale_without_a_quantity_is_one_card(quantity: int | None) -> None:
    subject = order(agreement(1, cards("40.00", quantity)), lines=[CARDS], transactions=[transaction(91, "40.00")])
    assert lines(subject, "SH-1001") == [
        ("Gift card", "1", "50.00", "830", "NONE"),
        ("Discount on Gift card", "1", "-10.00", "200", "NONE"),
    ]


def test_a_card_in_yen_is_worth_whole_yen() -> None:
    row = sale("13500", line_type="GIFT_CARD", quantity=3, line=11, currency="JPY")
    subject = order(
        agreement(1, row),
        lines=[line_item(11, "5000", title="Gift card", currency="JPY")],
        transactions=[transaction(91, "13500", currency="JPY")],
        currency="JPY",
    )
    document = posted(subject, xero=organisation(base="JPY", currencies=("JPY",))).documents[0]
    assert [(str(line.quantity), str(line.unit_amount)) for line in document.lines] == [("3", "5000"), ("1", "-1500")]
