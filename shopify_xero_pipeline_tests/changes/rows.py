"""Hand-made records and rows for the tests of this room."""

from datetime import UTC, date, datetime
from decimal import Decimal

from shopify_xero_pipeline.state.canonical import canonical_json, checksum
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord
from shopify_xero_pipeline.xero.models import (
    Allocation,
    AnyRecord,
    Contact,
    CreditNote,
    Invoice,
    Item,
    Kind,
    Line,
    Payment,
)

DAY = date(2026, 9, 21)
AT = datetime(2026, 9, 21, 10, tzinfo=UTC)


def contact(shopify_id: str = "7", name: str = "Ann Lee", **more: object) -> Contact:
    return Contact(shopify_id=shopify_id, contact_number=f"shopify:{shopify_id}", name=name, **more)


def item(shopify_id: str = "5", code: str = "TEE-S", **more: object) -> Item:
    return Item(shopify_id=shopify_id, code=code, name="Tee", **more)


def line(amount: str = "100.00") -> Line:
    return Line(
        description="Tee",
        quantity=Decimal(1),
        unit_amount=Decimal(amount),
        account_code="200",
        tax_type="OUTPUT2",
        tax_amount=Decimal("13.04"),
        variant_id="5",
    )


def invoice(order: str = "1", agreement: str = "11", total: str = "100.00", number: str = "SH-1001") -> Invoice:
    return Invoice(**_document(order, agreement, total, number), due_date=DAY)


def credit_note(
    order: str = "1", agreement: str = "12", total: str = "30.00", number: str = "SH-1001-R12"
) -> CreditNote:
    return CreditNote(**_document(order, agreement, total, number))


def payment(transaction: str = "21", amount: str = "100.00", document: Invoice | CreditNote | None = None) -> Payment:
    document = document or invoice()
    return Payment(
        shopify_id=f"{transaction}/{document.number}",
        order_id=document.order_id,
        order_name=document.order_name,
        document_kind=document.kind,
        document_id=document.shopify_id,
        document_number=document.number,
        account_code="601",
        date=DAY,
        amount=Decimal(amount),
        currency="NZD",
        gateway="shopify_payments",
        reference=f"shopify:{document.order_id}/{transaction}",
    )


def allocation(note: CreditNote, to: Invoice, amount: str) -> Allocation:
    return Allocation(
        shopify_id=f"{note.number}/{to.number}/{Decimal(amount).normalize():f}",
        order_id=to.order_id,
        order_name=to.order_name,
        credit_note_id=note.shopify_id,
        credit_note_number=note.number,
        invoice_id=to.shopify_id,
        invoice_number=to.number,
        amount=Decimal(amount),
        date=DAY,
        currency="NZD",
    )


def mapped(record: AnyRecord, xero_id: str = "x-1") -> MappedRecord:
    return MappedRecord(
        kind=record.kind,
        shopify_id=record.shopify_id,
        xero_id=xero_id,
        natural_key=record.natural_key,
        checksum=checksum(record.content()),
        payload=canonical_json(record.content()),
        order_id=getattr(record, "order_id", None),
        partition=DAY,
        run_id="run",
        posted_at=AT,
    )


def shown(
    kind: Kind, xero_id: str = "x-1", key: str = "", status: str = "AUTHORISED", reference: str = "", **element: object
) -> MirrorRecord:
    return MirrorRecord(
        kind=kind,
        xero_id=xero_id,
        natural_key=key,
        reference=reference,
        status=status,
        updated_at=AT,
        payload=canonical_json(element),
    )


def shown_record(record: AnyRecord, xero_id: str = "x-1", status: str = "AUTHORISED") -> MirrorRecord:
    """Return what Xero shows of a record that stands there as we want it."""
    amounts = {
        name: getattr(record, field)
        for field, name in (("total", "Total"), ("amount", "Amount"))
        if hasattr(record, field)
    }
    reference = getattr(record, "reference", "")
    return shown(record.kind, xero_id, record.natural_key, status, reference, **amounts)


def _document(order: str, agreement: str, total: str, number: str) -> dict[str, object]:
    return {
        "shopify_id": f"{order}/{agreement}",
        "number": number,
        "reference": f"#1001 shopify:{order}/{agreement}",
        "order_id": order,
        "order_name": "#1001",
        "contact_id": "7",
        "date": DAY,
        "line_amount_types": "Inclusive",
        "lines": (line(total),),
        "currency": "NZD",
        "total": Decimal(total),
        "total_tax": Decimal("13.04"),
    }
