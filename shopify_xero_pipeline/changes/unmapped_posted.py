"""Records of ours that Xero shows and the mapping does not know, read for what only they still say.

After a store was lost, numbers, days and bearers that were fixed when a document was posted stand in Xero alone: an
order is then kept as if they were in the mapping. Only reading belongs here; that such a record is adopted is decided
in `compare.py`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.books.contacts import is_nameless
from shopify_xero_pipeline.books.records import PostedAllocation, PostedDocument, PostedPayment, PostedRecords
from shopify_xero_pipeline.changes.drift import element_date, parse_contact
from shopify_xero_pipeline.changes.fields import parse_payload
from shopify_xero_pipeline.changes.known_records import NOT_LIVE, documents_of
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.models import AnyRecord, Contact, Kind, PostalAddress


def include_unmapped_posted(
    ledgers: Mapping[str, PostedRecords],
    orders: Collection[str],
    shown: Iterable[MirrorRecord],
    contacts: Mapping[str, str],
) -> dict[str, PostedRecords]:
    """Return ledgers with what only Xero shows of these orders.

    Args:
        ledgers: what the mapping and the journal know, by order id.
        orders: their ids.
        shown: documents and money that Xero shows and the mapping does not know.
        contacts: ContactNumbers by Xero id.
    """
    found, documents, money = dict(ledgers), defaultdict[str, list[MirrorRecord]](list), list[MirrorRecord]()
    for row in shown:
        mark = references.parse(row.reference)
        if row.status in NOT_LIVE:
            continue
        if row.kind == Kind.ALLOCATION or row.kind == Kind.PAYMENT:
            money.append(row)
        elif mark is not None and mark.order_id in orders:
            documents[mark.order_id].append(row)
    for order, rows in documents.items():
        known, posted = ledgers.get(order, PostedRecords()), [_document(row, contacts) for row in rows]
        together = {one.shopify_id: one for one in (*posted, *known.documents)}
        found[order] = known.model_copy(update={"documents": tuple(together.values())})
    homes = {
        one.number: (order, one.shopify_id) for order in orders if order in found for one in found[order].documents
    }
    for row in sorted(money, key=lambda row: (row.updated_at, row.natural_key)):
        numbers = documents_of(Kind(row.kind), row.natural_key)
        if numbers and all(number in homes for number in numbers):
            order = homes[numbers[0]][0]
            found[order] = _with_money(found[order], row, [homes[number][1] for number in numbers])
    return found


def backfill_blanks(record: AnyRecord, element: Mapping[str, Any]) -> AnyRecord:
    """Return a Contact with what Xero shows wherever Shopify says nothing any more; other records as they are."""
    if not isinstance(record, Contact):
        return record
    theirs = contact_from_element(record.shopify_id, element)
    blank = [name for name, value in record if value is None] + (["name"] if is_nameless(record) else [])
    return record.model_copy(update={name: getattr(theirs, name) for name in blank})


def contact_from_element(shopify_id: str, element: Mapping[str, Any]) -> Contact:
    """Return the Contact of a Shopify id as Xero shows it."""
    shown = {name: str(value) for name, value in parse_contact(element).items() if value}
    place = {name.removeprefix("address."): value for name, value in shown.items() if name.startswith("address.")}
    rest = {name: value for name, value in shown.items() if not name.startswith("address.")}
    address = PostalAddress.model_validate(place) if place else None
    return Contact(shopify_id=shopify_id, contact_number=references.contact_number(shopify_id), address=address, **rest)


def _document(row: MirrorRecord, contacts: Mapping[str, str]) -> PostedDocument:
    element, mark = parse_payload(row.payload), references.parse(row.reference)
    assert mark is not None
    contact: Any = element.get("Contact") or {}
    bearer = contacts.get(str(contact.get("ContactID")), "")
    return PostedDocument(
        kind=Kind(row.kind),
        shopify_id=f"{mark.order_id}/{mark.part}",
        number=row.natural_key,
        date=date.fromisoformat(element_date(element) or f"{row.updated_at:%F}"),
        contact_id=references.of_contact_number(bearer),
        total=Decimal(str(element.get("Total") or 0)),
    )


def _with_money(ledger: PostedRecords, row: MirrorRecord, documents: Sequence[str]) -> PostedRecords:
    element, mark = parse_payload(row.payload), references.parse(row.reference)
    day = date.fromisoformat(element_date(element) or f"{row.updated_at:%F}")
    shared = {"amount": Decimal(str(element.get("Amount") or 0)), "date": day}
    if row.kind == Kind.ALLOCATION:
        credit = PostedAllocation(credit_note_id=documents[0], invoice_id=documents[1], **shared)
        return ledger.model_copy(update={"allocations": (*ledger.allocations, credit)})
    if mark is None:
        return ledger
    placement = PostedPayment(transaction_id=mark.part, document_id=documents[0], **shared)
    if placement in [known.model_copy(update={"account": ""}) for known in ledger.payments]:
        return ledger
    return ledger.model_copy(update={"payments": (*ledger.payments, placement)})
