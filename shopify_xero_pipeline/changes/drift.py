"""What people did in Xero to records of ours: fields they changed, and money they put on our documents.

Source: docs/books.md §11.

Only finding it belongs here, both sides beside each other; what becomes of it is decided in `compare.py`. Compared is
every part that we mean to post, whether it moves money or not; left to people are the words of a document's lines.
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
    "item_code": "ItemCode",
}
ABSENT_MEANS_NONE = frozenset({"item_code"})
"""Parts of a line that Xero leaves out where there is none; other parts it leaves out are not known."""

CHANGING = frozenset({Action.CREATE, Action.DELETE})
ON_DOCUMENT = "a person put this on the order's document in Xero; nothing more is placed there until it is removed"
BESIDE_IT = "a person put money on {number} in Xero; compare both sides, remove theirs, and run the day again"


def find_edits(
    record: AnyRecord, posted: Mapping[str, object], mirror: MirrorRecord, bearer: str | None
) -> tuple[FieldDiff, ...]:
    """Return the fields in which Xero shows something else than we posted: theirs before, ours after.

    Args:
        record: what Xero shall hold.
        posted: the content we posted.
        mirror: what Xero shows.
        bearer: the Xero id of a document's Contact, merges followed; None where it is not known.
    """
    theirs = _shown(record, parse_payload(mirror.payload))
    ours, today = dict(flatten(posted)), dict(flatten(record.content()))
    if bearer is not None:
        ours["contact"] = bearer
    if isinstance(record, Document):
        ours["lines"] = str(len(record.lines))
    return tuple(
        FieldDiff(field=name, before=str(theirs[name]), after=today.get(name, text))
        for name, text in ours.items()
        if text and theirs.get(name) is not None and not _same(text, str(theirs[name]))
    )


def flag_manual_payments(books: OrderBooks, lines: Sequence[Change], known: KnownRecords) -> Iterator[Change]:
    """Yield an order's lines and the money people put on its documents, beside which nothing new is placed.

    A person was faster where they entered just what is to be placed: the same amount on the same document. It is taken
    for that transaction, with the account and the day that they gave it. Of an order whose money is left to others
    nothing is said: they put it there.
    """
    if books.waits_for_others:
        yield from lines
        return
    expected = {line.natural_key.casefold() for line in lines}
    numbers = [document.number for document in books.documents]
    found = [(number, row) for number in numbers for row in known.unmapped_on(number)]
    theirs = [(number, row) for number, row in found if row.natural_key.casefold() not in expected]
    lines, taken = _entered_by_people(lines, [row for _, row in theirs])
    theirs = [(number, row) for number, row in theirs if row.xero_id not in taken]
    for row in {row.xero_id: row for _, row in theirs}.values():
        yield _of_a_person(row, books)
    touched = {number for number, _ in theirs}
    for line in lines:
        on = next((number for number in documents_of(line.kind, line.natural_key) if number in touched), None)
        conflict = {"action": Action.CONFLICT, "reason": BESIDE_IT.format(number=on), "fields": ()}
        yield line.model_copy(update=conflict) if on is not None and line.action in CHANGING else line


def _entered_by_people(lines: Sequence[Change], rows: Sequence[MirrorRecord]) -> tuple[list[Change], set[str]]:
    """Return the lines with those payments adopted that people entered, and the Xero ids of these."""
    taken: set[str] = set()
    found = []
    for line in lines:
        same = (row for row in rows if row.xero_id not in taken and _is_same_money(line, row))
        row = next(same, None)
        if row is not None:
            taken.add(row.xero_id)
        found.append(line if row is None else _adopting(line, row))
    return found, taken


def _is_same_money(line: Change, row: MirrorRecord) -> bool:
    if line.action is not Action.CREATE or not isinstance(line.record, Payment) or row.kind != Kind.PAYMENT:
        return False
    on_same_document = documents_of(Kind.PAYMENT, row.natural_key) == [line.record.document_number]
    return on_same_document and payload_amount(row.payload) == line.record.amount


def _adopting(line: Change, row: MirrorRecord) -> Change:
    """Return a line that takes a person's payment for ours: as they entered it, it is what is posted."""
    element = parse_payload(row.payload)
    account, day = element.get("Account"), element_date(element)
    code = account.get("Code") or account.get("AccountID") if isinstance(account, Mapping) else None
    assert isinstance(line.record, Payment)
    entered = {"account_code": str(code) if code else None, "date": day and date.fromisoformat(day)}
    said = {"reference": str(element.get("Reference") or "")}
    record = line.record.model_copy(update={name: value for name, value in entered.items() if value} | said)
    reason = f"a person entered it in Xero on {record.date}, account {record.account_code}; it is taken for this one"
    adopted = {"action": Action.ADOPT, "record": record, "xero_id": row.xero_id, "reason": reason, "fields": ()}
    return line.model_copy(update=adopted)


def _of_a_person(row: MirrorRecord, books: OrderBooks) -> Change:
    element = parse_payload(row.payload)
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
        return parse_contact(element)
    if isinstance(record, Item):
        sales = element.get("SalesDetails") or {}
        texts = {"name": element.get("Name"), "description": element.get("Description")}
        return texts | {"unit_price": sales.get("UnitPrice")}
    if isinstance(record, Document):
        return _shown_document(element)
    return _shown_payment(element) if isinstance(record, Payment) else _shown_allocation(element)


def parse_contact(element: Element) -> Shown:
    """Return what Xero shows of a Contact, under our names; address fields as `address.city`."""
    shown = {name: element.get(field) for name, field in CONTACT_FIELDS.items()}
    for phone in element.get("Phones") or ():
        if phone.get("PhoneType") == "DEFAULT":
            shown["phone"] = phone.get("PhoneNumber")
    for address in element.get("Addresses") or ():
        if address.get("AddressType") == "STREET":
            shown |= {f"address.{name}": address.get(field) for name, field in ADDRESS_FIELDS.items()}
    return shown


def _shown_payment(element: Element) -> Shown:
    account = element.get("Account")
    return {
        "account_code": account.get("Code") if isinstance(account, Mapping) else None,
        "date": element_date(element),
        "amount": element.get("Amount"),
        "reference": element.get("Reference"),
    }


def _shown_allocation(element: Element) -> Shown:
    return {"date": element_date(element), "amount": element.get("Amount")}


def _shown_document(element: Element) -> Shown:
    lines = element.get("LineItems") or ()
    shown = {
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
    fields = {
        f"lines.{place}.{name}": line.get(field) or ("" if name in ABSENT_MEANS_NONE else line.get(field))
        for place, line in enumerate(lines)
        for name, field in LINE_FIELDS.items()
    }
    return shown | fields


def element_date(element: Element, name: str = "Date") -> str | None:
    """Read a date by its text, `DateString`, else by the milliseconds of `Date`, both of them calendar days."""
    if element.get(f"{name}String"):
        return str(element[f"{name}String"])[:10]
    digits = str(element.get(name) or "").removeprefix("/Date(").partition("+")[0].rstrip(")/")
    return datetime.fromtimestamp(int(digits) / 1000, UTC).date().isoformat() if digits.isdigit() else None


def _same(ours: str, theirs: str) -> bool:
    """Numbers are compared as numbers, words without regard to case and spacing."""
    try:
        return Decimal(ours) == Decimal(theirs)
    except InvalidOperation:
        return ours.casefold().split() == theirs.casefold().split()
