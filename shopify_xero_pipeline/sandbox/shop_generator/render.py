"""The order of the generated shop as a node of the Admin GraphQL API 2026-10.

This module only builds the order's own fields; its records are built in `render_ledger.py`. Each figure is read from
the ledger. Each call returns a new node.
"""

from collections.abc import Iterable
from datetime import datetime

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shop_generator.charges import Tax
from shopify_xero_pipeline.sandbox.shop_generator.header import Header, Terms
from shopify_xero_pipeline.sandbox.shop_generator.instants import stamp, stamp_or_none
from shopify_xero_pipeline.sandbox.shop_generator.ledger import Ledger
from shopify_xero_pipeline.sandbox.shop_generator.money import ZERO, Amount, total
from shopify_xero_pipeline.sandbox.shop_generator.render_ledger import Shapes

_MONEY_IN = ("SALE", "CAPTURE")


def order_node(header: Header, ledger: Ledger, at: datetime) -> Node:
    """Return the whole order at an instant, with complete connections.

    Args:
        header: the order's own fields.
        ledger: its charges, sales ledger and payments.
        at: the instant, in UTC, which determines customer and products.
    """
    shapes = Shapes(ledger, header, at)
    node = _identity(header, ledger) | _people(header, ledger, at) | _state(header, ledger)
    return (
        node
        | _totals(ledger, shapes)
        | _current_totals(ledger, shapes)
        | _money(ledger, shapes)
        | _records(ledger, shapes)
    )


def _identity(header: Header, ledger: Ledger) -> Node:
    return {
        "id": f"gid://shopify/Order/{ledger.serial}",
        "legacyResourceId": str(ledger.serial),
        "name": header.name,
        "number": header.number,
        "confirmationNumber": f"{ledger.serial * 2_654_435_761 % 2**40:09X}",
        "poNumber": header.po_number,
        "createdAt": stamp(header.created_at),
        "processedAt": stamp(header.processed_at),
        "updatedAt": stamp(header.updated_at),
        "cancelledAt": stamp_or_none(header.cancelled_at),
        "cancelReason": header.cancel_reason,
        "closedAt": None,
        "closed": False,
        "sourceName": header.source,
        "tags": list(header.tags),
        "note": header.note,
    }


def _people(header: Header, ledger: Ledger, at: datetime) -> Node:
    person = None if header.person is None else header.person.current(at)
    forgotten = person is not None and person.state(at).redacted
    has_delivery = bool(ledger.charged("SHIPPING"))
    address = None if forgotten else header.address
    delivery = None if forgotten or not has_delivery else header.delivery or header.address
    state = None if person is None else person.state(at)
    return {
        "customer": None if person is None else person.node(at),
        "purchasingEntity": _purchasing_entity(header, None if person is None else person.node(at)),
        "email": None if state is None else state.email,
        "phone": None if state is None else state.phone,
        "billingAddress": None if address is None else dict(address),
        "shippingAddress": None if delivery is None else dict(delivery),
        "retailLocation": {"id": "gid://shopify/Location/88000001", "name": "Cuba Street"}
        if header.source == "pos"
        else None,
    }


def _purchasing_entity(header: Header, customer: Node | None) -> Node | None:
    if header.company is None:
        return None if customer is None else {"__typename": "Customer"} | customer
    company = header.company
    return {
        "__typename": "PurchasingCompany",
        "company": {"id": f"gid://shopify/Company/{company.serial}", "name": company.name},
        "contact": {"id": f"gid://shopify/CompanyContact/{company.serial}", "customer": customer},
        "location": {"id": f"gid://shopify/CompanyLocation/{company.serial}", "name": company.name},
    }


def _state(header: Header, ledger: Ledger) -> Node:
    return {
        "test": header.test,
        "edited": header.edited,
        "confirmed": True,
        "taxesIncluded": ledger.taxes_included,
        "taxExempt": header.tax_exempt,
        "estimatedTaxes": False,
        "dutiesIncluded": False,
        "merchantOfRecordApp": None,
        "displayFinancialStatus": ledger.financial_status(header.cancelled_at is not None),
        "displayFulfillmentStatus": "UNFULFILLED",
        "returnStatus": "RETURNED" if header.returned else "NO_RETURN",
        "fullyPaid": ledger.outstanding.shop <= 0,
        "unpaid": ledger.received.shop <= 0 < ledger.outstanding.shop,
        "currencyCode": ledger.currencies.shop,
        "presentmentCurrencyCode": ledger.currencies.presentment,
        "paymentTerms": None if header.terms is None else _terms(header.terms, ledger),
        "paymentGatewayNames": list(dict.fromkeys(t.gateway for t in ledger.transactions)),
        "discountCodes": [d.title for d in ledger.discounts if d.kind == "DiscountCodeApplication"],
    }


def _terms(terms: Terms, ledger: Ledger) -> Node:
    paid = ledger.outstanding.shop <= 0
    last = ledger.transactions[-1].at if ledger.transactions else terms.issued_at
    schedule = {
        "id": f"gid://shopify/PaymentSchedule/{ledger.serial}",
        "issuedAt": stamp(terms.issued_at),
        "dueAt": stamp(terms.due_at),
        "completedAt": stamp(last) if paid else None,
        "balanceDue": ledger.currencies.presentment_money(ledger.outstanding),
        "totalBalance": ledger.currencies.presentment_money(ledger.current_total),
    }
    return {
        "id": f"gid://shopify/PaymentTerms/{ledger.serial}",
        "paymentTermsName": terms.name,
        "paymentTermsType": "NET",
        "dueInDays": terms.days,
        "paymentSchedules": {"nodes": [schedule]},
    }


def _totals(ledger: Ledger, shapes: Shapes) -> Node:
    """Return the totals of all sales, before returns."""
    goods, shipping = ledger.charged("PRODUCT", "GIFT_CARD"), ledger.charged("SHIPPING")
    return {
        "originalTotalPriceSet": shapes.bag(ledger.original_total),
        "totalPriceSet": shapes.bag(ledger.grand_total),
        "subtotalPriceSet": shapes.bag(total(charge.net for charge in goods)),
        "totalTaxSet": shapes.bag(total(charge.tax for charge in ledger.charges)),
        "totalDiscountsSet": shapes.bag(total(charge.discount for charge in ledger.charges)),
        "totalShippingPriceSet": shapes.bag(total(charge.net for charge in shipping)),
        "totalTipReceivedSet": shapes.bag(total(charge.net for charge in ledger.charged("TIP"))),
        "originalTotalDutiesSet": _or_none(ledger, shapes, "DUTY"),
        "originalTotalAdditionalFeesSet": _or_none(ledger, shapes, "ADDITIONAL_FEE"),
        "taxLines": _tax_lines(
            ((tax, a) for c in ledger.charges for tax, a in zip(c.taxes, c.tax_amounts, strict=True)), shapes
        ),
    }


def _or_none(ledger: Ledger, shapes: Shapes, line_type: str) -> Node | None:
    charges = ledger.charged(line_type)
    return shapes.bag(total(charge.net for charge in charges)) if charges else None


def _current_totals(ledger: Ledger, shapes: Shapes) -> Node:
    """Return the totals after edits, returns and refunds, as sums over the ledger's rows."""
    rows = list(ledger.rows())

    def net(*line_types: str) -> Amount:
        matches = [row for row in rows if row.line_type in line_types]
        return total(row.total if ledger.taxes_included else row.total - row.tax for row in matches)

    taxes = ((tax, a) for r in rows if r.charge for tax, a in zip(r.charge.taxes, r.taxes, strict=True))
    return {
        "currentTotalPriceSet": shapes.bag(ledger.current_total),
        "currentSubtotalPriceSet": shapes.bag(net("PRODUCT", "GIFT_CARD")),
        "currentTotalTaxSet": shapes.bag(total(row.tax for row in rows)),
        "currentTotalDiscountsSet": shapes.bag(total(row.discount for row in rows)),
        "currentShippingPriceSet": shapes.bag(net("SHIPPING")),
        "currentTotalDutiesSet": shapes.bag(net("DUTY")) if ledger.charged("DUTY") else None,
        "currentTotalAdditionalFeesSet": shapes.bag(net("ADDITIONAL_FEE"))
        if ledger.charged("ADDITIONAL_FEE")
        else None,
        "currentTaxLines": _tax_lines(taxes, shapes),
    }


def _tax_lines(taxes: Iterable[tuple[Tax, Amount]], shapes: Shapes) -> list[Node]:
    totals: dict[Tax, Amount] = {}
    for tax, amount in taxes:
        totals[tax] = totals.get(tax, ZERO) + amount
    return [shapes.tax_line(tax, amount) for tax, amount in totals.items()]


def _money(ledger: Ledger, shapes: Shapes) -> Node:
    """Return the payment totals, from successful transactions only (E19)."""
    refunds, done = ledger.refunds, [t for t in ledger.transactions if t.status == "SUCCESS" and t.rounding]
    shipping_back = (line.portion.total for r in refunds for line in r.lines if line.charge.line_type == "SHIPPING")
    return {
        "totalReceivedSet": shapes.bag(ledger.received),
        "totalRefundedSet": shapes.bag(ledger.moved("REFUND")),
        "netPaymentSet": shapes.bag(ledger.net_payment),
        "totalOutstandingSet": shapes.bag(ledger.outstanding),
        "totalCapturableSet": shapes.bag(ledger.capturable),
        "totalRefundedShippingSet": shapes.bag(total(shipping_back)),
        "refundDiscrepancySet": shapes.bag(total(a.amount for r in refunds for a in r.adjustments)),
        "totalCashRoundingAdjustment": {
            "paymentSet": shapes.bag(total(t.rounding or ZERO for t in done if t.kind in _MONEY_IN)),
            "refundSet": shapes.bag(total(t.rounding or ZERO for t in done if t.kind == "REFUND")),
        },
    }


def _records(ledger: Ledger, shapes: Shapes) -> Node:
    return {
        "lineItems": {"nodes": [shapes.line_item(c) for c in ledger.charged("PRODUCT", "GIFT_CARD", "TIP")]},
        "shippingLines": {"nodes": [shapes.shipping_line(charge) for charge in ledger.charged("SHIPPING")]},
        "additionalFees": [shapes.additional_fee(charge) for charge in ledger.charged("ADDITIONAL_FEE")],
        "discountApplications": {"nodes": [shapes.discount_application(d) for d in ledger.discounts]},
        "agreements": {"nodes": [shapes.agreement(agreement) for agreement in ledger.agreements]},
        "transactions": [shapes.transaction(t) for t in ledger.transactions],
        "refunds": [shapes.refund(refund) for refund in ledger.refunds],
        "fulfillments": [],
    }
