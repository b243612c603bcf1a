"""Deviations that the books must refuse, each under its name in `facts.py`.

Each deviation makes an order contradict itself, or uses a value without a rule in the books; docs/books.md lists these
as reasons to block an order.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from shopify_xero_pipeline_tests.campaigns.model.choices import Choices, pick
from shopify_xero_pipeline_tests.campaigns.model.order import Entry, Order, Row, Tax, charge, sold
from shopify_xero_pipeline_tests.campaigns.model.payments import add_money

LUXURY = Tax("Luxury", 3300)


def make_odd(choices: Choices, order: Order, at: datetime) -> str:
    """Apply a random deviation to an order; return its name."""
    name = pick(choices, tuple(ODDITIES))
    ODDITIES[name](order, at)
    return name


def _unmapped_gateway(order: Order, at: datetime) -> None:
    add_money(order, "SALE", max(order.due, order.grain), at, "klarna")
    order.weird.add("unmapped gateway")


def _no_gateway(order: Order, at: datetime) -> None:
    add_money(order, "SALE", max(order.due, order.grain), at, None)
    order.weird.add("no gateway")


def _unknown_status(order: Order, at: datetime) -> None:
    add_money(order, "SALE", max(order.due, 0), at, "paypal", "UNKNOWN")
    order.weird.add("unknown status")


def _unknown_kind(order: Order, at: datetime) -> None:
    add_money(order, "BARTER", max(order.due, 0), at, "paypal")
    order.weird.add("unknown kind")


def _row(order: Order, **changes: object) -> Row:
    row = Row(order.next_id(), "ADJUSTMENT", "UPDATE", None, 100 * order.grain, (), ())
    return replace(row, **changes)  # type: ignore[arg-type]


def _unknown_line(order: Order, at: datetime) -> None:
    order.entries.append(Entry(order.next_id(), "ORDER_EDIT", at, (_row(order, kind="UNKNOWN"),)))
    order.weird.add("unknown line")


def _unknown_action(order: Order, at: datetime) -> None:
    order.entries.append(Entry(order.next_id(), "ORDER_EDIT", at, (_row(order, action="UNKNOWN"),)))
    order.weird.add("unknown action")


def _unknown_reason(order: Order, at: datetime) -> None:
    order.entries.append(Entry(order.next_id(), "UNKNOWN", at, (_row(order),)))
    order.weird.add("unknown reason")


def _unmapped_tax(order: Order, at: datetime) -> None:
    item = charge(order, "PRODUCT", "Caviar", 1000 * order.grain, names=(LUXURY,))
    order.entries.append(Entry(order.next_id(), "ORDER_EDIT", at, (sold(order, item, item.remaining, 1),)))
    order.weird.add("unmapped tax")


def _taxed_gift_card(order: Order, at: datetime) -> None:
    item = charge(order, "GIFT_CARD", "Gift card", 1000 * order.grain, names=(Tax("GST", 1500),))
    order.entries.append(Entry(order.next_id(), "ORDER_EDIT", at, (sold(order, item, item.remaining, 1),)))
    order.weird.add("taxed gift card")


def _taxes_differ(order: Order, at: datetime) -> None:
    row = _row(order, stated_tax=order.grain)
    order.entries.append(Entry(order.next_id(), "ORDER_EDIT", at, (row,)))
    order.weird.add("taxes differ")


def _total_differs(order: Order, at: datetime) -> None:
    order.stray += order.grain
    order.weird.add("total differs")


def _gap(order: Order, at: datetime) -> None:
    order.gap += 100 * order.grain
    order.weird.add("gap")


def _payment_differs(order: Order, at: datetime) -> None:
    order.stray_payment += order.grain
    order.weird.add("payment differs")


def _lone_change(order: Order, at: datetime) -> None:
    add_money(order, "CHANGE", 10**7 * order.grain, at, "till")
    order.weird.add("lone change")


def _overpaid(order: Order, at: datetime) -> None:
    sold_in_all = sum(max(entry.net, 0) for entry in order.entries)
    add_money(order, "SALE", sold_in_all + 100 * order.grain, at, "paypal")


def _uncovered(order: Order, at: datetime) -> None:
    if order.held > 0:
        add_money(order, "REFUND", order.held, at, "paypal")


def _began_below_nothing(order: Order, at: datetime) -> None:
    first = order.entries[0]
    order.entries[0] = replace(first, rows=(*first.rows, _row(order, total=-first.net - 5 * order.grain)))
    order.weird.add("began below nothing")


ODDITIES: Mapping[str, Callable[[Order, datetime], None]] = {
    "overpaid": _overpaid,
    "uncovered": _uncovered,
    "unmapped gateway": _unmapped_gateway,
    "no gateway": _no_gateway,
    "unknown status": _unknown_status,
    "unknown kind": _unknown_kind,
    "unknown line": _unknown_line,
    "unknown action": _unknown_action,
    "unknown reason": _unknown_reason,
    "unmapped tax": _unmapped_tax,
    "taxed gift card": _taxed_gift_card,
    "taxes differ": _taxes_differ,
    "total differs": _total_differs,
    "gap": _gap,
    "payment differs": _payment_differs,
    "lone change": _lone_change,
    "began below nothing": _began_below_nothing,
}
