"""Events after the placement of an order: edits, returns, exchanges, refunds, cancellation.

This module contains agreements after the first, and the money that they refund (docs/contracts/shopify_orders.md §4.7,
§4.9). A difference between a refund and its money is an ADJUSTMENT row, so that the ledger agrees with the money;
without such a row the difference stays owed.
"""

from datetime import datetime

from shopify_xero_pipeline_tests.campaigns.model.amounts import half_up
from shopify_xero_pipeline_tests.campaigns.model.beginnings import a_line, amount
from shopify_xero_pipeline_tests.campaigns.model.choices import Choices, chance, pick
from shopify_xero_pipeline_tests.campaigns.model.order import (
    UNDER_WAY,
    Back,
    Charge,
    Entry,
    Order,
    Row,
    Tax,
    channel_tax,
    charge,
    more_of,
    repriced,
    sold,
    taken_back,
    untaxed,
)
from shopify_xero_pipeline_tests.campaigns.model.payments import (
    CASH_STEPS,
    OUTCOMES,
    add_money,
    drift,
    open_authorisation,
    part,
    void,
)

BACK_GATEWAYS = ("", "", "", "shopify_store_credit", "manual", "cash", "gift_card")
EDITS = ("ORDER_EDIT",) * 12 + ("ORDER",)
REASONS = ("REFUND_DISCREPANCY", "CUSTOMER", "DAMAGE", "RESTOCK", "FULL_RETURN_BALANCING_ADJUSTMENT")


def left_lines(order: Order) -> list[Charge]:
    """Return lines with remaining units."""
    return [each for each in order.charges if each.left_quantity and each.kind in {"PRODUCT", "GIFT_CARD", "TIP"}]


def left_shipping(order: Order) -> list[Charge]:
    """Return other charges with a remaining amount."""
    return [
        each for each in order.charges if each.kind not in {"PRODUCT", "GIFT_CARD", "TIP"} and each.remaining.net > 0
    ]


def edit(choices: Choices, order: Order, at: datetime) -> None:
    """Add, increase, reduce, remove or reprice lines, several in one edit."""
    rows = [row for _ in range(pick(choices, (1, 1, 2, 3))) for row in [_edited(choices, order)] if row is not None]
    if rows:
        order.entries.append(Entry(order.next_id(), pick(choices, EDITS), at, tuple(rows)))
    removed = tuple(row for row in rows if row.action == "RETURN" and row.quantity)
    if removed and order.held > 0 and chance(choices, 50):
        order.backs.append(Back(order.next_id(), at, removed, (), (), (), "CANCEL"))


def _edited(choices: Choices, order: Order) -> Row | None:
    lines = [each for each in left_lines(order) if each.kind == "PRODUCT"]
    how = pick(choices, ("add", "add", "more", "less", "remove", "cheaper", "dearer", "untax", "shipping"))
    if how == "add" or (not lines and how != "shipping"):
        return _added(choices, order)
    if how == "shipping":
        item = charge(order, "SHIPPING", "Extra parcel", amount(choices, order), names=order.scheme)
        return sold(order, item, item.remaining, 1)
    line = pick(choices, lines)
    if how == "more":
        return more_of(order, line, pick(choices, (1, 2)))
    if how == "cheaper":
        return taken_back(order, line, 1, pick(choices, (10, 3)), "UPDATE")
    if how == "dearer":
        return repriced(order, line, amount(choices, order))
    if how == "untax":
        return untaxed(order, line)
    return _units_back(choices, order, line, everything=how == "remove")


def _added(choices: Choices, order: Order) -> Row:
    item, discount = a_line(choices, order)
    return sold(order, item, item.remaining, item.quantity, discount)


def _units_back(choices: Choices, order: Order, line: Charge, *, everything: bool) -> Row:
    units = line.left_quantity if everything else choices.whole(1, line.left_quantity)
    return taken_back(order, line, units, line.left_quantity)


def come_back(choices: Choices, order: Order, at: datetime) -> None:
    """Return goods, perhaps less a fee, perhaps for other goods; money follows later or never."""
    rows = _returned(choices, order)
    if chance(choices, 25):
        fee = charge(order, "FEE", "Restocking fee", amount(choices, order), names=_fee_taxes(choices, order))
        rows.append(sold(order, fee, fee.remaining, 1))
    if chance(choices, 40):
        rows.append(_added(choices, order))
    order.entries.append(Entry(order.next_id(), "RETURN", at, tuple(rows)))


def _fee_taxes(choices: Choices, order: Order) -> tuple[Tax, ...]:
    return order.scheme if chance(choices, 50) else ()


def _returned(choices: Choices, order: Order) -> list[Row]:
    lines = left_lines(order)
    chosen = [line for line in lines if chance(choices, 50)] or lines[:1]
    return [_units_back(choices, order, line, everything=chance(choices, 50)) for line in chosen]


def _shipping_back(choices: Choices, order: Order) -> list[Row]:
    rows = []
    for item in left_shipping(order):
        if item.kind == "SHIPPING" and chance(choices, 40):
            rows.append(taken_back(order, item, 1, pick(choices, (1, 2, 3))))
    return rows


def refund(choices: Choices, order: Order, at: datetime) -> None:
    """Refund lines and shipping for their price, for more, for less, or for nothing."""
    rows = _returned(choices, order) if left_lines(order) and not chance(choices, 15) else []
    shipping = _shipping_back(choices, order)
    if not rows and not shipping:
        amount_only(choices, order, at)
        return
    _give(choices, order, at, rows, shipping, "RETURN")


def _give(choices: Choices, order: Order, at: datetime, rows: list[Row], shipping: list[Row], restock: str) -> None:
    before = max(order.held, 0)
    value = sum(row.total - (channel_tax(row) if order.kept_back else 0) for row in (*rows, *shipping))
    owed = min(max(0, -(order.due + value)), before)
    how = pick(choices, ("match", "match", "match", "less", "more", "short", "nothing"))
    if order.kept_back:
        how = "match"
    cash, beside = _cash(choices, order, how, owed, before)
    adjustments = _adjusting(choices, order, beside)
    number = order.next_id()
    everything = (*rows, *shipping, *adjustments)
    order.entries.append(Entry(order.next_id(), "REFUND", at, everything, number))
    money = _pay_out(choices, order, cash, at)
    noted = tuple(_note(order, row, pick(choices, REASONS)) for row in adjustments)
    order.backs.append(Back(number, at, tuple(rows), tuple(shipping), noted, money, restock))


def _cash(choices: Choices, order: Order, how: str, owed: int, most: int) -> tuple[int, int]:
    """Return the refunded money and the adjustment row's amount, positive if the money is less than the return."""
    if how == "less" and owed:
        withheld = part(choices, order, owed)
        return owed - withheld, withheld
    if how == "more" and most > owed:
        extra = part(choices, order, most - owed)
        return owed + extra, -extra
    if how == "short" and owed:
        return owed - part(choices, order, owed), 0
    return (0, 0) if how == "nothing" else (owed, 0)


def _adjusting(choices: Choices, order: Order, total: int) -> list[Row]:
    if not total:
        return []
    names = order.scheme if len(order.scheme) == 1 and chance(choices, 20) else ()
    points = sum(name.points for name in names)
    taxes = tuple(half_up(total * points, 10_000 + points, order.grain) for _ in names)
    action = pick(choices, ("UPDATE", "RETURN", "ORDER"))
    return [Row(order.next_id(), "ADJUSTMENT", action, None, total, names, taxes)]


def _note(order: Order, row: Row, reason: str) -> tuple[int, int, int, str]:
    tax = sum(row.taxes)
    return order.next_id(), row.total - tax, tax, reason


def _pay_out(choices: Choices, order: Order, cash: int, at: datetime) -> tuple[int, ...]:
    if not cash:
        return ()
    first = part(choices, order, cash) if chance(choices, 12) else cash
    return tuple(_refunded(choices, order, amount, at) for amount in (first, cash - first) if amount)


def _refunded(choices: Choices, order: Order, amount: int, at: datetime) -> int:
    paid = [entry for entry in order.money if entry.kind in {"SALE", "CAPTURE"} and entry.status == "SUCCESS"]
    gateway = pick(choices, BACK_GATEWAYS) or paid[0].gateway
    status = "SUCCESS" if order.kept_back else pick(choices, OUTCOMES)
    entry = add_money(order, "REFUND", amount, at, gateway, status)
    entry.parent = paid[0].number
    drift(choices, order, entry)
    if gateway == "cash" and status == "SUCCESS" and chance(choices, 50) and not order.is_foreign:
        entry.rounding = half_up(amount, 1, CASH_STEPS[order.currency]) - amount
    return entry.number


def amount_only(choices: Choices, order: Order, at: datetime) -> None:
    """Refund money without a return, as goodwill."""
    if order.held <= 0 or order.kept_back:
        return
    cash = part(choices, order, order.held)
    rows = _adjusting(choices, order, -cash)
    number = order.next_id()
    order.entries.append(Entry(order.next_id(), "REFUND", at, tuple(rows), number))
    money = _pay_out(choices, order, cash, at)
    order.backs.append(
        Back(number, at, (), (), tuple(_note(order, row, "REFUND_DISCREPANCY") for row in rows), money, "NO_RESTOCK")
    )


def restock(choices: Choices, order: Order, at: datetime) -> None:
    """Restock goods without money: without rows, or with rows that an adjustment cancels."""
    number, rows = order.next_id(), []
    if left_lines(order) and chance(choices, 50):
        rows = _returned(choices, order)
        rows += _adjusting(choices, order, -sum(row.total for row in rows))
    order.entries.append(Entry(order.next_id(), "REFUND", at, tuple(rows), number))
    lines = tuple(row for row in rows if row.charge is not None)
    noted = tuple(_note(order, row, "RESTOCK") for row in rows if row.charge is None)
    order.backs.append(Back(number, at, lines, (), noted, (), "RETURN"))


def pay_back(choices: Choices, order: Order, at: datetime) -> None:
    """Pay out remaining credit: a refund of money only."""
    cash = min(-order.due, order.held)
    number = order.next_id()
    money = _pay_out(choices, order, part(choices, order, cash) if chance(choices, 25) else cash, at)
    pair: tuple[tuple[int, int, int, str], ...] = ()
    if order.money[-1].status in UNDER_WAY:
        pair = (
            (order.next_id(), cash, 0, "REFUND_DISCREPANCY"),
            (order.next_id(), -cash, 0, "PENDING_REFUND_DISCREPANCY"),
        )
    if chance(choices, 70):
        order.entries.append(Entry(order.next_id(), "REFUND", at, (), number))
    order.backs.append(Back(number, at, (), (), pair, money, "NO_RESTOCK"))


def cancel(choices: Choices, order: Order, at: datetime) -> None:
    """Remove everything from the order, and refund the payments, at once or later."""
    if open_authorisation(order) is not None:
        void(choices, order, at)
    order.cancelled = at
    rows = [taken_back(order, line, line.left_quantity, line.left_quantity) for line in left_lines(order)]
    others = [taken_back(order, item, 1, 1) for item in left_shipping(order)]
    if rows or others:
        _give(choices, order, at, rows, others, "CANCEL")
