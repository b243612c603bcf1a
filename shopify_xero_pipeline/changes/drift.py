"""Drift, the changes that people make to posted records in Xero: edited fields, and money on our documents.

Source: docs/books.md §11.

This module only finds drift and returns both sides. It compares every part that the pipeline posts, whether or not it
moves money; people may change the descriptions of lines. The action follows in `compare.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from shopify_xero_pipeline.books.records import OrderBooks
from shopify_xero_pipeline.changes.fields import flatten
from shopify_xero_pipeline.changes.known_records import KnownRecords
from shopify_xero_pipeline.changes.models import Action, Change, FieldDiff
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import AnyRecord, Document, Kind, Payment

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
    content = Element.from_row(mirror).content()
    theirs, ours = flatten(content), flatten(posted)
    if contact_xero_id is not None:
        ours["contact"] = contact_xero_id
    if isinstance(record, Document):
        ours["lines"] = str(len(record.lines))
        theirs |= {"lines": str(len(content["lines"]))} if content["lines"] else {}
    edited = [name for name, text in ours.items() if text and name in theirs and not _same(text, theirs[name])]
    if not edited:
        return ()
    desired = flatten(record.content())
    return tuple(FieldDiff(name, theirs[name], desired.get(name, ours[name])) for name in edited)


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
    affected = {number for row in theirs.values() for number in references.documents_of(row.kind, row.natural_key)}
    for line in adjusted:
        number = next(
            (number for number in references.documents_of(line.kind, line.natural_key) if number in affected), None
        )
        conflict = {"action": Action.CONFLICT, "reason": BESIDE_IT.format(number=number), "fields": ()}
        yield line.model_copy(update=conflict) if number is not None and line.action in CHANGING else line


def _is_same_money(line: Change, row: MirrorRecord) -> bool:
    if line.action is not Action.CREATE or not isinstance(line.record, Payment) or row.kind != Kind.PAYMENT:
        return False
    on_same_document = references.documents_of(Kind.PAYMENT, row.natural_key) == [line.record.document_number]
    return on_same_document and Element.from_row(row).amount == line.record.amount


def _adopt_payment(line: Change, row: MirrorRecord) -> Change:
    """Return a line that adopts a person's payment, with its account, date and reference."""
    element = Element.from_row(row)
    assert isinstance(line.record, Payment)
    entered = {"account_code": element.account, "date": element.date}
    reference = {"reference": element.reference}
    record = line.record.model_copy(update={name: value for name, value in entered.items() if value} | reference)
    reason = (
        f"a person entered it in Xero on {record.date}, account {record.account_code}; it is adopted as this payment"
    )
    adopted = {"action": Action.ADOPT, "record": record, "xero_id": row.xero_id, "reason": reason, "fields": ()}
    return line.model_copy(update=adopted)


def _manual_payment_conflict(row: MirrorRecord, books: OrderBooks) -> Change:
    element = Element.from_row(row)
    amount = element.amount or Decimal(0)
    values = {"amount": str(amount), "account": element.account_code}
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


def _same(ours: str, theirs: str) -> bool:
    """Return whether two texts are equal as numbers, or as words without regard to case and spacing."""
    if ours == theirs:
        return True
    try:
        return Decimal(ours) == Decimal(theirs)
    except InvalidOperation:
        return ours.casefold().split() == theirs.casefold().split()
