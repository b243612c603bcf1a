"""Shopify's figures of an order from its node: its ledger by entry, the amount due, and whether it is paid.

The module does its own arithmetic on the API's texts, independent of `books/`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from shopify_xero_pipeline.sandbox.nodes import Node

ZERO = Decimal(0)
UNDER_WAY = ("PENDING", "AWAITING_RESPONSE")


@dataclass(frozen=True)
class Entry:
    """The amounts of one agreement: total with tax, the taxes in it, and those that a sales channel remits."""

    net: Decimal
    tax: Decimal
    channel_tax: Decimal


@dataclass(frozen=True)
class OrderFigures:
    """Shopify's figures of one order.

    Attributes:
        entries: agreements by the digits of their id.
        outstanding: the amount still to be paid; negative is owed to the customer.
        paid: whether Shopify calls the order fully paid.
        refunds_under_way: whether a refund is pending.
        cash_rounding: cash moved beyond the order's amounts, of either sign.
        moved_abroad: transactions with money of an order in another currency than the shop's, by their digits.
    """

    name: str
    entries: dict[str, Entry]
    outstanding: Decimal
    paid: bool
    refunds_under_way: bool
    cash_rounding: Decimal
    moved_abroad: frozenset[str]


def order_figures(node: Node) -> OrderFigures:
    """Return Shopify's figures of an order."""
    transactions = node["transactions"]
    outstanding = money(node["totalOutstandingSet"])
    return OrderFigures(
        name=node["name"],
        entries={digits(entry["id"]): _entry(node, entry) for entry in node["agreements"]["nodes"]},
        outstanding=outstanding,
        paid=bool(node["fullyPaid"]) if "fullyPaid" in node else outstanding <= 0,
        refunds_under_way=any(t["kind"] == "REFUND" and t["status"] in UNDER_WAY for t in transactions),
        cash_rounding=sum((_rounding(t) for t in transactions if t["status"] == "SUCCESS"), ZERO),
        moved_abroad=frozenset(digits(t["id"]) for t in transactions if _moved_abroad(node, t)),
    )


def money(bag: Node) -> Decimal:
    """Return an amount in the shop's currency."""
    return Decimal(bag["shopMoney"]["amount"])


def digits(gid: str) -> str:
    """Return the digits of a global id."""
    return gid.rpartition("/")[2]


def _entry(node: Node, agreement: Node) -> Entry:
    """Return the amounts of an agreement; the first has the order's original total, which may differ by a cent."""
    rows, is_first = agreement["sales"]["nodes"], agreement is node["agreements"]["nodes"][0]
    channel = [tax["amount"] for row in rows for tax in row["taxes"] if tax["taxLine"]["channelLiable"]]
    return Entry(
        net=money(node["originalTotalPriceSet"]) if is_first else _total(row["totalAmount"] for row in rows),
        tax=_total(row["totalTaxAmount"] for row in rows),
        channel_tax=_total(channel),
    )


def _rounding(transaction: Node) -> Decimal:
    bag = transaction.get("amountRoundingSet")
    came_in = transaction["kind"] in ("SALE", "CAPTURE")
    return ZERO if bag is None else money(bag) * (1 if came_in else -1)


def _moved_abroad(node: Node, transaction: Node) -> bool:
    is_foreign = node.get("presentmentCurrencyCode") != node.get("currencyCode")
    moves = transaction["kind"] in ("SALE", "CAPTURE", "REFUND", "CHANGE")
    return is_foreign and moves and transaction["status"] == "SUCCESS"


def _total(bags: Iterable[Node]) -> Decimal:
    return sum((money(bag) for bag in bags), ZERO)
