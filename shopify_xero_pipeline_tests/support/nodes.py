"""Nodes with the fields of Shopify's GraphQL documents, each valid as it is; a test gives the fields that matter to it.

Connections are plain lists, which the sandbox pages; `connection` makes a complete one.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def gid(kind: str, number: int | str) -> str:
    """Return a global id."""
    return f"gid://shopify/{kind}/{number}"


def instant(at: datetime) -> str:
    """Return an instant in Shopify's format: UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def connection(rows: Iterable[Json]) -> Json:
    """Return a complete connection."""
    return {"nodes": list(rows), "pageInfo": {"hasNextPage": False, "endCursor": None}}


def bag(amount: object, currency: str = "NZD") -> Json:
    """Return an amount in the shop's currency, which is also the customer's."""
    money = {"amount": str(amount), "currencyCode": currency}
    return {"shopMoney": money, "presentmentMoney": dict(money)}


def tax_line() -> Json:
    return {"title": "GST", "rate": 0.15, "channelLiable": False}


def line_item(number: int, **more: Any) -> Json:
    return {
        "id": gid("LineItem", number),
        "title": f"Mug {number}",
        "variantTitle": None,
        "sku": "MUG",
        "vendor": "Potter",
        "originalUnitPriceSet": bag("11.5"),
        "product": {
            "id": gid("Product", 70),
            "title": "Mug",
            "productType": "Crockery",
            "vendor": "Potter",
            "tags": ["blue"],
        },
        "variant": {
            "id": gid("ProductVariant", 71),
            "title": "Blue",
            "sku": "MUG",
            "price": "11.50",
        },
        **more,
    }


def sale(number: int, amount: str = "11.5", **more: Any) -> Json:
    return {
        "id": gid("Sale", number),
        "lineType": "PRODUCT",
        "actionType": "ORDER",
        "quantity": 1,
        "totalAmount": bag(amount),
        "totalTaxAmount": bag("1.5"),
        "totalDiscountAmountBeforeTaxes": bag("0.0"),
        "taxes": [{"amount": bag("1.5"), "taxLine": tax_line()}],
        **more,
    }


def agreement(number: int, *sales: Json, reason: str = "ORDER", **more: Any) -> Json:
    return {
        "id": gid("SalesAgreement", number),
        "happenedAt": "2026-10-01T00:00:00Z",
        "reason": reason,
        "sales": list(sales),
        **more,
    }


def transaction(number: int, kind: str = "SALE", parent: int | None = None, **more: Any) -> Json:
    return {
        "id": gid("OrderTransaction", number),
        "kind": kind,
        "status": "SUCCESS",
        "gateway": "shopify_payments",
        "amountSet": bag("11.5"),
        "amountRoundingSet": None,
        "createdAt": "2026-10-01T00:00:05Z",
        "processedAt": "2026-10-01T00:00:05Z",
        "parentTransaction": parent and {"id": gid("OrderTransaction", parent)},
        **more,
    }


def refund(number: int, **more: Any) -> Json:
    return {
        "id": gid("Refund", number),
        "processedAt": "2026-10-03T00:00:00Z",
        "transactions": [],
        **more,
    }


def customer(number: int, updated_at: str = "2026-10-01T00:00:00Z", **more: Any) -> Json:
    return {
        "id": gid("Customer", number),
        "displayName": "Aroha Ngata",
        "firstName": "Aroha",
        "lastName": "Ngata",
        "defaultEmailAddress": {"emailAddress": "aroha@example.com"},
        "defaultPhoneNumber": None,
        "defaultAddress": None,
        "updatedAt": updated_at,
        **more,
    }


def order(number: int, processed_at: str = "2026-10-01T00:00:00Z", **more: Any) -> Json:
    return {
        "id": gid("Order", number),
        "name": f"#{number}",
        "processedAt": processed_at,
        "updatedAt": "2026-10-03T00:00:00Z",
        "cancelledAt": None,
        "test": False,
        "taxesIncluded": True,
        "currencyCode": "NZD",
        "presentmentCurrencyCode": "NZD",
        "displayFinancialStatus": "PAID",
        "originalTotalPriceSet": bag("11.5"),
        "currentTotalPriceSet": bag("11.5"),
        "currentTotalTaxSet": bag("1.5"),
        "netPaymentSet": bag("11.5"),
        "totalOutstandingSet": bag("0.0"),
        "customer": customer(9),
        "purchasingEntity": None,
        "billingAddress": None,
        "shippingAddress": None,
        "paymentTerms": None,
        "lineItems": [line_item(1)],
        "agreements": [agreement(1, sale(1, lineItem={"id": gid("LineItem", 1)}))],
        "transactions": [transaction(1)],
        "refunds": [],
        **more,
    }


def variant(number: int) -> Json:
    return {
        "id": gid("ProductVariant", number),
        "title": f"Size {number}",
        "sku": f"MUG-{number}",
        "price": "11.50",
    }


def product(number: int, variants: int = 1, updated_at: str = "2026-10-01T00:00:00Z") -> Json:
    return {
        "id": gid("Product", number),
        "title": "Mug",
        "updatedAt": updated_at,
        "variants": [variant(n) for n in range(1, variants + 1)],
    }
