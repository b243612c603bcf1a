"""The posted records of each order, in the form that `books/` needs.

This module only parses stored rows. A document in the journal counts as posted before its outcome is known, because the
first plan fixes its number and date (docs/books.md §9).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from shopify_xero_pipeline.books.records import (
    OrderBooks,
    PostedAllocation,
    PostedDocument,
    PostedPayment,
    PostedRecords,
)
from shopify_xero_pipeline.state.records import FrozenRecord, MappedRecord
from shopify_xero_pipeline.xero.models import (
    RECORD,
    Allocation,
    Contact,
    CreditNote,
    Document,
    Invoice,
    Item,
    Payment,
)

OrderRecord = Invoice | CreditNote | Payment | Allocation


def posted_records_by_order(
    mapped: Iterable[MappedRecord], planned: Iterable[FrozenRecord] = ()
) -> Mapping[str, PostedRecords]:
    """Return the posted records of each order by order id; an order without rows has empty ones.

    Args:
        mapped: rows of the mapping.
        planned: rows of the journal; a row of the mapping replaces the row of the same document.
    """
    records_by_order: dict[str, list[OrderRecord]] = defaultdict(list)
    rows: list[MappedRecord | FrozenRecord] = [*planned, *mapped]  # the mapping comes last and wins
    for row in rows:
        record = RECORD.validate_json(row.payload)
        if not isinstance(record, Contact | Item):
            records_by_order[record.order_id].append(record)
    return defaultdict(
        PostedRecords, {order_id: _posted_records(records) for order_id, records in records_by_order.items()}
    )


def posted_as_wanted(books: OrderBooks, posted: PostedRecords) -> bool:
    """Return whether just the records that an order's books want are posted, each as it is wanted."""
    wanted = _posted_records([*books.documents, *books.payments, *books.allocations])
    return all({*records} == {*getattr(wanted, name)} for name, records in posted)


def _posted_records(records: Iterable[OrderRecord]) -> PostedRecords:
    """Return records as posted; the last record of a document replaces earlier ones."""
    documents: dict[str, PostedDocument] = {}
    payments, allocations = list[PostedPayment](), list[PostedAllocation]()
    for record in records:
        if isinstance(record, Document):
            documents[record.shopify_id] = PostedDocument.model_validate(record, from_attributes=True)
        elif isinstance(record, Allocation):
            allocations.append(PostedAllocation.model_validate(record, from_attributes=True))
        else:
            payment = PostedPayment(
                transaction_id=record.shopify_id.split("/", 1)[0],
                document_id=record.document_id,
                amount=record.amount,
                date=record.date,
                account=record.account_code,
            )
            payments.append(payment)
    return PostedRecords(documents=tuple(documents.values()), payments=tuple(payments), allocations=tuple(allocations))
