"""What people did in Xero to records of ours: fields they changed, and money they put on our documents (books.md §7).

Only finding it belongs here, both sides beside each other; what becomes of it is decided in `compare.py`. Compared is
what moves money or says whose it is. Left to people are the words of a document and the day it is due.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.changes.fields import flat, parsed
from shopify_xero_pipeline.changes.known import Known, documents_of
from shopify_xero_pipeline.changes.models import Action, Change, FieldDiff
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero.models import AnyRecord, Contact, Document, Item, Kind

Element = Mapping[str, Any]
Shown = dict[str, Any]

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
}
CHANGING = frozenset({Action.CREATE, Action.DELETE})
ON_DOCUMENT = "a person put this on the order's document in Xero; nothing more is placed there until it is removed"
BESIDE_IT = "a person put money on {number} in Xero; compare both sides, remove theirs, and run the day again"


def edits(
    record: AnyRecord, posted: Mapping[str, object], mirror: MirrorRecord, bearer: str | None
) -> tuple[FieldDiff, ...]:
    """Return the fields in which Xero shows something else than we posted: theirs before, ours after.

    Args:
        record: what Xero shall hold.
        posted: the content we posted.
        mirror: what Xero shows.
        bearer: the Xero id of a document's Contact, merges followed; None where it is not known.
    """
    theirs = _shown(record, parsed(mirror.payload))
    ours, today = dict(flat(posted)), dict(flat(record.content()))
    if bearer is not None:
        ours["contact"] = bearer
    if isinstance(record, Document):
        ours["lines"] = str(len(record.lines))
    return tuple(
        FieldDiff(field=name, before=str(theirs[name]), after=today.get(name, text))
        for name, text in ours.items()
        if theirs.get(name) is not None and not _same(text, str(theirs[name]))
    )


def peoples_money(books: OrderBooks, lines: Sequence[Change], known: Known) -> Iterator[Change]:
    """Yield an order's lines and the money people put on its documents, beside which nothing new is placed.

    Not of an order whose money is left to others: they put it there.
    """
    if books.waits_for_others:
        yield from lines
        return
    expected = {line.natural_key.casefold() for line in lines}
    numbers = [document.number for document in books.documents]
    found = [(number, row) for number in numbers for row in known.strangers_on(number)]
    theirs = [(number, row) for number, row in found if row.natural_key.casefold() not in expected]
    for row in {row.xero_id: row for _, row in theirs}.values():
        yield _of_a_person(row, books)
    touched = {number for number, _ in theirs}
    for line in lines:
        on = next((number for number in documents_of(line.kind, line.natural_key) if number in touched), None)
        conflict = {"action": Action.CONFLICT, "reason": BESIDE_IT.format(number=on), "fields": ()}
        yield line.model_copy(update=conflict) if on is not None and line.action in CHANGING else line


def _of_a_person(row: MirrorRecord, books: OrderBooks) -> Change:
    element = parsed(row.payload)
    amount = Decimal(str(element.get("Amount") or 0))
    account = element.get("Account")
    code = account.get("Code") if isinstance(account, Mapping) else None
    shown = {"amount": str(amount), "account": str(code) if code else None}
    return Change(
        action=Action.CONFLICT,
        kind=Kind(row.kind),
        shopify_id=row.xero_id,
        natural_key=row.natural_key,
        order_id=books.order_id,
        order_name=books.order_name,
        reason=ON_DOCUMENT,
        xero_id=row.xero_id,
        fields=tuple(FieldDiff(field=name, before=text, after=None) for name, text in shown.items() if text),
        amount=amount,
        currency=books.currency,
    )


def _shown(record: AnyRecord, element: Element) -> Shown:
    """Return what Xero shows, under our names; what an element leaves out is not known and not compared."""
    if isinstance(record, Contact):
        return shown_contact(element)
    if isinstance(record, Item):
        sales = element.get("SalesDetails") or {}
        return {"name": element.get("Name"), "unit_price": sales.get("UnitPrice")}
    return _shown_document(element) if isinstance(record, Document) else {}


def shown_contact(element: Element) -> Shown:
    """Return what Xero shows of a Contact, under our names; address fields as `address.city`."""
    shown = {name: element.get(field) for name, field in CONTACT_FIELDS.items()}
    for phone in element.get("Phones") or ():
        if phone.get("PhoneType") == "DEFAULT":
            shown["phone"] = phone.get("PhoneNumber")
    for address in element.get("Addresses") or ():
        if address.get("AddressType") == "STREET":
            shown |= {f"address.{name}": address.get(field) for name, field in ADDRESS_FIELDS.items()}
    return shown


def _shown_document(element: Element) -> Shown:
    lines = element.get("LineItems") or ()
    shown = {
        "contact": (element.get("Contact") or {}).get("ContactID"),
        "number": element.get("InvoiceNumber") or element.get("CreditNoteNumber"),
        "reference": element.get("Reference"),
        "date": day_shown(element),
        "currency": element.get("CurrencyCode"),
        "total": element.get("Total"),
        "total_tax": element.get("TotalTax"),
        "lines": len(lines) or None,
    }
    fields = {
        f"lines.{place}.{name}": line.get(field)
        for place, line in enumerate(lines)
        for name, field in LINE_FIELDS.items()
    }
    return shown | fields


def day_shown(element: Element) -> str | None:
    """Read a document's date: `DateString`, else the milliseconds of `Date`, both of them calendar days."""
    if element.get("DateString"):
        return str(element["DateString"])[:10]
    digits = str(element.get("Date") or "").removeprefix("/Date(").partition("+")[0].rstrip(")/")
    return datetime.fromtimestamp(int(digits) / 1000, UTC).date().isoformat() if digits.isdigit() else None


def _same(ours: str, theirs: str) -> bool:
    """Numbers are compared as numbers, words without regard to case and spacing."""
    try:
        return Decimal(ours) == Decimal(theirs)
    except InvalidOperation:
        return ours.casefold().split() == theirs.casefold().split()
