"""Row checksums, which detect damage: each row of a checksummed table contains the SHA-256 of its other columns.

SQLite has no checksums of its own. Of the single flipped bits that change a value, its integrity check detects one in
six, the row checksum all of them. A row with a wrong checksum is never used: reading it raises. Code that inserts rows
of a checksummed table adds their checksums in the same transaction. Only `update_rows` changes rows, and only verified
ones, so that a damaged row never gets a new checksum.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Table, Update, bindparam, inspect, select, update

from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.tables import CHECKSUMMED_TABLES

CHECKSUM_COLUMN = "row_hash"
ADDED = frozenset({"xero_sent_at", "xero_quiet_at", "xero_settled_at", "xero_looked_up_at"})
"""Columns added to checksummed tables. An empty one is not hashed, so that older checksums stay valid."""

PLAIN = frozenset({str, int, bool, bytes, type(None)})
"""Classes whose values are hashed as they are; of other values `_text` decides."""

Row = Mapping[str, Any]
Values = Callable[[Row], Row]


class StoreDamagedError(Exception):
    """The content of the state store cannot be trusted; nothing more is written to Xero from it."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The state store is damaged: {what}. Nothing was written to Xero. Run `shopify-xero rebuild`: it "
            "quarantines the damaged store and builds a new one from Shopify and Xero."
        )


def read(connection: Connection, table: Table, query: Select[Any], **parameters: object) -> list[dict[str, Any]]:
    """Return verified rows of a checksummed table, without their checksums.

    Args:
        connection: a connection in a transaction.
        table: the checksummed table.
        query: a query for all columns of the table.
        parameters: the parameters of the query.

    Raises:
        StoreDamagedError: a row does not match its checksum.
    """
    return verified_rows(table, connection.execute(query, parameters).mappings().all())


def with_checksum(values: Row) -> dict[str, Any]:
    """Return a whole row for an insert, with its checksum."""
    return {**values, CHECKSUM_COLUMN: row_hash(values)}


def add_checksums(
    connection: Connection, table: Table, query: Select[Any], **parameters: object
) -> list[dict[str, Any]]:
    """Add checksums to rows that the database gave their ids; return the rows without checksums.

    Args:
        connection: a connection in the transaction that inserted the rows.
        table: the checksummed table.
        query: a query for all columns of the rows.
        parameters: the parameters of the query.
    """
    rows = connection.execute(query, parameters).mappings().all()
    return _write(connection, table, [(row, {}) for row in rows])


def update_rows(connection: Connection, table: Table, rows: Sequence[Row], new: Values) -> list[dict[str, Any]]:
    """Update rows of a checksummed table and their checksums; return the rows after the update.

    Args:
        connection: a connection in the transaction that read the rows.
        table: the checksummed table.
        rows: whole rows, as returned by `read`.
        new: returns the new values of a row by column; the columns are the same for all rows.
    """
    return _write(connection, table, [(row, new(row)) for row in rows])


def add_missing_checksums(connection: Connection, tables: Collection[Table] = CHECKSUMMED_TABLES) -> None:
    """Add checksums to all rows of checksummed tables, which may lack the columns of later versions.

    Args:
        connection: a connection in a transaction.
        tables: the checksummed tables.
    """
    for table in tables:
        present = {column["name"] for column in inspect(connection).get_columns(table.name)}
        add_checksums(connection, table, select(*(column for column in table.c if column.name in present)))


def _write(
    connection: Connection, table: Table, changes: Sequence[tuple[Mapping[Any, Any], Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """Update rows and their checksums; return the rows after the update, without checksums."""
    if not changes:
        return []
    keys = [column.name for column in table.primary_key]
    changed = [{**row, **columns} for row, columns in changes]
    values = [
        {f"old_{key}": row[key] for key in keys}
        | {f"new_{name}": value for name, value in columns.items()}
        | {f"new_{CHECKSUM_COLUMN}": row_hash(new_row)}
        for (row, columns), new_row in zip(changes, changed, strict=True)
    ]
    connection.execute(_update(table, tuple(changes[0][1])), values)
    return [{name: value for name, value in row.items() if name != CHECKSUM_COLUMN} for row in changed]


@cache
def _update(table: Table, columns: tuple[str, ...]) -> Update:
    same = [column == bindparam(f"old_{column.name}") for column in table.primary_key]
    return update(table).where(*same).values({name: bindparam(f"new_{name}") for name in (*columns, CHECKSUM_COLUMN)})


def row_hash(row: Mapping[Any, Any]) -> str:
    """Return the checksum of a row's columns, its checksum column excluded.

    Args:
        row: values by column name.
    """
    # Most values are plain. They are written here, as a call for each of them was a quarter of all calls of a day.
    fields = [
        f"{name}\x1e" + (f"{value.__class__.__name__} {value!r}" if value.__class__ in PLAIN else _text(value))
        for name, value in sorted(row.items())
        if name != CHECKSUM_COLUMN and not (value is None and name in ADDED)
    ]
    return digest("\x1f".join(fields))


def verified_rows(table: Table, rows: Collection[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """Return rows without their checksums.

    Args:
        table: the checksummed table.
        rows: whole rows of the table, with their checksums.

    Raises:
        StoreDamagedError: a row does not match its checksum.
    """
    for row in rows:
        if row_hash(row) != row[CHECKSUM_COLUMN]:
            raise StoreDamagedError(f"a row of {table.name} does not match its checksum")
    return [{name: value for name, value in row.items() if name != CHECKSUM_COLUMN} for row in rows]


def _text(value: object) -> str:
    """Return a text that differs for different values, and is the same before an insert and after a read."""
    if isinstance(value, str):
        return f"str {str(value)!r}"
    if isinstance(value, datetime):
        return f"at {value.astimezone(UTC).isoformat()}"
    if isinstance(value, date):
        return f"at {value.isoformat()}"
    return f"{type(value).__name__} {value!r}"
