"""The posted records of each order, in the form that `books/` needs.

This module only parses stored rows. A document in the journal counts as posted before its outcome is known, because the
first plan fixes its number and date (docs/books.md §9).
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
    """A row of the mapping or the journal with the content of a record."""

    @property
    def payload(self) -> str:
        """The record's content as canonical JSON."""
        ...

    @property
    def order_id(self) -> str | None:
        """Digits of the order's id; None for a record without an order."""
        ...


def posted_records_by_order(
    mapped: Iterable[StoredRecord], planned: Iterable[StoredRecord] = ()
) -> Mapping[str, PostedRecords]:
    """Return the posted records of each order by order id; an order without rows has empty ones.

    Args:
        mapped: rows of the mapping.
        planned: rows of the journal; a row of the mapping replaces the row of the same document.
    """
    documents: dict[str, dict[str, PostedDocument]] = defaultdict(dict)
    payments: dict[str, list[PostedPayment]] = defaultdict(list)
    allocations: dict[str, list[PostedAllocation]] = defaultdict(list)
    for row in [*planned, *mapped]:  # the mapping comes last and wins
        record = RECORD.validate_json(row.payload)
        if isinstance(record, Invoice | CreditNote):
            documents[record.order_id][record.shopify_id] = _document(record)
        elif isinstance(record, Payment):
            payments[record.order_id].append(_payment(record))
        elif isinstance(record, Allocation):
            allocations[record.order_id].append(_allocation(record))
    posted_by_order: dict[str, PostedRecords] = defaultdict(PostedRecords)
    for order_id in {*documents, *payments, *allocations}:
        posted_by_order[order_id] = PostedRecords(
            documents=tuple(documents[order_id].values()),
            payments=tuple(payments[order_id]),
            allocations=tuple(allocations[order_id]),
        )
    return posted_by_order


def posted_as_wanted(books: OrderBooks, posted: PostedRecords) -> bool:
    """Return whether just the records that an order's books want are posted, each as it is wanted."""
    return (
        {*posted.documents} == {*map(_document, books.documents)}
        and {*posted.payments} == {*map(_payment, books.payments)}
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


def _payment(record: Payment) -> PostedPayment:
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
