"""Nodes with the fields of the documents in `graphql/`, with complete connections as plain lists."""

from typing import Any

Json = dict[str, Any]


def bag(amount: str, currency: str = "NZD") -> Json:
    money = {"amount": amount, "currencyCode": currency}
    return {"shopMoney": money, "presentmentMoney": dict(money)}


def tax_line(amount: str = "1.5") -> Json:
    return {"title": "GST", "rate": 0.15, "priceSet": bag(amount), "channelLiable": False}


def line_item(number: int) -> Json:
    return {
        "id": f"gid://shopify/LineItem/{number}",
        "title": f"Mug {number}",
        "variantTitle": None,
        "sku": "MUG",
        "vendor": "Potter",
        "quantity": 1,
        "currentQuantity": 1,
        "isGiftCard": False,
        "originalUnitPriceSet": bag("11.5"),
        "discountAllocations": [{"allocatedAmountSet": bag("0.0")}],
        "taxLines": [tax_line()],
        "product": {
            "id": "gid://shopify/Product/70",
            "title": "Mug",
            "productType": "Crockery",
            "vendor": "Potter",
            "tags": ["blue"],
        },
        "variant": {
            "id": "gid://shopify/ProductVariant/71",
            "title": "Blue",
            "sku": "MUG",
            "price": "11.50",
            "updatedAt": "2026-09-01T00:00:00Z",
        },
    }


def sale(number: int, amount: str = "11.5", **more: Any) -> Json:
    return {
        "id": f"gid://shopify/Sale/{number}",
        "lineType": "PRODUCT",
        "actionType": "ORDER",
        "quantity": 1,
        "totalAmount": bag(amount),
        "totalTaxAmount": bag("1.5"),
        "totalDiscountAmountBeforeTaxes": bag("0.0"),
        "totalDiscountAmountAfterTaxes": bag("0.0"),
        "taxes": [{"id": f"gid://shopify/SaleTax/{number}", "amount": bag("1.5"), "taxLine": tax_line()}],
        **more,
    }


def agreement(number: int, *sales: Json, reason: str = "ORDER", **more: Any) -> Json:
    return {
        "id": f"gid://shopify/SalesAgreement/{number}",
        "happenedAt": "2026-10-01T00:00:00Z",
        "reason": reason,
        "sales": list(sales),
        **more,
    }


def transaction(number: int, kind: str = "SALE", parent: int | None = None) -> Json:
    return {
        "id": f"gid://shopify/OrderTransaction/{number}",
        "kind": kind,
        "status": "SUCCESS",
        "gateway": "shopify_payments",
        "amountSet": bag("11.5"),
        "amountRoundingSet": None,
        "createdAt": "2026-10-01T00:00:05Z",
        "processedAt": "2026-10-01T00:00:05Z",
        "parentTransaction": parent and {"id": f"gid://shopify/OrderTransaction/{parent}"},
        "paymentId": f"#{number}.1",
        "test": False,
    }


def refund(number: int, **more: Any) -> Json:
    return {
        "id": f"gid://shopify/Refund/{number}",
        "createdAt": "2026-10-03T00:00:00Z",
        "processedAt": "2026-10-03T00:00:00Z",
        "totalRefundedSet": bag("11.5"),
        "refundLineItems": [],
        "refundShippingLines": [],
        "orderAdjustments": [],
        "transactions": [],
        **more,
    }


def refund_line(number: int, line: int) -> Json:
    return {
        "id": f"gid://shopify/RefundLineItem/{number}",
        "quantity": 1,
        "restockType": "RETURN",
        "subtotalSet": bag("10.0"),
        "totalTaxSet": bag("1.5"),
        "lineItem": {"id": f"gid://shopify/LineItem/{line}"},
    }


def shipping_line(number: int) -> Json:
    return {
        "id": f"gid://shopify/ShippingLine/{number}",
        "title": f"Courier {number}",
        "code": None,
        "originalPriceSet": bag("5.0"),
        "discountedPriceSet": bag("5.0"),
        "isRemoved": False,
        "taxLines": [tax_line("0.65")],
    }


def customer(number: int, updated_at: str = "2026-10-01T00:00:00Z", **more: Any) -> Json:
    return {
        "id": f"gid://shopify/Customer/{number}",
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
        "id": f"gid://shopify/Order/{number}",
        "name": f"#{number}",
        "createdAt": processed_at,
        "processedAt": processed_at,
        "updatedAt": "2026-10-03T00:00:00Z",
        "cancelledAt": None,
        "test": False,
        "edited": False,
        "taxesIncluded": True,
        "currencyCode": "NZD",
        "presentmentCurrencyCode": "NZD",
        "displayFinancialStatus": "PAID",
        "sourceName": "web",
        "originalTotalPriceSet": bag("11.5"),
        "totalPriceSet": bag("11.5"),
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
        "shippingLines": [],
        "agreements": [agreement(1, sale(1, lineItem={"id": "gid://shopify/LineItem/1"}))],
        "transactions": [transaction(1)],
        "refunds": [],
        **more,
    }


def variant(number: int) -> Json:
    return {
        "id": f"gid://shopify/ProductVariant/{number}",
        "title": f"Size {number}",
        "displayName": f"Mug - Size {number}",
        "sku": f"MUG-{number}",
        "price": "11.50",
        "updatedAt": "2026-10-01T00:00:00Z",
    }


def product(number: int, variants: int = 1, updated_at: str = "2026-10-01T00:00:00Z") -> Json:
    return {
        "id": f"gid://shopify/Product/{number}",
        "title": "Mug",
        "productType": "Crockery",
        "vendor": "Potter",
        "tags": [],
        "status": "ACTIVE",
        "isGiftCard": False,
        "updatedAt": updated_at,
        "variants": [variant(n) for n in range(1, variants + 1)],
    }
