"""Queries of the load, built once: building a query takes several times as long as executing it.

This module only contains queries; the modules that execute them use the rows. Queries for rows select whole rows,
because each read verifies a checksum over all columns (`row_checksums.py`).
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Select, Table, bindparam, func, select

from shopify_xero_pipeline.state.records import OPEN, UNANSWERED, BatchState, OperationState
from shopify_xero_pipeline.state.tables import batch, entity_mapping, evidence, key_value, operation, sync_errors

MAYBE_WRITTEN = (OperationState.IN_BATCH, OperationState.NEEDS_CHECK, OperationState.NEEDS_REVIEW)
DOCUMENTS = ("invoice", "credit_note")
UNSETTLED = (BatchState.INTENT, BatchState.SENT, BatchState.AMBIGUOUS)

T = TypeVar("T")


def chunks(values: Iterable[T], size: int = 500) -> Iterator[Sequence[T]]:
    """Yield values in tuples of at most `size`, so that an SQL IN list stays below a database's limit.

    Args:
        values: the values, read once.
        size: the largest length of a tuple.
    """
    rest = iter(values)
    while chunk := tuple(islice(rest, size)):
        yield chunk


def one_of(column: Column[Any], name: str = "ids") -> ColumnElement[bool]:
    """Return the condition that a column has one of the values of a list parameter."""
    return column.in_(bindparam(name, expanding=True))


def of_records(table: Table) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions for the rows of records, with the parameters `kind` and `ids` (Shopify ids)."""
    return table.c.kind == bindparam("kind"), one_of(table.c.shopify_id)


def with_prefix(column: Column[Any], prefix: str) -> ColumnElement[bool]:
    """Return the condition that a text begins with a prefix, as a range, because LIKE reads the whole table."""
    return (column >= prefix) & (column < f"{prefix[:-1]}{chr(ord(prefix[-1]) + 1)}")


@cache
def of_kind(table: Table, column: Column[Any] | None) -> Select[Any]:
    """Return the query for the rows of a `kind`; with a column, only those in which it has one of the `ids`.

    The rows of a column are not sorted: SQLite would read the whole kind in that order instead of using the index.
    """
    query = select(table).where(table.c.kind == bindparam("kind"))
    return query.order_by(*table.primary_key) if column is None else query.where(one_of(column))


MAPPED = of_kind(entity_mapping, entity_mapping.c.shopify_id)
MAPPED_OF_ORDERS = select(entity_mapping).where(one_of(entity_mapping.c.order_id))
DAYS_OF_RECORDS = select(entity_mapping.c.order_id, entity_mapping.c.partition).where(
    entity_mapping.c.order_id.is_not(None)
)
ORDER_DAYS = DAYS_OF_RECORDS.distinct()
VALUES = select(key_value).where(one_of(key_value.c.key))
FAILED = select(sync_errors).where(sync_errors.c.resolved_at.is_(None)).order_by(*sync_errors.primary_key)
OPEN_ERRORS = FAILED.where(*of_records(sync_errors))

_NEWEST_IDS = select(func.max(operation.c.id)).where(*of_records(operation)).group_by(operation.c.shopify_id)
NEWEST = select(operation).where(operation.c.id.in_(_NEWEST_IDS))
NEWEST_CONFIRMED = select(operation).where(
    operation.c.id.in_(_NEWEST_IDS.where(operation.c.state == OperationState.CONFIRMED))
)
BY_ID = select(operation).where(one_of(operation.c.id))
BY_STATE = select(operation).where(one_of(operation.c.state, "states")).order_by(operation.c.id)
PLANNED = select(operation).where(*of_records(operation), operation.c.state == OperationState.PLANNED)
_RESUMED = (operation.c.state == OperationState.REJECTED) & (operation.c.outcome == UNANSWERED)
UNFINISHED = select(operation).where(*of_records(operation), operation.c.state.in_(OPEN) | _RESUMED)
_FROZEN = operation.c.kind.in_(DOCUMENTS) | operation.c.state.in_(MAYBE_WRITTEN)
FROZEN_OF_ORDERS = (
    select(operation)
    .where(one_of(operation.c.order_id), operation.c.verb != "delete", operation.c.state.in_(OPEN), _FROZEN)
    .order_by(operation.c.id)
)
WAITING = (
    select(operation)
    .where(operation.c.batch_id == bindparam("batch"), operation.c.state == OperationState.IN_BATCH)
    .order_by(operation.c.id)
)

BATCH = select(batch).where(batch.c.id == bindparam("id"))
BATCHES = select(batch).where(one_of(batch.c.id)).order_by(batch.c.id)
UNSETTLED_BATCHES = select(batch).where(batch.c.state.in_(UNSETTLED)).order_by(batch.c.id)
WRITTEN_SINCE = select(operation.c.kind, operation.c.payload).where(operation.c.batch_id > bindparam("id"))
LAST_BATCH = select(func.max(batch.c.id))

EVIDENCE_WITHOUT_CHECKSUM = select(evidence).where(one_of(evidence.c.operation_id), evidence.c.row_hash == "")
