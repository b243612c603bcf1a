"""A moment of an order as a node of the Admin GraphQL API: camelCase, gids, money as texts, complete connections.

This module only renders nodes (docs/contracts/shopify_orders.md §4; fields of `shopify/queries/*.graphql`). Amounts are
converted to the customer's currency one by one, and its sums are sums of converted amounts, so each column adds up
(E20).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeAlias

from shopify_xero_pipeline_tests.campaigns.model.amounts import converted, text
from shopify_xero_pipeline_tests.campaigns.model.facts import TERMS, Facts
from shopify_xero_pipeline_tests.campaigns.model.order import (
    MONEY_IN,
    MONEY_OUT,
    WITH_LINE,
    Back,
    Charge,
    Entry,
    Money,
    Order,
    Row,
    Tax,
)
from shopify_xero_pipeline_tests.support.nodes import connection, gid, instant

Node: TypeAlias = dict[str, Any]

AGREEMENTS = {
    "ORDER": "OrderAgreement",
    "ORDER_EDIT": "OrderEditAgreement",
    "REFUND": "RefundAgreement",
    "RETURN": "ReturnAgreement",
}
SALES = {
    "PRODUCT": "ProductSale",
    "TIP": "TipSale",
    "GIFT_CARD": "GiftCardSale",
    "SHIPPING": "ShippingLineSale",
    "DUTY": "DutySale",
    "FEE": "FeeSale",
    "ADDITIONAL_FEE": "AdditionalFeeSale",
    "ADJUSTMENT": "AdjustmentSale",
}
PEOPLE = (
    ("Aroha", "Ngata"),
    ("John", "Smith"),
    ("John", "Smith"),
    ("李", "小龙"),
    ("", "Ōtaki <Ltd>"),
    ("Zoë  Ann", "O'Neill"),
    ("😀", "Emoji"),
    ("N" * 150, "M" * 149),
    ("", ""),
)


def order_node(order: Order, facts: Facts, updated: datetime) -> Node:
    """Return the whole order with complete connections, for `parse_order` as for a `ShopSource`.

    Args:
        order: the order.
        facts: its current facts.
        updated: the instant of its last change.
    """
    write = _Writer(order)
    rows = [row for entry in order.entries for row in entry.rows]
    placed = [row for row in order.entries[0].rows]
    done = [entry for entry in order.money if entry.status == "SUCCESS"]
    due = [*(row.total for row in rows), order.gap]
    lines = [each for each in order.charges if each.kind in WITH_LINE]
    shipping = [each for each in order.charges if each.kind == "SHIPPING"]
    return {
        "id": gid("Order", order.number),
        "legacyResourceId": str(order.number),
        "name": f"#{order.number}",
        "number": order.number,
        "createdAt": instant(order.placed),
        "processedAt": instant(order.backdated),
        "updatedAt": instant(updated),
        "cancelledAt": instant(order.cancelled) if order.cancelled else None,
        "closedAt": None,
        "test": order.test,
        "edited": any(entry.reason == "ORDER_EDIT" for entry in order.entries),
        "taxesIncluded": order.included,
        "taxExempt": not order.scheme,
        "currencyCode": order.currency,
        "presentmentCurrencyCode": order.presentment_currency,
        "displayFinancialStatus": facts.status,
        "sourceName": "web",
        "tags": [],
        "originalTotalPriceSet": write.bag(*(row.total for row in placed), order.gap),
        "totalPriceSet": write.bag(facts.sold_ever),
        "currentTotalPriceSet": write.bag(*(row.total for row in rows), order.gap, order.stray),
        "currentTotalTaxSet": write.bag(*(tax for row in rows for tax in row.taxes)),
        "netPaymentSet": write.money([(_sign(entry), entry) for entry in done], order.stray_payment),
        "totalReceivedSet": write.money([(_sign(entry), entry) for entry in done if entry.kind != "REFUND"]),
        "totalRefundedSet": write.money([(1, entry) for entry in done if entry.kind == "REFUND"]),
        "totalOutstandingSet": write.owed(due, done),
        "customer": customer_node(order.customer) if order.customer else None,
        "purchasingEntity": None,
        "billingAddress": None,
        "shippingAddress": None,
        "paymentTerms": _terms(order),
        "lineItems": connection([write.line(each) for each in lines]),
        "shippingLines": connection([write.shipping(each) for each in shipping]),
        "agreements": connection([write.agreement(entry) for entry in order.entries]),
        "transactions": [write.transaction(entry) for entry in order.money],
        "refunds": [write.refund(back) for back in order.backs],
    }


def _sign(entry: Money) -> int:
    return 1 if entry.kind in MONEY_IN else -1 if entry.kind in MONEY_OUT else 0


def customer_node(number: int) -> Node:
    """Return one of nine customers: two of the same name, one without e-mail, one without a name …"""
    first, last = PEOPLE[number - 1]
    email = None if number in {3, 5} else {"emailAddress": f"buyer.{number}@example.com"}
    name = f"{first} {last}".strip()
    return {
        "id": gid("Customer", number),
        "displayName": name or (email or {}).get("emailAddress", ""),
        "firstName": first or None,
        "lastName": last or None,
        "defaultEmailAddress": email,
        "defaultPhoneNumber": {"phoneNumber": "+6421555010"} if number == 5 else None,
        "defaultAddress": {"city": "Wellington", "countryCodeV2": "NZ", "country": "New Zealand"},
        "createdAt": "2026-09-01T00:00:00Z",
        "updatedAt": "2026-09-01T00:00:00Z",
        "tags": [],
    }


def product_node() -> Node:
    """Return the product of all lines with a variant."""
    variant = {**variant_ref(), "displayName": "Mug - Blue", "createdAt": "2026-09-01T00:00:00Z"}
    return {
        **product_ref(),
        "status": "ACTIVE",
        "isGiftCard": False,
        "createdAt": "2026-09-01T00:00:00Z",
        "updatedAt": "2026-09-01T00:00:00Z",
        "variants": connection([variant]),
    }


def product_ref() -> Node:
    """Return the product as a part of a line."""
    return {"id": gid("Product", 3), "title": "Mug", "productType": "Cups", "vendor": "Potter", "tags": ["blue"]}


def variant_ref() -> Node:
    """Return the variant as a part of a line."""
    at = "2026-09-01T00:00:00Z"
    return {"id": gid("ProductVariant", 31), "title": "Blue", "sku": "MUG-BLUE", "price": "23.00", "updatedAt": at}


def _terms(order: Order) -> Node | None:
    if not order.terms:
        return None
    due = instant(order.placed + TERMS)
    return {"paymentTermsName": "Net 30", "paymentSchedules": connection([{"dueAt": due}])}


class _Writer:
    """A renderer of the parts of one order."""

    def __init__(self, order: Order) -> None:
        self._order = order

    def bag(self, *amounts: int) -> Node:
        """Return a sum in both currencies."""
        currency, other = self._order.currency, self._order.presentment_currency
        shop = {"amount": text(sum(amounts), currency), "currencyCode": currency}
        if other == currency:
            return {"shopMoney": shop, "presentmentMoney": shop}
        return self.pair(sum(amounts), sum(converted(amount, currency, other) for amount in amounts))

    def pair(self, shop: int, presentment: int) -> Node:
        """Return an amount in both currencies."""
        order = self._order
        return {
            "shopMoney": {"amount": text(shop, order.currency), "currencyCode": order.currency},
            "presentmentMoney": {
                "amount": text(presentment, order.presentment_currency),
                "currencyCode": order.presentment_currency,
            },
        }

    def money(self, entries: Iterable[tuple[int, Money]], beside: int = 0) -> Node:
        """Return the sum of signed transactions; `beside` is in the shop's currency."""
        signed = list(entries)
        shop = sum(sign * entry.moved for sign, entry in signed) + beside
        return self.pair(shop, sum(sign * entry.presentment for sign, entry in signed) + self._order.show(beside))

    def owed(self, due: Iterable[int], done: Iterable[Money]) -> Node:
        """Return the amount due; changes of rate do not affect it."""
        rows, paid = list(due), [(_sign(entry), entry) for entry in done]
        order = self._order
        shop = sum(rows) - order.channel_tax_kept - sum(sign * entry.amount for sign, entry in paid)
        presentment = sum(map(order.show, rows)) - order.shown_tax_kept
        return self.pair(shop, presentment - sum(sign * entry.presentment for sign, entry in paid))

    def rate(self, entry: Money) -> Node | None:
        """Return Shopify's adjustment for a changed rate; outgoing money is negative (REST Transaction)."""
        if entry.before is None:
            return None
        amounts = {"originalAmountSet": entry.before, "finalAmountSet": entry.moved}
        amounts["adjustment"] = entry.moved - entry.before
        sign, currency = _sign(entry), self._order.currency
        sets = {name: {"amount": text(sign * of, currency), "currencyCode": currency} for name, of in amounts.items()}
        return {"id": gid("CurrencyExchangeAdjustment", entry.number), **sets}

    def line(self, item: Charge) -> Node:
        """Return a LineItem, with discounts and taxes of the whole quantity ever ordered.

        Source: docs/contracts/shopify_orders.md §4.3.
        """
        with_product = item.kind == "PRODUCT" and item.has_product
        return {
            "id": gid("LineItem", item.number),
            "title": item.title,
            "variantTitle": "Blue" if with_product else None,
            "sku": "MUG-BLUE" if with_product else None,
            "vendor": "Potter" if with_product else None,
            "quantity": item.quantity,
            "currentQuantity": item.left_quantity,
            "isGiftCard": item.kind == "GIFT_CARD",
            "taxable": bool(item.names),
            "originalUnitPriceSet": self.bag(item.unit),
            "discountAllocations": [{"allocatedAmountSet": self.bag(amount)} for amount in item.discounts],
            "taxLines": self.tax_lines(item.names, item.taxes),
            "product": product_ref() if with_product else None,
            "variant": variant_ref() if with_product else None,
        }

    def shipping(self, item: Charge) -> Node:
        """Return a ShippingLine."""
        return {
            "id": gid("ShippingLine", item.number),
            "title": item.title,
            "code": item.title.lower(),
            "originalPriceSet": self.bag(item.unit),
            "discountedPriceSet": self.bag(item.net),
            "isRemoved": False,
            "taxLines": self.tax_lines(item.names, item.taxes),
        }

    def tax_lines(self, names: Iterable[Tax], amounts: Iterable[int]) -> list[Node]:
        """Return TaxLines."""
        return [self.tax_line(name, amount) for name, amount in zip(names, amounts, strict=True)]

    def tax_line(self, name: Tax, amount: int) -> Node:
        """Return a TaxLine, whose rate is a fraction."""
        rate = f"0.{name.points:04d}".rstrip("0").rstrip(".")
        return {
            "title": name.title,
            "rate": float(rate),
            "priceSet": self.bag(amount),
            "channelLiable": name.channel or None,
        }

    def agreement(self, entry: Entry) -> Node:
        """Return a SalesAgreement of its concrete kind."""
        return {
            "id": gid(AGREEMENTS.get(entry.reason, "OrderAgreement"), entry.number),
            "happenedAt": instant(entry.at),
            "reason": entry.reason,
            "refund": {"id": gid("Refund", entry.refund)} if entry.refund else None,
            "sales": connection([self.sale(row) for row in entry.rows]),
        }

    def sale(self, row: Row) -> Node:
        """Return a Sale of its concrete kind."""
        stated = row.taxes if row.stated_tax is None else (row.stated_tax,)
        return {
            "id": gid(SALES.get(row.kind, "UnknownSale"), row.number),
            "lineType": row.kind,
            "actionType": row.action,
            "quantity": row.quantity,
            "totalAmount": self.bag(row.total),
            "totalTaxAmount": self.bag(*stated),
            "totalDiscountAmountBeforeTaxes": self.bag(row.discount),
            "totalDiscountAmountAfterTaxes": self.bag(row.discount),
            "taxes": [
                {
                    "id": gid("SaleTax", row.number * 10 + index),
                    "amount": self.bag(amount),
                    "taxLine": self.tax_line(name, row.charge.taxes[index] if row.charge else amount),
                }
                for index, (name, amount) in enumerate(zip(row.names, row.taxes, strict=True))
            ],
            **self.what(row),
        }

    def what(self, row: Row) -> Node:
        """Return the charge of a sale, under the field of the sale's type."""
        item = row.charge
        if item is None:
            return {}
        if row.kind in WITH_LINE:
            return {"lineItem": {"id": gid("LineItem", item.number)}}
        if row.kind == "SHIPPING":
            return {"shippingLine": {"id": gid("ShippingLine", item.number), "title": item.title}}
        if row.kind == "DUTY":
            return {"duty": {"id": gid("Duty", item.number), "harmonizedSystemCode": "6912.00"}}
        if row.kind == "ADDITIONAL_FEE":
            return {"additionalFee": {"id": gid("AdditionalFee", item.number), "name": item.title}}
        fee = {"__typename": "RestockingFee", "id": gid("RestockingFee", item.number), "percentage": 10}
        return {"fee": fee}

    def transaction(self, entry: Money) -> Node:
        """Return an OrderTransaction."""
        return {
            "id": gid("OrderTransaction", entry.number),
            "kind": entry.kind,
            "status": entry.status,
            "gateway": entry.gateway,
            "amountSet": self.pair(entry.moved, entry.presentment),
            "currencyExchangeAdjustment": self.rate(entry),
            "amountRoundingSet": self.bag(entry.rounding) if entry.rounding else None,
            "createdAt": instant(entry.created),
            "processedAt": instant(entry.processed) if entry.processed else None,
            "parentTransaction": {"id": gid("OrderTransaction", entry.parent)} if entry.parent else None,
            "paymentId": f"c{entry.number}.1" if entry.kind in MONEY_IN else None,
            "test": self._order.test,
        }

    def refund(self, back: Back) -> Node:
        """Return a Refund; line subtotals contain tax if prices do (docs/contracts/shopify_orders.md §4.7)."""
        money = [entry for entry in self._order.money if entry.number in back.transactions]
        return {
            "id": gid("Refund", back.number),
            "createdAt": instant(back.at),
            "processedAt": instant(back.at),
            "totalRefundedSet": self.money([(1, entry) for entry in money if entry.status == "SUCCESS"]),
            "refundLineItems": connection([self.refunded_line(row, back) for row in back.lines]),
            "refundShippingLines": connection([self.refunded_shipping(row) for row in back.shipping]),
            "orderAdjustments": connection(
                [
                    {
                        "id": gid("OrderAdjustment", number),
                        "amountSet": self.bag(amount),
                        "taxAmountSet": self.bag(tax),
                        "reason": reason,
                    }
                    for number, amount, tax, reason in back.adjustments
                ]
            ),
            "transactions": connection([{"id": gid("OrderTransaction", number)} for number in back.transactions]),
        }

    def refunded_line(self, row: Row, back: Back) -> Node:
        """Return a RefundLineItem."""
        assert row.charge is not None
        return {
            "id": gid("RefundLineItem", row.number),
            "quantity": abs(row.quantity or 0),
            "restockType": back.restock,
            "subtotalSet": self.bag(-row.total - (0 if self._order.included else -sum(row.taxes))),
            "totalTaxSet": self.bag(-sum(row.taxes)),
            "lineItem": {"id": gid("LineItem", row.charge.number)},
        }

    def refunded_shipping(self, row: Row) -> Node:
        """Return a RefundShippingLine."""
        return {
            "id": gid("RefundShippingLine", row.number),
            "subtotalAmountSet": self.bag(-row.total - (0 if self._order.included else -sum(row.taxes))),
            "taxAmountSet": self.bag(-sum(row.taxes)),
        }
