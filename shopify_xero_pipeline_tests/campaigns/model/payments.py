"""Money of an order: payments in full or in part, authorisations, pending, failed and voided payments, and cash.

This module contains incoming transactions, and the outcome of pending ones; refunds are in `changes.py`
(docs/contracts/shopify_orders.md §4.6).
"""

from collections.abc import Mapping
from datetime import datetime

from shopify_xero_pipeline_tests.campaigns.model.amounts import half_up
from shopify_xero_pipeline_tests.campaigns.model.choices import Choices, chance, pick
from shopify_xero_pipeline_tests.campaigns.model.order import PROMISES, UNDER_WAY, Money, Order

GATEWAYS = ("shopify_payments", "shopify_payments", "paypal", "manual", "Bank Deposit", "gift_card", "shop_cash")
OUTCOMES = ("SUCCESS",) * 12 + ("PENDING", "PENDING", "AWAITING_RESPONSE", "FAILURE", "ERROR")
FACTORS = (10_000, 10_000, 9_870, 10_240, 9_310, 10_905)
"""The price of the customer's currency when money moves, in 10,000ths of its price at the order's placement."""
CASH_STEPS = {"NZD": 10, "EUR": 5, "USD": 5, "JPY": 1, "KWD": 10}


def may_pay(order: Order) -> bool:
    """Return whether an amount is due that no pending payment covers."""
    return (
        order.due > (order.channel_tax if order.kept_back else 0)
        and order.cancelled is None
        and open_authorisation(order) is None
    )


def pay(choices: Choices, order: Order, at: datetime) -> None:
    """Pay the amount due or a part of it, successfully or not."""
    if order.kept_back:
        presentment = order.shown_due - order.shown_channel_tax
        add_money(order, "SALE", order.due - order.channel_tax, at, pick(choices, GATEWAYS)).presentment = presentment
        return
    amount = part(choices, order, order.due) if chance(choices, 25) else order.due
    status = pick(choices, OUTCOMES)
    if status == "SUCCESS" and chance(choices, 12) and not order.is_foreign:
        pay_in_cash(choices, order, amount, at)
        return
    settles = amount == order.due and not under_way(order)
    entry = add_money(order, "SALE", amount, at, pick(choices, GATEWAYS), status)
    if settles:  # a part payment at another rate has no stated exchange difference
        drift(choices, order, entry)


def pay_in_cash(choices: Choices, order: Order, amount: int, at: datetime) -> None:
    """Pay in cash, rounded to the coins of the currency, sometimes with change."""
    step = CASH_STEPS[order.currency]
    rounding = half_up(amount, 1, step) - amount if chance(choices, 60) else 0
    tendered = part(choices, order, 500 * order.grain) if chance(choices, 40) else 0
    sale = add_money(order, "SALE", amount + tendered, at, "cash")
    sale.rounding = rounding
    if tendered:
        change = add_money(order, "CHANGE", tendered, at, "cash")
        change.parent = sale.number if chance(choices, 80) else None


def authorise(choices: Choices, order: Order, at: datetime) -> None:
    """Authorise the amount due."""
    add_money(
        order,
        pick(choices, ("AUTHORIZATION", "AUTHORIZATION", "EMV_AUTHORIZATION")),
        order.due,
        at,
        pick(choices, ("shopify_payments", "paypal")),
    )


def open_authorisation(order: Order) -> Money | None:
    """Return the authorisation that is neither voided nor fully captured."""
    return next((entry for entry in order.money if entry.kind in PROMISES and capturable(order, entry) > 0), None)


def capturable(order: Order, authorisation: Money) -> int:
    """Return the amount of an authorisation that may still be captured."""
    later = [entry for entry in order.money if entry.parent == authorisation.number]
    if any(entry.kind == "VOID" for entry in later) or order.due <= 0:
        return 0
    return min(authorisation.amount - sum(entry.amount for entry in later if entry.kind == "CAPTURE"), order.due)


def capture(choices: Choices, order: Order, at: datetime) -> None:
    """Capture an authorised amount, or a part of it."""
    authorisation = open_authorisation(order)
    assert authorisation is not None
    most = capturable(order, authorisation)
    amount = part(choices, order, most) if chance(choices, 35) else most
    entry = add_money(order, "CAPTURE", amount, at, authorisation.gateway)
    entry.parent = authorisation.number
    drift(choices, order, entry)


def void(choices: Choices, order: Order, at: datetime) -> None:
    """Void the authorisation."""
    authorisation = open_authorisation(order)
    assert authorisation is not None
    entry = add_money(order, "VOID", authorisation.amount, at, authorisation.gateway)
    entry.parent = authorisation.number


def under_way(order: Order) -> list[Money]:
    """Return the pending transactions."""
    return [entry for entry in order.money if entry.status in UNDER_WAY]


def settle(choices: Choices, order: Order, at: datetime) -> None:
    """Let a pending transaction succeed or fail, with or without a new processing time."""
    entry = pick(choices, under_way(order))
    entry.status = pick(choices, ("SUCCESS", "SUCCESS", "SUCCESS", "FAILURE"))
    entry.settled_late = True
    if entry.kind == "SALE" and order.shown_due:
        entry.drift = 0  # the order has changed, so that it settles a part of what is due
    if chance(choices, 70):
        entry.processed = at


def part(choices: Choices, order: Order, of: int) -> int:
    """Return a part of an amount, at least one grain, at most all."""
    steps = of // order.grain
    return max(1, choices.whole(0, steps)) * order.grain if steps else of


def add_money(
    order: Order, kind: str, amount: int, at: datetime, gateway: str | None, status: str = "SUCCESS"
) -> Money:
    """Add a transaction; one that settles the order does so to the last unit of the customer's currency.

    Args:
        order: the order.
        kind: the kind of transaction.
        amount: the amount at the order's rate.
        at: the instant.
        gateway: the payment gateway; None for none.
        status: the status.
    """
    presentment = order.show(amount)
    if kind in {"SALE", "CAPTURE", *PROMISES} and amount == order.due:
        presentment = order.shown_due
    if kind == "REFUND" and amount == -order.due:
        presentment = -order.shown_due
    processed = None if status in UNDER_WAY else at
    entry = Money(order.next_id(), kind, status, gateway, amount, at, processed, presentment=presentment)
    order.money.append(entry)
    return entry


def drift(choices: Choices, order: Order, entry: Money) -> None:
    """Change the rate of a transaction, or keep that of the order's placement."""
    if not order.is_foreign or entry.presentment <= 0:
        return
    factor = pick(choices, FACTORS)
    entry.drift = half_up(entry.amount * factor, 10_000, order.grain) - entry.amount
    state_rate(order, entry)


def state_rate(order: Order, entry: Money) -> None:
    """Set the amount at the parent's rate, which Shopify states if the rate of one of the two has changed."""
    parents = {other.number: other for other in order.money}
    parent = parents.get(entry.parent or 0)
    if parent is not None and parent.presentment > 0 and (entry.drift or _drifted(parent, parents)):
        before = half_up(parent.moved * entry.presentment, parent.presentment, order.grain)
        entry.before = before if before != entry.moved else None


def _drifted(entry: Money, parents: Mapping[int, Money]) -> bool:
    above = parents.get(entry.parent or 0)
    return bool(entry.drift) or (above is not None and _drifted(above, parents))
