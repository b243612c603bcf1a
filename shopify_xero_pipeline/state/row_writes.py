"""Writes of mapping, mirror, failure and key-value rows within the caller's transaction.

The store and the journal share this module, so that a batch is settled and its results are stored in one transaction.
No function here opens or commits a transaction. Delete and insert replace an upsert, whose SQL differs between SQLite
and Postgres.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from functools import cache
from importlib import import_module
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, bindparam, delete, insert, select

from shopify_xero_pipeline.state import queries
from shopify_xero_pipeline.state.database import chunks
from shopify_xero_pipeline.state.privacy import redact_mirror_rows
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord, SyncError
from shopify_xero_pipeline.state.row_checksums import read, update_rows, with_checksum
from shopify_xero_pipeline.state.tables import entity_mapping, key_value, sync_errors, xero_mirror

R = TypeVar("R", MappedRecord, MirrorRecord)

_MIRRORED = (xero_mirror.c.kind == bindparam("kind"), queries.one_of(xero_mirror.c.xero_id))
SELECT_MIRRORED = select(xero_mirror.c.xero_id, xero_mirror.c.updated_at).where(*_MIRRORED)
DELETE_MIRRORED = delete(xero_mirror).where(*_MIRRORED)
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
    for kind, rows in _by_kind(records).items():
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
    for kind, rows in _by_kind(redact_mirror_rows(connection, records)).items():
        newest = {row.xero_id: row for row in rows}
        for ids in chunks(newest):
            stored = connection.execute(SELECT_MIRRORED, {"kind": kind, "ids": ids})
            updated_at = {row.xero_id: row.updated_at for row in stored}
            fresh = [key for key in ids if key not in updated_at or updated_at[key] <= newest[key].updated_at]
            if fresh:
                connection.execute(DELETE_MIRRORED, {"kind": kind, "ids": fresh})
                connection.execute(insert(xero_mirror), [with_checksum(newest[key].model_dump()) for key in fresh])
            written |= {*fresh}
    return written


def write_error(connection: Connection, error: SyncError) -> None:
    """Write a failed record, which replaces an earlier row. An open failure keeps the time when it first failed."""
    table = sync_errors
    same = (table.c.kind == error.kind, table.c.shopify_id == error.shopify_id)
    earlier = connection.execute(select(table).where(*same, table.c.resolved_at.is_(None))).mappings().first()
    values = error.model_dump()
    if earlier is not None:
        values["first_failed_at"] = earlier["first_failed_at"]
    connection.execute(delete(table).where(*same))
    connection.execute(insert(table), [with_checksum(values)])


def open_errors(connection: Connection, records: Collection[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the open failures of records.

    Args:
        connection: a connection in a transaction.
        records: pairs of kind and Shopify id.
    """
    # Most stores have no open failure: one query for all of them then replaces the queries by kind.
    failed = {(row.kind, row.shopify_id) for row in connection.execute(queries.FAILED)} & {*records}
    return [
        row
        for kind, keys in groupby(sorted(failed), itemgetter(0))
        for ids in chunks(shopify_id for _, shopify_id in keys)
        for row in read(connection, sync_errors, queries.OPEN_ERRORS, kind=kind, ids=ids)
    ]


def resolve_errors(connection: Connection, kind: str, shopify_ids: Collection[str], at: datetime) -> None:
    """Resolve the open failures of records of one kind.

    Args:
        connection: a connection in a transaction.
        kind: the kind of the records.
        shopify_ids: their Shopify ids.
        at: the present time, in UTC.
    """
    for ids in chunks(shopify_ids):
        open_rows = read(connection, sync_errors, queries.OPEN_ERRORS, kind=kind, ids=ids)
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
    rows = connection.execute(select(table.c.kind, table.c.shopify_id).where(*scope)).all()
    for kind in kinds:
        ids = [row.shopify_id for row in rows if row.kind == kind and (row.kind, row.shopify_id) not in keep]
        resolve_errors(connection, kind, ids, at)


@cache
def _upsert_value(dialect: str) -> Executable:
    """Return the statement that inserts a key or replaces its value; SQLAlchemy has one for each database."""
    insert_into = import_module(f"sqlalchemy.dialects.{dialect}").insert(key_value)
    columns = [column.name for column in key_value.columns if not column.primary_key]
    statement: Executable = insert_into.on_conflict_do_update(
        index_elements=[key_value.c.key], set_={name: insert_into.excluded[name] for name in columns}
    )
    return statement


def put_value(connection: Connection, name: str, text: str, at: datetime) -> None:
    """Store a text under a key.

    Args:
        connection: a connection in a transaction.
        name: the key.
        text: the value.
        at: the present time, in UTC.
    """
    row = with_checksum({"key": name, "value": text, "updated_at": at})
    connection.execute(_upsert_value(connection.dialect.name), [row])


def delete_value(connection: Connection, name: str) -> None:
    """Delete the text under a key, if there is one."""
    connection.execute(delete(key_value).where(key_value.c.key == name))


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


def _by_kind(records: Iterable[R]) -> dict[str, list[R]]:
    by_kind: dict[str, list[R]] = {}
    for record in records:
        by_kind.setdefault(record.kind, []).append(record)
    return by_kind
