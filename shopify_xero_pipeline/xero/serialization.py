"""The conversion of records to Xero's JSON, and the parsing and comparison of its elements.

This module is pure. A resolver supplies the Xero ids of parents, because plans name them by Shopify id. A document
contains only the ContactID of its Contact, as more would change the Contact, and no LineAmount. Each field that matters
is sent, because Xero's defaults depend on the organisation (docs/contracts/xero.md §6).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from shopify_xero_pipeline.state.canonical import canonical_json
from shopify_xero_pipeline.state.privacy import CONTACT_FIELDS_RETAINED
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero.models import (
    Allocation,
    AnyRecord,
    Contact,
    CreditNote,
    Document,
    Invoice,
    Item,
    Kind,
    Line,
    Payment,
)

Element = Mapping[str, Any]

COLLECTION = {
    Kind.CONTACT: "Contacts",
    Kind.ITEM: "Items",
    Kind.INVOICE: "Invoices",
    Kind.CREDIT_NOTE: "CreditNotes",
    Kind.PAYMENT: "Payments",
    Kind.ALLOCATION: "Allocations",
}
ID = {
    Kind.CONTACT: "ContactID",
    Kind.ITEM: "ItemID",
    Kind.INVOICE: "InvoiceID",
    Kind.CREDIT_NOTE: "CreditNoteID",
    Kind.PAYMENT: "PaymentID",
    Kind.ALLOCATION: "AllocationID",
}
SALES_FIELDS: dict[Kind, tuple[str, set[str | None]]] = {
    Kind.INVOICE: ("Type", {"ACCREC"}),
    Kind.CREDIT_NOTE: ("Type", {"ACCRECCREDIT"}),
    Kind.PAYMENT: ("PaymentType", {"ACCRECPAYMENT", "ARCREDITPAYMENT", None}),
}
"""The field and the values that distinguish sales from purchases; other kinds have no such field."""

COMPARED_CONTACT_FIELDS = ("Name", "FirstName", "LastName", "EmailAddress", "Phones", "Addresses")
REMOVED_STATUSES = frozenset({"VOIDED", "DELETED"})
NO_ID = "00000000-0000-0000-0000-000000000000"  # of a refused create (docs/contracts/xero.md §3)
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MILLISECONDS = re.compile(r"/Date\((-?\d+)")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class IdResolver(Protocol):
    """The source of the Xero ids of parents."""

    def xero_id(self, kind: Kind, shopify_id: str) -> str:
        """Return the Xero id of a mapped record."""
        ...


# -- Records to JSON --------------------------------------------------------------------------------------------------


def to_xero(record: AnyRecord, ids: IdResolver, xero_id: str | None = None) -> dict[str, Any]:
    """Return the JSON element of a record; with a Xero id, the update of that record.

    Args:
        record: the record.
        ids: Xero ids of its parents.
        xero_id: id of the record to update, or None for a create.
    """
    id_field = {ID[record.kind]: xero_id} if xero_id else {}
    if isinstance(record, Contact):
        return id_field | _contact(record)
    if isinstance(record, Item):
        return id_field | _item(record)
    if isinstance(record, Invoice):
        fields = {
            "Type": "ACCREC",
            "InvoiceNumber": record.number,
            "DueDate": record.due_date.isoformat(),
            "Url": record.url,
        }
        return _without_nulls(fields) | _document(record, ids)
    if isinstance(record, CreditNote):
        return {"Type": "ACCRECCREDIT", "CreditNoteNumber": record.number} | _document(record, ids)
    if isinstance(record, Payment):
        return _payment(record, ids)
    return _allocation(record, ids)


def to_contact_adoption(contact: Contact, xero_id: str) -> dict[str, Any]:
    """Return the element that adopts a person's Contact, which only sets our ContactNumber (docs/books.md §7)."""
    return {"ContactID": xero_id, "ContactNumber": contact.contact_number}


def _contact(record: Contact) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "ContactNumber": record.contact_number,
        "Name": record.name,
        "FirstName": record.first_name,
        "LastName": record.last_name,
        "EmailAddress": record.email,
    }
    if record.phone:
        fields["Phones"] = [{"PhoneType": "DEFAULT", "PhoneNumber": record.phone}]
    if record.address:
        address = record.address
        fields["Addresses"] = [
            _without_nulls(
                {
                    "AddressType": "STREET",
                    "AddressLine1": address.line1,
                    "AddressLine2": address.line2,
                    "City": address.city,
                    "Region": address.region,
                    "PostalCode": address.postal_code,
                    "Country": address.country,
                }
            )
        ]
    return _without_nulls(fields)


def _item(record: Item) -> dict[str, Any]:
    fields: dict[str, Any] = {"Code": record.code, "Name": record.name, "Description": record.description}
    if record.unit_price is not None:
        fields["SalesDetails"] = {"UnitPrice": record.unit_price}
    return _without_nulls(fields)


def _document(record: Document, ids: IdResolver) -> dict[str, Any]:
    return {
        "Reference": record.reference,
        "Contact": {"ContactID": ids.xero_id(Kind.CONTACT, record.contact_id)},
        "Date": record.date.isoformat(),
        "LineAmountTypes": record.line_amount_types,
        "LineItems": [_line(line) for line in record.lines],
        "CurrencyCode": record.currency,
        "Status": "AUTHORISED",
    }


def _line(line: Line) -> dict[str, Any]:
    fields = {
        "Description": line.description,
        "Quantity": line.quantity,
        "UnitAmount": line.unit_amount,
        "DiscountAmount": line.discount_amount,
        "AccountCode": line.account_code,
        "TaxType": line.tax_type,
        "TaxAmount": line.tax_amount,
        "ItemCode": line.item_code or None,
    }
    return _without_nulls(fields)


def _payment(record: Payment, ids: IdResolver) -> dict[str, Any]:
    document_id = ids.xero_id(Kind(record.document_kind), record.document_id)
    is_invoice = record.document_kind == Kind.INVOICE
    parent = {"Invoice": {"InvoiceID": document_id}} if is_invoice else {"CreditNote": {"CreditNoteID": document_id}}
    return parent | {
        "Account": {"Code": record.account_code},
        "Date": record.date.isoformat(),
        "Amount": record.amount,
        "Reference": record.reference,
    }


def _allocation(record: Allocation, ids: IdResolver) -> dict[str, Any]:
    invoice = {"InvoiceID": ids.xero_id(Kind.INVOICE, record.invoice_id)}
    return {"Amount": record.amount, "Date": record.date.isoformat(), "Invoice": invoice}


def _without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that have a value, so that an update never overwrites data with nothing."""
    return {name: value for name, value in fields.items() if value is not None}


# -- Elements of responses --------------------------------------------------------------------------------------------


def id_of(kind: Kind, element: Element) -> str | None:
    """Return an element's Xero id, or None if the id is missing or all zeros, as for a refused create."""
    text = str(element.get(ID[kind]) or "")
    return text if GUID.fullmatch(text) and text != NO_ID else None


def natural_key(kind: Kind, element: Element) -> str:
    """Return an element's natural key; empty if it has none."""
    if kind is Kind.CONTACT:
        return str(element.get("ContactNumber") or "")
    if kind is Kind.ITEM:
        return str(element.get("Code") or "")
    if kind is Kind.INVOICE:
        return str(element.get("InvoiceNumber") or "")
    if kind is Kind.CREDIT_NOTE:
        return str(element.get("CreditNoteNumber") or "")
    if kind is Kind.ALLOCATION:
        note, invoice = element.get("CreditNote") or {}, element.get("Invoice") or {}
        amount = Decimal(str(element.get("Amount") or 0)).normalize()
        return f"{note.get('CreditNoteNumber') or ''}|{invoice.get('InvoiceNumber') or ''}|{amount:f}"
    return f"{element.get('Reference') or ''}|{_paid_document(element)['number']}"


def allocations_of(note: Element) -> list[dict[str, Any]]:
    """Return the Allocations in a Credit Note's element, each with the id and number of its Credit Note."""
    parent = {name: note.get(name) for name in ("CreditNoteID", "CreditNoteNumber")}
    return [{**allocation, "CreditNote": parent} for allocation in note.get("Allocations") or []]


def correlation_key(kind: Kind, element: Element) -> str:
    """Return the key that matches an element of a request with its element in the response."""
    if kind is Kind.PAYMENT:
        return f"{element.get('Reference') or ''}|{_paid_document(element)['id'].lower()}"
    if kind is Kind.ALLOCATION:
        return str((element.get("Invoice") or {}).get("InvoiceID") or "").lower()
    return natural_key(kind, element).casefold()


def _paid_document(element: Element) -> dict[str, str]:
    """Return id and number of a Payment's document; a refund may name its Credit Note as Invoice.

    Source: docs/contracts/xero.md §6.4.
    """
    note, invoice = element.get("CreditNote") or {}, element.get("Invoice") or {}
    if note.get("CreditNoteID"):
        return {"id": str(note["CreditNoteID"]), "number": str(note.get("CreditNoteNumber") or "")}
    return {"id": str(invoice.get("InvoiceID") or ""), "number": str(invoice.get("InvoiceNumber") or "")}


def status_of(kind: Kind, element: Element) -> str:
    """Return an element's status; ACTIVE for Items, which have none."""
    return str(element.get("ContactStatus" if kind is Kind.CONTACT else "Status") or "ACTIVE")


def is_ours(kind: Kind, element: Element) -> bool:
    """Return whether an element belongs to sales; the mirror has no purchases."""
    field, accepted = SALES_FIELDS.get(kind, ("", {None}))
    return element.get(field) in accepted


def parse_instant(text: object) -> datetime | None:
    """Return the instant of `/Date(1789378199100+0000)/`, with or without offset, in UTC; None for any other value."""
    match = MILLISECONDS.match(str(text or ""))
    return EPOCH + timedelta(milliseconds=int(match[1])) if match else None


def mirror_record(kind: Kind, element: Element, key: str | None = None) -> MirrorRecord:
    """Return an element as a row of the mirror, with only the personal data that comparisons need.

    Allocations have no Reference in Xero; their row has the id of the Credit Note instead.

    Args:
        kind: kind of the element.
        element: the record in Xero's JSON.
        key: natural key, if the element of a response lacks a part of it.
    """
    note_id = (element.get("CreditNote") or {}).get("CreditNoteID") if kind is Kind.ALLOCATION else None
    return MirrorRecord(
        kind=kind,
        xero_id=str(element[ID[kind]]),
        natural_key=natural_key(kind, element) if key is None else key,
        reference=str(note_id or element.get("Reference") or ""),
        status=status_of(kind, element),
        updated_at=parse_instant(element.get("UpdatedDateUTC")) or EPOCH,
        payload=canonical_json(_contact_fields(element) if kind is Kind.CONTACT else _without_names(element)),
    )


def _contact_fields(element: Element) -> dict[str, Any]:
    """Return the stored fields of a Contact, without balances, bank details, contact persons and other addresses."""
    return {
        name: value for name, value in element.items() if name in (*CONTACT_FIELDS_RETAINED, *COMPARED_CONTACT_FIELDS)
    }


def _without_names(content: Any) -> Any:
    """Return a document or its money with only the id of its Contact."""
    if isinstance(content, Mapping):
        contact = content.get("Contact")
        id_only = {"Contact": {ID[Kind.CONTACT]: contact.get(ID[Kind.CONTACT])}} if isinstance(contact, Mapping) else {}
        return id_only | {name: _without_names(value) for name, value in content.items() if name != "Contact"}
    return [_without_names(item) for item in content] if isinstance(content, list) else content


# -- Comparison -------------------------------------------------------------------------------------------------------


def mismatch(record: AnyRecord, element: Element) -> str:
    """Return how an element differs from a record in money or status, in words for people; empty if it does not."""
    status = status_of(record.kind, element)
    if status in REMOVED_STATUSES or (status == "ARCHIVED" and isinstance(record, Contact)):
        return f"Xero shows it {status.lower()} by a person"
    if isinstance(record, Document):
        return _differing_amount(("Total", record.total), ("TotalTax", record.total_tax), element=element)
    if isinstance(record, Payment | Allocation):
        return _differing_amount(("Amount", record.amount), element=element)
    if isinstance(record, Item) and (element.get("IsTrackedAsInventory") is True or element.get("IsSold") is False):
        return "Xero's Item under this code is tracked or not sold"
    return ""


def has_foreign_reference(record: AnyRecord, element: Element) -> bool:
    """Return whether a document with our number is not ours; the Reference identifies a document (docs/books.md §1)."""
    return isinstance(record, Document) and str(element.get("Reference") or "") != record.reference


def contains(record: AnyRecord, element: Element) -> bool:
    """Return whether an element already has all fields that an update of a Contact or Item would send."""
    update = _contact(record) if isinstance(record, Contact) else _item(record) if isinstance(record, Item) else {}
    return all(_includes(element.get(name), value) for name, value in update.items())


def fingerprint(element: Element) -> str:
    """Return the figures and the status of an element for the evidence, without personal data."""
    names = ("Status", "ContactStatus", "Total", "TotalTax", "Amount", "UpdatedDateUTC")
    return canonical_json({name: element[name] for name in names if name in element})


def _includes(actual: Any, expected: Any) -> bool:
    if isinstance(expected, Mapping):
        return isinstance(actual, Mapping) and all(
            _includes(actual.get(name), value) for name, value in expected.items()
        )
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        return isinstance(actual, Sequence) and all(
            any(_includes(candidate, item) for candidate in actual) for item in expected
        )
    if isinstance(expected, Decimal):
        return isinstance(actual, Decimal | int) and expected == actual
    return bool(expected == actual)


def _differing_amount(*expected: tuple[str, Decimal], element: Element) -> str:
    for name, amount in expected:
        actual = element.get(name)
        if not isinstance(actual, Decimal | int) or actual != amount:
            return f"Xero shows {name} {actual} where {amount} was planned"
    return ""
