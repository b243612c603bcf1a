"""Random histories of orders, event by event, chosen by dice or by hypothesis.

This module chooses the possible events, their times and the resulting moments. A seed alone replays a history.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shopify_xero_pipeline_tests.campaigns.model.beginnings import begin
from shopify_xero_pipeline_tests.campaigns.model.changes import (
    amount_only,
    cancel,
    come_back,
    edit,
    left_lines,
    pay_back,
    refund,
    restock,
)
from shopify_xero_pipeline_tests.campaigns.model.choices import Choices, Dice, chance, pick
from shopify_xero_pipeline_tests.campaigns.model.facts import Facts, facts_of
from shopify_xero_pipeline_tests.campaigns.model.nodes import Node, order_node
from shopify_xero_pipeline_tests.campaigns.model.oddities import make_odd
from shopify_xero_pipeline_tests.campaigns.model.order import Order
from shopify_xero_pipeline_tests.campaigns.model.payments import (
    authorise,
    capture,
    may_pay,
    open_authorisation,
    pay,
    settle,
    under_way,
    void,
)

MOST_EVENTS = 8
FIRST_NUMBER = 1001


@dataclass(frozen=True)
class Moment:
    """An order from an instant on: the event that led to it, Shopify's node, and the facts."""

    at: datetime
    event: str
    node: Node
    facts: Facts


@dataclass(frozen=True, repr=False)
class History:
    """An order's history. `history_of(seed)` generates it again; hypothesis' own histories have no seed."""

    number: int
    currency: str
    moments: tuple[Moment, ...]
    seed: int | None = None

    def __repr__(self) -> str:
        """Return a summary for failing tests."""
        events = "; ".join(_describe(moment) for moment in self.moments)
        return f"<{self.currency} {'with' if self.last.facts.included else 'without'} tax in prices: {events}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Print the summary in hypothesis."""
        printer.text(repr(self))

    @property
    def last(self) -> Moment:
        """The order at the end."""
        return self.moments[-1]

    @property
    def plain(self) -> bool:
        """Whether the books have no reason to refuse this order at any moment."""
        return not any(moment.facts.weird for moment in self.moments)

    @property
    def events(self) -> tuple[str, ...]:
        """The events in order."""
        return tuple(moment.event for moment in self.moments)


@dataclass(frozen=True)
class Event:
    """A possible event of an order."""

    name: str
    weight: int
    may: Callable[[Order], bool]
    happen: Callable[[Choices, Order, datetime], None]


def _open(order: Order) -> bool:
    return order.cancelled is None


def _free(order: Order) -> bool:
    """Return whether any event may follow: only sale, payment and refund are documented if a channel withholds tax."""
    return _open(order) and not order.kept_back


EVENTS = (
    Event("pay", 16, may_pay, pay),
    Event("authorise", 2, lambda order: may_pay(order) and not order.kept_back, authorise),
    Event("capture", 5, lambda order: _open(order) and open_authorisation(order) is not None, capture),
    Event("void", 1, lambda order: _open(order) and open_authorisation(order) is not None, void),
    Event("settle", 4, lambda order: bool(under_way(order)), settle),
    Event("edit", 3, _free, edit),
    Event("refund", 5, lambda order: _open(order) and order.held > 0, refund),
    Event("remove unpaid", 1, lambda order: _free(order) and not order.money and bool(left_lines(order)), refund),
    Event("return", 3, lambda order: _free(order) and bool(left_lines(order)), come_back),
    Event("amount only", 1, lambda order: _free(order) and order.held > 0, amount_only),
    Event("restock", 1, _free, restock),
    Event("pay back", 5, lambda order: not order.kept_back and order.due < 0 and order.held > 0, pay_back),
    Event("cancel", 1, _open, cancel),
)


def history(
    choices: Choices, number: int = FIRST_NUMBER, currency: str | None = None, seed: int | None = None
) -> History:
    """Return an order's history.

    Args:
        choices: dice, or hypothesis.
        number: the order's number, with which all its ids begin.
        currency: the shop's currency, one of `amounts.EXPONENTS`; None for a random one.
        seed: the seed, for the summary only.
    """
    order = begin(choices, number, currency)
    order.kept_back = chance(choices, 50) and _channel_keeps(order)
    odd_after = choices.whole(0, 3) if chance(choices, 5) and not order.kept_back else None
    at = order.placed
    moments = [_moment(order, at, "place")]
    for step in range(choices.whole(0, MOST_EVENTS)):
        at += timedelta(minutes=choices.whole(0, 60), hours=pick(choices, (0, 0, 1, 24, 24 * 20)))
        name = make_odd(choices, order, at) if step == odd_after else _happen(choices, order, at)
        if name is None:
            break
        moments.append(_moment(order, at, name))
    return History(number, order.currency, tuple(moments), seed)


def history_of(seed: int, currency: str | None = None, number: int = FIRST_NUMBER) -> History:
    """Return the history of a seed; the same arguments return the same history."""
    return history(Dice(f"history/{seed}"), number, currency, seed)


def histories(seed: int, count: int, currency: str | None = "NZD") -> list[History]:
    """Return histories of one shop, with orders numbered from #1001 on.

    Args:
        seed: the first history's seed; the next ones follow it.
        count: the number of histories.
        currency: the shop's currency; None for a random one by order, unlike a real shop.
    """
    return [history_of(seed + index, currency, FIRST_NUMBER + index) for index in range(count)]


def _describe(moment: Moment) -> str:
    facts = moment.facts
    return (
        f"{moment.event}: ledger {list(facts.nets.values())}, paid {facts.paid}, given back {facts.repaid},"
        f" rounding {facts.rounding}, {facts.status}"
    )


def _channel_keeps(order: Order) -> bool:
    """Return whether a marketplace remits tax of this order, and its total is the sum of its rows."""
    return order.channel_tax > 0 and not order.gap


def _happen(choices: Choices, order: Order, at: datetime) -> str | None:
    possible: Sequence[Event] = [event for event in EVENTS if event.may(order) for _ in range(event.weight)]
    if not possible:
        return None
    event = pick(choices, possible)
    event.happen(choices, order, at)
    return event.name


def _moment(order: Order, at: datetime, event: str) -> Moment:
    facts = facts_of(order)
    return Moment(at, event, order_node(order, facts, at), facts)
