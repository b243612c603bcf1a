"""Writes of mapping, mirror, failure and key-value rows within the caller's transaction.

The store and the journal share this module, so that a batch is settled and its results are stored in one transaction.
No function here opens or commits a transaction.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, delete, insert, select

from shopify_xero_pipeline.state import queries
from shopify_xero_pipeline.state.privacy import redact_mirror_rows
from shopify_xero_pipeline.state.queries import chunks
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord, PlannedWrite, SyncError
from shopify_xero_pipeline.state.row_checksums import fetch, put_rows, read, update_rows, with_checksum
from shopify_xero_pipeline.state.tables import entity_mapping, key_value, sync_errors, xero_mirror

R = TypeVar("R", MappedRecord, MirrorRecord, PlannedWrite)

SELECT_MIRRORED = select(xero_mirror.c.xero_id, xero_mirror.c.updated_at).where(
    xero_mirror.c.kind == bindparam("kind"), queries.one_of(xero_mirror.c.xero_id)
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
            connection.execute(insert(entity_mapping), [with_checksum(row.model_dump()) for row in chunk])
            resolve_errors(connection, kind, ids, at)


def write_mirror(connection: Connection, records: Iterable[MirrorRecord]) -> set[str]:
    """Write mirror rows, which replace earlier rows with their Xero ids. The last of several rows for one id counts.

    A row is not written if the mirror already has a newer one, which another process has read since.

    Args:
        connection: a connection in a transaction.
        records: the rows in reading order.

    Returns:
        The Xero ids of the written rows.
    """
    written = set[str]()
    for kind, rows in by_kind(redact_mirror_rows(connection, records)).items():
        newest = {row.xero_id: row for row in rows}
        stored = fetch(connection, SELECT_MIRRORED, kind=kind, ids=newest)
        newer = {row["xero_id"] for row in stored if row["updated_at"] > newest[row["xero_id"]].updated_at}
        put_rows(connection, xero_mirror, [row.model_dump() for key, row in newest.items() if key not in newer])
        written |= newest.keys() - newer
    return written


def write_error(connection: Connection, error: SyncError) -> None:
    """Write a failed record, which replaces an earlier row. An open failure keeps the time when it first failed."""
    table = sync_errors
    same = (table.c.kind == error.kind, table.c.shopify_id == error.shopify_id, table.c.resolved_at.is_(None))
    first_failed_at = connection.scalar(select(table.c.first_failed_at).where(*same))
    put_rows(connection, table, [error.model_dump() | {"first_failed_at": first_failed_at or error.first_failed_at}])


def open_errors(connection: Connection, records: Collection[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the open failures of records.

    Args:
        connection: a connection in a transaction.
        records: pairs of kind and Shopify id.
    """
    # Most stores have few open failures: one query for all of them then replaces the queries by kind.
    return [row for row in read(connection, queries.FAILED) if (row["kind"], row["shopify_id"]) in records]


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
    keep: Collection[tuple[str, str]],
    at: datetime,
) -> None:
    """Resolve the open failures of kinds and days, except for some records.

    Args:
        connection: a connection in a transaction.
        kinds: the kinds of the failures.
        days: the days of the failures.
        keep: the (kind, Shopify id) of records whose failures stay open.
        at: the present time, in UTC.
    """
    table = sync_errors
    scope = (table.c.kind.in_(kinds), table.c.partition.in_(days), table.c.resolved_at.is_(None))
    rows = read(connection, select(table).where(*scope))
    others = [row for row in rows if (row["kind"], row["shopify_id"]) not in keep]
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
        connection.execute(delete(table).where(table.c.kind == kind, table.c.xero_id.in_(ids)))


def delete_allocations_of(connection: Connection, kind: str, owner_ids: Collection[str]) -> None:
    """Delete the mirror rows of Allocations.

    Args:
        connection: a connection in a transaction.
        kind: the kind of the rows.
        owner_ids: the Xero ids of the Credit Notes that the Allocations have as their reference.
    """
    table = xero_mirror
    for ids in chunks(owner_ids):
        connection.execute(delete(table).where(table.c.kind == kind, table.c.reference.in_(ids)))


def delete_record(connection: Connection, kind: str, shopify_id: str, xero_id: str, at: datetime) -> None:
    """Delete the mapping and mirror rows of a record that was deleted in Xero, and resolve its failures.

    Args:
        connection: a connection in a transaction.
        kind: the kind of the record.
        shopify_id: its Shopify id.
        xero_id: its Xero id.
        at: the present time, in UTC.
    """
    mapping, mirror = entity_mapping, xero_mirror
    connection.execute(delete(mapping).where(mapping.c.kind == kind, mapping.c.shopify_id == shopify_id))
    connection.execute(delete(mirror).where(mirror.c.kind == kind, mirror.c.xero_id == xero_id))
    resolve_errors(connection, kind, [shopify_id], at)


def by_kind(records: Iterable[R]) -> dict[str, list[R]]:
    """Return records by kind, in the same order.

    Args:
        records: records of any kinds.
    """
    kinds: dict[str, list[R]] = {}
    for record in records:
        kinds.setdefault(record.kind, []).append(record)
    return kinds
