"""The stored keys of mapping and mirror rows, within the caller's transaction; `record_keys.py` derives them.

A key row has no checksum, because it only repeats a part of its checksummed row: a full verification derives all keys
again, and a row that is found by a key must have it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, bindparam, delete, exists, insert, select

from shopify_xero_pipeline.state import record_keys
from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.queries import chunks, one_of
from shopify_xero_pipeline.state.row_checksums import Row, fetch, read
from shopify_xero_pipeline.state.tables import entity_mapping, mapping_key, mirror_key, xero_mirror

KEY_TABLES = {entity_mapping: mapping_key, xero_mirror: mirror_key}
KEYS_OF: Mapping[Table, Callable[[Row], set[str]]] = {
    mapping_key: record_keys.mapping_keys,
    mirror_key: record_keys.mirror_keys,
}
ID = {mapping_key: "shopify_id", mirror_key: "xero_id"}


def _rows_with_keys(table: Table, condition: Callable[[Column[str]], ColumnElement[bool]]) -> Select[Any]:
    """Return the query for the rows of a `kind` that have a key under a condition."""
    keys = KEY_TABLES[table]
    same = (keys.c.kind == table.c.kind) & (keys.c[ID[keys]] == table.c[ID[keys]])
    return select(table).join(keys, same).where(keys.c.kind == bindparam("kind"), condition(keys.c.key))


def _unmapped(query: Select[Any]) -> Select[Any]:
    """Return the query for the rows of the mirror that are not mapped, decided by the key before the row is read."""
    mapped = (entity_mapping.c.kind == mirror_key.c.kind) & (entity_mapping.c.xero_id == mirror_key.c.xero_id)
    return query.where(~exists().where(mapped))


BY_KEY = {table: _rows_with_keys(table, one_of) for table in KEY_TABLES}
UNMAPPED_BY_KEY = _unmapped(BY_KEY[xero_mirror])
UNMAPPED_IN_RANGE = _unmapped(
    _rows_with_keys(xero_mirror, lambda key: (key >= bindparam("first")) & (key < bindparam("after"))).distinct()
)


def put_keys(connection: Connection, keys: Table, rows: Iterable[Row]) -> None:
    """Write the keys of rows, which replace the earlier keys of these rows.

    Args:
        connection: a connection in the transaction that wrote the rows.
        keys: the table of keys.
        rows: whole rows.
    """
    name = ID[keys]
    for chunk in chunks(rows):
        for kind in {row["kind"] for row in chunk}:
            ids = [row[name] for row in chunk if row["kind"] == kind]
            connection.execute(delete(keys).where(keys.c.kind == kind, keys.c[name].in_(ids)))
        values = [{"kind": row["kind"], "key": key, name: row[name]} for row in chunk for key in KEYS_OF[keys](row)]
        if values:
            connection.execute(insert(keys), values)


def read_by_key(
    connection: Connection, table: Table, kind: str, wanted: Iterable[str], query: Select[Any] | None = None
) -> list[dict[str, Any]]:
    """Return the verified rows of a kind that have one of some keys, each row once.

    Args:
        connection: a connection in a transaction.
        table: the mapping or the mirror.
        kind: the kind of the rows.
        wanted: the keys.
        query: replaces `BY_KEY` of the table.

    Raises:
        StoreDamagedError: a row does not match its checksum, or does not have any of the keys.
    """
    wanted = {*wanted}
    selected = read(connection, BY_KEY[table] if query is None else query, ids=wanted, kind=kind)
    keys = KEY_TABLES[table]
    rows = {row[ID[keys]]: row for row in selected}
    if not all(KEYS_OF[keys](row) & wanted for row in rows.values()):
        raise StoreDamagedError(f"a row of {keys.name} does not belong to its record")
    return [rows[key] for key in sorted(rows)]


def verify_keys(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Verify that the stored keys of rows are the derived ones.

    Args:
        connection: a connection in the transaction that read the rows.
        table: the mapping or the mirror.
        rows: verified rows.

    Raises:
        StoreDamagedError: a key is missing, or a row has a key that is not its own.
    """
    keys = KEY_TABLES[table]
    name, ids_by_kind = ID[keys], defaultdict[str, list[str]](list)
    for row in rows:
        ids_by_kind[row["kind"]].append(row[name])
    expected = {(row["kind"], key, row[name]) for row in rows for key in KEYS_OF[keys](row)}
    query = select(keys).where(keys.c.kind == bindparam("kind"), one_of(keys.c[name]))
    stored = [row for kind, ids in ids_by_kind.items() for row in fetch(connection, query, ids=ids, kind=kind)]
    if {(row["kind"], row["key"], row[name]) for row in stored} != expected:
        raise StoreDamagedError(f"the rows of {keys.name} do not match their records")
