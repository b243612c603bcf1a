"""Money of an order: paid at once or in parts, authorised and captured, pending, failed, voided, in cash with change.

Only transactions that bring money in belong here, and the later fate of any that were under way; money given back is
told in `changes.py`, beside what it is given back for (docs/contracts/shopify_orders.md §4.6).
"""

from collections.abc import Mapping
from datetime import datetime

from shopify_xero_pipeline_tests.campaigns.model.amounts import half_up
from shopify_xero_pipeline_tests.campaigns.model.choices import Choices, chance, pick
from shopify_xero_pipeline_tests.campaigns.model.order import PROMISES, UNDER_WAY, Money, Order

GATEWAYS = ("shopify_payments", "shopify_payments", "paypal", "manual", "Bank Deposit", "gift_card", "shop_cash")
OUTCOMES = ("SUCCESS",) * 12 + ("PENDING", "PENDING", "AWAITING_RESPONSE", "FAILURE", "ERROR")
FACTORS = (10_000, 10_000, 9_870, 10_240, 9_310, 10_905)
"""What the customer's currency costs when money moves, in 10,000ths of what it cost when the order was placed."""
CASH_STEPS = {"NZD": 10, "EUR": 5, "USD": 5, "JPY": 1, "KWD": 10}


def may_pay(order: Order) -> bool:
    """Something is still due that no payment under way will cover."""
    return (
        order.due > (order.channel_tax if order.kept_back else 0)
        and order.cancelled is None
        and open_authorisation(order) is None
    )


def pay(choices: Choices, order: Order, at: datetime) -> None:
    """The customer pays what is due, or a part of it, or tries to."""
    if order.kept_back:
        shown = order.shown_due - order.shown_channel_tax
        add_money(order, "SALE", order.due - order.channel_tax, at, pick(choices, GATEWAYS)).shown = shown
        return
    amount = part(choices, order, order.due) if chance(choices, 25) else order.due
    status = pick(choices, OUTCOMES)
    if status == "SUCCESS" and chance(choices, 12) and not order.is_foreign:
        pay_in_cash(choices, order, amount, at)
        return
    settles = amount == order.due and not under_way(order)
    entry = add_money(order, "SALE", amount, at, pick(choices, GATEWAYS), status)
    if settles:  # a part of it at another rate, which nothing states, would be no exchange difference
        drift(choices, order, entry)


def pay_in_cash(choices: Choices, order: Order, amount: int, at: datetime) -> None:
    """Cash: rounded to what coins there are, sometimes with change."""
    step = CASH_STEPS[order.currency]
    rounding = half_up(amount, 1, step) - amount if chance(choices, 60) else 0
    tendered = part(choices, order, 500 * order.grain) if chance(choices, 40) else 0
    sale = add_money(order, "SALE", amount + tendered, at, "cash")
    sale.rounding = rounding
    if tendered:
        change = add_money(order, "CHANGE", tendered, at, "cash")
        change.parent = sale.number if chance(choices, 80) else None


def authorise(choices: Choices, order: Order, at: datetime) -> None:
    """The customer's bank promises what is due."""
    add_money(
        order,
        pick(choices, ("AUTHORIZATION", "AUTHORIZATION", "EMV_AUTHORIZATION")),
        order.due,
        at,
        pick(choices, ("shopify_payments", "paypal")),
    )


def open_authorisation(order: Order) -> Money | None:
    """Return the authorisation that is neither voided nor used up."""
    return next((entry for entry in order.money if entry.kind in PROMISES and capturable(order, entry) > 0), None)


def capturable(order: Order, found: Money) -> int:
    """Return how much of an authorisation may still be captured."""
    later = [entry for entry in order.money if entry.parent == found.number]
    if any(entry.kind == "VOID" for entry in later) or order.due <= 0:
        return 0
    return min(found.amount - sum(entry.amount for entry in later if entry.kind == "CAPTURE"), order.due)


def capture(choices: Choices, order: Order, at: datetime) -> None:
    """The shop takes what was authorised, or a part."""
    found = open_authorisation(order)
    assert found is not None
    most = capturable(order, found)
    amount = part(choices, order, most) if chance(choices, 35) else most
    entry = add_money(order, "CAPTURE", amount, at, found.gateway)
    entry.parent = found.number
    drift(choices, order, entry)


def void(choices: Choices, order: Order, at: datetime) -> None:
    """The shop lets the authorisation go."""
    found = open_authorisation(order)
    assert found is not None
    entry = add_money(order, "VOID", found.amount, at, found.gateway)
    entry.parent = found.number


def under_way(order: Order) -> list[Money]:
    """Return the transactions that are pending."""
    return [entry for entry in order.money if entry.status in UNDER_WAY]


def settle(choices: Choices, order: Order, at: datetime) -> None:
    """A pending transaction succeeds, or fails; its time may or may not move along."""
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
    """Write a transaction; what settles the order does so to the last unit of the customer's currency."""
    shown = order.show(amount)
    if kind in {"SALE", "CAPTURE", *PROMISES} and amount == order.due:
        shown = order.shown_due
    if kind == "REFUND" and amount == -order.due:
        shown = -order.shown_due
    entry = Money(order.next_id(), kind, status, gateway, amount, at, None if status in UNDER_WAY else at, shown=shown)
    order.money.append(entry)
    return entry


def drift(choices: Choices, order: Order, entry: Money) -> None:
    """The customer's currency costs more or less when money moves than when the order was placed, or the same."""
    if not order.is_foreign or entry.shown <= 0:
        return
    factor = pick(choices, FACTORS)
    entry.drift = half_up(entry.amount * factor, 10_000, order.grain) - entry.amount
    state_rate(order, entry)


def state_rate(order: Order, entry: Money) -> None:
    """Shopify states what a transaction would have come to at its parent's rate, if one of the two has moved."""
    parents = {other.number: other for other in order.money}
    parent = parents.get(entry.parent or 0)
    if parent is not None and parent.shown > 0 and (entry.drift or _drifted(parent, parents)):
        before = half_up(parent.moved * entry.shown, parent.shown, order.grain)
        entry.before = before if before != entry.moved else None


def _drifted(entry: Money, parents: Mapping[int, Money]) -> bool:
    above = parents.get(entry.parent or 0)
    return bool(entry.drift) or (above is not None and _drifted(above, parents))
