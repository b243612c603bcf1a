"""The conversion of records to Xero's JSON, and their comparison with elements of Xero.

This module is pure. A resolver supplies the Xero ids of parents, because plans name them by Shopify id. A document
contains only the ContactID of its Contact, as more would change the Contact, and no LineAmount. Each field that matters
is sent, because Xero's defaults depend on the organisation (docs/contracts/xero.md §6).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from pydantic import BaseModel

from shopify_xero_pipeline.xero.elements import (
    ADDRESS_FIELDS,
    CONTACT_FIELDS,
    ID,
    LINE_FIELDS,
    REMOVED_STATUSES,
    Element,
)
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
    fields = {"ContactNumber": record.contact_number} | _renamed(record, CONTACT_FIELDS)
    if record.phone:
        fields["Phones"] = [{"PhoneType": "DEFAULT", "PhoneNumber": record.phone}]
    if record.address:
        fields["Addresses"] = [_without_nulls({"AddressType": "STREET"} | _renamed(record.address, ADDRESS_FIELDS))]
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
    fields = {"Description": line.description} | _renamed(line, LINE_FIELDS)
    return _without_nulls(fields | {"ItemCode": line.item_code or None})


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


def _renamed(record: BaseModel, names: Mapping[str, str]) -> dict[str, Any]:
    """Return fields of a record under Xero's names.

    Args:
        record: the record, or a part of one.
        names: Xero's names by ours.
    """
    return {theirs: getattr(record, ours) for ours, theirs in names.items()}


def _without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that have a value, so that an update never overwrites data with nothing."""
    return {name: value for name, value in fields.items() if value is not None}


# -- Comparison -------------------------------------------------------------------------------------------------------


def mismatch(record: AnyRecord, element: Element) -> str:
    """Return how an element differs from a record in money or status, in words for people; empty if it does not."""
    if element.status in REMOVED_STATUSES or (element.status == "ARCHIVED" and isinstance(record, Contact)):
        return f"Xero shows it {element.status.lower()} by a person"
    if isinstance(record, Document):
        return _differing_amount({"Total": record.total, "TotalTax": record.total_tax}, element)
    if isinstance(record, Payment | Allocation):
        return _differing_amount({"Amount": record.amount}, element)
    if isinstance(record, Item) and element.is_tracked_or_unsold:
        return "Xero's Item under this code is tracked or not sold"
    return ""


def has_foreign_reference(record: AnyRecord, element: Element) -> bool:
    """Return whether a document with our number is not ours; the Reference identifies a document (docs/books.md §1)."""
    return isinstance(record, Document) and element.reference != record.reference


def contains(record: AnyRecord, element: Element) -> bool:
    """Return whether an element already has all fields that an update of a Contact or Item would send."""
    update = _contact(record) if isinstance(record, Contact) else _item(record) if isinstance(record, Item) else {}
    return _includes(element.fields, update)


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


def _differing_amount(expected: Mapping[str, Decimal], element: Element) -> str:
    for name, amount in expected.items():
        actual = element.fields.get(name)
        if not isinstance(actual, Decimal | int) or actual != amount:
            return f"Xero shows {name} {actual} where {amount} was planned"
    return ""
