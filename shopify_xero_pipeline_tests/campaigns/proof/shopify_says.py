"""What Shopify says of an order, read from its node alone: its ledger entry by entry, what is due, whether it is paid.

Its own arithmetic on the API's own texts, so that nothing of `books/` can agree with itself here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from shopify_xero_pipeline.sandbox.nodes import Node

ZERO = Decimal(0)
UNDER_WAY = ("PENDING", "AWAITING_RESPONSE")


@dataclass(frozen=True)
class Entry:
    """One agreement: what it adds to the order, tax included, and the taxes in it, by who remits them."""

    net: Decimal
    tax: Decimal
    channel_tax: Decimal


@dataclass(frozen=True)
class Said:
    """One order as Shopify has it.

    Attributes:
        entries: agreements by the digits of their id.
        outstanding: still to be paid; negative is owed to the customer.
        paid: whether Shopify calls the order fully paid.
        refunds_under_way: a refund is neither through nor refused yet.
        cash_rounding: cash handed over beyond what the order says, either way.
        moved_abroad: transactions that moved money of an order in another currency than the shop's, by their digits.
    """

    name: str
    entries: dict[str, Entry]
    outstanding: Decimal
    paid: bool
    refunds_under_way: bool
    cash_rounding: Decimal
    moved_abroad: frozenset[str]


def said(node: Node) -> Said:
    """Return what Shopify says of an order."""
    transactions = node["transactions"]
    outstanding = money(node["totalOutstandingSet"])
    return Said(
        name=node["name"],
        entries={digits(entry["id"]): _entry(node, entry) for entry in node["agreements"]["nodes"]},
        outstanding=outstanding,
        paid=bool(node["fullyPaid"]) if "fullyPaid" in node else outstanding <= 0,
        refunds_under_way=any(one["kind"] == "REFUND" and one["status"] in UNDER_WAY for one in transactions),
        cash_rounding=sum((_rounding(one) for one in transactions if one["status"] == "SUCCESS"), ZERO),
        moved_abroad=frozenset(digits(one["id"]) for one in transactions if _moved_abroad(node, one)),
    )


def money(bag: Node) -> Decimal:
    """Return an amount in the shop's currency."""
    return Decimal(bag["shopMoney"]["amount"])


def digits(gid: str) -> str:
    """Return the digits of a global id."""
    return gid.rpartition("/")[2]


def _entry(node: Node, agreement: Node) -> Entry:
    """Read an agreement; the first stands for all the order was placed for, a cent its rows do not show included."""
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
