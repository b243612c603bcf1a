"""The start of an order: lines, discounts, shipping, duties and fees, and their agreement.

Discounts follow docs/contracts/shopify_orders.md §4.10.4: first those of a line, then the order's own over its goods in
proportion, floored; the remainder goes one smallest unit each from the first line on. Later events are in `changes.py`.
"""

from datetime import UTC, datetime, timedelta

from shopify_xero_pipeline_tests.campaigns.model.amounts import EXPONENTS, spread
from shopify_xero_pipeline_tests.campaigns.model.choices import Choices, chance, pick
from shopify_xero_pipeline_tests.campaigns.model.order import Charge, Entry, Order, Row, Tax, charge, sold

EPOCH = datetime(2026, 9, 21, tzinfo=UTC)
GST = Tax("GST", 1500)
VAT = Tax("VAT", 2000)
FREE = Tax("Zero rated", 0)
SCHEMES: tuple[tuple[Tax, ...], ...] = (
    (GST,),
    (GST,),
    (VAT,),
    (),
    (FREE,),
    (Tax("State", 400), Tax("County", 250), Tax("City", 125)),
    (Tax("GST", 500), Tax("PST", 700)),
    (Tax("Marketplace", 1000, channel=True),),
    (Tax("State", 400, channel=True), Tax("County", 250)),
)
CURRENCIES = ("NZD",) * 11 + ("EUR", "USD", "JPY", "JPY", "KWD", "KWD")
TITLES = ("Mug", "Honey", "Towel <b>&", "手ぬぐい", "  Wide   blanket ", "☕️ Beans\u0007")
SHIPPING = ("Courier", "Pick-up", "Post")


def begin(choices: Choices, number: int, currency: str | None) -> Order:
    """Return an order at its placement, with its first agreement and no money."""
    order = _header(choices, number, currency or pick(choices, CURRENCIES))
    for _ in range(_line_count(choices)):
        _line(choices, order)
    if chance(choices, 25):
        _order_discount(choices, order)
    if chance(choices, 60):
        for _ in range(1 + chance(choices, 5)):
            _shipping(choices, order)
    if chance(choices, 6):
        charge(order, "DUTY", "Duty", amount(choices, order), names=_taxes_of_goods(choices, order))
    if chance(choices, 6):
        charge(order, "ADDITIONAL_FEE", "Import fee", amount(choices, order), names=_taxes_of_goods(choices, order))
    rows = tuple(_first_row(order, each) for each in order.charges)
    order.entries.append(Entry(order.next_id(), "ORDER", order.placed, rows))
    if EXPONENTS[order.currency] == 2 and order.current > 100 and chance(choices, 3):
        order.gap = pick(choices, (1, -1, 5, -3)) * order.grain
    return order


def amount(choices: Choices, order: Order) -> int:
    """Return a price: round or not, rarely zero, rarely small."""
    step = order.grain if chance(choices, 50) else 10 * order.grain
    return choices.whole(0, pick(choices, (1000, 1000, 200, 10))) * step


def a_line(choices: Choices, order: Order) -> tuple[Charge, int]:
    """Add a line of goods to the order; return it and its discount."""
    unit, quantity = amount(choices, order), pick(choices, (1, 1, 2, 3, 7))
    discounts = [_line_discount(choices, order, unit * quantity)] if chance(choices, 20) else []
    item = charge(order, "PRODUCT", pick(choices, TITLES), unit, quantity, _taxes_of_goods(choices, order), discounts)
    item.has_product = not chance(choices, 15)
    return item, sum(discounts)


def _header(choices: Choices, number: int, currency: str) -> Order:
    placed = EPOCH + timedelta(minutes=choices.whole(0, 40 * 24 * 60))
    clean = currency == "KWD" and not chance(choices, 15)
    return Order(
        number=number,
        currency=currency,
        presentment_currency=pick(choices, ("EUR", "JPY", "KWD", "USD")) if chance(choices, 10) else currency,
        grain=10 if clean else 1,
        included=chance(choices, 50),
        scheme=pick(choices, SCHEMES),
        placed=placed,
        backdated=placed - timedelta(hours=choices.whole(1, 9)) if chance(choices, 10) else placed,
        customer=None if chance(choices, 10) else choices.whole(1, 9),
        returns_negative=not chance(choices, 30),
        test=chance(choices, 2),
        terms=chance(choices, 5),
    )


def _line_count(choices: Choices) -> int:
    return choices.whole(10, 16) if chance(choices, 3) else pick(choices, (1, 1, 2, 3, 4))


def _line(choices: Choices, order: Order) -> None:
    kind = pick(choices, ("PRODUCT",) * 16 + ("GIFT_CARD", "GIFT_CARD", "TIP"))
    if kind == "PRODUCT":
        a_line(choices, order)
    elif kind == "GIFT_CARD":
        charge(order, kind, "Gift card", amount(choices, order), pick(choices, (1, 2)))
    elif not any(each.kind == kind for each in order.charges):
        charge(order, kind, "Tip", amount(choices, order))


def _taxes_of_goods(choices: Choices, order: Order) -> tuple[Tax, ...]:
    """Return the order's taxes, or those of other goods in it: the zero rate, or none."""
    if not order.scheme:
        return ()
    return pick(choices, (order.scheme,) * 6 + ((), (FREE,)))


def _line_discount(choices: Choices, order: Order, gross: int) -> int:
    percent = pick(choices, (10, 33, 50, 100))
    return gross * percent // (100 * order.grain) * order.grain


def _order_discount(choices: Choices, order: Order) -> None:
    goods = [each for each in order.charges if each.kind == "PRODUCT"]
    subtotal = sum(each.net for each in goods)
    if not goods:
        return
    percent = pick(choices, (10, 15, 7, 100))
    total = subtotal * percent // (100 * order.grain) * order.grain
    for each, part in zip(goods, spread(total, [each.net for each in goods], order.grain), strict=True):
        _discounted(order, each, part)


def _discounted(order: Order, item: Charge, part: int) -> None:
    share = order.taxed(item.net - part, item.names)
    item.discounts.append(part)
    item.net, item.taxes, item.remaining = share.net, share.taxes, share


def _shipping(choices: Choices, order: Order) -> None:
    price = amount(choices, order)
    off = price if chance(choices, 15) else 0
    item = charge(order, "SHIPPING", pick(choices, SHIPPING), price, names=_taxes_of_goods(choices, order))
    if off:
        _discounted(order, item, off)


def _first_row(order: Order, item: Charge) -> Row:
    return sold(order, item, item.remaining, item.quantity, sum(item.discounts))
