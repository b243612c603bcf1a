"""The twelve worked examples of the books as orders, shared by the tests of the figures and of `docs/books.md`.

Only the orders and the policies they are kept with belong here, and how far each had got when it was first kept; no
figure that the books work out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from shopify_xero_pipeline.books.orders import build_order_books
from shopify_xero_pipeline.books.policy import BooksPolicy, TaxPolicy, TaxRule
from shopify_xero_pipeline.books.records import OrderBooks, Outcome, PostedRecords
from shopify_xero_pipeline.shopify.models import Agreement, Customer, Order, SaleTax
from shopify_xero_pipeline_tests.books.builders import (
    agreement,
    customer,
    ledger_of,
    line_item,
    order,
    organisation,
    refund,
    sale,
    tax,
    transaction,
)

SEPTEMBER = datetime(2026, 9, 25, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 14, 1, 0, tzinfo=UTC)
LATE = datetime(2026, 11, 1, 3, 30, tzinfo=UTC)  # 23:30 on 31 October in New York

NEW_ZEALAND = BooksPolicy()
PLACED = BooksPolicy(post_when="placed")
NEW_YORK = BooksPolicy(time_zone="America/New_York")
GST_10 = BooksPolicy(tax=TaxPolicy(rates=(TaxRule(title="GST", rate=Decimal("0.1"), tax_type="OUTPUT"),)))
VAT_20 = BooksPolicy(
    tax=TaxPolicy(
        rates=(
            TaxRule(title="VAT", rate=Decimal("0.2"), tax_type="OUTPUT2"),
            TaxRule(rate=Decimal(0), tax_type="ZERORATEDOUTPUT"),
        )
    )
)


@dataclass(frozen=True)
class Example:
    """An order as it ended, and as it stood when it was kept before, if it was."""

    order: Order
    policy: BooksPolicy = NEW_ZEALAND
    before: Order | None = None

    def kept_before(self) -> OrderBooks:
        """Return the books of the order as it stood at first."""
        assert self.before is not None
        return kept(self.before, self.policy)

    def kept(self) -> OrderBooks:
        """Return the books of the order as it ended, given what was posted before."""
        ledger = ledger_of(self.kept_before()) if self.before is not None else PostedRecords()
        return kept(self.order, self.policy, ledger)


def kept(subject: Order, policy: BooksPolicy, ledger: PostedRecords | None = None) -> OrderBooks:
    """Return the books of an order that is posted."""
    books = build_order_books(subject, policy, organisation(), ledger or PostedRecords())
    assert books.outcome is Outcome.POST, books.reason
    return books


def vat(amount: str, rate: str = "0.2") -> SaleTax:
    """Return British VAT."""
    return tax(amount, "VAT", rate)


def tax_included() -> Example:
    """1: GST included 10 %, an order discount on the item row."""
    goods = sale("59.00", tax("5.36", rate="0.1"), quantity=2, line=11)
    shipping = sale("11.00", tax("1.00", rate="0.1"), line_type="SHIPPING", title="Courier")
    return Example(
        order(
            agreement(1, goods, shipping),
            lines=[line_item(11, "33.00")],
            transactions=[transaction(91, "70.00")],
        ),
        GST_10,
    )


def three_mugs() -> Agreement:
    """Return the sale of the second and third example."""
    goods = sale("35.99", vat("6.00"), quantity=3, line=11)
    return agreement(1, goods, sale("6.00", vat("1.00"), line_type="SHIPPING", title="Post"))


def tax_excluded() -> Example:
    """2: VAT excluded 20 %, a discount of a cent."""
    subject = order(
        three_mugs(),
        lines=[line_item(11, "10.00")],
        transactions=[transaction(91, "41.99")],
        taxes_included=False,
    )
    return Example(subject, VAT_20)


def refunded_next_month() -> Example:
    """3: the second example; the unit that carries the discount is refunded next month."""
    returned = sale("-11.99", vat("-2.00"), action="RETURN", line=11)
    subject = order(
        three_mugs(),
        agreement(2, returned, reason="REFUND", refund=31, at=OCTOBER),
        lines=[line_item(11, "10.00")],
        transactions=[transaction(91, "41.99"), transaction(92, "11.99", "REFUND", at=OCTOBER)],
        refunds=[refund(31, 92, at=OCTOBER)],
        taxes_included=False,
    )
    return Example(subject, VAT_20)


def gift_card_sold() -> Example:
    """4, first order: a gift card is sold."""
    sold = agreement(1, sale("50.00", line_type="GIFT_CARD", title="Gift card"))
    return Example(order(sold, transactions=[transaction(91, "50.00")]))


def gift_card_used() -> Example:
    """4, second order: paid in part by the gift card."""
    bought = agreement(1, sale("80.00", tax("10.43"), line=11))
    money = [transaction(92, "50.00", gateway="gift_card"), transaction(93, "30.00")]
    lines = [line_item(11, "80.00", title="Jacket")]
    return Example(order(bought, number=5002, name="#1002", lines=lines, transactions=money))


def line_added() -> Example:
    """5: a line is added to a paid order."""
    first = agreement(1, sale("100.00", tax("13.04"), line=11))
    added = agreement(2, sale("20.00", tax("2.61"), line=12), reason="ORDER_EDIT", at=OCTOBER)
    lines = [line_item(11, "100.00", title="Jacket"), line_item(12, "20.00", title="Scarf")]
    paid = transaction(91, "100.00")
    return Example(
        order(first, added, lines=lines, transactions=[paid, transaction(92, "20.00", at=OCTOBER)]),
        before=order(first, lines=lines, transactions=[paid]),
    )


def exchange() -> Example:
    """6: a return and a new item in one agreement."""
    first = agreement(1, sale("40.00", tax("5.22"), line=11))
    back = sale("-40.00", tax("-5.22"), action="RETURN", line=11)
    swap = agreement(2, back, sale("55.00", tax("7.17"), line=12), reason="RETURN", at=OCTOBER)
    lines = [line_item(11, "40.00", title="Shirt"), line_item(12, "55.00", title="Jersey")]
    money = [transaction(91, "40.00"), transaction(92, "15.00", at=OCTOBER)]
    return Example(order(first, swap, lines=lines, transactions=money))


def two_called_the_same() -> tuple[Customer, Customer]:
    """7: two customers called the same, one without e-mail."""
    return customer(7, "John Smith", "john@example.com"), customer(8, "John Smith", None)


def late_on_the_31st() -> Example:
    """8: half past eleven at night in the shop's zone, next month in UTC."""
    money = [transaction(91, "10.00", at=LATE)]
    lines = [line_item(11, "10.00", title="Poster")]
    return Example(
        order(agreement(1, sale("10.00", line=11), at=LATE), at=LATE, lines=lines, transactions=money), NEW_YORK
    )


def cancelled_unpaid() -> Example:
    """9: an unpaid order is posted, then cancelled."""
    first = agreement(1, sale("100.00", tax("13.04"), line=11))
    back = sale("-100.00", tax("-13.04"), action="RETURN", line=11)
    lines = [line_item(11, "100.00", title="Jacket")]
    cancelled = order(
        first,
        agreement(2, back, reason="REFUND", refund=31, at=OCTOBER),
        lines=lines,
        refunds=[refund(31, at=OCTOBER)],
        cancelled_at=OCTOBER,
    )
    return Example(cancelled, PLACED, before=order(first, lines=lines))


def change_given() -> Example:
    """10, first order: 50.00 tendered for 45.00."""
    cash = transaction(91, "50.00", gateway="cash")
    change = transaction(92, "5.00", "CHANGE", gateway="cash", parent=91)
    lines = [line_item(11, "45.00", title="Hat")]
    return Example(order(agreement(1, sale("45.00", tax("5.87"), line=11)), lines=lines, transactions=[cash, change]))


def cash_rounded_up() -> Example:
    """10, second order: 10.05 taken for 10.03."""
    cash = transaction(91, "10.03", gateway="cash", rounding="0.02")
    bought = agreement(1, sale("10.03", tax("1.31"), line=11))
    lines = [line_item(11, "10.03", title="Ribbon")]
    return Example(order(bought, number=5002, name="#1002", lines=lines, transactions=[cash]))


def even_swap() -> Example:
    """11: an item at 20 % for one at 0 %, of the same price."""
    back = sale("-12.00", vat("-2.00"), action="RETURN", line=11)
    swap = agreement(2, back, sale("12.00", vat("0", "0"), line=12), reason="ORDER_EDIT", at=OCTOBER)
    return Example(
        order(
            agreement(1, sale("12.00", vat("2.00"), line=11)),
            swap,
            lines=[line_item(11, "12.00"), line_item(12, "12.00", title="Book")],
            transactions=[transaction(91, "12.00")],
        ),
        VAT_20,
    )


def returned_unpaid() -> Example:
    """12: a return of an unpaid order is credited, then the rest captured."""
    first = agreement(1, sale("100.00", tax("13.04"), line=11))
    second = agreement(2, sale("-30.00", tax("-3.91"), action="RETURN", line=11), reason="RETURN", at=SEPTEMBER)
    lines = [line_item(11, "100.00", title="Dinner set")]
    captured = transaction(91, "70.00", "CAPTURE", at=OCTOBER)
    return Example(
        order(first, second, lines=lines, transactions=[captured]), PLACED, before=order(first, second, lines=lines)
    )


EXAMPLES: Mapping[str, Example] = {
    "1": tax_included(),
    "2": tax_excluded(),
    "3": refunded_next_month(),
    "4a": gift_card_sold(),
    "4b": gift_card_used(),
    "5": line_added(),
    "6": exchange(),
    "8": late_on_the_31st(),
    "9": cancelled_unpaid(),
    "10a": change_given(),
    "10b": cash_rounded_up(),
    "11": even_swap(),
    "12": returned_unpaid(),
}
