"""Writes of operations, mapping, mirror, failure and key-value rows within the caller's transaction.

The store and the journal share this module, so that a batch is settled and its results are stored in one transaction.
No function here opens or commits a transaction.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from shopify_xero_pipeline.state import queries
from shopify_xero_pipeline.state.failed_records import next_attempt_at
from shopify_xero_pipeline.state.key_rows import put_keys
from shopify_xero_pipeline.state.privacy import redact_mirror_rows
from shopify_xero_pipeline.state.queries import chunks
from shopify_xero_pipeline.state.records import (
    MappedRecord,
    MirrorRecord,
    OperationOutcome,
    OperationState,
    PlannedWrite,
    SyncError,
)
from shopify_xero_pipeline.state.row_checksums import (
    Row,
    fetch,
    insert_rows,
    put_rows,
    read,
    row_hash,
    update_rows,
    with_checksum,
)
from shopify_xero_pipeline.state.tables import (
    entity_mapping,
    evidence,
    key_value,
    mapping_key,
    mirror_key,
    operation,
    sync_errors,
    xero_mirror,
)

FAILED = (OperationState.REJECTED, OperationState.NEEDS_REVIEW)
R = TypeVar("R", MappedRecord, MirrorRecord, PlannedWrite)

SELECT_MIRRORED = select(xero_mirror.c.xero_id, xero_mirror.c.updated_at, xero_mirror.c.row_hash).where(
    xero_mirror.c.kind == bindparam("kind"), queries.one_of(xero_mirror.c.xero_id)
)
OPEN_SINCE = select(sync_errors.c.first_failed_at).where(
    *queries.of_records(sync_errors), sync_errors.c.resolved_at.is_(None)
)
DELETE_MAPPED = delete(entity_mapping).where(*queries.of_records(entity_mapping))


def write_mapping(connection: Connection, records: Iterable[MappedRecord], at: datetime) -> None:
    """Write mapping rows, which replace earlier rows of their records, and resolve the failures of the records.

    Args:
        connection: a connection in a transaction.
        records: the rows to write.
        at: the present time, in UTC.

    Raises:
        sqlalchemy.exc.IntegrityError: a Xero id is already mapped to another record.
    """
    for kind, rows in by_kind(records).items():
        for chunk in chunks(rows):
            ids = [row.shopify_id for row in chunk]
            connection.execute(DELETE_MAPPED, {"kind": kind, "ids": ids})
            values = [row.model_dump() for row in chunk]
            connection.execute(insert(entity_mapping), [with_checksum(row) for row in values])
            put_keys(connection, mapping_key, values)
            resolve_errors(connection, kind, ids, at)


def write_mirror(connection: Connection, records: Iterable[MirrorRecord]) -> set[str]:
    """Write mirror rows, which replace earlier rows with their Xero ids. The last of several rows for one id counts.

    A row is not written if the mirror already has it, or a newer one that another process has read since.

    Args:
        connection: a connection in a transaction.
        records: the rows in reading order.

    Returns:
        The Xero ids of the rows that the mirror now has as given.
    """
    written = set[str]()
    for kind, rows in by_kind(redact_mirror_rows(connection, records)).items():
        newest = {row.xero_id: row for row in rows}
        stored = {row["xero_id"]: row for row in fetch(connection, SELECT_MIRRORED, kind=kind, ids=newest)}
        newer = {key for key, row in stored.items() if row["updated_at"] > newest[key].updated_at}
        hashes = {row["row_hash"] for row in stored.values()}
        values = [row.model_dump() for key, row in newest.items() if key not in newer]
        values = [row for row in values if row_hash(row) not in hashes]
        put_rows(connection, xero_mirror, values)
        put_keys(connection, mirror_key, values)
        written |= newest.keys() - newer
    return written


def write_outcomes(
    connection: Connection, outcomes: Collection[OperationOutcome], rows: Mapping[int, Row], at: datetime
) -> None:
    """Write the outcomes of operations with their mapping rows, mirror rows, evidence and failures.

    Args:
        connection: a connection in a transaction.
        outcomes: one outcome for each operation.
        rows: the operations by id, as read in the transaction.
        at: the present time, in UTC.
    """
    write_mapping(connection, [outcome.mapped for outcome in outcomes if outcome.mapped], at)
    write_mirror(connection, [outcome.mirrored for outcome in outcomes if outcome.mirrored])
    for removed in (rows[outcome.operation_id] for outcome in outcomes if outcome.removed):
        delete_record(connection, removed["kind"], removed["shopify_id"], removed["xero_id"], at)
    evidence_rows = [outcome.evidence.model_dump() for outcome in outcomes if outcome.evidence]
    evidence_ids = {row["operation_id"] for row in evidence_rows}
    insert_rows(connection, evidence, evidence_rows, queries.EVIDENCE_WITHOUT_CHECKSUM, ids=evidence_ids)
    columns = {"state", "outcome", "reason", "retryable", "correlation_id"}
    values = {outcome.operation_id: outcome.model_dump(include=columns) for outcome in outcomes}
    xero_ids = {outcome.operation_id: outcome.mapped.xero_id for outcome in outcomes if outcome.mapped}
    changed = update_rows(
        connection,
        operation,
        [rows[key] for key in values],
        lambda row: values[row["id"]] | {"xero_id": xero_ids.get(row["id"], row["xero_id"]), "updated_at": at},
    )
    for row in changed:
        if row["state"] in FAILED:
            _write_error(connection, row, at)


def _write_error(connection: Connection, failed: Row, at: datetime) -> None:
    """Write the failure of an operation, which replaces an earlier one; an open failure keeps its first time."""
    same = (operation.c.kind == failed["kind"], operation.c.shopify_id == failed["shopify_id"])
    confirmed = select(func.max(operation.c.id)).where(*same, operation.c.state == OperationState.CONFIRMED)
    since = operation.c.id > func.coalesce(confirmed.scalar_subquery(), 0)
    attempts = connection.scalar(select(func.sum(operation.c.attempts)).where(*same, since))
    (earlier,) = connection.scalars(OPEN_SINCE, {"kind": failed["kind"], "ids": [failed["shopify_id"]]}).all() or [at]
    error = SyncError(
        **{name: failed[name] for name in SyncError.model_fields if name in failed and name != "attempts"},
        attempts=attempts,
        payload_hash=failed["checksum"],
        first_failed_at=earlier,
        last_failed_at=at,
        next_attempt_at=next_attempt_at(at, attempts, retryable=failed["retryable"]),
    )
    put_rows(connection, sync_errors, [error.model_dump()])


def resolve_errors(connection: Connection, kind: str, shopify_ids: Collection[str], at: datetime) -> None:
    """Resolve the open failures of records of one kind.

    Args:
        connection: a connection in a transaction.
        kind: the kind of the records.
        shopify_ids: their Shopify ids.
        at: the present time, in UTC.
    """
    open_rows = read(connection, queries.OPEN_ERRORS, kind=kind, ids=shopify_ids)
    update_rows(connection, sync_errors, open_rows, lambda _: {"resolved_at": at})


def resolve_errors_except(
    connection: Connection,
    kinds: Collection[str],
    days: Collection[date],
    is_kept: Callable[[tuple[str, str]], bool],
    at: datetime,
) -> None:
    """Resolve the open failures of kinds and days, except for some records.

    Args:
        connection: a connection in a transaction.
        kinds: the kinds of the failures.
        days: the days of the failures.
        is_kept: whether the failure of a record stays open, by its (kind, Shopify id).
        at: the present time, in UTC.
    """
    table = sync_errors
    scope = (table.c.kind.in_(kinds), table.c.partition.in_(days), table.c.resolved_at.is_(None))
    rows = read(connection, select(table).where(*scope))
    others = [row for row in rows if not is_kept((row["kind"], row["shopify_id"]))]
    update_rows(connection, table, others, lambda _: {"resolved_at": at})


def put_value(connection: Connection, name: str, text: str, at: datetime) -> None:
    """Store a text under a key.

    Args:
        connection: a connection in a transaction.
        name: the key.
        text: the value.
        at: the present time, in UTC.
    """
    put_rows(connection, key_value, [{"key": name, "value": text, "updated_at": at}])


def delete_mirror_except(connection: Connection, kind: str, keep: Sequence[str], before: datetime) -> None:
    """Delete mirror rows of one kind that are missing from a complete listing.

    Args:
        connection: a connection in a transaction.
        kind: the kind of the rows.
        keep: the Xero ids in the listing.
        before: the time of the listing, by Xero's clock; rows that changed later, by Xero's clock, stay.
    """
    table = xero_mirror
    listed = set(keep)
    older = (table.c.kind == kind, table.c.updated_at <= before)
    xero_ids = connection.scalars(select(table.c.xero_id).where(*older)).all()
    for ids in chunks(xero_id for xero_id in xero_ids if xero_id not in listed):
        _delete_mirrored(connection, kind, ids)


def delete_allocations_of(connection: Connection, kind: str, owner_ids: Collection[str]) -> None:
    """Delete the mirror rows of Allocations.

    Args:
        connection: a connection in a transaction.
        kind: the kind of the rows.
        owner_ids: the Xero ids of the Credit Notes that the Allocations have as their reference.
    """
    table = xero_mirror
    for ids in chunks(owner_ids):
        owned = select(table.c.xero_id).where(table.c.kind == kind, table.c.reference.in_(ids))
        if xero_ids := connection.scalars(owned).all():
            _delete_mirrored(connection, kind, xero_ids)


def delete_record(connection: Connection, kind: str, shopify_id: str, xero_id: str, at: datetime) -> None:
    """Delete the mapping and mirror rows of a record that was deleted in Xero, and resolve its failures.

    Args:
        connection: a connection in a transaction.
        kind: the kind of the record.
        shopify_id: its Shopify id.
        xero_id: its Xero id.
        at: the present time, in UTC.
    """
    for table in (entity_mapping, mapping_key):
        connection.execute(delete(table).where(table.c.kind == kind, table.c.shopify_id == shopify_id))
    _delete_mirrored(connection, kind, [xero_id])
    resolve_errors(connection, kind, [shopify_id], at)


def _delete_mirrored(connection: Connection, kind: str, xero_ids: Sequence[str]) -> None:
    for table in (xero_mirror, mirror_key):
        connection.execute(delete(table).where(table.c.kind == kind, table.c.xero_id.in_(xero_ids)))


def by_kind(records: Iterable[R]) -> dict[str, list[R]]:
    """Return records by kind, in the same order.

    Args:
        records: records of any kinds.
    """
    kinds: dict[str, list[R]] = {}
    for record in records:
        kinds.setdefault(record.kind, []).append(record)
    return kinds
