"""Hashes of rows: each row of a sealed table bears the SHA-256 of all its other columns, so that damage is seen.

SQLite has no checksums of its own: of single flipped bits that change what a row says, its integrity check sees one in
six, the hash of the row all of them. A row whose hash is wrong is never used: reading it raises. Whoever inserts or
updates rows of a sealed table seals them in the same transaction.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, select, update

from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.database import chunks
from shopify_xero_pipeline.state.tables import SEALED

HASH = "row_hash"


class StoreDamagedError(Exception):
    """What the state store says cannot be trusted; nothing is written to Xero by it any more."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The state store is damaged: {what}. Nothing was written to Xero. Run `shopify-xero rebuild`: it puts the "
            "damaged store aside and makes a new one from Shopify and Xero."
        )


def seal(connection: Connection, table: Table, *where: ColumnElement[bool]) -> None:
    """Give the rows of a sealed table that meet the conditions the hash of what they say now."""
    keys = [column.name for column in table.primary_key]
    found = connection.execute(select(table).where(*where)).mappings().all()
    if not found:
        return
    same = [table.c[key] == bindparam(f"key_{key}") for key in keys]
    statement = update(table).where(*same).values({HASH: bindparam("seal")})
    values = [{"seal": row_hash(row), **{f"key_{key}": row[key] for key in keys}} for row in found]
    connection.execute(statement, values)


def seal_ids(connection: Connection, table: Table, ids: Iterable[int]) -> None:
    """Seal the rows with these ids."""
    for some in chunks(ids):
        seal(connection, table, table.c.id.in_(some))


def seal_everything(connection: Connection) -> None:
    """Seal all rows of all sealed tables."""
    for table in SEALED:
        seal(connection, table)


def row_hash(row: Mapping[Any, Any]) -> str:
    """Return the hash of a row's columns, whatever it bears as hash now."""
    return digest("\x1f".join([f"{name}\x1e{_text(value)}" for name, value in sorted(row.items()) if name != HASH]))


def sound(table: Table, rows: Collection[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """Return rows without their hashes.

    Raises:
        StoreDamagedError: a row does not say what it said when it was sealed.
    """
    for row in rows:
        if row_hash(row) != row[HASH]:
            raise StoreDamagedError(f"a row of {table.name} does not say what was written there")
    return [{name: value for name, value in row.items() if name != HASH} for row in rows]


def _text(value: object) -> str:
    """Write a value so that no two different ones look alike."""
    if value.__class__ is str:
        return f"str {value!r}"
    if isinstance(value, datetime | date):
        return f"at {value.isoformat()}"
    return f"{type(value).__name__} {value!r}"
