"""Drift, the changes that people make to posted records in Xero: edited fields, and money on our documents.

Source: docs/books.md §11.

This module only finds drift and returns both sides. It compares every part that the pipeline posts, whether or not it
moves money; people may change the descriptions of lines. The action follows in `compare.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.changes.fields import flatten, parse_payload, payload_amount
from shopify_xero_pipeline.changes.known_records import KnownRecords, documents_of
from shopify_xero_pipeline.changes.models import Action, Change, FieldDiff
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero.models import AnyRecord, Contact, Document, Item, Kind, Payment

Element = Mapping[str, Any]
XeroFields = dict[str, Any]

CONTACT_FIELDS = {"name": "Name", "first_name": "FirstName", "last_name": "LastName", "email": "EmailAddress"}
ADDRESS_FIELDS = {
    "line1": "AddressLine1",
    "line2": "AddressLine2",
    "city": "City",
    "region": "Region",
    "postal_code": "PostalCode",
    "country": "Country",
}
LINE_FIELDS = {
    "quantity": "Quantity",
    "unit_amount": "UnitAmount",
    "discount_amount": "DiscountAmount",
    "account_code": "AccountCode",
    "tax_type": "TaxType",
    "tax_amount": "TaxAmount",
    "item_code": "ItemCode",
}
ABSENT_MEANS_NONE = frozenset({"item_code"})
"""Parts of a line that Xero omits when they are empty. The value of another omitted part is unknown."""

CHANGING = frozenset({Action.CREATE, Action.DELETE})
ON_DOCUMENT = "a person entered this on the order's document in Xero; nothing more is entered there until it is removed"
BESIDE_IT = "a person entered money on {number} in Xero; compare both sides, remove theirs, and run the day again"


def find_edits(
    record: AnyRecord, posted: Mapping[str, object], mirror: MirrorRecord, contact_xero_id: str | None
) -> tuple[FieldDiff, ...]:
    """Return the fields in which Xero differs from the posted content, with Xero's value before and ours after.

    Args:
        record: the desired state of the record.
        posted: the content that was posted.
        mirror: the record's row in the mirror.
        contact_xero_id: the Xero id of a document's Contact after merges; None if it is unknown.
    """
    theirs = _xero_fields(record, parse_payload(mirror.payload))
    ours, desired = dict(flatten(posted)), dict(flatten(record.content()))
    if contact_xero_id is not None:
        ours["contact"] = contact_xero_id
    if isinstance(record, Document):
        ours["lines"] = str(len(record.lines))
    return tuple(
        FieldDiff(field=name, before=str(theirs[name]), after=desired.get(name, text))
        for name, text in ours.items()
        if text and theirs.get(name) is not None and not _same(text, str(theirs[name]))
    )


def flag_manual_payments(books: OrderBooks, lines: Sequence[Change], known: KnownRecords) -> Iterator[Change]:
    """Yield an order's lines and a conflict for each amount that a person entered on its documents.

    Nothing new is entered on a document with such an amount. A person's payment of the same amount on the same document
    is adopted, with the person's account and date. Orders whose payments others enter are not checked.

    Args:
        books: the books of the order.
        lines: the planned lines of the order.
        known: the mapping and mirror of Payments and Allocations.
    """
    if books.waits_for_others:
        yield from lines
        return
    expected = {line.natural_key.casefold() for line in lines}
    theirs = {
        row.xero_id: row
        for document in books.documents
        for row in known.unmapped_on(document.number)
        if row.natural_key.casefold() not in expected
    }
    adjusted = []
    for line in lines:
        same_money = next((row for row in theirs.values() if _is_same_money(line, row)), None)
        adjusted.append(line if same_money is None else _adopt_payment(line, theirs.pop(same_money.xero_id)))
    for row in theirs.values():
        yield _manual_payment_conflict(row, books)
    affected = {number for row in theirs.values() for number in documents_of(Kind(row.kind), row.natural_key)}
    for line in adjusted:
        number = next((number for number in documents_of(line.kind, line.natural_key) if number in affected), None)
        conflict = {"action": Action.CONFLICT, "reason": BESIDE_IT.format(number=number), "fields": ()}
        yield line.model_copy(update=conflict) if number is not None and line.action in CHANGING else line


def _is_same_money(line: Change, row: MirrorRecord) -> bool:
    if line.action is not Action.CREATE or not isinstance(line.record, Payment) or row.kind != Kind.PAYMENT:
        return False
    on_same_document = documents_of(Kind.PAYMENT, row.natural_key) == [line.record.document_number]
    return on_same_document and payload_amount(row.payload) == line.record.amount


def _adopt_payment(line: Change, row: MirrorRecord) -> Change:
    """Return a line that adopts a person's payment, with its account, date and reference."""
    element = parse_payload(row.payload)
    account, day = element.get("Account"), element_date(element)
    code = account.get("Code") or account.get("AccountID") if isinstance(account, Mapping) else None
    assert isinstance(line.record, Payment)
    entered = {"account_code": str(code) if code else None, "date": day and date.fromisoformat(day)}
    reference = {"reference": str(element.get("Reference") or "")}
    record = line.record.model_copy(update={name: value for name, value in entered.items() if value} | reference)
    reason = (
        f"a person entered it in Xero on {record.date}, account {record.account_code}; it is adopted as this payment"
    )
    adopted = {"action": Action.ADOPT, "record": record, "xero_id": row.xero_id, "reason": reason, "fields": ()}
    return line.model_copy(update=adopted)


def _manual_payment_conflict(row: MirrorRecord, books: OrderBooks) -> Change:
    element = parse_payload(row.payload)
    amount = Decimal(str(element.get("Amount") or 0))
    account = element.get("Account")
    code = account.get("Code") if isinstance(account, Mapping) else None
    values = {"amount": str(amount), "account": str(code) if code else None}
    return Change(
        action=Action.CONFLICT,
        kind=Kind(row.kind),
        shopify_id=row.xero_id,
        natural_key=row.natural_key,
        order_id=books.order_id,
        order_name=books.order_name,
        reason=ON_DOCUMENT,
        xero_id=row.xero_id,
        fields=tuple(FieldDiff(field=name, before=text, after=None) for name, text in values.items() if text),
        amount=amount,
        currency=books.currency,
    )


def _xero_fields(record: AnyRecord, element: Element) -> XeroFields:
    """Return Xero's fields under our names. A field that an element omits is unknown and not compared."""
    if isinstance(record, Contact):
        return parse_contact(element)
    if isinstance(record, Item):
        sales = element.get("SalesDetails") or {}
        texts = {"name": element.get("Name"), "description": element.get("Description")}
        return texts | {"unit_price": sales.get("UnitPrice")}
    if isinstance(record, Document):
        return _document_fields(element)
    return _payment_fields(element) if isinstance(record, Payment) else _allocation_fields(element)


def parse_contact(element: Element) -> XeroFields:
    """Return the fields of a Contact under our names; address fields as `address.city`."""
    fields = {name: element.get(field) for name, field in CONTACT_FIELDS.items()}
    for phone in element.get("Phones") or ():
        if phone.get("PhoneType") == "DEFAULT":
            fields["phone"] = phone.get("PhoneNumber")
    for address in element.get("Addresses") or ():
        if address.get("AddressType") == "STREET":
            fields |= {f"address.{name}": address.get(field) for name, field in ADDRESS_FIELDS.items()}
    return fields


def _payment_fields(element: Element) -> XeroFields:
    account = element.get("Account")
    return {
        "account_code": account.get("Code") if isinstance(account, Mapping) else None,
        "date": element_date(element),
        "amount": element.get("Amount"),
        "reference": element.get("Reference"),
    }


def _allocation_fields(element: Element) -> XeroFields:
    return {"date": element_date(element), "amount": element.get("Amount")}


def _document_fields(element: Element) -> XeroFields:
    lines = element.get("LineItems") or ()
    fields = {
        "contact": (element.get("Contact") or {}).get("ContactID"),
        "number": element.get("InvoiceNumber") or element.get("CreditNoteNumber"),
        "reference": element.get("Reference"),
        "date": element_date(element),
        "due_date": element_date(element, "DueDate"),
        "line_amount_types": element.get("LineAmountTypes"),
        "currency": element.get("CurrencyCode"),
        "total": element.get("Total"),
        "total_tax": element.get("TotalTax"),
        "lines": len(lines) or None,
    }
    line_fields = {
        f"lines.{index}.{name}": line.get(field) or ("" if name in ABSENT_MEANS_NONE else line.get(field))
        for index, line in enumerate(lines)
        for name, field in LINE_FIELDS.items()
    }
    return fields | line_fields


def element_date(element: Element, name: str = "Date") -> str | None:
    """Return the calendar date of an element as ISO text, or None.

    The date comes from `DateString` or, if that is missing, from the milliseconds of `Date`.
    """
    if element.get(f"{name}String"):
        return str(element[f"{name}String"])[:10]
    digits = str(element.get(name) or "").removeprefix("/Date(").partition("+")[0].rstrip(")/")
    return datetime.fromtimestamp(int(digits) / 1000, UTC).date().isoformat() if digits.isdigit() else None


def _same(ours: str, theirs: str) -> bool:
    """Return whether two texts are equal as numbers, or as words without regard to case and spacing."""
    try:
        return Decimal(ours) == Decimal(theirs)
    except InvalidOperation:
        return ours.casefold().split() == theirs.casefold().split()
