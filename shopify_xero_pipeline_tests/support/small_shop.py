"""A shop of a few hand-made orders, each for one mug with 15 % GST in its price, paid by card.

Orders can be edited, moved to another day, cancelled with a full refund, and deleted, as by staff in Shopify; the
customer can be merged into another one, and the product deleted. All amounts are texts in NZD.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline_tests.support import nodes
from shopify_xero_pipeline_tests.support.handmade_shop import OPENED, HandmadeShop
from shopify_xero_pipeline_tests.support.nodes import bag, connection, gid, instant
from shopify_xero_pipeline_tests.support.records import gst

ANN, BEA = 71, 72
MUG = {"id": gid("Product", 3), "title": "Mug", "productType": "Cups", "vendor": "Potter", "tags": []}
BLUE = {"id": gid("ProductVariant", 31), "title": "Blue", "sku": "MUG", "price": "46.00"}


class SmallShop(HandmadeShop):
    """A shop with orders of one mug each."""

    def __init__(self) -> None:
        super().__init__()
        self.put("customers", _customer(ANN, "Ann"))
        self.put("customers", _customer(BEA, "Bea"))
        stamps = {"createdAt": instant(OPENED), "updatedAt": instant(OPENED)}
        variant = {**BLUE, "displayName": "Mug - Blue", **stamps}
        self.put("products", {**MUG, **stamps, "status": "ACTIVE", "isGiftCard": False, "variants": [variant]})

    def sell(self, number: int, at: datetime, total: str = "46.00") -> str:
        """Sell a mug, paid at once; return the digits of the order's id, which differ from its name's.

        Args:
            number: the number in the order's name.
            at: the instant of the sale.
            total: the price in NZD, with tax.
        """
        order_id = str(90_000 + number)
        self.put("orders", _order(number, at, total), at)
        return order_id

    def edit(self, order_id: str, at: datetime, **changed: Any) -> None:
        """Change fields of an order."""
        order = self.current("orders", gid("Order", order_id))
        self.put("orders", {**order, "updatedAt": instant(at), **changed}, at)

    def move(self, order_id: str, at: datetime, to: datetime) -> None:
        """Move an order to another day."""
        self.edit(order_id, at, processedAt=instant(to))

    def cancel(self, order_id: str, at: datetime) -> None:
        """Cancel an order: its mug is returned and its payment refunded."""
        self.edit(order_id, at, **_cancelled(self.current("orders", gid("Order", order_id)), at))

    def delete(self, order_id: str, at: datetime) -> None:
        """Delete an order."""
        self.remove("orders", gid("Order", order_id), at)

    def restore(self, order_id: str, at: datetime, node: Node) -> None:
        """Restore a deleted order, as Shopify may after a fault of its own."""
        assert node["id"] == gid("Order", order_id)
        self.put("orders", node, at)

    def merge_customers(self, at: datetime, orders: Sequence[str]) -> None:
        """Merge Ann into Bea: Ann no longer exists, and her orders are Bea's."""
        self.remove("customers", gid("Customer", ANN), at)
        for order_id in orders:
            self.edit(order_id, at, customer=_customer(BEA, "Bea"))

    def delete_product(self, at: datetime, orders: Sequence[str]) -> None:
        """Delete the mug; lines of earlier orders lose their product."""
        self.remove("products", gid("Product", 3), at)
        for order_id in orders:
            (line,) = self.current("orders", gid("Order", order_id))["lineItems"]["nodes"]
            self.edit(order_id, at, lineItems=connection([{**line, "product": None, "variant": None}]))


def _order(number: int, at: datetime, total: str) -> Node:
    tax = gst(total)
    line = nodes.line_item(
        number,
        title="Mug",
        variantTitle="Blue",
        originalUnitPriceSet=bag(total),
        product=MUG,
        variant=BLUE,
    )
    content = {
        "id": gid("Order", 90_000 + number),
        "updatedAt": instant(at),
        **{f"{name}Set": bag(total) for name in ("originalTotalPrice", "currentTotalPrice")},
        "currentTotalTaxSet": bag(tax),
        "netPaymentSet": bag(total),
        "totalOutstandingSet": bag(0),
        "customer": _customer(ANN, "Ann"),
        "lineItems": connection([line]),
        "agreements": connection([_agreement(number, at, "ORDER", total, tax)]),
        "transactions": [_transaction(number, at, "SALE", total)],
    }
    return nodes.order(number, instant(at), **content)


def _cancelled(node: Node, at: datetime) -> Node:
    (placed,) = node["agreements"]["nodes"]
    number = int(placed["id"].rpartition("/")[2])
    (sale,) = placed["sales"]["nodes"]
    total, tax = (Decimal(sale[name]["shopMoney"]["amount"]) for name in ("totalAmount", "totalTaxAmount"))
    transactions = connection([{"id": gid("OrderTransaction", 50_000 + number)}])
    refund = nodes.refund(number, processedAt=instant(at), transactions=transactions)
    refunded = _agreement(50_000 + number, at, "REFUND", -total, -tax, refund=number, line=number)
    return {
        "cancelledAt": instant(at),
        "displayFinancialStatus": "REFUNDED",
        **{f"{name}Set": bag(0) for name in ("currentTotalPrice", "currentTotalTax", "netPayment")},
        "agreements": connection([placed, refunded]),
        "transactions": [*node["transactions"], _transaction(50_000 + number, at, "REFUND", total)],
        "refunds": [refund],
    }


def _agreement(
    number: int, at: datetime, reason: str, total: object, tax: object, *, refund: int = 0, line: int = 0
) -> Node:
    sale = nodes.sale(
        number,
        actionType="RETURN" if refund else "ORDER",
        quantity=-1 if refund else 1,
        totalAmount=bag(total),
        totalTaxAmount=bag(tax),
        taxes=[{"amount": bag(tax), "taxLine": nodes.tax_line()}],
        lineItem={"id": gid("LineItem", line or number)},
    )
    content = {"happenedAt": instant(at), "refund": {"id": gid("Refund", refund)} if refund else None}
    return nodes.agreement(number, reason=reason, sales=connection([sale]), **content)


def _transaction(number: int, at: datetime, kind: str, amount: object) -> Node:
    parent = number - 50_000 if kind == "REFUND" else None
    times = {"createdAt": instant(at), "processedAt": instant(at)}
    return nodes.transaction(number, kind, parent, amountSet=bag(amount), **times)


def _customer(number: int, name: str) -> Node:
    return nodes.customer(
        number,
        instant(OPENED + timedelta(days=1)),
        displayName=f"{name} Lee",
        firstName=name,
        lastName="Lee",
        defaultEmailAddress={"emailAddress": f"{name.lower()}@example.com"},
        createdAt=instant(OPENED),
    )
