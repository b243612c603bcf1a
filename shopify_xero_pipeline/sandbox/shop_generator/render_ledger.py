"""The records of an order as nodes: lines, shipping, sales, agreements, transactions, refunds and discounts.

The order's own fields are built in `render.py`. Connections are complete, as `{"nodes": [...]}`.
"""

from datetime import datetime

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shop_generator.charges import Charge, Discount, Tax
from shopify_xero_pipeline.sandbox.shop_generator.header import Header
from shopify_xero_pipeline.sandbox.shop_generator.instants import stamp, stamp_or_none
from shopify_xero_pipeline.sandbox.shop_generator.ledger import (
    Adjustment,
    Agreement,
    Ledger,
    Refund,
    RefundLine,
    Row,
    Transaction,
)
from shopify_xero_pipeline.sandbox.shop_generator.money import ZERO, Amount, both, contained_tax, per_cent, total

_AGREEMENT = {
    "ORDER": "OrderAgreement",
    "ORDER_EDIT": "OrderEditAgreement",
    "REFUND": "RefundAgreement",
    "RETURN": "ReturnAgreement",
}
_SALE = {
    "PRODUCT": "ProductSale",
    "TIP": "TipSale",
    "GIFT_CARD": "GiftCardSale",
    "SHIPPING": "ShippingLineSale",
    "DUTY": "DutySale",
    "FEE": "FeeSale",
    "ADDITIONAL_FEE": "AdditionalFeeSale",
    "ADJUSTMENT": "AdjustmentSale",
}
_MANUAL = ("manual", "Bank Deposit", "cash")
_FORMATTED = {"shopify_payments": "Shopify Payments", "paypal": "PayPal", "gift_card": "Gift Card", "cash": "Cash"}


class Shapes:
    """A builder of the nodes of one order's records at an instant."""

    def __init__(self, ledger: Ledger, header: Header, at: datetime) -> None:
        self._ledger, self._header, self._at = ledger, header, at
        self.bag = ledger.currencies.bag

    # Charges ---------------------------------------------------------------------------------------------------------

    def tax_line(self, tax: Tax, amount: Amount) -> Node:
        """Return a TaxLine, whose rate is a fraction."""
        return {
            "title": tax.title,
            "rate": tax.basis_points / 10_000,
            "ratePercentage": tax.basis_points / 100,
            "priceSet": self.bag(amount),
            "channelLiable": tax.channel_liable,
            "source": "shopify",
        }

    def tax_lines(self, charge: Charge) -> list[Node]:
        """Return the taxes of a charge, for the whole quantity before returns."""
        return [self.tax_line(tax, amount) for tax, amount in zip(charge.taxes, charge.tax_amounts, strict=True)]

    def line_item(self, charge: Charge) -> Node:
        """Return a LineItem: title, variant title, SKU and vendor as sold, product and variant as they are now."""
        return (
            self._line_identity(charge)
            | self._line_prices(charge)
            | {
                "discountAllocations": [self._allocation(discount, share) for discount, share in charge.allocations],
                "taxLines": self.tax_lines(charge),
                "duties": [self._duty(duty) for duty in self._ledger.charged("DUTY")] if self._has_duty(charge) else [],
            }
        )

    def _has_duty(self, charge: Charge) -> bool:
        return charge is self._ledger.charges[0]

    def _line_identity(self, charge: Charge) -> Node:
        item, units = charge.item, charge.quantity - charge.gone
        variant_title = None if item is None or item.variant.title == "Default Title" else item.variant.title
        return {
            "id": f"gid://shopify/LineItem/{charge.serial}",
            "title": charge.title,
            "name": charge.title if variant_title is None else f"{charge.title} - {variant_title}",
            "variantTitle": variant_title,
            "sku": None if item is None else item.variant.sku,
            "vendor": None if item is None else item.product.vendor,
            "quantity": charge.quantity,
            "currentQuantity": units,
            "refundableQuantity": units,
            "isGiftCard": charge.line_type == "GIFT_CARD",
            "taxable": bool(charge.taxes),
            "requiresShipping": charge.line_type == "PRODUCT",
            "product": None if item is None else item.product.reference(self._at),
            "variant": None if item is None else item.product.variant_reference(item.variant.serial, self._at),
        }

    def _line_prices(self, charge: Charge) -> Node:
        line_discount = total(
            share for d, share in charge.allocations if d.method == "EACH" and d.kind != "DiscountCodeApplication"
        )
        current = charge.portion(charge.gone, charge.quantity - charge.gone)
        each = both(lambda cents: cents // charge.quantity, charge.net)
        return {
            "originalUnitPriceSet": self.bag(charge.unit),
            "originalTotalSet": self.bag(charge.gross),
            "discountedTotalSet": self.bag(charge.gross - line_discount),
            "discountedUnitPriceSet": self.bag(
                both(lambda cents: cents // charge.quantity, charge.gross - line_discount)
            ),
            "discountedUnitPriceAfterAllDiscountsSet": self.bag(each),
            "priceAfterAllDiscountsBeforeTaxesSet": self.bag(current.total - total(current.taxes)),
            "totalDiscountSet": self.bag(line_discount),
        }

    def shipping_line(self, charge: Charge) -> Node:
        """Return a ShippingLine."""
        current = charge.portion(charge.gone, charge.quantity - charge.gone)
        return {
            "id": f"gid://shopify/ShippingLine/{charge.serial}",
            "title": charge.title,
            "code": charge.detail,
            "originalPriceSet": self.bag(charge.gross),
            "discountedPriceSet": self.bag(charge.net),
            "currentDiscountedPriceSet": self.bag(current.net - charge.part_gone),
            "isRemoved": charge.removed,
            "custom": False,
            "source": "shopify",
            "discountAllocations": [self._allocation(discount, share) for discount, share in charge.allocations],
            "taxLines": self.tax_lines(charge),
        }

    def _duty(self, charge: Charge) -> Node:
        return {
            "id": f"gid://shopify/Duty/{charge.serial}",
            "harmonizedSystemCode": charge.detail,
            "countryCodeOfOrigin": "NZ",
            "price": self.bag(charge.net),
            "taxLines": self.tax_lines(charge),
        }

    def additional_fee(self, charge: Charge, kind: str = "AdditionalFee") -> Node:
        """Return an AdditionalFee of the order, or of the type with which a sale refers to it."""
        return {
            "id": f"gid://shopify/{kind}/{charge.serial}",
            "name": charge.title,
            "price": self.bag(charge.net),
            "taxLines": self.tax_lines(charge),
        }

    def _allocation(self, discount: Discount, share: Amount) -> Node:
        return {"allocatedAmountSet": self.bag(share), "discountApplication": self.discount_application(discount)}

    def discount_application(self, discount: Discount) -> Node:
        """Return a DiscountApplication of the discount's kind."""
        share = {"__typename": "PricingPercentageValue", "percentage": discount.basis_points / 100}
        value = (
            share
            if discount.amount is None
            else {"__typename": "MoneyV2"} | self._ledger.currencies.presentment_money(discount.amount)
        )
        name_key = "code" if discount.kind == "DiscountCodeApplication" else "title"
        return {
            "__typename": discount.kind,
            "index": discount.index,
            name_key: discount.title,
            "targetType": discount.target,
            "targetSelection": "ALL",
            "allocationMethod": discount.method,
            "value": value,
        }

    # The sales ledger ------------------------------------------------------------------------------------------------

    def agreement(self, agreement: Agreement) -> Node:
        """Return a SalesAgreement with its sales."""
        node: Node = {
            "__typename": _AGREEMENT[agreement.reason],
            "id": f"gid://shopify/SalesAgreement/{agreement.serial}",
            "happenedAt": stamp(agreement.at),
            "reason": agreement.reason,
            "sales": {"nodes": [self._sale(row) for row in agreement.rows]},
        }
        if agreement.refund is not None:
            node["refund"] = {"id": _refund_gid(agreement.refund)}
        if agreement.reason == "RETURN":
            node["return"] = {"id": f"gid://shopify/Return/{agreement.serial}"}
        return node

    def _sale(self, row: Row) -> Node:
        before, after = self._discounts(row)
        node: Node = {
            "__typename": _SALE[row.line_type],
            "id": f"gid://shopify/Sale/{row.serial}",
            "lineType": row.line_type,
            "actionType": row.action,
            "quantity": row.quantity,
            "totalAmount": self.bag(row.total),
            "totalTaxAmount": self.bag(row.tax),
            "totalDiscountAmountBeforeTaxes": self.bag(before),
            "totalDiscountAmountAfterTaxes": self.bag(after),
            "taxes": [],
        }
        if row.charge is not None:
            node["taxes"] = self._sale_taxes(row, row.charge)
            node |= self._sale_reference(row.charge)
        return node

    def _discounts(self, row: Row) -> tuple[Amount, Amount]:
        rate = 0 if row.charge is None else sum(tax.basis_points for tax in row.charge.taxes)
        if self._ledger.taxes_included:
            return row.discount - contained_tax(row.discount, rate), row.discount
        return row.discount, row.discount + per_cent(row.discount, rate)

    def _sale_taxes(self, row: Row, charge: Charge) -> list[Node]:
        return [
            {
                "id": f"gid://shopify/SaleTax/{row.serial * 10 + position}",
                "amount": self.bag(amount),
                "taxLine": self.tax_line(tax, whole),
            }
            for position, (tax, whole, amount) in enumerate(
                zip(charge.taxes, charge.tax_amounts, row.taxes, strict=True)
            )
        ]

    def _sale_reference(self, charge: Charge) -> Node:
        """Return the charge of a sale, under the field of the sale's type."""
        match charge.line_type:
            case "SHIPPING":
                return {"shippingLine": self.shipping_line(charge)}
            case "DUTY":
                return {"duty": self._duty(charge)}
            case "ADDITIONAL_FEE":
                return {"additionalFee": self.additional_fee(charge, "SaleAdditionalFee")}
            case "FEE":
                return {"fee": {"__typename": "RestockingFee", "id": f"gid://shopify/RestockingFee/{charge.serial}"}}
            case _:
                return {"lineItem": {"id": f"gid://shopify/LineItem/{charge.serial}"}}

    # Money -----------------------------------------------------------------------------------------------------------

    def transaction(self, movement: Transaction) -> Node:
        """Return an OrderTransaction."""
        position = self._ledger.transactions.index(movement) + 1
        return {
            "id": _transaction_gid(movement),
            "kind": movement.kind,
            "status": movement.status,
            "gateway": movement.gateway,
            "formattedGateway": _FORMATTED.get(movement.gateway, movement.gateway),
            "manualPaymentGateway": movement.gateway in _MANUAL,
            "amountSet": self.bag(movement.money),
            "amountRoundingSet": None if movement.rounding is None else self.bag(movement.rounding),
            "createdAt": stamp(movement.at),
            "processedAt": stamp_or_none(movement.processed_at),
            "parentTransaction": None if movement.parent is None else {"id": _transaction_gid(movement.parent)},
            "currencyExchangeAdjustment": self._exchange_adjustment(movement),
            "paymentId": f"{self._header.name}.{position}",
            "test": self._header.test,
            "fees": [],
        }

    def _exchange_adjustment(self, movement: Transaction) -> Node | None:
        """Return the effect of the rate since the parent, in the shop's currency; outgoing money is negative."""
        before, money = movement.at_parents_rate, self._ledger.currencies.shop_money
        if before is None:
            return None
        sign = -1 if movement.kind == "REFUND" else 1
        return {
            "id": f"gid://shopify/CurrencyExchangeAdjustment/{movement.serial}",
            "originalAmountSet": money(sign * before),
            "finalAmountSet": money(sign * movement.money.shop),
            "adjustment": money(sign * (movement.money.shop - before)),
        }

    def refund(self, refund: Refund) -> Node:
        """Return a Refund, whose total is the money that moved."""
        moved = total(t.money for t in refund.transactions if t.status == "SUCCESS")
        goods = [line for line in refund.lines if line.charge.line_type in ("PRODUCT", "GIFT_CARD", "TIP")]
        shipping = [line for line in refund.lines if line.charge.line_type == "SHIPPING"]
        duties = [line for line in refund.lines if line.charge.line_type == "DUTY"]
        return {
            "id": _refund_gid(refund),
            "legacyResourceId": str(refund.serial),
            "createdAt": stamp(refund.at),
            "processedAt": stamp(refund.at),
            "updatedAt": stamp(max([refund.at, *(t.processed_at or t.at for t in refund.transactions)])),
            "note": None,
            "totalRefundedSet": self.bag(moved),
            "refundLineItems": {"nodes": [self._refund_line(line) for line in goods]},
            "refundShippingLines": {"nodes": [self._refund_shipping(line) for line in shipping]},
            "duties": [
                {"amountSet": self.bag(line.portion.total), "originalDuty": self._duty(line.charge)} for line in duties
            ],
            "orderAdjustments": {"nodes": [self._adjustment(adjustment) for adjustment in refund.adjustments]},
            "transactions": {"nodes": [self.transaction(movement) for movement in refund.transactions]},
        }

    def _refund_line(self, line: RefundLine) -> Node:
        return {
            "id": f"gid://shopify/RefundLineItem/{line.serial}",
            "quantity": line.portion.units,
            "restockType": line.restock_type,
            "restocked": line.restock_type in ("RETURN", "CANCEL"),
            "priceSet": self.bag(line.charge.unit),
            "subtotalSet": self.bag(line.portion.net),
            "totalTaxSet": self.bag(total(line.portion.taxes)),
            "lineItem": {"id": f"gid://shopify/LineItem/{line.charge.serial}"},
        }

    def _refund_shipping(self, line: RefundLine) -> Node:
        return {
            "id": f"gid://shopify/RefundShippingLine/{line.serial}",
            "subtotalAmountSet": self.bag(line.portion.net),
            "taxAmountSet": self.bag(total(line.portion.taxes)),
            "shippingLine": {"id": f"gid://shopify/ShippingLine/{line.charge.serial}"},
        }

    def _adjustment(self, adjustment: Adjustment) -> Node:
        return {
            "id": f"gid://shopify/OrderAdjustment/{adjustment.serial}",
            "amountSet": self.bag(adjustment.amount),
            "taxAmountSet": self.bag(ZERO),
            "reason": adjustment.reason,
        }


def _refund_gid(refund: Refund) -> str:
    return f"gid://shopify/Refund/{refund.serial}"


def _transaction_gid(movement: Transaction) -> str:
    return f"gid://shopify/OrderTransaction/{movement.serial}"
