"""Small orders that show what a policy does to the journal, shared with the page `docs/books.md` by their captions.

Only the orders and the policies they are kept with belong here, no figure that the books work out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.shopify.models import Agreement, LineItem, Order, ProductRef, Refund, Transaction
from shopify_xero_pipeline_tests.books.booking import DAY, refunded
from shopify_xero_pipeline_tests.books.builders import (
    NOON,
    agreement,
    bag,
    exchanged,
    gid,
    line_item,
    order,
    refund,
    sale,
    tax,
    transaction,
)
from shopify_xero_pipeline_tests.books.examples import PLACED, Example

GOODS = sale("115.00", tax("15.00"), line=11)
SOLD = agreement(1, GOODS)
LINES = (line_item(11, "115.00"),)
CARD = transaction(91, "115.00")


def chosen(text: str) -> BooksPolicy:
    """Return the policies of a `books.yaml` that says only this."""
    return BooksPolicy.from_yaml(text, "books.yaml")


def of_115(*money: Transaction, lines: Sequence[LineItem] = LINES, **stated: Any) -> Order:
    """Return an order of goods for 115.00."""
    return order(SOLD, lines=lines, transactions=money, **stated)


def two_kinds_of_goods() -> Example:
    """Return an order of goods on two sales accounts."""
    kinds = ProductRef(id=gid("Product", 1), title="Atlas", product_type="Books", vendor="", tags=())
    rows = agreement(1, GOODS, sale("46.00", tax("6.00"), line=12))
    lines = [*LINES, line_item(12, "46.00", title="Atlas", product=kinds)]
    policy = chosen("accounts: {overrides: [{product_type: Books, account: '201'}]}")
    return Example(order(rows, lines=lines, transactions=[transaction(91, "161.00")]), policy)


def everything_charged() -> Example:
    """Return an order with a row of every kind that is charged for."""
    rows = agreement(
        1,
        GOODS,
        sale("11.50", tax("1.50"), line_type="SHIPPING", title="Courier"),
        sale("4.60", tax("0.60"), line_type="ADDITIONAL_FEE", title="Import fee"),
        sale("23.00", tax("3.00"), line_type="DUTY", title="Duty"),
        sale("6.00", line_type="TIP", title="Tip"),
        sale("50.00", line_type="GIFT_CARD", title="Gift card"),
    )
    return Example(order(rows, lines=LINES, transactions=[transaction(91, "210.10")]))


def gift_card_at_a_discount() -> Example:
    """Return an order of a gift card of 50.00 for which 40.00 were paid."""
    rows = agreement(1, sale("40.00", line_type="GIFT_CARD", line=11))
    lines = [line_item(11, "50.00", title="Gift card")]
    return Example(order(rows, lines=lines, transactions=[transaction(91, "40.00")]))


def refunded_with_less() -> Example:
    """Return a return of 115.00 of which 10.00 were kept back."""
    kept_back = sale("10.00", line_type="ADJUSTMENT", action="UPDATE")
    back = refunded(2, sale("-115.00", tax("-15.00"), action="RETURN", line=11), kept_back, refund=31)
    money = [CARD, transaction(92, "105.00", "REFUND", at=NOON + DAY)]
    return Example(order(SOLD, back, lines=LINES, transactions=money, refunds=[refund(31, 92, at=NOON + DAY)]))


def older_order_refunded() -> Example:
    """Return an order from before the start date of which a part came back after it."""
    later = NOON + 10 * DAY
    back = refunded(2, sale("-23.00", tax("-3.00"), action="RETURN", line=11), day=10, refund=31)
    subject = order(
        SOLD,
        back,
        lines=LINES,
        transactions=[CARD, transaction(92, "23.00", "REFUND", at=later)],
        refunds=[refund(31, 92, at=later)],
    )
    return Example(subject, chosen("start_date: 2026-10-01\nopening: post"))


def channel_kept_the_tax() -> Example:
    """Return an order whose marketplace remits the tax itself and pays out the rest."""
    row = sale("115.00", tax("15.00", channel_liable=True), line=11)
    money = [transaction(91, "100.00")]
    return Example(order(agreement(1, row), lines=LINES, transactions=money, display_financial_status="PAID"))


def american_tax() -> Example:
    """Return an order with two American taxes, each on its own account."""
    row = sale("108.25", tax("7.25", "State", "0.0725"), tax("1.00", "City", "0.01"), line=11)
    policy = chosen("tax: {mode: lines, lines: [{title: State, account: '821'}, {title: City, account: '822'}]}")
    lines = [line_item(11, "100.00")]
    money = [transaction(91, "108.25")]
    return Example(order(agreement(1, row), lines=lines, transactions=money, taxes_included=False), policy)


def a_cent_missing() -> Example:
    """Return an order whose rows miss its total by a cent."""
    total: dict[str, Any] = {"original_total_price_set": bag("115.01"), "current_total_price_set": bag("115.01")}
    return Example(of_115(transaction(91, "115.01"), **total))


def uncovered_refund() -> Example:
    """Return an order of which money was given back for nothing returned."""
    money = (CARD, transaction(92, "10.00", "REFUND", at=NOON + DAY))
    return Example(of_115(*money), chosen("refund: {uncovered: adjust}"))


EUR = "EUR"


def of_euros(*later: Agreement, money: Sequence[Transaction], refunds: Sequence[Refund] = ()) -> Order:
    """Return an order of EUR 45.00, which are 38.79 in the shop's currency when it is placed."""
    row, lines = sale("38.79", line=11, presentment=("45.00", EUR)), [line_item(11, "38.79", title="Dinner set")]
    total: dict[str, Any] = {"original_total_price_set": bag("38.79", presentment=("45.00", EUR))}
    return order(agreement(1, row), *later, lines=lines, transactions=money, refunds=refunds, presentment=EUR, **total)


def euros_given_back(cost: str, **stated: Any) -> Order:
    """Return that order with EUR 20.00 given back when they cost so much, for goods of 17.24."""
    day = NOON + 7 * DAY
    row = sale("-17.24", action="RETURN", line=11, presentment=("-20.00", EUR))
    statement = exchanged("-17.24", f"-{cost}")
    return of_euros(
        refunded(2, row, day=7, refund=31),
        money=[
            transaction(91, "38.79", presentment=("45.00", EUR)),
            transaction(
                92, cost, "REFUND", at=day, parent=91, presentment=("20.00", EUR), **{"exchange": statement, **stated}
            ),
        ],
        refunds=[refund(31, 92, at=day)],
    )


def euros_captured(cost: str) -> Order:
    """Return that order, authorised when placed and captured when EUR 45.00 cost so much."""
    euros = ("45.00", EUR)
    authorised = transaction(91, "38.79", "AUTHORIZATION", presentment=euros)
    captured = transaction(
        92, cost, "CAPTURE", at=NOON + DAY, parent=91, presentment=euros, exchange=exchanged("38.79", cost)
    )
    return of_euros(money=[authorised, captured])


def several_gateways() -> Example:
    """Return an order paid through three gateways."""
    gift = transaction(92, "40.00", gateway="gift_card")
    return Example(of_115(transaction(91, "60.00"), gift, transaction(93, "15.00", gateway="cash")))


def a_gateway_left_to_others() -> Example:
    """Return an order paid by card and through a gateway whose money others enter."""
    policy = BooksPolicy(payments={"shopify_payments": "601", "Afterpay": "none"})
    return Example(of_115(transaction(91, "60.00"), transaction(92, "55.00", gateway="Afterpay")), policy)


JOURNALS: Mapping[str, Example] = {
    "A paid order of 115.00": Example(of_115(CARD)),
    "An unpaid order of 115.00 with `post_when: placed`": Example(of_115(), PLACED),
    "An older order of which 23.00 came back after the start date, with `opening: post`": older_order_refunded(),
    "A refund of 10.00 for nothing returned, with `refund.uncovered: adjust`": uncovered_refund(),
    "An order whose rows miss its total by a cent": a_cent_missing(),
    "An order with everything that can be charged": everything_charged(),
    "A return of 115.00 of which 105.00 were given back": refunded_with_less(),
    "A gift card of 50.00 sold for 40.00": gift_card_at_a_discount(),
    "An order of 115.00, of which 55.00 came through a gateway left to others": a_gateway_left_to_others(),
    "An order with goods on two sales accounts": two_kinds_of_goods(),
    "An order paid through three gateways": several_gateways(),
    "An order of 38.79 of which 17.50 go back for goods of 17.24": Example(euros_given_back("17.50")),
    "An order of 38.79 of which 17.00 go back for goods of 17.24": Example(euros_given_back("17.00")),
    "An order of 38.79 that is captured for 39.15": Example(euros_captured("39.15")),
    "An order with `tax.mode: lines`": american_tax(),
    "An order of which a marketplace kept the tax": channel_kept_the_tax(),
}
