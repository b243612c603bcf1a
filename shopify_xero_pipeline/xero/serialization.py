"""Records to Xero's own JSON and back: what is sent, what an element of an answer is, and whether the two agree.

Pure. Ids are asked of a resolver, because a plan names its parents by Shopify id. Only ContactID is sent inside a
document, never more of the Contact, which would change it; never LineAmount; nothing is left to Xero's defaults (Xero
docs/contracts/xero.md §6).
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
OWN_MARK_FIELDS: dict[Kind, tuple[str, set[str | None]]] = {
    Kind.INVOICE: ("Type", {"ACCREC"}),
    Kind.CREDIT_NOTE: ("Type", {"ACCRECCREDIT"}),
    Kind.PAYMENT: ("PaymentType", {"ACCRECPAYMENT", "ARCREDITPAYMENT", None}),
}
COMPARED = ("Name", "FirstName", "LastName", "EmailAddress", "Phones", "Addresses")
REMOVED_STATUSES = frozenset({"VOIDED", "DELETED"})
NO_ID = "00000000-0000-0000-0000-000000000000"
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MILLISECONDS = re.compile(r"/Date\((-?\d+)")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class IdResolver(Protocol):
    """Where the ids of parents come from."""

    def xero_id(self, kind: Kind, shopify_id: str) -> str:
        """Return the Xero id of a record that is known to be in Xero."""
        ...


# -- what is sent -----------------------------------------------------------------------------------------------------


def to_xero(record: AnyRecord, ids: IdResolver, xero_id: str | None = None) -> dict[str, Any]:
    """Return what is sent of a record; with a Xero id, to update the record that bears it."""
    own = {ID[record.kind]: xero_id} if xero_id else {}
    if isinstance(record, Contact):
        return own | _contact(record)
    if isinstance(record, Item):
        return own | _item(record)
    if isinstance(record, Invoice):
        more = {
            "Type": "ACCREC",
            "InvoiceNumber": record.number,
            "DueDate": record.due_date.isoformat(),
            "Url": record.url,
        }
        return _filled(more) | _document(record, ids)
    if isinstance(record, CreditNote):
        return {"Type": "ACCRECCREDIT", "CreditNoteNumber": record.number} | _document(record, ids)
    if isinstance(record, Payment):
        return _payment(record, ids)
    return _allocation(record, ids)


def to_contact_adoption(contact: Contact, xero_id: str) -> dict[str, Any]:
    """Return what adopts a person's Contact: our ContactNumber, and nothing else of it changes (docs/books.md §7)."""
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
        place = record.address
        lines = {"AddressType": "STREET", "AddressLine1": place.line1, "AddressLine2": place.line2, "City": place.city}
        rest = {"Region": place.region, "PostalCode": place.postal_code, "Country": place.country}
        fields["Addresses"] = [_filled(lines | rest)]
    return _filled(fields)


def _item(record: Item) -> dict[str, Any]:
    fields: dict[str, Any] = {"Code": record.code, "Name": record.name, "Description": record.description}
    if record.unit_price is not None:
        fields["SalesDetails"] = {"UnitPrice": record.unit_price}
    return _filled(fields)


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
    return _filled(fields)


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


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not known: blanks never overwrite."""
    return {name: value for name, value in fields.items() if value is not None}


# -- what an element of an answer is ----------------------------------------------------------------------------------


def id_of(kind: Kind, found: Element) -> str | None:
    """Return an element's Xero id, or None where it has none or only zeros: then nothing is known to be saved."""
    text = str(found.get(ID[kind]) or "")
    return text if GUID.fullmatch(text) and text != NO_ID else None


def natural_key(kind: Kind, found: Element) -> str:
    """Return the key under which we find an element again; empty where it has none."""
    if kind is Kind.CONTACT:
        return str(found.get("ContactNumber") or "")
    if kind is Kind.ITEM:
        return str(found.get("Code") or "")
    if kind is Kind.INVOICE:
        return str(found.get("InvoiceNumber") or "")
    if kind is Kind.CREDIT_NOTE:
        return str(found.get("CreditNoteNumber") or "")
    if kind is Kind.ALLOCATION:
        note, invoice = found.get("CreditNote") or {}, found.get("Invoice") or {}
        amount = Decimal(str(found.get("Amount") or 0)).normalize()
        return f"{note.get('CreditNoteNumber') or ''}|{invoice.get('InvoiceNumber') or ''}|{amount:f}"
    return f"{found.get('Reference') or ''}|{_paid_document(found)['number']}"


def allocations_of(note: Element) -> list[dict[str, Any]]:
    """Return the Allocations a Credit Note shows, each with the Credit Note it belongs to."""
    bearer = {name: note.get(name) for name in ("CreditNoteID", "CreditNoteNumber")}
    return [{**one, "CreditNote": bearer} for one in note.get("Allocations") or []]


def correlation_key(kind: Kind, found: Element) -> str:
    """Return what tells the elements of one request apart, in the request and in its answer alike."""
    if kind is Kind.PAYMENT:
        return f"{found.get('Reference') or ''}|{_paid_document(found)['id'].lower()}"
    if kind is Kind.ALLOCATION:
        return str((found.get("Invoice") or {}).get("InvoiceID") or "").lower()
    return natural_key(kind, found).casefold()


def _paid_document(found: Element) -> dict[str, str]:
    """Return id and number of what is paid; a refund's Credit Note may stand under Invoice.

    Source: docs/contracts/xero.md §6.4.
    """
    note, invoice = found.get("CreditNote") or {}, found.get("Invoice") or {}
    if note.get("CreditNoteID"):
        return {"id": str(note["CreditNoteID"]), "number": str(note.get("CreditNoteNumber") or "")}
    return {"id": str(invoice.get("InvoiceID") or ""), "number": str(invoice.get("InvoiceNumber") or "")}


def status_of(kind: Kind, found: Element) -> str:
    """Return an element's status; Items have none."""
    return str(found.get("ContactStatus" if kind is Kind.CONTACT else "Status") or "ACTIVE")


def is_ours(kind: Kind, found: Element) -> bool:
    """Tell sales from purchases: only receivable documents and their payments are mirrored."""
    field, accepted = OWN_MARK_FIELDS.get(kind, ("", {None}))
    return found.get(field) in accepted


def parse_instant(text: object) -> datetime | None:
    """Read `/Date(1789378199100+0000)/`, with or without its offset, as UTC; None for anything else."""
    found = MILLISECONDS.match(str(text or ""))
    return EPOCH + timedelta(milliseconds=int(found[1])) if found else None


def mirror_record(kind: Kind, found: Element, key: str | None = None) -> MirrorRecord:
    """Return an element as the mirror keeps it; `key` names what an answer leaves out of itself.

    An Allocation has no reference of its own: there stands the id of the Credit Note that carries it. Personal data is
    kept only where it is compared.
    """
    bearer = (found.get("CreditNote") or {}).get("CreditNoteID") if kind is Kind.ALLOCATION else None
    return MirrorRecord(
        kind=kind,
        xero_id=str(found[ID[kind]]),
        natural_key=natural_key(kind, found) if key is None else key,
        reference=str(bearer or found.get("Reference") or ""),
        status=status_of(kind, found),
        updated_at=parse_instant(found.get("UpdatedDateUTC")) or EPOCH,
        payload=canonical_json(_kept_of_contact(found) if kind is Kind.CONTACT else _without_names(found)),
    )


def _kept_of_contact(found: Element) -> dict[str, Any]:
    """Leave away what nothing is compared with: balances, bank details, contact persons, other addresses."""
    return {name: value for name, value in found.items() if name in (*CONTACT_FIELDS_RETAINED, *COMPARED)}


def _without_names(content: Any) -> Any:
    """Of the Contact that a document or its money is for, the id is enough."""
    if isinstance(content, Mapping):
        kept = {name: value for name, value in content.items() if name != "Contact"}
        bearer = content.get("Contact")
        own = {"Contact": {ID[Kind.CONTACT]: bearer.get(ID[Kind.CONTACT])}} if isinstance(bearer, Mapping) else {}
        return own | {name: _without_names(value) for name, value in kept.items()}
    return [_without_names(one) for one in content] if isinstance(content, list) else content


# -- whether the two agree --------------------------------------------------------------------------------------------


def mismatch(record: AnyRecord, found: Element) -> str:
    """Say in what an element is not the record: another identity, other money, no longer live. Empty if it is."""
    status = status_of(record.kind, found)
    if status in REMOVED_STATUSES or (status == "ARCHIVED" and isinstance(record, Contact)):
        return f"Xero shows it {status.lower()} by a person"
    if isinstance(record, Document):
        return _unequal(("Total", record.total), ("TotalTax", record.total_tax), found=found)
    if isinstance(record, Payment | Allocation):
        return _unequal(("Amount", record.amount), found=found)
    if isinstance(record, Item) and (found.get("IsTrackedAsInventory") is True or found.get("IsSold") is False):
        return "Xero's Item under this code is tracked or not sold"
    return ""


def has_foreign_reference(record: AnyRecord, found: Element) -> bool:
    """Tell whether a document under our number is somebody else's: the Reference is the identity (docs/books.md §1)."""
    return isinstance(record, Document) and str(found.get("Reference") or "") != record.reference


def contains(record: AnyRecord, found: Element) -> bool:
    """Tell whether an element already holds everything a Contact or Item update would send."""
    sent = _contact(record) if isinstance(record, Contact) else _item(record) if isinstance(record, Item) else {}
    return all(_holds(value, found.get(name)) for name, value in sent.items())


def fingerprint(found: Element) -> str:
    """Return the figures and the status that identify an element, for the evidence; nothing personal is among them."""
    shown = ("Status", "ContactStatus", "Total", "TotalTax", "Amount", "UpdatedDateUTC")
    return canonical_json({name: found[name] for name in shown if name in found})


def _holds(sent: Any, shown: Any) -> bool:
    if isinstance(sent, Mapping):
        return isinstance(shown, Mapping) and all(_holds(value, shown.get(name)) for name, value in sent.items())
    if isinstance(sent, Sequence) and not isinstance(sent, str):
        return isinstance(shown, Sequence) and all(any(_holds(one, other) for other in shown) for one in sent)
    if isinstance(sent, Decimal):
        return isinstance(shown, Decimal | int) and sent == shown
    return bool(sent == shown)


def _unequal(*expected: tuple[str, Decimal], found: Element) -> str:
    for name, amount in expected:
        shown = found.get(name)
        if not isinstance(shown, Decimal | int) or shown != amount:
            return f"Xero shows {name} {shown} where {amount} was planned"
    return ""
