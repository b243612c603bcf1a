"""Hashes of rows: each row of a sealed table bears the SHA-256 of all its other columns, so that damage is seen.

SQLite has no checksums of its own: of single flipped bits that change what a row says, its integrity check sees one in
six, the hash of the row all of them. A row whose hash is wrong is never used: reading it raises. Whoever inserts rows
of a sealed table seals them in the same transaction; rows are changed by `rewrite` alone, and only as they were read
and found sound, so that no damage is sealed over.
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
"""Columns added after their tables were sealed: empty, they count for nothing, so that older rows keep their hashes."""

Row = Mapping[str, Any]
Values = Callable[[Row], Row]


class StoreDamagedError(Exception):
    """What the state store says cannot be trusted; nothing is written to Xero by it any more."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The state store is damaged: {what}. Nothing was written to Xero. Run `shopify-xero rebuild`: it puts the "
            "damaged store aside and makes a new one from Shopify and Xero."
        )


def read(connection: Connection, table: Table, query: Select[Any], **given: object) -> list[dict[str, Any]]:
    """Return rows of a sealed table without their hashes.

    Args:
        connection: inside a transaction.
        table: a sealed one.
        query: selects all its columns.
        given: the query's parameters.

    Raises:
        StoreDamagedError: a row does not say what was written there.
    """
    return verified_rows(table, connection.execute(query, given).mappings().all())


def with_checksum(values: Row) -> dict[str, Any]:
    """Return a whole row, as it is about to be inserted, with its hash."""
    return {**values, CHECKSUM_COLUMN: row_hash(values)}


def add_checksums(connection: Connection, table: Table, query: Select[Any], **given: object) -> list[dict[str, Any]]:
    """Give rows that were inserted in this transaction, and got their ids, their hashes; return them without."""
    found = connection.execute(query, given).mappings().all()
    return _write(connection, table, [(row, {}) for row in found])


def update_rows(connection: Connection, table: Table, rows: Sequence[Row], new: Values) -> list[dict[str, Any]]:
    """Change rows of a sealed table, and seal them; return them as they are now.

    Args:
        connection: inside the transaction in which the rows were read.
        table: a sealed one.
        rows: whole, as `read` gave them.
        new: gives, for a row as it is, the columns to be changed, of all rows the same ones.
    """
    return _write(connection, table, [(row, new(row)) for row in rows])


def add_missing_checksums(connection: Connection, tables: Collection[Table] = CHECKSUMMED_TABLES) -> None:
    """Seal all rows of sealed tables, which may still lack columns of a later version."""
    for table in tables:
        present = {column["name"] for column in inspect(connection).get_columns(table.name)}
        add_checksums(connection, table, select(*(column for column in table.c if column.name in present)))


def _write(
    connection: Connection, table: Table, changes: Sequence[tuple[Mapping[Any, Any], Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """Write changes of rows with the new hashes; return the rows, changed, without them."""
    if not changes:
        return []
    keys = [column.name for column in table.primary_key]
    changed = [{**row, **said} for row, said in changes]
    values = [
        {f"old_{key}": row[key] for key in keys}
        | {f"new_{name}": value for name, value in said.items()}
        | {f"new_{CHECKSUM_COLUMN}": row_hash(now)}
        for (row, said), now in zip(changes, changed, strict=True)
    ]
    connection.execute(_update(table, tuple(changes[0][1])), values)
    return [{name: value for name, value in row.items() if name != CHECKSUM_COLUMN} for row in changed]


@cache
def _update(table: Table, columns: tuple[str, ...]) -> Update:
    same = [column == bindparam(f"old_{column.name}") for column in table.primary_key]
    return update(table).where(*same).values({name: bindparam(f"new_{name}") for name in (*columns, CHECKSUM_COLUMN)})


def row_hash(row: Mapping[Any, Any]) -> str:
    """Return the hash of a row's columns, whatever it bears as hash now."""
    counted = (
        one for one in sorted(row.items()) if one[0] != CHECKSUM_COLUMN and not (one[1] is None and one[0] in ADDED)
    )
    return digest("\x1f".join([f"{name}\x1e{_text(value)}" for name, value in counted]))


def verified_rows(table: Table, rows: Collection[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """Return rows without their hashes.

    Raises:
        StoreDamagedError: a row does not say what it said when it was sealed.
    """
    for row in rows:
        if row_hash(row) != row[CHECKSUM_COLUMN]:
            raise StoreDamagedError(f"a row of {table.name} does not say what was written there")
    return [{name: value for name, value in row.items() if name != CHECKSUM_COLUMN} for row in rows]


def _text(value: object) -> str:
    """Write a value so that no two different ones look alike, and one about to be written as it will be read."""
    if isinstance(value, str):
        return f"str {str(value)!r}"
    if isinstance(value, datetime):
        return f"at {value.astimezone(UTC).isoformat()}"
    if isinstance(value, date):
        return f"at {value.isoformat()}"
    return f"{type(value).__name__} {value!r}"
