"""What the mapping knows of an order, as the books ask for it: documents, placements, allocations already posted.

Only the translation of stored rows belongs here. A document planned in the journal but not yet settled counts as
posted for its number and date, which are frozen from the first plan on (books: numbering).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol

from pydantic import TypeAdapter

from shopify_xero_pipeline.books.records import (
    OrderBooks,
    PostedAllocation,
    PostedDocument,
    PostedPayment,
    PostedRecords,
)
from shopify_xero_pipeline.xero.models import Allocation, AnyRecord, CreditNote, Invoice, Payment

RECORD: TypeAdapter[AnyRecord] = TypeAdapter(AnyRecord, config={"hide_input_in_errors": True})


class StoredRecord(Protocol):
    """A row that carries a record's content: of the mapping or of the journal."""

    @property
    def payload(self) -> str:
        """The record's content as canonical JSON."""
        ...

    @property
    def order_id(self) -> str | None:
        """Digits of the order, for records that belong to one."""
        ...


def posted_records_by_order(
    mapped: Iterable[StoredRecord], planned: Iterable[StoredRecord] = ()
) -> Mapping[str, PostedRecords]:
    """Return each order's ledger by order id; an order without rows gets an empty one."""
    documents: dict[str, dict[str, PostedDocument]] = defaultdict(dict)
    placements: dict[str, list[PostedPayment]] = defaultdict(list)
    allocations: dict[str, list[PostedAllocation]] = defaultdict(list)
    for row in [*planned, *mapped]:
        record = RECORD.validate_json(row.payload)
        if isinstance(record, Invoice | CreditNote):
            documents[record.order_id][record.shopify_id] = _document(record)
        elif isinstance(record, Payment):
            placements[record.order_id].append(_placement(record))
        elif isinstance(record, Allocation):
            allocations[record.order_id].append(_allocation(record))
    ledgers: dict[str, PostedRecords] = defaultdict(PostedRecords)
    for order_id in {*documents, *placements, *allocations}:
        ledgers[order_id] = PostedRecords(
            documents=tuple(documents[order_id].values()),
            payments=tuple(placements[order_id]),
            allocations=tuple(allocations[order_id]),
        )
    return ledgers


def posted_as_wanted(books: OrderBooks, posted: PostedRecords) -> bool:
    """Return whether just the records that an order's books want are posted, each as it is wanted."""
    return (
        {*posted.documents} == {*map(_document, books.documents)}
        and {*posted.payments} == {*map(_placement, books.payments)}
        and {*posted.allocations} == {*map(_allocation, books.allocations)}
    )


def _document(record: Invoice | CreditNote) -> PostedDocument:
    return PostedDocument(
        kind=record.kind,
        shopify_id=record.shopify_id,
        number=record.number,
        date=record.date,
        contact_id=record.contact_id,
        total=record.total,
    )


def _placement(record: Payment) -> PostedPayment:
    return PostedPayment(
        transaction_id=record.shopify_id.split("/", 1)[0],
        document_id=record.document_id,
        amount=record.amount,
        date=record.date,
        account=record.account_code,
    )


def _allocation(record: Allocation) -> PostedAllocation:
    return PostedAllocation(
        credit_note_id=record.credit_note_id, invoice_id=record.invoice_id, amount=record.amount, date=record.date
    )
