"""The sums and rules that hold for every order of Shopify, checked on its node.

The module reads the API's shape and does its own arithmetic, so a fault of the generator cannot hide itself. The
generator's tests, hand-made orders and recordings use it. Accounting rules are in the product's `books/`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any, TypeAlias

from shopify_xero_pipeline.sandbox.nodes import Node, Version

_AMOUNT = re.compile(r"-?\d+\.(\d|\d[1-9])")
_CENT = Decimal("0.01")
_NOTHING = Decimal(0)
_ADJUSTMENT = ("originalAmountSet", "finalAmountSet", "adjustment")


def violations(node: Node) -> list[str]:
    """Return the violations in an order, each with both figures; an empty list if there are none.

    Source: docs/contracts/shopify.md E13-E20.
    """
    problems = list(_shape(node))
    for column in ("shopMoney", "presentmentMoney"):
        view = _View(node, column)
        problems += [f"{node['name']} {column}: {problem}" for check in _CHECKS for problem in check(view)]
    return problems


def history_violations(versions: Sequence[Version]) -> list[str]:
    """Return changes between an order's versions that never happen: ledger, sold lines, original total (E17)."""
    return [problem for earlier, later in pairwise(versions) for problem in _rewritten(earlier, later)]


@dataclass(frozen=True, slots=True)
class _View:
    """An order's node in one of its two currencies."""

    node: Node
    column: str

    def money(self, bag: Node) -> Decimal:
        return Decimal(bag[self.column]["amount"])

    def figure(self, name: str) -> Decimal:
        return self.money(self.node[name])

    def sum(self, bags: Iterable[Node]) -> Decimal:
        return sum((self.money(bag) for bag in bags), _NOTHING)

    @property
    def included(self) -> bool:
        return bool(self.node["taxesIncluded"])

    @property
    def lines(self) -> list[Node]:
        return list(self.node["lineItems"]["nodes"])

    @property
    def shipping(self) -> list[Node]:
        return list(self.node["shippingLines"]["nodes"])

    @property
    def agreements(self) -> list[Node]:
        return list(self.node["agreements"]["nodes"])

    @property
    def duties(self) -> list[Node]:
        return [duty for line in self.lines for duty in line["duties"]]

    def sales(self, *line_types: str) -> list[Node]:
        rows = [sale for agreement in self.agreements for sale in agreement["sales"]["nodes"]]
        return [sale for sale in rows if not line_types or sale["lineType"] in line_types]

    def discount(self, charge: Node) -> Decimal:
        return self.sum(allocation["allocatedAmountSet"] for allocation in charge["discountAllocations"])

    def net(self, line: Node) -> Decimal:
        return self.money(line["originalTotalSet"]) - self.discount(line)

    def tax(self, charge: Node) -> Decimal:
        return self.sum(tax["priceSet"] for tax in charge["taxLines"])

    def worth(self, sales: Iterable[Node]) -> Decimal:
        return self.sum(sale["totalAmount"] for sale in sales)

    def paid(self, *kinds: str) -> Decimal:
        done = (t for t in self.node["transactions"] if t["status"] == "SUCCESS" and t["kind"] in kinds)
        return self.sum(t["amountSet"] for t in done)


_Check: TypeAlias = Callable[[_View], Iterator[str]]


def _compare(what: str, stated: Decimal, expected: Decimal) -> Iterator[str]:
    if stated != expected:
        yield f"{what} is {stated} but should be {expected}"


def _ledger(view: _View) -> Iterator[str]:
    """Check that the ledger adds up to the totals, and its rows to their taxes."""
    yield from _compare("currentTotalPriceSet", view.figure("currentTotalPriceSet"), view.worth(view.sales()))
    first = view.agreements[0]["sales"]["nodes"]
    yield from _compare("originalTotalPriceSet", view.figure("originalTotalPriceSet"), view.worth(first))
    taxes = view.sum(sale["totalTaxAmount"] for sale in view.sales())
    yield from _compare("currentTotalTaxSet", view.figure("currentTotalTaxSet"), taxes)
    for sale in view.sales():
        parts = view.sum(tax["amount"] for tax in sale["taxes"])
        yield from _compare(f"{sale['id']} totalTaxAmount", view.money(sale["totalTaxAmount"]), parts)


def _header(view: _View) -> Iterator[str]:
    """Check that the header's totals are sums over all sales (docs/contracts/shopify_orders.md §4.10)."""
    goods = [line for line in view.lines if not _is_tip(view, line)]
    extras = [*view.duties, *view.node["additionalFees"]]
    taxes = sum((view.tax(charge) for charge in (*view.lines, *view.shipping, *extras)), _NOTHING)
    fees = [sale for sale in view.sales("FEE") if sale["actionType"] == "ORDER"]
    nets = sum((view.net(line) for line in view.lines), view.sum(s["discountedPriceSet"] for s in view.shipping))
    nets += view.sum(extra["price"] for extra in extras)
    expected = nets + (_NOTHING if view.included else taxes) + view.worth(fees)
    yield from _compare("totalPriceSet", view.figure("totalPriceSet"), expected)
    subtotal = sum((view.net(line) for line in goods), _NOTHING)
    yield from _compare("subtotalPriceSet", view.figure("subtotalPriceSet"), subtotal)
    fee_taxes = view.sum(sale["totalTaxAmount"] for sale in fees)
    yield from _compare("totalTaxSet", view.figure("totalTaxSet"), taxes + fee_taxes)
    yield from _compare("taxLines", view.sum(tax["priceSet"] for tax in view.node["taxLines"]), taxes + fee_taxes)
    discounts = sum((view.discount(charge) for charge in (*view.lines, *view.shipping)), _NOTHING)
    yield from _compare("totalDiscountsSet", view.figure("totalDiscountsSet"), discounts)


def _current(view: _View) -> Iterator[str]:
    """Check that totals after returns are the ledger's rows of their kind, without tax if tax is added."""
    for name, kinds in (
        ("currentSubtotalPriceSet", ("PRODUCT", "GIFT_CARD")),
        ("currentShippingPriceSet", ("SHIPPING",)),
    ):
        rows = view.sales(*kinds)
        added = _NOTHING if view.included else view.sum(row["totalTaxAmount"] for row in rows)
        yield from _compare(name, view.figure(name), view.worth(rows) - added)
    adjusted = (a for refund in view.node["refunds"] for a in refund["orderAdjustments"]["nodes"])
    yield from _compare(
        "refundDiscrepancySet", view.figure("refundDiscrepancySet"), view.sum(a["amountSet"] for a in adjusted)
    )


def _is_tip(view: _View, line: Node) -> bool:
    return any(sale["lineItem"]["id"] == line["id"] for sale in view.sales("TIP"))


def _lines(view: _View) -> Iterator[str]:
    """Check each line's price, units and taxes, and that its ledger rows add up to it."""
    rows: dict[str, list[Node]] = defaultdict(list)
    for sale in view.sales("PRODUCT", "TIP", "GIFT_CARD"):
        rows[sale["lineItem"]["id"]].append(sale)
    for line in view.lines:
        gross = view.money(line["originalUnitPriceSet"]) * line["quantity"]
        yield from _compare(f"{line['id']} originalTotalSet", view.money(line["originalTotalSet"]), gross)
        yield from _line_rows(view, line, rows[line["id"]])
        yield from _taxes(view, line, view.net(line))
    for shipping in view.shipping:
        price = view.money(shipping["originalPriceSet"]) - view.discount(shipping)
        yield from _compare(f"{shipping['id']} discountedPriceSet", view.money(shipping["discountedPriceSet"]), price)
        yield from _taxes(view, shipping, price)


def _line_rows(view: _View, line: Node, rows: list[Node]) -> Iterator[str]:
    full = view.net(line) + (_NOTHING if view.included else view.tax(line))
    yield from _compare(f"{line['id']} as sold", view.worth(r for r in rows if r["actionType"] == "ORDER"), full)
    units = sum(row["quantity"] or 0 for row in rows)
    if units != line["currentQuantity"]:
        yield f"{line['id']} has currentQuantity {line['currentQuantity']} but its sales leave {units}"
    if units == 0:
        yield from _compare(f"{line['id']} returned whole", view.worth(rows), _NOTHING)
    for row in rows:
        if ((row["quantity"] or 0) < 0) != (row["actionType"] == "RETURN"):
            yield f"{row['id']} is a {row['actionType']} of {row['quantity']}"


def _taxes(view: _View, charge: Node, net: Decimal) -> Iterator[str]:
    """Check that a tax is its rate of the net price, half up; taxes contained in prices count together (E15)."""
    rates = [Decimal(str(tax["rate"])) for tax in charge["taxLines"]]
    whole = sum(rates, _NOTHING)
    if view.included:
        yield from _compare(f"{charge['id']} taxLines", view.tax(charge), _round(net * whole / (1 + whole)))
    else:
        expected = sum((_round(net * rate) for rate in rates), _NOTHING)
        yield from _compare(f"{charge['id']} taxLines", view.tax(charge), expected)


def _round(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _discounts(view: _View) -> Iterator[str]:
    """Check that a discount is allocated to the last cent, and never more than a line's price (E14)."""
    allocated: dict[int, Decimal] = defaultdict(Decimal)
    for charge in (*view.lines, *view.shipping):
        for allocation in charge["discountAllocations"]:
            allocated[allocation["discountApplication"]["index"]] += view.money(allocation["allocatedAmountSet"])
    for line in view.lines:
        if view.net(line) < 0:
            yield f"{line['id']} is discounted below zero"
    if view.column == "shopMoney":
        return
    for application in view.node["discountApplications"]["nodes"]:
        if "amount" in application["value"]:
            amount = Decimal(application["value"]["amount"])
            yield from _compare(f"discount {application['index']}", allocated[application["index"]], amount)


def _money(view: _View) -> Iterator[str]:
    """Check that payments are the successful transactions only (E19)."""
    received = view.paid("SALE", "CAPTURE") - view.paid("CHANGE")
    yield from _compare("totalReceivedSet", view.figure("totalReceivedSet"), received)
    yield from _compare("totalRefundedSet", view.figure("totalRefundedSet"), view.paid("REFUND"))
    net = received - view.paid("REFUND")
    yield from _compare("netPaymentSet", view.figure("netPaymentSet"), net)
    if view.column == "shopMoney" and _rate_moved(view.node):
        yield from _exchange(view)
        return
    outstanding = view.figure("currentTotalPriceSet") - net
    if outstanding == _channel_tax(view) and view.figure("totalOutstandingSet") == 0:
        outstanding = _NOTHING  # a marketplace withheld exactly the tax that it remits
    yield from _compare("totalOutstandingSet", view.figure("totalOutstandingSet"), outstanding)
    status = _status(view, received, outstanding)
    if view.node["displayFinancialStatus"] != status:
        yield f"displayFinancialStatus is {view.node['displayFinancialStatus']} but should be {status}"


def _rate_moved(node: Node) -> bool:
    """Return whether money moved at another rate than its parent; the shop's column then has no outstanding sum."""
    return any(transaction.get("currencyExchangeAdjustment") for transaction in node["transactions"])


def _exchange(view: _View) -> Iterator[str]:
    """Check each exchange adjustment: the amount moved, less the amount at the parent's rate."""
    owed = Decimal(view.node["totalOutstandingSet"]["presentmentMoney"]["amount"])
    if (view.figure("totalOutstandingSet") == 0) != (owed == 0):
        yield f"totalOutstandingSet is {view.figure('totalOutstandingSet')} but {owed} in the customer's currency"
    by_id = {transaction["id"]: transaction for transaction in view.node["transactions"]}
    for transaction in view.node["transactions"]:
        adjustment = transaction["currencyExchangeAdjustment"]
        if adjustment is None:
            continue
        parent = by_id[transaction["parentTransaction"]["id"]]["amountSet"]
        presentment = Decimal(transaction["amountSet"]["presentmentMoney"]["amount"])
        rate = view.money(parent) / Decimal(parent["presentmentMoney"]["amount"])
        sign = -1 if transaction["kind"] == "REFUND" else 1
        original, final, by = (Decimal(adjustment[name]["amount"]) for name in _ADJUSTMENT)
        yield from _compare(f"{transaction['id']} originalAmountSet", original, sign * _round(presentment * rate))
        yield from _compare(f"{transaction['id']} finalAmountSet", final, sign * view.money(transaction["amountSet"]))
        yield from _compare(f"{transaction['id']} adjustment", by, final - original)


def _channel_tax(view: _View) -> Decimal:
    taxes = (tax for sale in view.sales() for tax in sale["taxes"])
    return view.sum(tax["amount"] for tax in taxes if tax["taxLine"]["channelLiable"])


def _status(view: _View, received: Decimal, outstanding: Decimal) -> str:
    refunded = view.paid("REFUND")
    if received > 0:
        if refunded > 0:
            return "REFUNDED" if refunded >= received else "PARTIALLY_REFUNDED"
        return "PAID" if outstanding <= 0 else "PARTIALLY_PAID"
    if view.figure("totalPriceSet") == 0:
        return "PAID"
    if view.node["cancelledAt"] or view.paid("VOID"):
        return "VOIDED"
    return "AUTHORIZED" if view.paid("AUTHORIZATION") else "PENDING"


def _refunds(view: _View) -> Iterator[str]:
    """Check that a refund that stands for itself pays lines + shipping + duties - discrepancies (4.7)."""
    for refund in view.node["refunds"]:
        moved = [t for t in refund["transactions"]["nodes"] if t["status"] in ("SUCCESS", "PENDING")]
        done = [t["amountSet"] for t in moved if t["status"] == "SUCCESS"]
        yield from _compare(f"{refund['id']} totalRefundedSet", view.money(refund["totalRefundedSet"]), view.sum(done))
        rate_moved = view.column == "shopMoney" and _rate_moved(view.node)
        if _stands_for_itself(view, refund) and not rate_moved:
            paid = view.sum(t["amountSet"] for t in moved)
            yield from _compare(f"{refund['id']} paid back", paid, _refund_worth(view, refund))


def _stands_for_itself(view: _View, refund: Node) -> bool:
    """Return whether nothing is offset: no exchange, fee, edit, unpaid order or failed refund."""
    own = [a for a in view.agreements if a.get("refund", {}).get("id") == refund["id"]]
    rows = [sale for agreement in own for sale in agreement["sales"]["nodes"]]
    refused = all(t["status"] == "FAILURE" for t in refund["transactions"]["nodes"]) and refund["transactions"]["nodes"]
    plain = bool(rows) and all(sale["actionType"] == "RETURN" for sale in rows)
    came_in = [t for t in view.node["transactions"] if t["status"] == "SUCCESS" and t["kind"] in ("SALE", "CAPTURE")]
    return plain and not refused and any(t["createdAt"] <= refund["createdAt"] for t in came_in)


def _refund_worth(view: _View, refund: Node) -> Decimal:
    lines, shipping = refund["refundLineItems"]["nodes"], refund["refundShippingLines"]["nodes"]
    adjustments = refund["orderAdjustments"]["nodes"]
    worth = view.sum(line["subtotalSet"] for line in lines) + view.sum(s["subtotalAmountSet"] for s in shipping)
    if not view.included:
        worth += view.sum(line["totalTaxSet"] for line in lines) + view.sum(s["taxAmountSet"] for s in shipping)
    worth += view.sum(duty["amountSet"] for duty in refund["duties"])
    return worth - view.sum(a[part] for a in adjustments for part in ("amountSet", "taxAmountSet"))


def _refunded_units(view: _View) -> Iterator[str]:
    """Check that the units in refunds are the units no longer on the order."""
    gone: Counter[str] = Counter()
    for refund in view.node["refunds"]:
        for line in refund["refundLineItems"]["nodes"]:
            gone[line["lineItem"]["id"]] += line["quantity"]
    for line in view.lines:
        if gone[line["id"]] != line["quantity"] - line["currentQuantity"]:
            yield f"{line['id']} has {gone[line['id']]} units in refunds and {line['currentQuantity']} left"


_CHECKS: tuple[_Check, ...] = (_ledger, _header, _current, _lines, _discounts, _money, _refunds, _refunded_units)


def _shape(node: Node) -> Iterator[str]:
    """Check the format of money, the uniqueness of ids and the order of events."""
    one_currency, name = node["currencyCode"] == node["presentmentCurrencyCode"], node["name"]
    for bag in _bags(node):
        if not all(_AMOUNT.fullmatch(money["amount"]) for money in bag.values()):
            yield f"{name}: {bag} is not how the API writes an amount"
        if one_currency and bag["shopMoney"] != bag["presentmentMoney"]:
            yield f"{name}: both currencies are one but {bag} differs"
    yield from _unique_ids(node)
    yield from _in_order(name, "happenedAt", node["agreements"]["nodes"])
    yield from _in_order(name, "createdAt", node["transactions"])
    yield from _in_order(name, "processedAt", node["refunds"])


def _unique_ids(node: Node) -> Iterator[str]:
    records = (*node["transactions"], *node["refunds"], *node["lineItems"]["nodes"])
    ids = Counter(record["id"] for record in (*records, *_View(node, "shopMoney").sales()))
    yield from (f"{node['name']}: {gid} is used {times} times" for gid, times in ids.items() if times > 1)


def _in_order(name: str, key: str, records: Sequence[Node]) -> Iterator[str]:
    if any(later[key] < earlier[key] for earlier, later in pairwise(records)):
        yield f"{name}: {key} goes back in time"


def _bags(value: Any) -> Iterator[Node]:
    if isinstance(value, dict):
        if "shopMoney" in value:
            yield value
        yield from (bag for inner in value.values() for bag in _bags(inner))
    elif isinstance(value, list):
        yield from (bag for inner in value for bag in _bags(inner))


def _rewritten(earlier: Version, later: Version) -> Iterator[str]:
    old, new = earlier.node, later.node
    if later.at < earlier.at or new["updatedAt"] < old["updatedAt"]:
        yield f"{new['name']}: a version of {later.at} follows one of {earlier.at}"
    for field in ("createdAt", "processedAt", "originalTotalPriceSet", "taxesIncluded"):
        if old[field] != new[field]:
            yield f"{new['name']}: {field} changed"
    for name, entries in (("ledger", _entries), ("lines as sold", _lines_as_sold), ("transactions", _movements)):
        if entries(new)[: len(entries(old))] != entries(old):
            yield f"{new['name']}: the {name} changed, not only grew"


def _entries(node: Node) -> list[tuple[Any, ...]]:
    return [
        (a["id"], a["happenedAt"], [(sale["id"], sale["totalAmount"]) for sale in a["sales"]["nodes"]])
        for a in node["agreements"]["nodes"]
    ]


def _lines_as_sold(node: Node) -> list[tuple[Any, ...]]:
    fields = ("id", "quantity", "sku", "title", "originalUnitPriceSet", "discountAllocations", "taxLines")
    return [tuple(line[key] for key in fields) for line in node["lineItems"]["nodes"]]


def _movements(node: Node) -> list[tuple[Any, ...]]:
    return [(t["id"], t["kind"], t["amountSet"], t["createdAt"]) for t in node["transactions"]]
