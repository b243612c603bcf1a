"""Statements that write mapping, mirror and error rows inside a transaction that someone else opened.

They are shared by the store and the journal, so that settling a batch and recording what it did is one transaction.
Nothing here opens or commits one. Deleting and inserting takes the place of an upsert, which each database spells in
its own way.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, delete, insert, select

from shopify_xero_pipeline.state import queries
from shopify_xero_pipeline.state.database import chunks
from shopify_xero_pipeline.state.privacy import redact_mirror_rows
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord, SyncError
from shopify_xero_pipeline.state.row_checksums import read, update_rows, with_checksum
from shopify_xero_pipeline.state.tables import entity_mapping, key_value, sync_errors, xero_mirror

R = TypeVar("R", MappedRecord, MirrorRecord)

_SHOWN = (xero_mirror.c.kind == bindparam("kind"), queries.one_of(xero_mirror.c.xero_id))
SHOWN = select(xero_mirror.c.xero_id, xero_mirror.c.updated_at).where(*_SHOWN)
DROP_SHOWN = delete(xero_mirror).where(*_SHOWN)
DROP_MAPPED = delete(entity_mapping).where(*queries.of_records(entity_mapping))


def write_mapping(connection: Connection, records: Iterable[MappedRecord], at: datetime) -> None:
    """Write mapping rows, each in place of an earlier one of the same record, whose failures are resolved thereby.

    Raises:
        sqlalchemy.exc.IntegrityError: the Xero id already stands for another record.
    """
    for kind, same in _by_kind(records).items():
        for some in chunks(same):
            ids = [row.shopify_id for row in some]
            connection.execute(DROP_MAPPED, {"kind": kind, "ids": ids})
            connection.execute(insert(entity_mapping), [with_checksum(row.model_dump()) for row in some])
            resolve_errors(connection, kind, ids, at)


def write_mirror(connection: Connection, records: Iterable[MirrorRecord]) -> set[str]:
    """Write mirror rows, each in place of what was there under its Xero id; the last of equals counts.

    What was read before another process read something newer of the same record is left out.

    Returns:
        The Xero ids of those written.
    """
    written = set[str]()
    for kind, same in _by_kind(redact_mirror_rows(connection, records)).items():
        newest = {row.xero_id: row for row in same}
        for some in chunks(newest):
            found = connection.execute(SHOWN, {"kind": kind, "ids": some})
            known = {row.xero_id: row.updated_at for row in found}
            fresh = [key for key in some if key not in known or known[key] <= newest[key].updated_at]
            if fresh:
                connection.execute(DROP_SHOWN, {"kind": kind, "ids": fresh})
                connection.execute(insert(xero_mirror), [with_checksum(newest[key].model_dump()) for key in fresh])
            written |= {*fresh}
    return written


def write_error(connection: Connection, error: SyncError) -> None:
    """Write a failed record, in place of an earlier row; a failure that was not resolved keeps its first time."""
    table = sync_errors
    same = (table.c.kind == error.kind, table.c.shopify_id == error.shopify_id)
    earlier = connection.execute(select(table).where(*same, table.c.resolved_at.is_(None))).mappings().first()
    values = error.model_dump()
    if earlier is not None:
        values["first_failed_at"] = earlier["first_failed_at"]
    connection.execute(delete(table).where(*same))
    connection.execute(insert(table), [with_checksum(values)])


def open_errors(connection: Connection, records: Collection[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the failures of records, by kind and Shopify id, that are not resolved; mostly there are none at all."""
    failed = {(row.kind, row.shopify_id) for row in connection.execute(queries.FAILED)} & {*records}
    return [
        row
        for kind, same in groupby(sorted(failed), itemgetter(0))
        for some in chunks(shopify_id for _, shopify_id in same)
        for row in read(connection, sync_errors, queries.OPEN_ERRORS, kind=kind, ids=some)
    ]


def resolve_errors(connection: Connection, kind: str, shopify_ids: Collection[str], at: datetime) -> None:
    """Mark failures of these records as resolved."""
    for some in chunks(shopify_ids):
        still_open = read(connection, sync_errors, queries.OPEN_ERRORS, kind=kind, ids=some)
        update_rows(connection, sync_errors, still_open, lambda _: {"resolved_at": at})


def resolve_errors_except(
    connection: Connection,
    kinds: Collection[str],
    days: Collection[date],
    keep: Collection[tuple[str, str]],
    at: datetime,
) -> None:
    """Mark failures of these kinds and days as resolved unless their (kind, Shopify id) is to be kept."""
    table = sync_errors
    mine = (table.c.kind.in_(kinds), table.c.partition.in_(days), table.c.resolved_at.is_(None))
    found = connection.execute(select(table.c.kind, table.c.shopify_id).where(*mine)).all()
    for kind in kinds:
        gone = [row.shopify_id for row in found if row.kind == kind and (row.kind, row.shopify_id) not in keep]
        resolve_errors(connection, kind, gone, at)


def put_value(connection: Connection, name: str, text: str, at: datetime) -> None:
    """Write a small text under a name."""
    delete_value(connection, name)
    connection.execute(insert(key_value), [with_checksum({"key": name, "value": text, "updated_at": at})])


def delete_value(connection: Connection, name: str) -> None:
    """Delete the small text that is kept under a name, if there is one."""
    connection.execute(delete(key_value).where(key_value.c.key == name))


def delete_mirror_except(connection: Connection, kind: str, keep: Sequence[str], before: datetime) -> None:
    """Delete mirror rows of one kind that a complete listing no longer shows; what changed after an instant stays.

    Both instants are Xero's own.
    """
    table = xero_mirror
    shown = set(keep)
    older = (table.c.kind == kind, table.c.updated_at <= before)
    known = connection.scalars(select(table.c.xero_id).where(*older)).all()
    for some in chunks(xero_id for xero_id in known if xero_id not in shown):
        connection.execute(delete(table).where(table.c.kind == kind, table.c.xero_id.in_(some)))


def delete_allocations_of(connection: Connection, kind: str, bearers: Collection[str]) -> None:
    """Delete the mirror rows of what these records carried: those name their bearer's Xero id as reference."""
    table = xero_mirror
    for some in chunks(bearers):
        connection.execute(delete(table).where(table.c.kind == kind, table.c.reference.in_(some)))


def delete_record(connection: Connection, kind: str, shopify_id: str, xero_id: str, at: datetime) -> None:
    """Delete mapping and mirror row of a record that was taken back; its failures are resolved thereby."""
    mapping, mirror = entity_mapping, xero_mirror
    connection.execute(delete(mapping).where(mapping.c.kind == kind, mapping.c.shopify_id == shopify_id))
    connection.execute(delete(mirror).where(mirror.c.kind == kind, mirror.c.xero_id == xero_id))
    resolve_errors(connection, kind, [shopify_id], at)


def _by_kind(records: Iterable[R]) -> dict[str, list[R]]:
    found: dict[str, list[R]] = {}
    for record in records:
        found.setdefault(record.kind, []).append(record)
    return found
