"""Shopify's figures of an order at a moment, in whole minor units, and further facts of the model.

This module only contains sums over the model's own rows: the expected values for the books, and the totals of
`nodes.py`. It reads nothing of the product.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from shopify_xero_pipeline_tests.campaigns.model.amounts import EXPONENTS
from shopify_xero_pipeline_tests.campaigns.model.order import (
    MONEY_IN,
    MONEY_OUT,
    PROMISES,
    UNDER_WAY,
    Order,
    Row,
    Tax,
    channel_tax,
)

REFUND = frozenset({"REFUND"})
ZONE = ZoneInfo("Pacific/Auckland")
TERMS = timedelta(days=30)
XERO_GRAIN = 10  # fils: Xero stores two decimals


@dataclass(frozen=True)
class Facts:
    """An order's figures in minor units of `currency`, with the customer's sign: sold and paid are positive.

    `nets` are the agreements by number, with the header's gap in the first; `days` are their days, `money_days` those
    of the transactions; `due_day` is the last day of the payment terms. `taxes` are sums by the taxes of a row that the
    merchant remits, `tax_lines` by each tax; `channel_taxes` is what a sales channel remits. `paid` and `repaid` are at
    the order's rate, `drifts` is the additional money by transaction; `net_payment` is what moved. `shown_due` and
    `shown_channel_taxes` are in the customer's currency. `weird` has the reasons for which the books may refuse the
    order; if it is empty, they must post it.
    """

    currency: str
    included: bool
    nets: Mapping[int, int]
    days: Mapping[int, date]
    money_days: Mapping[int, date]
    due_day: date
    original: int
    sold_ever: int
    current: int
    tax: int
    taxes: Mapping[tuple[Tax, ...], int]
    tax_lines: Mapping[Tax, int]
    channel_taxes: int
    invoiced: int
    credited: int
    paid: int
    repaid: int
    pending_in: int
    pending_out: int
    rounding: int
    drifts: Mapping[int, int]
    is_foreign: bool
    shown_due: int
    shown_channel_taxes: int
    net_payment: int
    outstanding: int
    status: str
    kept_back: bool
    ever_paid: bool
    cancelled: bool
    test: bool
    terms: bool
    worthless: bool
    settled_late: bool
    weird: frozenset[str]


def day_of(at: datetime) -> date:
    """Return the calendar day of an instant in the shop's time zone (docs/contracts/shopify.md §9)."""
    return at.astimezone(ZONE).date()


def facts_of(order: Order) -> Facts:
    """Return the current facts of an order."""
    nets = {entry.number: entry.net + (order.gap if index == 0 else 0) for index, entry in enumerate(order.entries)}
    rows = [row for entry in order.entries for row in entry.rows]
    current = sum(nets.values())
    paid, repaid = order.moved(MONEY_IN) - order.moved(frozenset({"CHANGE"})), order.moved(REFUND)
    net = paid - repaid
    invoiced = sum(max(value, 0) for value in nets.values())
    credited = sum(max(-value, 0) for value in nets.values())
    status = status_of(order, paid, repaid)
    pending_out = order.moved(REFUND, UNDER_WAY)
    channel = sum(channel_tax(row) for row in rows)
    return Facts(
        currency=order.currency,
        included=order.included,
        nets=nets,
        days={entry.number: day_of(entry.at) for entry in order.entries[1:]}
        | {order.entries[0].number: day_of(order.backdated)},
        money_days={entry.number: day_of(entry.processed or entry.created) for entry in order.money},
        due_day=day_of(order.placed + TERMS if order.terms else order.backdated),
        original=next(iter(nets.values())),
        sold_ever=order.gap + sum(row.total for row in rows if row.action == "ORDER" and row.kind != "ADJUSTMENT"),
        current=current,
        tax=sum(sum(row.taxes) for row in rows),
        taxes=_by_row(rows),
        tax_lines=_by_tax(rows),
        channel_taxes=channel,
        invoiced=invoiced,
        credited=credited,
        paid=paid,
        repaid=repaid,
        pending_in=order.moved(MONEY_IN, UNDER_WAY),
        pending_out=pending_out,
        rounding=_rounding(order),
        drifts=_drifts(order),
        is_foreign=order.is_foreign,
        shown_due=order.shown_due,
        shown_channel_taxes=order.shown_channel_tax,
        net_payment=net + sum(_drifts(order).values()),
        outstanding=current - net - order.channel_tax_kept,
        status=status,
        kept_back=order.kept_back,
        ever_paid=any(entry.kind in MONEY_IN and entry.status == "SUCCESS" for entry in order.money),
        cancelled=order.cancelled is not None,
        test=order.test,
        terms=order.terms,
        worthless=_worthless(order),
        settled_late=any(entry.settled_late for entry in order.money),
        weird=frozenset(
            order.weird
            | _too_much(order, paid, invoiced, repaid, credited)
            | ({"third decimal"} if _third_decimal(order) else set())
            | _channel_gap(order, current - net + pending_out, channel, status)
        ),
    )


def status_of(order: Order, paid: int, repaid: int) -> str:
    """Return the `displayFinancialStatus`, from successful transactions and authorisations (E19)."""
    if any(entry.kind in MONEY_IN and entry.status == "SUCCESS" for entry in order.money):
        if repaid:
            return "REFUNDED" if repaid >= paid else "PARTIALLY_REFUNDED"
        return "PARTIALLY_PAID" if paid < order.current - order.channel_tax_kept else "PAID"
    kinds = {entry.kind for entry in order.money}
    if "VOID" in kinds or order.cancelled is not None:
        return "VOIDED"
    if kinds & PROMISES:
        return "AUTHORIZED"
    return "PAID" if _worthless(order) else "PENDING"


def _worthless(order: Order) -> bool:
    """Return whether every agreement nets to zero and no money moved."""
    moved = any(
        entry.amount and entry.status == "SUCCESS" and entry.kind in MONEY_IN | MONEY_OUT for entry in order.money
    )
    return not moved and not any(entry.net for entry in order.entries)


def _by_row(rows: list[Row]) -> dict[tuple[Tax, ...], int]:
    sums: dict[tuple[Tax, ...], int] = defaultdict(int)
    for row in rows:
        own = [(name, amount) for name, amount in zip(row.names, row.taxes, strict=True) if not name.channel]
        sums[tuple(name for name, _ in own)] += sum(amount for _, amount in own)
    return {names: amount for names, amount in sums.items() if amount}


def _by_tax(rows: list[Row]) -> dict[Tax, int]:
    sums: dict[Tax, int] = defaultdict(int)
    for row in rows:
        for name, amount in zip(row.names, row.taxes, strict=True):
            sums[name] += 0 if name.channel else amount
    return {name: amount for name, amount in sums.items() if amount}


def _rounding(order: Order) -> int:
    """Return the additional cash received, less additional cash paid out, beyond the amounts."""
    moved = [entry for entry in order.money if entry.status == "SUCCESS"]
    return sum(entry.rounding * (1 if entry.kind in MONEY_IN else -1) for entry in moved)


def _drifts(order: Order) -> dict[int, int]:
    """Return by transaction the additional money received, less that paid out, due to changed rates."""
    moved = [entry for entry in order.money if entry.drift and entry.status == "SUCCESS"]
    return {entry.number: entry.drift * (1 if entry.kind in MONEY_IN else -1) for entry in moved}


def _too_much(order: Order, paid: int, invoiced: int, repaid: int, credited: int) -> set[str]:
    """Return reasons of more money than documents (docs/books.md §5): P > I or R > C, beyond mutual refunds."""
    surplus, uncovered = paid - invoiced, repaid - credited
    given_back = min(surplus, uncovered) > 0
    reasons = {"surplus given back"} if given_back else set()
    if surplus > (uncovered if given_back else 0):
        reasons.add("overpaid")
    if uncovered > (surplus if given_back else 0):
        reasons.add("uncovered")
    return reasons


def _third_decimal(order: Order) -> bool:
    """Return whether an amount has a third decimal, which Xero cannot store; failed attempts are not posted."""
    if EXPONENTS[order.currency] < 3:
        return False
    amounts = [amount for entry in order.entries for row in entry.rows for amount in (row.total, *row.taxes)]
    booked = [entry for entry in order.money if entry.status == "SUCCESS" and entry.kind in MONEY_IN | MONEY_OUT]
    booked += [entry for entry in order.money if entry.status in UNDER_WAY and entry.kind in REFUND]
    amounts += [amount for entry in booked for amount in (entry.amount, entry.drift, entry.rounding)]
    return any(amount % XERO_GRAIN for amount in (*amounts, order.gap))


def _channel_gap(order: Order, gap: int, channel: int, status: str) -> set[str]:
    """Return whether Shopify calls an unpaid order paid without its channel's tax as the reason (docs/books.md §4)."""
    return {"channel gap"} if channel and gap and status == "PAID" and gap != channel else set()
