"""Posted records that are in Xero and not in the mapping, read after the loss of a state store.

The number, date and Contact of a document are fixed when it is posted, and then only Xero has them. This module only
reads them, so that the books of an order are the same as with a mapping. The adoption is planned in `compare.py`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from shopify_xero_pipeline.books.contacts import NAMELESS, is_nameless
from shopify_xero_pipeline.books.records import PostedAllocation, PostedDocument, PostedPayment, PostedRecords
from shopify_xero_pipeline.changes.known_records import NOT_LIVE
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero import references
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import AnyRecord, Contact, Kind, PostalAddress


def include_unmapped_posted(
    posted_by_order: Mapping[str, PostedRecords],
    order_ids: Collection[str],
    rows: Iterable[MirrorRecord],
    contacts: Mapping[str, str],
) -> dict[str, PostedRecords]:
    """Return the posted records of each order, with those that only Xero has.

    Args:
        posted_by_order: posted records of the mapping and the journal, by order id.
        order_ids: ids of the orders to complete.
        rows: unmapped documents, Payments and Allocations of the mirror.
        contacts: ContactNumbers by the Xero id of the Contact.
    """
    complete, money = dict(posted_by_order), list[MirrorRecord]()
    documents: dict[str, dict[str, PostedDocument]] = defaultdict(dict)
    for row in rows:
        reference = references.parse(row.reference)
        if row.status in NOT_LIVE:
            continue
        if row.kind == Kind.ALLOCATION or row.kind == Kind.PAYMENT:
            money.append(row)
        elif reference is not None and reference.order_id in order_ids:
            document = _document(row, reference, contacts)
            documents[reference.order_id][document.shopify_id] = document
    for order_id, unmapped in documents.items():
        known = posted_by_order.get(order_id, PostedRecords())
        merged = unmapped | {document.shopify_id: document for document in known.documents}
        complete[order_id] = known.model_copy(update={"documents": tuple(merged.values())})
    owners = {
        document.number: (order_id, document.shopify_id)
        for order_id in order_ids
        if order_id in complete
        for document in complete[order_id].documents
    }
    # In the order of their changes in Xero, so that every run builds the same records.
    for row in sorted(money, key=lambda row: (row.updated_at, row.natural_key)):
        numbers = references.documents_of(row.kind, row.natural_key)
        if numbers and all(number in owners for number in numbers):
            order_id = owners[numbers[0]][0]
            complete[order_id] = _with_posted_money(complete[order_id], row, [owners[number][1] for number in numbers])
    return complete


def backfill_blanks(record: AnyRecord, element: Element) -> AnyRecord:
    """Return a Contact with its blank fields filled from Xero, and any other record unchanged.

    Args:
        record: the desired state of a record.
        element: the record's element in Xero.
    """
    if not isinstance(record, Contact):
        return record
    theirs = contact_from_element(record.shopify_id, element)
    blank = [name for name, value in record if value is None] + (["name"] if is_nameless(record) else [])
    return record.model_copy(update={name: getattr(theirs, name) for name in blank})


def contact_from_element(shopify_id: str, element: Element) -> Contact:
    """Return a Contact with the values of its element in Xero.

    The stored element of a redacted customer has no name; its Contact gets the name of a customer without one.

    Args:
        shopify_id: digits of the customer's id.
        element: the Contact's element in Xero.
    """
    content = element.content()
    address = {name: text for name, text in content.pop("address", {}).items() if text}
    texts = {"name": NAMELESS.format(shopify_id)} | {name: text for name, text in content.items() if text}
    return Contact(
        shopify_id=shopify_id,
        contact_number=references.contact_number(shopify_id),
        address=PostalAddress.model_validate(address) if address else None,
        **texts,
    )


def _document(row: MirrorRecord, reference: references.Reference, contacts: Mapping[str, str]) -> PostedDocument:
    element = Element.from_row(row)
    contact_number = contacts.get(element.contact_id or "", "")
    return PostedDocument(
        kind=Kind(row.kind),
        shopify_id=f"{reference.order_id}/{reference.part}",
        number=row.natural_key,
        date=element.date or row.updated_at.date(),
        contact_id=references.of_contact_number(contact_number),
        total=element.amount or Decimal(0),
    )


def _with_posted_money(posted: PostedRecords, row: MirrorRecord, document_ids: Sequence[str]) -> PostedRecords:
    element, reference = Element.from_row(row), references.parse(row.reference)
    amount_and_date = {"amount": element.amount or Decimal(0), "date": element.date or row.updated_at.date()}
    if row.kind == Kind.ALLOCATION:
        credit = PostedAllocation(credit_note_id=document_ids[0], invoice_id=document_ids[1], **amount_and_date)
        return posted.model_copy(update={"allocations": (*posted.allocations, credit)})
    if reference is None:
        return posted
    payment = PostedPayment(transaction_id=reference.part, document_id=document_ids[0], **amount_and_date)
    if payment in [other.model_copy(update={"account": ""}) for other in posted.payments]:
        return posted
    return posted.model_copy(update={"payments": (*posted.payments, payment)})
