"""A shop of a few hand-made orders, each for one mug with 15 % GST in its price, paid by card.

Orders can be edited, moved to another day, cancelled with a full refund, and deleted, as by staff in Shopify; the
customer can be merged into another one, and the product deleted. All amounts are texts in NZD.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.sandbox.nodes import Node, RecordKind, Version

OPENED = datetime(2026, 9, 1, tzinfo=UTC)
ANN, BEA = 71, 72
MUG = {"id": "gid://shopify/Product/3", "title": "Mug", "productType": "Cups", "vendor": "Potter", "tags": []}
BLUE = {"id": "gid://shopify/ProductVariant/31", "title": "Blue", "sku": "MUG", "price": "46.00"}


class SmallShop:
    """A shop with hand-made orders (a `ShopSource`)."""

    def __init__(self) -> None:
        self._records: dict[RecordKind, dict[str, list[Version]]] = {"orders": {}, "customers": {}, "products": {}}
        for number, name in ((ANN, "Ann"), (BEA, "Bea")):
            person = _customer(number, name)
            self._records["customers"][person["id"]] = [Version(OPENED, person)]
        stamps = {"createdAt": _stamp(OPENED), "updatedAt": _stamp(OPENED)}
        variant = {**BLUE, "displayName": "Mug - Blue", **stamps}
        mug = {**MUG, **stamps, "status": "ACTIVE", "isGiftCard": False, "variants": _whole([variant])}
        self._records["products"][MUG["id"]] = [Version(OPENED, mug)]  # type: ignore[index]

    def shop(self) -> Node:
        """Return the Shop node."""
        return {
            "id": "gid://shopify/Shop/1",
            "name": "Small",
            "myshopifyDomain": "sandbox.myshopify.com",
            "currencyCode": "NZD",
            "ianaTimezone": "Pacific/Auckland",
        }

    def versions(self, kind: RecordKind, until: datetime) -> Mapping[str, Sequence[Version]]:
        """Return all versions up to an instant."""
        histories = {
            gid: [version for version in history if version.at <= until] for gid, history in self._records[kind].items()
        }
        return {gid: history for gid, history in histories.items() if history}

    def sell(self, number: int, at: datetime, total: str = "46.00") -> str:
        """Sell a mug, paid at once; return the digits of the order's id, which differ from its name's.

        Args:
            number: the number in the order's name.
            at: the instant of the sale.
            total: the price in NZD, with tax.
        """
        order_id = str(90_000 + number)
        self._records["orders"][_gid("Order", order_id)] = [Version(at.astimezone(UTC), _order(number, at, total))]
        return order_id

    def edit(self, order_id: str, at: datetime, **changed: Any) -> None:
        """Change fields of an order."""
        history = self._records["orders"][_gid("Order", order_id)]
        history.append(Version(at.astimezone(UTC), {**history[-1].node, "updatedAt": _stamp(at), **changed}))

    def move(self, order_id: str, at: datetime, to: datetime) -> None:
        """Move an order to another day."""
        self.edit(order_id, at, processedAt=_stamp(to))

    def cancel(self, order_id: str, at: datetime) -> None:
        """Cancel an order: its mug is returned and its payment refunded."""
        node = self._records["orders"][_gid("Order", order_id)][-1].node
        self.edit(order_id, at, **_cancelled(node, at))

    def delete(self, order_id: str, at: datetime) -> None:
        """Delete an order."""
        self._records["orders"][_gid("Order", order_id)].append(Version(at.astimezone(UTC), {}))

    def restore(self, order_id: str, at: datetime, node: Node) -> None:
        """Restore a deleted order, as Shopify may after a fault of its own."""
        self._records["orders"][_gid("Order", order_id)].append(Version(at.astimezone(UTC), node))

    def merge_customers(self, at: datetime, orders: Sequence[str]) -> None:
        """Merge Ann into Bea: Ann no longer exists, and her orders are Bea's."""
        self._records["customers"][_gid("Customer", ANN)].append(Version(at.astimezone(UTC), {}))
        for order_id in orders:
            self.edit(order_id, at, customer=_customer(BEA, "Bea"))

    def delete_product(self, at: datetime, orders: Sequence[str]) -> None:
        """Delete the mug; lines of earlier orders lose their product."""
        self._records["products"][str(MUG["id"])].append(Version(at.astimezone(UTC), {}))
        for order_id in orders:
            line = self._records["orders"][_gid("Order", order_id)][-1].node["lineItems"]["nodes"][0]
            self.edit(order_id, at, lineItems=_whole([{**line, "product": None, "variant": None}]))


def _order(number: int, at: datetime, total: str) -> Node:
    tax = (Decimal(total) * 3 / 23).quantize(Decimal("0.01"))
    taxes = [{"title": "GST", "rate": 0.15, "priceSet": _bag(tax), "channelLiable": None}]
    line = {
        "id": _gid("LineItem", number),
        "title": "Mug",
        "variantTitle": "Blue",
        "sku": "MUG",
        "vendor": "Potter",
        "quantity": 1,
        "currentQuantity": 1,
        "isGiftCard": False,
        "originalUnitPriceSet": _bag(total),
        "discountAllocations": [],
        "taxLines": taxes,
        "product": MUG,
        "variant": {**BLUE, "updatedAt": _stamp(OPENED)},
    }
    return {
        "id": _gid("Order", 90_000 + number),
        "name": f"#{number}",
        "createdAt": _stamp(at),
        "processedAt": _stamp(at),
        "updatedAt": _stamp(at),
        "cancelledAt": None,
        "test": False,
        "edited": False,
        "taxesIncluded": True,
        "currencyCode": "NZD",
        "presentmentCurrencyCode": "NZD",
        "displayFinancialStatus": "PAID",
        "sourceName": "web",
        **{f"{name}Set": _bag(total) for name in ("originalTotalPrice", "totalPrice", "currentTotalPrice")},
        "currentTotalTaxSet": _bag(tax),
        "netPaymentSet": _bag(total),
        "totalOutstandingSet": _bag(0),
        "customer": _customer(ANN, "Ann"),
        "purchasingEntity": None,
        "billingAddress": None,
        "shippingAddress": None,
        "paymentTerms": None,
        "lineItems": _whole([line]),
        "shippingLines": _whole([]),
        "agreements": _whole([_agreement(number, at, "ORDER", total, tax)]),
        "transactions": [_transaction(number, at, "SALE", total)],
        "refunds": [],
    }


def _cancelled(node: Node, at: datetime) -> Node:
    (placed,) = node["agreements"]["nodes"]
    number = int(placed["id"].rpartition("/")[2])
    (sale,) = placed["sales"]["nodes"]
    total, tax = (Decimal(sale[name]["shopMoney"]["amount"]) for name in ("totalAmount", "totalTaxAmount"))
    (line,) = node["lineItems"]["nodes"]
    back = {
        "id": _gid("RefundLineItem", number),
        "quantity": 1,
        "restockType": "CANCEL",
        "subtotalSet": _bag(total),
        "totalTaxSet": _bag(tax),
        "lineItem": {"id": line["id"]},
    }
    refund = {
        "id": _gid("Refund", number),
        "createdAt": _stamp(at),
        "processedAt": _stamp(at),
        "totalRefundedSet": _bag(total),
        "refundLineItems": _whole([back]),
        "refundShippingLines": _whole([]),
        "orderAdjustments": _whole([]),
        "transactions": _whole([{"id": _gid("OrderTransaction", 50_000 + number)}]),
    }
    refunded = _agreement(50_000 + number, at, "REFUND", -total, -tax, refund=number, line=number)
    return {
        "cancelledAt": _stamp(at),
        "displayFinancialStatus": "REFUNDED",
        **{f"{name}Set": _bag(0) for name in ("currentTotalPrice", "currentTotalTax", "netPayment")},
        "lineItems": _whole([{**line, "currentQuantity": 0}]),
        "agreements": _whole([placed, refunded]),
        "transactions": [*node["transactions"], _transaction(50_000 + number, at, "REFUND", total)],
        "refunds": [refund],
    }


def _agreement(
    number: int, at: datetime, reason: str, total: object, tax: object, *, refund: int = 0, line: int = 0
) -> Node:
    taxes = {"title": "GST", "rate": 0.15, "priceSet": _bag(abs(Decimal(str(tax)))), "channelLiable": None}
    sale = {
        "id": _gid("ProductSale", number),
        "lineType": "PRODUCT",
        "actionType": "RETURN" if refund else "ORDER",
        "quantity": -1 if refund else 1,
        "totalAmount": _bag(total),
        "totalTaxAmount": _bag(tax),
        "totalDiscountAmountBeforeTaxes": _bag(0),
        "totalDiscountAmountAfterTaxes": _bag(0),
        "taxes": [{"id": _gid("SaleTax", number), "amount": _bag(tax), "taxLine": taxes}],
        "lineItem": {"id": _gid("LineItem", line or number)},
    }
    return {
        "id": _gid("RefundAgreement" if refund else "OrderAgreement", number),
        "happenedAt": _stamp(at),
        "reason": reason,
        "refund": {"id": _gid("Refund", refund)} if refund else None,
        "sales": _whole([sale]),
    }


def _transaction(number: int, at: datetime, kind: str, amount: object) -> Node:
    return {
        "id": _gid("OrderTransaction", number),
        "kind": kind,
        "status": "SUCCESS",
        "gateway": "shopify_payments",
        "amountSet": _bag(amount),
        "amountRoundingSet": None,
        "createdAt": _stamp(at),
        "processedAt": _stamp(at),
        "parentTransaction": {"id": _gid("OrderTransaction", number - 50_000)} if kind == "REFUND" else None,
        "paymentId": f"c{number}.1",
        "test": False,
    }


def _customer(number: int, name: str) -> Node:
    return {
        "id": _gid("Customer", number),
        "displayName": f"{name} Lee",
        "firstName": name,
        "lastName": "Lee",
        "defaultEmailAddress": {"emailAddress": f"{name.lower()}@example.com"},
        "defaultPhoneNumber": None,
        "defaultAddress": None,
        "createdAt": _stamp(OPENED),
        "updatedAt": _stamp(OPENED + timedelta(days=1)),
    }


def _gid(kind: str, number: int | str) -> str:
    return f"gid://shopify/{kind}/{number}"


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _bag(amount: object) -> Node:
    money = {"amount": str(amount), "currencyCode": "NZD"}
    return {"shopMoney": money, "presentmentMoney": money}


def _whole(nodes: list[Node]) -> Node:
    return {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}
