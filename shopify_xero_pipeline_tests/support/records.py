"""Hand-made records of Xero, each valid as it is; a test gives the fields that matter to it.

The documents of order 1001 are its Invoice and a Credit Note of a part of it, with 15 % GST in their totals.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.xero.models import (
    Allocation,
    AnyRecord,
    Contact,
    CreditNote,
    Invoice,
    Item,
    Line,
    Payment,
)

DAY = date(2026, 9, 21)


def contact(number: int | str = 1, **fields: Any) -> Contact:
    plain = {
        "shopify_id": str(number),
        "contact_number": f"shopify:{number}",
        "name": f"Aroha {number}",
        "email": f"aroha{number}@example.com",
    }
    return Contact.model_validate(plain | fields)


def item(number: int | str = 1, **fields: Any) -> Item:
    plain = {
        "shopify_id": str(number),
        "code": f"SKU-{number}",
        "name": f"Item {number}",
        "unit_price": Decimal("12.3456"),
    }
    return Item.model_validate(plain | fields)


def line(amount: str, **fields: Any) -> Line:
    plain = {
        "description": "Jug",
        "quantity": Decimal(1),
        "unit_amount": Decimal(amount),
        "account_code": "200",
        "tax_type": "OUTPUT2",
        "tax_amount": gst(amount),
    }
    return Line.model_validate(plain | fields)


def gst(amount: str) -> Decimal:
    """Return the 15 % that an amount includes."""
    return (Decimal(amount) * 3 / 23).quantize(Decimal("0.01"))


def invoice(order: int = 1001, total: str = "115.00", **fields: Any) -> Invoice:
    plain = _document(order, "1", total) | {"number": f"SH-{order}", "due_date": DAY}
    return Invoice.model_validate(plain | fields)


def credit_note(order: int = 1001, total: str = "23.00", **fields: Any) -> CreditNote:
    plain = _document(order, "2", total) | {"number": f"SH-{order}-R2"}
    return CreditNote.model_validate(plain | fields)


def _document(order: int, agreement: str, total: str) -> dict[str, Any]:
    return {
        "shopify_id": f"{order}/{agreement}",
        "reference": f"#{order} shopify:{order}/{agreement}",
        "order_id": str(order),
        "order_name": f"#{order}",
        "contact_id": "1",
        "date": DAY,
        "line_amount_types": "Inclusive",
        "lines": (line(total),),
        "currency": "NZD",
        "total": Decimal(total),
        "total_tax": gst(total),
    }


def payment(
    document: Invoice | CreditNote, amount: str | None = None, transaction: int | str = 9, **fields: Any
) -> Payment:
    plain = {
        "shopify_id": f"{transaction}/{document.number}",
        "order_id": document.order_id,
        "order_name": document.order_name,
        "document_kind": document.kind,
        "document_id": document.shopify_id,
        "document_number": document.number,
        "account_code": "601",
        "date": DAY,
        "amount": Decimal(amount) if amount else document.total,
        "currency": "NZD",
        "gateway": "shopify_payments",
        "reference": f"shopify:{document.order_id}/{transaction}",
    }
    return Payment.model_validate(plain | fields)


def allocation(note: CreditNote, to: Invoice, amount: str | None = None) -> Allocation:
    credit = Decimal(amount) if amount else note.total
    return Allocation(
        shopify_id=f"{note.number}/{to.number}/{credit.normalize():f}",
        order_id=note.order_id,
        order_name=note.order_name,
        credit_note_id=note.shopify_id,
        credit_note_number=note.number,
        invoice_id=to.shopify_id,
        invoice_number=to.number,
        amount=credit,
        date=DAY,
        currency="NZD",
    )


def everything(orders: int = 1) -> list[AnyRecord]:
    """Return a Contact, an Item, and by order an invoice, a credit note, a part payment, a refund and an allocation."""
    records: list[AnyRecord] = [contact(), item()]
    for number in range(1001, 1001 + orders):
        bill, note = invoice(number), credit_note(number)
        records += [bill, note, payment(bill, "50.00"), payment(note, "3.00", 8), allocation(note, bill, "20.00")]
    return records
