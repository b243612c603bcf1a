"""The queries that every load asks many times, each made once: making one takes several times as long as asking it.

Only queries belong here; what is done with their rows stands in the modules that ask them. Those that give rows give
them whole, as their hashes are verified when they are read (`row_checksums.py`).
"""

from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, bindparam, func, select

from shopify_xero_pipeline.state.records import OPEN, UNANSWERED, BatchState, OperationState
from shopify_xero_pipeline.state.tables import batch, entity_mapping, evidence, operation, sync_errors

UNSETTLED = (BatchState.INTENT, BatchState.SENT, BatchState.AMBIGUOUS)


def one_of(column: Column[Any], name: str = "ids") -> ColumnElement[bool]:
    """Return that a column is one of the values given under a name."""
    return column.in_(bindparam(name, expanding=True))


def of_records(table: Table) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return that a row is of some records: of a `kind`, their Shopify `ids`."""
    return table.c.kind == bindparam("kind"), one_of(table.c.shopify_id)


@cache
def of_kind(table: Table, column: Column[Any]) -> Select[Any]:
    """Return the query for rows of a `kind` in which a column is one of some `ids`."""
    mine = (table.c.kind == bindparam("kind"), one_of(column))
    return select(table).where(*mine).order_by(*table.primary_key)


MAPPED = of_kind(entity_mapping, entity_mapping.c.shopify_id)
FAILED = select(sync_errors.c.kind, sync_errors.c.shopify_id).where(sync_errors.c.resolved_at.is_(None))
OPEN_ERRORS = select(sync_errors).where(*of_records(sync_errors), sync_errors.c.resolved_at.is_(None))

_NEWEST_IDS = select(func.max(operation.c.id)).where(*of_records(operation)).group_by(operation.c.shopify_id)
NEWEST = select(operation).where(operation.c.id.in_(_NEWEST_IDS))
BY_ID = select(operation).where(one_of(operation.c.id))
BY_STATE = select(operation).where(one_of(operation.c.state, "states")).order_by(operation.c.id)
PLANNED = select(operation).where(*of_records(operation), operation.c.state == OperationState.PLANNED)
_RESUMED = (operation.c.state == OperationState.REJECTED) & (operation.c.outcome == UNANSWERED)
UNFINISHED = select(operation).where(*of_records(operation), operation.c.state.in_(OPEN) | _RESUMED)
WAITING = (
    select(operation)
    .where(operation.c.batch_id == bindparam("batch"), operation.c.state == OperationState.IN_BATCH)
    .order_by(operation.c.id)
)

BATCH = select(batch).where(batch.c.id == bindparam("id"))
BATCHES = select(batch).where(one_of(batch.c.id)).order_by(batch.c.id)
UNSETTLED_BATCHES = select(batch).where(batch.c.state.in_(UNSETTLED)).order_by(batch.c.id)
LAST_BATCH = select(func.max(batch.c.id))

EVIDENCE = select(evidence).where(evidence.c.operation_id == bindparam("operation")).order_by(evidence.c.id)
UNSEALED_EVIDENCE = select(evidence).where(one_of(evidence.c.operation_id), evidence.c.row_hash == "")
